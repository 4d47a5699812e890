"""Which rows are trained on and which judge: hold-out and k-fold, stratified by class."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Row positions, ascending, without overlap."""

    train: Array
    validation: Array


def hold_out(num_rows: int, *, classes: Array | None, fraction: float, seed: int) -> Split:
    """Holds out a fraction of each class, and of the rows where there are no classes.

    NOTE: scikit-learn's stratified splitters refuse classes with one example and hold-outs smaller than the number of
    classes. Here a class with one example is trained on, and each with two or more has at least one on either side.
    """
    order = np.random.default_rng(seed).permutation(num_rows)
    groups = [order] if classes is None else [order[classes[order] == label] for label in np.unique(classes)]
    held = [group[: _num_held(len(group), fraction)] for group in groups]
    return _split(num_rows, np.concatenate(held))


def k_folds(num_rows: int, *, classes: Array | None, num_folds: int, seed: int) -> Iterator[Split]:
    """Each row is held out once, save the only example of a class, which is always trained on."""
    order = np.random.default_rng(seed).permutation(num_rows)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
        _, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
        order = order[counts[inverse][order] > 1]
    for fold in range(num_folds):
        yield _split(num_rows, order[fold::num_folds])


def _num_held(size: int, fraction: float) -> int:
    return 0 if size < 2 else min(max(round(size * fraction), 1), size - 1)


def _split(num_rows: int, held: Array) -> Split:
    is_held = np.zeros(num_rows, dtype=bool)
    is_held[held] = True
    return Split(train=np.flatnonzero(~is_held), validation=np.flatnonzero(is_held))
