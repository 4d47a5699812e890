"""Rows added to rare classes: SMOTE, and its variants for categories, SMOTE-NC and SMOTE-N (Chawla et al. 2002)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.errors import InvalidDataError

_NUM_NEIGHBOURS = 5
_MAX_BYTES = 16 * 1024**3

Floats = NDArray[np.float32]


def oversample(
    features: Floats, targets: NDArray[np.int64], *, num_numeric: int, seed: int
) -> tuple[Floats, NDArray[np.int64]]:
    """The rows to add, so that every class has as many as the most frequent; a class of a single row gets none.

    Neighbours are those in standardised quantities. A missing quantity is at the mean, and that it is missing is a
    category of its own: it is missing in a new row where it is in most of the rows that this one is made of.

    Raises:
        InvalidDataError: They would not fit in memory.
    """
    counts = np.bincount(targets)
    wanted = {int(label): int(counts.max()) for label in np.flatnonzero((counts > 1) & (counts < counts.max()))}
    num_bytes = len(wanted) * int(counts.max()) * features.shape[1] * features.itemsize
    if num_bytes > _MAX_BYTES:
        raise InvalidDataError(
            f"resample: {len(wanted)} classes of {counts.max()} rows each, as many as the most frequent has, are "
            f"{num_bytes / 1024**3:.0f} GiB: leave resample out, or give rare classes more weight instead"
        )
    matrix, restore = _to_matrix(features, num_numeric)
    rows, labels = [features[:0]], [targets[:0]]
    for num_neighbours, goals in _by_neighbours(counts, wanted).items():
        sampler = _build_sampler(matrix.shape[1], num_numeric, num_neighbours, goals, seed=seed)
        made, of = sampler.fit_resample(matrix, targets)
        rows.append(restore(made[len(matrix) :]))
        labels.append(of[len(matrix) :])
    return np.concatenate(rows), np.concatenate(labels)


def _to_matrix(features: Floats, num_numeric: int) -> tuple[Floats, "_Restore"]:
    """Standardised quantities without gaps, codes, and of each quantity that has gaps whether it is one."""
    quantities = features[:, :num_numeric].astype(np.float64)
    is_missing = np.isnan(quantities)
    counts = np.maximum((~is_missing).sum(axis=0), 1)
    means = np.where(is_missing, 0.0, quantities).sum(axis=0) / counts
    centred = np.where(is_missing, 0.0, quantities - means)
    deviations = np.sqrt((centred**2).sum(axis=0) / counts)
    deviations[deviations == 0] = 1.0
    gappy = np.flatnonzero(is_missing.any(axis=0))
    matrix = np.concatenate(
        [centred / deviations, features[:, num_numeric:], is_missing[:, gappy]], axis=1, dtype=np.float32
    )
    return matrix, _Restore(means=means, deviations=deviations, gappy=gappy, width=features.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Restore:
    """Back to features."""

    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    gappy: NDArray[np.intp]
    width: int

    def __call__(self, matrix: Floats) -> Floats:
        num_numeric = len(self.means)
        quantities = matrix[:, :num_numeric] * self.deviations + self.means
        quantities[:, self.gappy] = np.where(matrix[:, self.width :] > 0, np.nan, quantities[:, self.gappy])
        return np.concatenate([quantities, matrix[:, num_numeric : self.width]], axis=1, dtype=np.float32)


def _by_neighbours(counts: NDArray[np.int64], wanted: Mapping[int, int]) -> dict[int, dict[int, int]]:
    """A class of few rows has few neighbours: the classes by how many they have."""
    groups: dict[int, dict[int, int]] = {}
    for label, goal in wanted.items():
        groups.setdefault(min(_NUM_NEIGHBOURS, int(counts[label]) - 1), {})[label] = goal
    return groups


def _build_sampler(num_columns: int, num_numeric: int, num_neighbours: int, goals: dict[int, int], *, seed: int) -> Any:
    # imbalanced-learn is not needed by those who do not ask for it.
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    options = {"k_neighbors": num_neighbours, "sampling_strategy": goals, "random_state": seed}
    if num_numeric == num_columns:
        return SMOTE(**options)
    if not num_numeric:
        return SMOTEN(**options)
    return SMOTENC(categorical_features=list(range(num_numeric, num_columns)), **options)
