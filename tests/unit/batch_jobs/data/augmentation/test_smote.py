"""Rows are added to rare classes between rows of theirs: quantities, categories, gaps, and classes of few rows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from aimass_core.errors import InvalidDataError
from batch_jobs.data.augmentation.smote import oversample

Floats = NDArray[np.float32]


def _numbers(num_rows: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal([5, 500, 0], [1, 100, 1e-3], (num_rows, 3)).astype(np.float32)


def _codes(num_rows: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).integers(0, 4, (num_rows, 2)).astype(np.float32)


TARGETS = np.repeat([0, 1, 2], [60, 20, 9])


def test_every_class_becomes_as_frequent_as_the_most_frequent() -> None:
    features = np.concatenate([_numbers(89), _codes(89)], axis=1)
    made, targets = oversample(features, TARGETS, num_numeric=3, seed=0)
    assert np.bincount(targets).tolist() == [0, 40, 51]
    assert (made.dtype, made.shape) == (np.float32, (91, 5))
    assert set(np.unique(made[:, 3:])) <= {0.0, 1.0, 2.0, 3.0}
    again, _ = oversample(features, TARGETS, num_numeric=3, seed=0)
    assert np.array_equal(made, again)
    assert not np.array_equal(made, oversample(features, TARGETS, num_numeric=3, seed=1)[0])


def test_new_rows_lie_between_rows_of_their_class() -> None:
    features = _numbers(89)
    features[TARGETS == 1, 0] += 100
    made, targets = oversample(features, TARGETS, num_numeric=3, seed=0)
    for label in (1, 2):
        own = features[label == TARGETS]
        assert (made[targets == label] >= own.min(axis=0) - 1e-3).all()
        assert (made[targets == label] <= own.max(axis=0) + 1e-3).all()


def test_neighbours_are_those_in_standardised_quantities() -> None:
    """Two groups that differ in the small column alone: unscaled, the large one would choose the neighbours."""
    rng = np.random.default_rng(0)
    small = np.repeat([0.0, 1.0], 20)
    rare = np.stack([small + rng.normal(0, 0.01, 40), rng.normal(0, 1, 40)], axis=1)
    common = np.stack([rng.uniform(0, 1, 200), rng.normal(0, 1, 200)], axis=1)
    features = np.concatenate([rare, common]).astype(np.float32)
    features[:, 1] *= 1e4
    made, _ = oversample(features, np.repeat([1, 0], [40, 200]), num_numeric=2, seed=0)
    assert np.mean((made[:, 0] > 0.1) & (made[:, 0] < 0.9)) < 0.05


def test_categories_alone_are_resampled() -> None:
    made, targets = oversample(_codes(89), TARGETS, num_numeric=0, seed=0)
    assert np.bincount(targets).tolist() == [0, 40, 51]
    assert set(np.unique(made)) <= {0.0, 1.0, 2.0, 3.0}


@pytest.mark.parametrize("num_numeric", [3, 2])
def test_quantities_that_are_missing_where_the_class_has_gaps_are_missing_in_new_rows(num_numeric: int) -> None:
    features = _numbers(89)
    features[TARGETS == 1, 1] = np.nan
    features[TARGETS == 0, 0] = np.nan
    features[:, 2] = np.arange(89) % 3
    made, targets = oversample(features, TARGETS, num_numeric=num_numeric, seed=0)
    assert np.isnan(made[targets == 1, 1]).all()
    assert not np.isnan(made[targets == 2]).any()
    assert not np.isnan(made[:, [0, 2]]).any()


def test_constant_and_wholly_missing_quantities_stay_so() -> None:
    features = _numbers(89)
    features[:, 0], features[:, 2] = 7, np.nan
    made, _ = oversample(features, TARGETS, num_numeric=3, seed=0)
    assert (made[:, 0] == 7).all()
    assert np.isnan(made[:, 2]).all()


def test_classes_of_few_rows_have_few_neighbours_and_one_row_has_none() -> None:
    targets = np.repeat([0, 1, 2, 3], [50, 2, 1, 7])
    made, labels = oversample(_numbers(60), targets, num_numeric=3, seed=0)
    assert np.bincount(labels, minlength=4).tolist() == [0, 48, 0, 43]
    one, other = _numbers(60)[50:52]
    share = (made[labels == 1] - one) / (other - one)
    assert (share > -1e-3).all()
    assert (share < 1.001).all()


def test_classes_that_are_alike_get_nothing() -> None:
    made, labels = oversample(_numbers(20), np.repeat([0, 1], 10), num_numeric=3, seed=0)
    assert (made.shape, len(labels)) == ((0, 3), 0)


def test_more_than_fits_in_memory_is_refused_with_its_size() -> None:
    targets = np.concatenate([np.zeros(100_000, dtype=np.int64), np.repeat(np.arange(1, 5001), 2)])
    features = np.broadcast_to(np.float32(0), (len(targets), 20))
    with pytest.raises(InvalidDataError, match="5000 classes of 100000 rows each"):
        oversample(features, targets, num_numeric=20, seed=0)
