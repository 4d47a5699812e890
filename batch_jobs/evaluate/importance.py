"""Permutation importance of raw columns, through the exported graph (Breiman 2001)."""

import time
from collections.abc import Callable, Mapping

import numpy as np

from aimass_core.domain.signatures import Importance
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER, evaluate, primary_metric
from batch_jobs.evaluate.scoring import Scorer

MAX_ROWS = 2000
NUM_REPEATS = 3
MAX_SECONDS = 60.0


def permutation_importances(
    scorer: Scorer,
    frame: Frame,
    *,
    target: Target,
    truth: Array,
    seed: int,
    message: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> list[Importance]:
    """The loss in the primary metric when one column's values are shuffled among the rows, largest first.

    It looks at 2,000 rows at most, and stops after a minute: columns that it did not reach are left out, and it says so.
    """
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.permutation(frame.num_rows)[:MAX_ROWS])
    frame, truth = frame.take(sample), truth[sample]
    base = _metrics(scorer, frame, target, truth)
    name = primary_metric(target, base)
    sign = -1.0 if name in LOWER_IS_BETTER else 1.0
    deadline = clock() + MAX_SECONDS
    found: list[Importance] = []
    for column, values in frame.columns.items():
        if clock() > deadline:
            message(f"importances: {len(frame.columns) - len(found)} columns were not reached in {MAX_SECONDS:.0f} s")
            break
        shuffled = [frame.with_column(column, values[rng.permutation(frame.num_rows)]) for _ in range(NUM_REPEATS)]
        losses = [sign * (base[name] - _metrics(scorer, other, target, truth)[name]) for other in shuffled]
        found.append(Importance(column=column, mean=float(np.mean(losses)), std=float(np.std(losses))))
    return sorted(found, key=lambda item: -item.mean)


def _metrics(scorer: Scorer, frame: Frame, target: Target, truth: Array) -> Mapping[str, float]:
    return evaluate("", target, truth, scorer.answer(frame).scores).metrics
