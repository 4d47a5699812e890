"""Metrics and the metric that a model is known by."""

import numpy as np
import pytest
from sklearn import metrics

from aimass_core.domain.signatures import Task
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.metrics import evaluate, primary_metric

BINARY = Target(column="y", task=Task.BINARY, labels=("no", "yes"))
THREE = Target(column="y", task=Task.MULTICLASS, labels=("a", "b", "c"))
LABELS = Target(column="y", task=Task.MULTILABEL, labels=("a", "b", "c", "d"))
VALUE = Target(column="y", task=Task.REGRESSION, labels=None)


def test_binary_metrics_are_those_of_the_second_label() -> None:
    scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2]], np.float32)
    found = evaluate("test", BINARY, np.array([0, 0, 1, 1]), scores)
    assert found.metrics["accuracy"] == 0.5
    assert found.metrics["f1"] == 0.5
    assert found.metrics["roc_auc"] == 0.75
    assert found.metrics["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.7, 0.2]).mean(), abs=1e-6)
    assert found.confusion_matrix is not None
    assert found.confusion_matrix.counts == [[1, 1], [1, 1]]


def test_a_channel_without_one_of_the_classes_is_judged_by_the_others() -> None:
    scores = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]], np.float32)
    found = evaluate("test", THREE, np.array([0, 1, 1]), scores)
    assert found.metrics["roc_auc"] == 1.0
    assert found.confusion_matrix is not None
    assert found.confusion_matrix.counts[2] == [0, 0, 0]


def test_metrics_of_classes_are_scikit_learns_with_ties_and_probabilities_of_0() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    scores = rng.integers(0, 4, (200, 3)) + 0.2 * np.eye(3)[truth] + 0.01
    scores = np.where(scores < 0.1, 0.0, scores).astype(np.float32)
    scores /= scores.sum(axis=1, keepdims=True)
    found = evaluate("test", THREE, truth, scores).metrics
    exact = scores.astype(np.float64) / scores.astype(np.float64).sum(axis=1, keepdims=True)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, exact))
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, exact, multi_class="ovr"))
    assert found["accuracy"] == metrics.accuracy_score(truth, scores.argmax(axis=1))


def test_answers_that_are_no_numbers_are_refused() -> None:
    scores = np.array([[0.5, 0.5], [np.nan, np.nan], [0.2, 0.8]], np.float32)
    with pytest.raises(ValueError, match="nan"):
        evaluate("test", BINARY, np.array([0, 1, 1]), scores)


def test_one_class_alone_has_no_area_and_is_known_by_its_accuracy() -> None:
    found = evaluate("test", BINARY, np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]], np.float32))
    assert "roc_auc" not in found.metrics
    assert primary_metric(BINARY, found.metrics) == "accuracy"


def test_metrics_of_labels_are_scikit_learns_and_leave_out_what_has_no_area() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((200, 4)) < [0.5, 0.2, 0.05, 0.0]).astype(np.uint8)
    scores = np.clip(truth * 0.3 + rng.random((200, 4)) * 0.7, 0, 1).astype(np.float32)
    found = evaluate("test", LABELS, truth, scores)
    predicted = scores >= 0.5
    assert found.metrics == pytest.approx(
        {
            "f1": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
            "f1_micro": metrics.f1_score(truth, predicted, average="micro"),
            "subset_accuracy": metrics.accuracy_score(truth, predicted),
            "hamming_loss": metrics.hamming_loss(truth, predicted),
            "roc_auc": metrics.roc_auc_score(truth[:, :3], scores[:, :3]),
            "average_precision": metrics.average_precision_score(truth[:, :3], scores[:, :3]),
            "log_loss": np.mean([metrics.log_loss(truth[:, i], scores[:, i], labels=[0, 1]) for i in range(4)]),
        },
        abs=1e-6,
    )
    assert found.confusion_matrix is None
    assert primary_metric(LABELS, found.metrics) == "roc_auc"


def test_labels_that_all_or_no_rows_have_are_known_by_the_rows_that_are_right() -> None:
    truth = np.tile(np.array([1, 0, 0, 0], np.uint8), (3, 1))
    found = evaluate("test", LABELS, truth, np.tile(np.array([0.9, 0.1, 0.1, 0.1], np.float32), (3, 1)))
    assert "roc_auc" not in found.metrics
    assert primary_metric(LABELS, found.metrics) == "subset_accuracy"
    assert found.metrics["subset_accuracy"] == 1.0


def test_regression_metrics() -> None:
    found = evaluate("test", VALUE, np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0], np.float32))
    assert found.metrics == pytest.approx({"rmse": (4 / 3) ** 0.5, "mae": 2 / 3, "r2": -1.0})
    assert primary_metric(VALUE, found.metrics) == "rmse"


def test_values_that_are_all_alike_have_no_r2() -> None:
    assert "r2" not in evaluate("test", VALUE, np.array([1.0, 1.0]), np.array([1.0, 2.0], np.float32)).metrics
