"""Metrics by numpy alone: those that scikit-learn has, on classes, on numbers, and where rows say nothing."""

import numpy as np
import pytest
from sklearn import metrics

from aimass_core.services.watching.figures import ClassAnswers, NumberAnswers, wilson


def classes(num_labels: int, num_rows: int = 400) -> ClassAnswers:
    random = np.random.default_rng(num_labels)
    truth = random.integers(0, num_labels, num_rows)
    scores = random.dirichlet(np.ones(num_labels), num_rows).round(2) + np.eye(num_labels)[truth] * 0.4 + 0.01
    scores /= scores.sum(axis=1, keepdims=True)
    labels = [f"label {index}" for index in range(num_labels)]
    return ClassAnswers(labels=labels, truth=truth, predicted=scores.argmax(axis=1), scores=scores)


@pytest.mark.parametrize("num_labels", [2, 5])
def test_metrics_of_classes_are_those_of_scikit_learn(num_labels: int) -> None:
    answers = classes(num_labels)
    assert answers.scores is not None
    shares = answers.scores / answers.scores.sum(axis=1, keepdims=True)
    scores = shares[:, 1] if num_labels == 2 else shares
    wanted = {
        "accuracy": metrics.accuracy_score(answers.truth, answers.predicted),
        "f1": metrics.f1_score(answers.truth, answers.predicted, average="binary" if num_labels == 2 else "macro"),
        "log_loss": metrics.log_loss(answers.truth, answers.scores),
        "roc_auc": metrics.roc_auc_score(answers.truth, scores, multi_class="ovr"),
    }
    assert answers.metrics() == pytest.approx(wanted)
    counts = metrics.confusion_matrix(answers.truth, answers.predicted)
    assert answers.confusion().counts == counts.tolist()


def test_metrics_that_rows_do_not_have_are_left_out() -> None:
    answers = classes(2)
    alike = answers.take(np.flatnonzero(answers.truth == 1))
    assert "roc_auc" not in alike.metrics()
    blind = ClassAnswers(labels=answers.labels, truth=answers.truth, predicted=answers.predicted, scores=None)
    assert set(blind.metrics()) == {"accuracy", "f1"}
    assert blind.calibration() is None


def test_calibration_tells_what_was_promised_and_what_came() -> None:
    random = np.random.default_rng(0)
    chance = random.uniform(size=20_000)
    truth = (random.uniform(size=20_000) < chance).astype(np.int64)
    scores = np.stack([1 - chance, chance], axis=1)
    found = ClassAnswers(
        labels=["no", "yes"], truth=truth, predicted=scores.argmax(axis=1), scores=scores
    ).calibration()
    assert found is not None
    assert (found.label, len(found.bins)) == ("yes", 10)
    assert found.expected_error < 0.01
    assert found.brier_score == pytest.approx(2 * metrics.brier_score_loss(truth, chance))
    # Of ten intervals of 95 % one may miss.
    assert sum(each.low < each.mean_probability < each.high for each in found.bins) >= 9


def test_metrics_of_numbers_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(size=500)
    answers = NumberAnswers(truth=truth, predicted=truth * 0.8 + random.normal(0, 0.2, 500))
    wanted = {
        "rmse": metrics.root_mean_squared_error(truth, answers.predicted),
        "mae": metrics.mean_absolute_error(truth, answers.predicted),
        "r2": metrics.r2_score(truth, answers.predicted),
    }
    assert answers.metrics() == pytest.approx(wanted)
    residuals = answers.residuals()
    assert sum(residuals.histogram.counts) == 500
    worst = np.abs(answers.predicted - truth).max()
    shown = np.abs(np.array(residuals.predicted) - np.array(residuals.actual))
    assert shown.max() == pytest.approx(worst)
    assert len(shown) <= 401
    assert "r2" not in NumberAnswers(truth=np.ones(3), predicted=np.zeros(3)).metrics()


def test_wilsons_interval_holds_at_the_ends() -> None:
    assert wilson(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-3)
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-3)
