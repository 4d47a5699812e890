"""Which models are selected, and what they are worth together."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from aimass_core.domain.signatures import Task
from batch_jobs.data.targets import Target, TargetScale
from batch_jobs.evaluate.metrics import evaluate
from batch_jobs.search.ensembles import average, find_power, raise_to, select

VALUES = Target(column="y", task=Task.REGRESSION, labels=None)
CLASSES = Target(column="y", task=Task.BINARY, labels=("no", "yes"))


def _noisy(truth: NDArray[Any], deviations: list[float], *, seed: int = 0) -> list[NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return [(truth + rng.normal(0, deviation, truth.shape)).astype(np.float32) for deviation in deviations]


def _probabilities(truth: NDArray[Any], deviations: list[float]) -> list[NDArray[Any]]:
    """Right by more or less, each with noise of its own."""
    found = [1 / (1 + np.exp(-scores)) for scores in _noisy(truth * 2.0 - 1.0, deviations)]
    return [np.stack([1 - share, share], axis=1).astype(np.float32) for share in found]


def test_models_that_err_apart_are_better_together_on_rows_that_nobody_saw() -> None:
    truth = np.random.default_rng(1).normal(0, 1, 4_000)
    scores = _noisy(truth, [0.5, 0.5, 0.55, 0.6, 3.0])
    seen, unseen = slice(0, 300), slice(300, None)
    weights = select([own[seen] for own in scores], truth[seen], VALUES, metric="rmse", seed=0)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[4] == 0
    mean = average([own[unseen] for own in scores], weights)
    alone = [evaluate("test", VALUES, truth[unseen], own[unseen]).metrics["rmse"] for own in scores]
    assert evaluate("test", VALUES, truth[unseen], mean).metrics["rmse"] < 0.7 * min(alone)


def test_there_are_no_more_members_than_may_be() -> None:
    truth = np.random.default_rng(1).normal(0, 1, 300)
    scores = _noisy(truth, [0.5] * 9)
    for count in (1, 2, 4):
        weights = select(scores, truth, VALUES, metric="rmse", max_members=count, seed=0)
        assert np.count_nonzero(weights) <= count
        assert weights.sum() == pytest.approx(1.0)
    assert np.count_nonzero(select(scores, truth, VALUES, metric="rmse", max_members=9, seed=0)) > 4


def test_one_model_stays_alone_where_others_do_not_help() -> None:
    truth = np.arange(50) % 2
    right, wrong = _probabilities(truth, [0.1])[0], _probabilities(1 - truth, [0.1])[0]
    assert select([wrong, right, wrong], truth, CLASSES, metric="log_loss", seed=0).tolist() == [0, 1, 0]
    assert select([right], truth, CLASSES, metric="log_loss", seed=0).tolist() == [1]


def test_of_models_that_answer_alike_the_smaller_is_taken() -> None:
    truth = np.arange(60) % 2
    right = _probabilities(truth, [0.2])[0]
    for sizes, expected in (([300, 100, 200], [0, 1, 0]), ([100, 300, 200], [1, 0, 0])):
        weights = select([right, right, right], truth, CLASSES, metric="roc_auc", sizes=sizes, seed=0)
        assert weights.tolist() == expected


def test_ties_of_the_metric_are_decided_by_the_loss() -> None:
    truth = np.arange(40) % 2
    sure = np.stack([0.9 - 0.8 * truth, 0.1 + 0.8 * truth], axis=1).astype(np.float32)
    unsure = np.stack([0.6 - 0.2 * truth, 0.4 + 0.2 * truth], axis=1).astype(np.float32)
    assert select([unsure, sure], truth, CLASSES, metric="accuracy", seed=0).tolist() == [0, 1]


def test_the_metric_decides_and_not_the_loss() -> None:
    truth = np.array([0, 1] * 20)
    ranked = np.where(truth == 1, 0.03, 0.02)
    loose = np.where(truth == 1, 0.9, 0.1)
    loose[:2] = [0.9, 0.1]
    scores = [np.stack([1 - own, own], axis=1).astype(np.float32) for own in (ranked, loose)]
    assert select(scores, truth, CLASSES, metric="roc_auc", max_members=1, seed=0).tolist() == [1, 0]
    assert select(scores, truth, CLASSES, metric="log_loss", max_members=1, seed=0).tolist() == [0, 1]


def test_a_metric_that_the_rows_do_not_have_leaves_the_loss() -> None:
    truth = np.zeros(30, dtype=int)
    scores = [np.stack([1 - own, own], axis=1).astype(np.float32) for own in (np.full(30, 0.4), np.full(30, 0.1))]
    assert select(scores, truth, CLASSES, metric="roc_auc", seed=0).tolist() == [0, 1]


def test_labels_and_forecasts_are_averaged_too() -> None:
    labels = Target(column="y", task=Task.MULTILABEL, labels=("a", "b", "c"))
    rng = np.random.default_rng(0)
    truth = (rng.random((200, 3)) < 0.4).astype(np.uint8)
    scores = [np.clip(own, 0, 1) for own in _noisy(truth.astype(float), [0.5, 0.5, 0.5])]
    weights = select(scores, truth, labels, metric="roc_auc", seed=0)
    together = evaluate("test", labels, truth, average(scores, weights)).metrics["roc_auc"]
    assert together > max(evaluate("test", labels, truth, own).metrics["roc_auc"] for own in scores)
    ahead = Target(column="y", task=Task.FORECASTING, labels=None, horizon=4, scale=TargetScale())
    values = rng.normal(0, 1, (150, 4))
    weights = select(_noisy(values, [0.5, 0.5, 2.0]), values, ahead, metric="rmse", seed=0)
    assert weights[:2].min() > 0.2


def test_the_same_seed_selects_the_same_and_without_time_all_rows_select_once() -> None:
    truth = np.random.default_rng(1).normal(0, 1, 120)
    scores = _noisy(truth, [0.5] * 8)
    first, second = (select(scores, truth, VALUES, metric="rmse", seed=3) for _ in range(2))
    assert first.tolist() == second.tolist()
    hurried = select(scores, truth, VALUES, metric="rmse", seed=3, is_time_up=lambda: True)
    assert hurried.sum() == pytest.approx(1.0)
    assert hurried.tolist() != first.tolist()


def test_the_mean_is_that_of_the_weights() -> None:
    found = average([np.array([1.0, 2.0]), np.array([5.0, 6.0]), np.array([np.nan, 9.0])], [3, 1, 0])
    assert found.tolist() == [2.0, 3.0]


def test_where_many_rows_judge_models_that_are_no_good_get_no_weight() -> None:
    truth = np.random.default_rng(1).normal(0, 1, 2_000)
    weights = select(_noisy(truth, [0.5, 0.5, 1.5, 1.5, 1.5, 1.5]), truth, VALUES, metric="rmse", seed=0)
    np.testing.assert_allclose(weights, [0.5, 0.5, 0, 0, 0, 0], atol=0.1)


def test_a_model_that_is_less_sure_than_it_is_right_is_raised_to_what_it_is() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (2_000, 5))
    sure = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(5, p=row) for row in sure])
    target = Target(column="y", task=Task.MULTICLASS, labels=tuple("abcde"))
    unsure = raise_to(sure, 0.4)
    assert find_power(unsure, truth, target) == pytest.approx(2.5, rel=0.1)
    assert find_power(sure, truth, target) == 1.0
    np.testing.assert_allclose(raise_to(unsure, 2.5), sure, atol=1e-9)
    assert find_power(sure[:, 0], truth, VALUES) == 1.0
