"""Permutation importance of raw columns, through the exported graph (Breiman 2001)."""

import time
from collections.abc import Callable

import numpy as np

from aimass_core.domain.signatures import Importance
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER, evaluate, primary_metric
from batch_jobs.evaluate.scoring import Scorer

MAX_ROWS = 2000
MIN_ROWS = 200
NUM_REPEATS = 3
MAX_SECONDS = 20.0


def permutation_importances(
    scorer: Scorer,
    frame: Frame,
    *,
    target: Target,
    truth: Array,
    seed: int,
    message: Callable[[str], None],
    max_seconds: float = MAX_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> list[Importance]:
    """The loss in the primary metric when one column's values are shuffled among the rows, largest first.

    It looks at 2,000 rows at most, at fewer where the model is slow, and stops when its time is up: columns that it
    did not reach are left out, and it says so.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(frame.num_rows)
    started = clock()
    _measure(scorer, frame.take(order[:MIN_ROWS]), target, truth[order[:MIN_ROWS]])
    seconds_per_row = (clock() - started) / min(MIN_ROWS, frame.num_rows)
    affordable = int(max_seconds / max(seconds_per_row * NUM_REPEATS * len(frame.columns), 1e-9))
    sample = np.sort(order[: min(max(affordable, MIN_ROWS), MAX_ROWS)])
    frame, truth = frame.take(sample), truth[sample]
    base = _measure(scorer, frame, target, truth)
    deadline = started + 2 * max_seconds
    found: list[Importance] = []
    for column, values in frame.columns.items():
        if clock() > deadline:
            message(f"importances: time was up with {len(frame.columns) - len(found)} columns still to measure")
            break
        shuffled = [frame.with_column(column, values[rng.permutation(frame.num_rows)]) for _ in range(NUM_REPEATS)]
        losses = [base - _measure(scorer, other, target, truth) for other in shuffled]
        found.append(Importance(column=column, mean=float(np.mean(losses)), std=float(np.std(losses))))
    return sorted(found, key=lambda item: -item.mean)


def _measure(scorer: Scorer, frame: Frame, target: Target, truth: Array) -> float:
    """The primary metric, larger being better."""
    values = evaluate("", target, truth, scorer.answer(frame).scores).metrics
    name = primary_metric(target, values)
    return -values[name] if name in LOWER_IS_BETTER else values[name]
