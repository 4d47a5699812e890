"""Metrics of the field, by scikit-learn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from aimass_core.domain.signatures import ConfusionMatrix, Evaluation, Task
from batch_jobs.algorithms.export.assembly import THRESHOLD
from batch_jobs.data.targets import Target

Array = NDArray[Any]
PRIMARY_METRICS: Mapping[Task, str] = {
    Task.BINARY: "roc_auc",
    Task.MULTICLASS: "accuracy",
    Task.MULTILABEL: "roc_auc",
    Task.REGRESSION: "rmse",
    Task.FORECASTING: "rmse",
}
LOWER_IS_BETTER = frozenset({"rmse", "mae", "log_loss", "hamming_loss", "scaled_mse", "scaled_mae"})


def evaluate(channel: str, target: Target, truth: Array, scores: Array) -> Evaluation:
    """All metrics of one channel.

    F1 is that of the positive class, labels[1], where there are two, and the mean over classes (macro) where there
    are more; ROC AUC of more than two classes is the mean of one-versus-rest over the classes that occur. Of several
    labels F1, ROC AUC and average precision are means over labels: the last two over those that some rows have and
    some have not.

    Args:
        channel: Its name.
        target: The labels.
        truth: Class indices, values, or of several labels 0 and 1 of shape [rows, labels].
        scores: Probabilities of shape [rows, classes], or values of shape [rows], or [rows, horizon] as the truth.
    """
    if target.labels is None:
        found = _regression_metrics(truth.ravel(), scores.ravel())
        if target.scale is not None:
            deviation = target.scale.deviation
            found |= {"scaled_mse": (found["rmse"] / deviation) ** 2, "scaled_mae": found["mae"] / deviation}
        return Evaluation(channel=channel, num_rows=len(truth), metrics=found)
    if target.task is Task.MULTILABEL:
        return Evaluation(channel=channel, num_rows=len(truth), metrics=_label_metrics(truth, scores))
    predicted = scores.argmax(axis=1)
    counts = metrics.confusion_matrix(truth, predicted, labels=range(len(target.labels)))
    return Evaluation(
        channel=channel,
        num_rows=len(truth),
        metrics=_classification_metrics(target, truth, scores, predicted),
        confusion_matrix=ConfusionMatrix(labels=list(target.labels), counts=counts.tolist()),
    )


def primary_metric(target: Target, values: Mapping[str, float]) -> str:
    """The metric that a model is known by; accuracy where a ROC AUC cannot be had."""
    name = PRIMARY_METRICS[target.task]
    return name if name in values else fallback_metric(target)


def fallback_metric(target: Target) -> str:
    """What a classification is judged by on rows that are all alike."""
    return "subset_accuracy" if target.task is Task.MULTILABEL else "accuracy"


def _regression_metrics(truth: Array, values: Array) -> dict[str, float]:
    result = {
        "rmse": float(metrics.root_mean_squared_error(truth, values)),
        "mae": float(metrics.mean_absolute_error(truth, values)),
    }
    # R2 compares with the mean: one row, or rows that are all alike, have nothing to explain.
    if len(truth) > 1 and np.ptp(truth) > 0:
        result["r2"] = float(metrics.r2_score(truth, values))
    return result


def _classification_metrics(target: Target, truth: Array, scores: Array, predicted: Array) -> dict[str, float]:
    is_binary = target.task is Task.BINARY
    probabilities = scores.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    result = {
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "f1": float(metrics.f1_score(truth, predicted, average="binary" if is_binary else "macro", zero_division=0.0)),
        "log_loss": float(metrics.log_loss(truth, probabilities, labels=range(probabilities.shape[1]))),
    }
    classes = [1] if is_binary else range(probabilities.shape[1])
    areas = [_one_versus_rest(truth == index, probabilities[:, index]) for index in classes]
    known = [area for area in areas if area is not None]
    return result | ({"roc_auc": float(np.mean(known))} if known else {})


def _label_metrics(truth: Array, scores: Array) -> dict[str, float]:
    predicted, probabilities = scores >= THRESHOLD, scores.astype(np.float64)
    result = {
        "f1": float(metrics.f1_score(truth, predicted, average="macro", zero_division=0.0)),
        "f1_micro": float(metrics.f1_score(truth, predicted, average="micro", zero_division=0.0)),
        "subset_accuracy": float((predicted == truth).all(axis=1).mean()),
        "hamming_loss": float((predicted != truth).mean()),
        "log_loss": float(metrics.log_loss(truth.ravel(), probabilities.ravel(), labels=[0, 1])),
    }
    if known := np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0)).tolist():
        areas = [metrics.roc_auc_score(truth[:, label], probabilities[:, label]) for label in known]
        precisions = [metrics.average_precision_score(truth[:, label], probabilities[:, label]) for label in known]
        result |= {"roc_auc": float(np.mean(areas)), "average_precision": float(np.mean(precisions))}
    return result


def _one_versus_rest(is_class: Array, score: Array) -> float | None:
    return float(metrics.roc_auc_score(is_class, score)) if is_class.any() and not is_class.all() else None
