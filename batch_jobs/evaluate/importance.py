"""Permutation importance of raw columns, through the exported graph (Breiman 2001)."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from aimass_core.domain.signatures import Importance
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.analysis.intervals import Measured, Z, measure, standard_error
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER, PRIMARY_METRICS, fallback_metric
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
    scorer.answer(frame.take(order[:MIN_ROWS]))
    seconds_per_row = (clock() - started) / min(MIN_ROWS, frame.num_rows)
    affordable = int(max_seconds / max(seconds_per_row * NUM_REPEATS * len(frame.columns), 1e-9))
    sample = np.sort(order[: min(max(affordable, MIN_ROWS), MAX_ROWS)])
    frame, truth = frame.take(sample), truth[sample]
    metric, base = _measure_primary(target, truth, scorer.answer(frame).scores)
    deadline = started + 2 * max_seconds
    found: list[Importance] = []
    for column, values in frame.columns.items():
        if clock() > deadline:
            message(f"importances: time was up with {len(frame.columns) - len(found)} columns still to measure")
            break
        shuffled = [frame.with_column(column, values[rng.permutation(frame.num_rows)]) for _ in range(NUM_REPEATS)]
        found.append(
            _compare(column, base, [_require(metric, truth, scorer.answer(x).scores) for x in shuffled], metric)
        )
    return sorted(found, key=lambda item: -item.mean)


def _compare(column: str, base: Measured, shuffled: Sequence[Measured], metric: str) -> Importance:
    """The interval has two parts: of all rows there might be these were taken, and of all orders these."""
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    losses = [sign * (base.value - other.value) for other in shuffled]
    mean, std = float(np.mean(losses)), float(np.std(losses, ddof=1))
    by_rows = standard_error(base.influences - np.mean([other.influences for other in shuffled], axis=0))
    margin = Z * float(np.hypot(by_rows, std / np.sqrt(len(losses))))
    return Importance(column=column, mean=mean, std=std, low=mean - margin, high=mean + margin)


def _measure_primary(target: Target, truth: Array, scores: Array) -> tuple[str, Measured]:
    """The metric that the model is known by, or accuracy where the sample has none."""
    metric = PRIMARY_METRICS[target.task]
    found = measure(metric, truth, scores)
    if found is not None:
        return metric, found
    metric = fallback_metric(target)
    return metric, _require(metric, truth, scores)


def _require(metric: str, truth: Array, scores: Array) -> Measured:
    found = measure(metric, truth, scores)
    assert found is not None  # noqa: S101  it depends on the truth alone, and exists for the base
    return found
