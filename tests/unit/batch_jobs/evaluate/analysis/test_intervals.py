"""Closed forms against scikit-learn, against resampling, and against the truth that they should hold."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from batch_jobs.data.frames import Array
from batch_jobs.evaluate.analysis.intervals import interval, measure, share_interval


def _binary(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    truth = (rng.random(size) < 0.3).astype(int)
    score = np.round(rng.normal(truth * 1.0, 1.0), 1)
    return truth, np.stack([-score, score], axis=1)


def test_a_roc_auc_is_that_of_scikit_learn_with_ties() -> None:
    truth, scores = _binary(np.random.default_rng(0), 500)
    found = measure("roc_auc", truth, scores)
    assert found
    assert found.value == pytest.approx(roc_auc_score(truth, scores[:, 1]), abs=1e-12)
    assert found.influences.sum() == pytest.approx(0, abs=1e-8)


def _resampled_width(rng: np.random.Generator, metric: str, truth: Array, scores: Array, *, num: int) -> float:
    """That of the bootstrap's interval of 95 %."""
    again = []
    for _ in range(num):
        rows = rng.integers(0, len(truth), len(truth))
        other = measure(metric, truth[rows], scores[rows])
        assert other
        again.append(other.value)
    return float(2 * 1.96 * np.std(again))


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "rmse"])
def test_intervals_are_as_wide_as_resampling_says(metric: str) -> None:
    rng = np.random.default_rng(1)
    truth, scores = _binary(rng, 400)
    if metric == "rmse":
        scores = scores[:, 1]
    found = interval(metric, truth, scores)
    assert found
    assert found[2] - found[1] == pytest.approx(_resampled_width(rng, metric, truth, scores, num=600), rel=0.15)


def test_the_true_roc_auc_lies_within_95_of_100_times() -> None:
    rng = np.random.default_rng(2)
    whole = measure("roc_auc", *_binary(rng, 200_000))
    assert whole
    found = [interval("roc_auc", *_binary(rng, 200)) for _ in range(400)]
    inside = [low <= whole.value <= high for item in found if item is not None for _, low, high in [item]]
    assert 0.92 <= np.mean(inside) <= 0.98


@pytest.mark.parametrize("metric", ["roc_auc", "subset_accuracy"])
def test_intervals_of_several_labels_are_as_wide_as_resampling_says(metric: str) -> None:
    rng = np.random.default_rng(3)
    truth = (rng.random((400, 3)) < [0.5, 0.3, 0.2]).astype(np.uint8)
    # The labels are told by the same noise: their areas vary together.
    scores = 1 / (1 + np.exp(0.8 - 1.6 * truth - rng.normal(size=(400, 1)) - rng.normal(size=(400, 3)) / 2))
    found = interval(metric, truth, scores)
    assert found
    if metric == "roc_auc":
        assert found[0] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert found[2] - found[1] == pytest.approx(_resampled_width(rng, metric, truth, scores, num=400), rel=0.15)


def test_there_is_no_roc_auc_of_one_class() -> None:
    assert interval("roc_auc", np.zeros(5, dtype=int), np.ones((5, 2))) is None
    assert interval("roc_auc", np.zeros((5, 3), dtype=np.uint8), np.ones((5, 3))) is None


def test_a_share_of_all_leaves_room_for_chance() -> None:
    low, high = share_interval(20, 20)
    assert 0.8 < low < 0.9
    assert high == 1.0
