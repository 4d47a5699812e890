"""Where a model is weaker: its metric on the rows of each value, or range of values, of the columns that matter."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aimass_core.domain.reports import Slice, Slices
from batch_jobs.data.frames import MISSING_TEXT, Array, Frame
from batch_jobs.evaluate.analysis.intervals import interval
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER

MIN_ROWS = 20
_MAX_COLUMNS = 10
_MAX_VALUES = 10
_NUM_BINS = 5
_MAX_SLICES = 60
_MAX_SECONDS = 5.0
_MAX_TEXT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    column: str
    values: str
    rows: Array


def find_slices(
    frame: Frame,
    columns: Sequence[str],
    truth: Array,
    scores: Array,
    *,
    metric: str,
    labels: Sequence[str] | None,
    clock: Callable[[], float] = time.monotonic,
) -> Slices | None:
    """Slices of 20 rows or more by the first columns, and by class where there are such; None where there is no metric.

    It takes a few seconds at most: the first columns come first.

    Args:
        frame: The rows.
        columns: Its columns, those that matter most first.
        truth: As in `metrics.evaluate`.
        scores: As in `metrics.evaluate`.
        metric: accuracy, subset_accuracy, roc_auc or rmse.
        labels: None for a regression.
    """
    whole = interval(metric, truth, scores)
    if whole is None:
        return None
    deadline, items = clock() + _MAX_SECONDS, []
    for group in _groups(frame, columns[:_MAX_COLUMNS], truth, labels):
        if clock() > deadline:
            break
        items.append(_measure(group, truth, scores, metric=metric, overall=whole[0]))
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    items.sort(key=lambda item: (item.value is None, sign * (item.value or 0.0)))
    return Slices(metric=metric, overall=whole[0], items=items[:_MAX_SLICES])


def _measure(group: _Group, truth: Array, scores: Array, *, metric: str, overall: float) -> Slice:
    found = interval(metric, truth[group.rows], scores[group.rows])
    value, low, high = found or (None, None, None)
    is_worse = found is not None and (found[1] > overall if metric in LOWER_IS_BETTER else found[2] < overall)
    return Slice(
        column=group.column,
        values=group.values,
        num_rows=len(group.rows),
        value=value,
        low=low,
        high=high,
        is_worse=is_worse,
    )


def _groups(frame: Frame, columns: Sequence[str], truth: Array, labels: Sequence[str] | None) -> Iterator[_Group]:
    """Of 20 rows or more."""
    for column in columns:
        for values, rows in _divide(column, frame.columns[column]):
            if MIN_ROWS <= len(rows) < frame.num_rows:
                yield _Group(column=values[0], values=values[1], rows=rows)
    if labels is not None and truth.ndim == 1:
        for index, label in enumerate(labels):
            rows = np.flatnonzero(truth == index)
            if len(rows) >= MIN_ROWS:
                yield _Group(column="actual class", values=shorten(label), rows=rows)


def _divide(column: str, values: Array) -> Iterator[tuple[tuple[str, str], Array]]:
    """Pairs of a name with a description, and the rows."""
    if values.ndim > 1:
        name = f"brightness of {column}" if values.dtype == np.uint8 else f"mean of {column}"
        yield from _by_quantiles(name, _means(values.reshape(len(values), -1)))
    elif values.dtype == object:
        if isinstance(values[0], str):
            yield from _by_values(column, values)
    else:
        yield from _by_quantiles(column, values.astype(np.float64))


def _means(values: Array) -> Array:
    """By row, of what is not missing; NaN where all is."""
    counts = np.count_nonzero(~np.isnan(values), axis=1)
    return np.where(counts, np.nansum(values, axis=1, dtype=np.float64) / np.maximum(counts, 1), np.nan)


def _by_values(column: str, values: Array) -> Iterator[tuple[tuple[str, str], Array]]:
    """By the most frequent values; texts that hardly ever repeat by their length."""
    known, codes, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    if counts.max() < MIN_ROWS and len(values) >= 2 * MIN_ROWS:
        lengths = np.asarray([len(text) for text in known], dtype=np.float64)[codes]
        yield from _by_quantiles(f"length of {column}", lengths)
        return
    for index in np.argsort(-counts, kind="stable")[:_MAX_VALUES]:
        text = str(known[index])
        yield (column, "missing" if text == MISSING_TEXT else shorten(text)), np.flatnonzero(codes == index)


def _by_quantiles(column: str, values: Array) -> Iterator[tuple[tuple[str, str], Array]]:
    """By value where there are few, else in five parts of about as many rows."""
    is_missing = np.isnan(values)
    present = values[~is_missing]
    if is_missing.any():
        yield (column, "missing"), np.flatnonzero(is_missing)
    known = np.unique(present)
    if len(known) <= _MAX_VALUES:
        for value in known:
            yield (column, f"{value:.6g}"), np.flatnonzero(values == value)
        return
    edges = np.unique(np.quantile(present, np.linspace(0, 1, _NUM_BINS + 1)))
    which = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    for index in range(len(edges) - 1):
        low, high = edges[index], edges[index + 1]
        yield (column, f"{low:.5g} to {high:.5g}"), np.flatnonzero((which == index) & ~is_missing)


def shorten(text: str, limit: int = _MAX_TEXT) -> str:
    """At most so many characters, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
