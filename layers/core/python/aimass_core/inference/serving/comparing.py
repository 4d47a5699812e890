"""Whether two versions agree on the rows of one request."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from aimass_core.inference.messages import PredictionAnswer

# What an answer is judged by: the first that is there. Of probabilities alone, by which is the largest.
_JUDGED = ("label", "value", "probabilities")


def num_unanswered(answer: PredictionAnswer) -> int:
    """Rows that could not be read, or that the model refused."""
    return 0 if answer.observed is None else answer.num_rows - len(answer.observed.rows)


def num_failed(answer: PredictionAnswer) -> int:
    """Those, and rows whose answer is no number."""
    outputs = answer.observed.outputs if answer.observed else ()
    return num_unanswered(answer) + sum(not all(_is_real(value) for value in output.values()) for output in outputs)


def compare(left: PredictionAnswer, right: PredictionAnswer, *, tolerance: float) -> tuple[int, int]:
    """How many rows both have answered, and on how many of those they differ: in the label, or in a number by more than
    a share of the larger one."""
    if left.observed is None or right.observed is None:
        return 0, 0
    mine = dict(zip(left.observed.rows, left.observed.outputs, strict=True))
    theirs = dict(zip(right.observed.rows, right.observed.outputs, strict=True))
    both = mine.keys() & theirs.keys()
    return len(both), sum(not _agree(mine[row], theirs[row], tolerance=tolerance) for row in both)


def _agree(left: Mapping[str, Any], right: Mapping[str, Any], *, tolerance: float) -> bool:
    name = next((name for name in _JUDGED if name in left and name in right), None)
    if name is None:
        name = next(iter(left.keys() & right.keys()), None)
        if name is None:
            return False
    mine, theirs = (np.asarray(each[name]) for each in (left, right))
    if name == "probabilities" and mine.ndim == 1 and theirs.ndim == 1:
        return bool(mine.argmax() == theirs.argmax()) if mine.size and theirs.size else False
    if mine.shape != theirs.shape:
        return False
    return all(_is_same(*pair, tolerance=tolerance) for pair in zip(_flat(mine), _flat(theirs), strict=True))


def _is_same(left: Any, right: Any, *, tolerance: float) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=tolerance, abs_tol=1e-9)
    return bool(left == right)


def _flat(array: Any) -> Iterable[Any]:
    values: list[Any] = array.ravel().tolist()
    return values


def _is_real(value: Any) -> bool:
    array = np.asarray(value)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
