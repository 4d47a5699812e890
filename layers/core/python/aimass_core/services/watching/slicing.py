"""Where an endpoint does worse: the metric on rows that have a value, or values in a range, in one column."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.reports import Slice, Slices
from aimass_core.domain.signatures import Signature
from aimass_core.services.watching.captured import CapturedRow
from aimass_core.services.watching.figures import Answers, ClassAnswers, NumberAnswers, wilson

_MIN_ROWS = 20
_MAX_COLUMNS = 100
_MAX_VALUES = 12
_MAX_SLICES = 30
_NUMBERS = (int, float)


def measure(signature: Signature, rows: Sequence[CapturedRow], answers: Answers) -> Slices | None:
    """None of fewer rows than two slices need."""
    if len(rows) < 2 * _MIN_ROWS:
        return None
    is_classes = isinstance(answers, ClassAnswers)
    metric = "accuracy" if is_classes else "rmse"
    overall = answers.metrics()[metric]
    found = []
    for spec in signature.inputs[:_MAX_COLUMNS]:
        name = spec.column or spec.name
        for words, index in _cut([row.get(name) for row in rows]):
            value, low, high = _interval(answers.take(index))
            is_worse = high < overall if is_classes else low > overall
            found.append(
                Slice(
                    column=name,
                    values=words,
                    num_rows=len(index),
                    value=value,
                    low=low,
                    high=high,
                    is_worse=is_worse,
                )
            )
    found.sort(key=lambda each: (not each.is_worse, (each.value or 0.0) * (1 if is_classes else -1)))
    return Slices(metric=metric, overall=overall, items=found[:_MAX_SLICES])


def _cut(values: Sequence[Any]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Quarters of numbers that differ much, else the commonest values, and what is missing."""
    missing = np.array([value is None for value in values])
    present = [value for value in values if value is not None]
    if any(isinstance(value, list) for value in present):
        return
    if missing.sum() >= _MIN_ROWS:
        yield "missing", np.flatnonzero(missing)
    is_number = all(isinstance(value, _NUMBERS) and not isinstance(value, bool) for value in present)
    if is_number and len(set(present)) > _MAX_VALUES:
        yield from _quarters(np.array([np.nan if value is None else value for value in values], dtype=np.float64))
        return
    for value, count in Counter(present).most_common(_MAX_VALUES):
        if count >= _MIN_ROWS:
            yield str(value)[:80], np.flatnonzero([each == value for each in values])


def _quarters(values: NDArray[np.float64]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    edges = np.unique(np.nanquantile(values, [0, 0.25, 0.5, 0.75, 1], method="lower"))
    for place, (low, high) in enumerate(itertools.pairwise(edges.tolist())):
        above = values >= low if place == 0 else values > low
        index = np.flatnonzero(above & (values <= high))
        if len(index) >= _MIN_ROWS:
            yield f"{low:.4g} to {high:.4g}", index


def _interval(answers: Answers) -> tuple[float, float, float]:
    """The metric, and the interval of 95 % that it lies in."""
    if isinstance(answers, ClassAnswers):
        share = answers.metrics()["accuracy"]
        return share, *wilson(share, len(answers.truth))
    return _rmse(answers)


def _rmse(answers: NumberAnswers) -> tuple[float, float, float]:
    squares = (answers.predicted - answers.truth) ** 2
    mean, half = float(squares.mean()), 1.96 * float(squares.std(ddof=1)) / float(np.sqrt(len(squares)))
    low, value, high = (float(np.sqrt(max(each, 0.0))) for each in (mean - half, mean, mean + half))
    return value, low, high
