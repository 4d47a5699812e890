"""Hold-out and folds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_jobs.data.splits import hold_out, k_folds

classes_of_rows = st.lists(st.integers(0, 5), min_size=2, max_size=80).map(np.array)


@given(classes_of_rows, st.floats(0.05, 0.85), st.integers(0, 5))
def test_a_hold_out_parts_the_rows_and_leaves_every_class_in_training(
    classes: np.ndarray, fraction: float, seed: int
) -> None:
    split = hold_out(len(classes), classes=classes, fraction=fraction, seed=seed)
    assert sorted([*split.train, *split.validation]) == list(range(len(classes)))
    assert set(classes[split.train]) == set(classes)
    judged = {label for label in set(classes.tolist()) if (classes == label).sum() > 1}
    assert set(classes[split.validation].tolist()) == judged


@given(classes_of_rows, st.integers(2, 6), st.integers(0, 5))
def test_folds_hold_out_each_row_once_save_only_examples(classes: np.ndarray, num_folds: int, seed: int) -> None:
    splits = list(k_folds(len(classes), classes=classes, num_folds=num_folds, seed=seed))
    held = sorted(np.concatenate([split.validation for split in splits]).tolist())
    assert held == [row for row, label in enumerate(classes) if (classes == label).sum() > 1]
    for split in splits:
        assert set(classes[split.train]) == set(classes)


def test_a_hold_out_keeps_the_shares_of_the_classes() -> None:
    classes = np.array([0] * 900 + [1] * 100)
    split = hold_out(1000, classes=classes, fraction=0.2, seed=3)
    assert np.bincount(classes[split.validation]).tolist() == [180, 20]


@pytest.mark.parametrize("num_folds", [2, 5])
def test_folds_of_a_regression_are_even_and_random(num_folds: int) -> None:
    splits = list(k_folds(100, classes=None, num_folds=num_folds, seed=0))
    assert {len(split.validation) for split in splits} == {100 // num_folds}
    assert splits[0].validation.tolist() != list(range(100 // num_folds))


def test_another_seed_gives_another_split() -> None:
    first, second, again = (hold_out(50, classes=None, fraction=0.2, seed=seed).validation for seed in (1, 2, 1))
    assert first.tolist() == again.tolist() != second.tolist()
