"""Metrics of the field, by scikit-learn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn import metrics

from aimass_core.domain.metrics import LOWER_IS_BETTER as LOWER_IS_BETTER  # noqa: PLC0414 - for who measures too
from aimass_core.domain.metrics import METRICS
from aimass_core.domain.metrics import PRIMARY_METRICS as PRIMARY_METRICS  # noqa: PLC0414 - for who measures too
from aimass_core.domain.signatures import ConfusionMatrix, Evaluation, Task
from batch_jobs.algorithms.export.assembly import THRESHOLD
from batch_jobs.data.targets import Target

Array = NDArray[Any]


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
    values = {name: measure(name, target, truth, scores) for name in metric_names(target)}
    found = {name: value for name, value in values.items() if value is not None}
    if target.labels is None or target.task is Task.MULTILABEL:
        return Evaluation(channel=channel, num_rows=len(truth), metrics=found)
    counts = metrics.confusion_matrix(truth, scores.argmax(axis=1), labels=range(len(target.labels)))
    return Evaluation(
        channel=channel,
        num_rows=len(truth),
        metrics=found,
        confusion_matrix=ConfusionMatrix(labels=list(target.labels), counts=counts.tolist()),
    )


def metric_names(target: Target) -> tuple[str, ...]:
    """Of all metrics of such a target, whether or not some rows have them."""
    return METRICS[target.task]


def measure(name: str, target: Target, truth: Array, scores: Array) -> float | None:
    """One of `metric_names`, see `evaluate`; None where these rows do not have it."""
    if target.labels is None:
        return _of_values(name, target, truth.ravel(), scores.ravel())
    of = _of_labels if target.task is Task.MULTILABEL else _of_classes
    return of(name, truth, scores)


def primary_metric(target: Target, values: Mapping[str, float]) -> str:
    """The metric that a model is known by; accuracy where a ROC AUC cannot be had."""
    name = PRIMARY_METRICS[target.task]
    return name if name in values else fallback_metric(target)


def fallback_metric(target: Target) -> str:
    """What a classification is judged by on rows that are all alike."""
    return "subset_accuracy" if target.task is Task.MULTILABEL else "accuracy"


def _of_values(name: str, target: Target, truth: Array, values: Array) -> float | None:
    deviation = target.scale.deviation if target.scale is not None else 1.0
    match name:
        case "rmse":
            return float(metrics.root_mean_squared_error(truth, values))
        case "mae":
            return float(metrics.mean_absolute_error(truth, values))
        case "scaled_mse":
            return float((metrics.root_mean_squared_error(truth, values) / deviation) ** 2)
        case "scaled_mae":
            return float(metrics.mean_absolute_error(truth, values) / deviation)
        # R2 compares with the mean: one row, or rows that are all alike, have nothing to explain.
        case "r2" if len(truth) > 1 and np.ptp(truth) > 0:
            return float(metrics.r2_score(truth, values))
    return None


def _of_classes(name: str, truth: Array, scores: Array) -> float | None:
    is_binary = scores.shape[1] == 2
    if name == "accuracy":
        return float((scores.argmax(axis=1) == truth).mean())
    probabilities = scores.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    match name:
        case "f1":
            average = "binary" if is_binary else "macro"
            return float(metrics.f1_score(truth, scores.argmax(axis=1), average=average, zero_division=0.0))
        case "log_loss":
            right = np.clip(probabilities[np.arange(len(truth)), truth], np.finfo(np.float64).eps, None)
            return float(-np.log(right).mean())
        case "roc_auc":
            classes = [1] if is_binary else range(probabilities.shape[1])
            areas = [_one_versus_rest(truth == index, probabilities[:, index]) for index in classes]
            known = [area for area in areas if area is not None]
            return float(np.mean(known)) if known else None
    return None


def _of_labels(name: str, truth: Array, scores: Array) -> float | None:
    predicted, probabilities = scores >= THRESHOLD, scores.astype(np.float64)
    known = np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0)).tolist()
    match name:
        case "f1" | "f1_micro":
            average = "macro" if name == "f1" else "micro"
            return float(metrics.f1_score(truth, predicted, average=average, zero_division=0.0))
        case "subset_accuracy":
            return float((predicted == truth).all(axis=1).mean())
        case "hamming_loss":
            return float((predicted != truth).mean())
        case "log_loss":
            return float(metrics.log_loss(truth.ravel(), probabilities.ravel(), labels=[0, 1]))
        case "roc_auc" | "average_precision" if known:
            judge = _roc_auc if name == "roc_auc" else metrics.average_precision_score
            return float(np.mean([judge(truth[:, label], probabilities[:, label]) for label in known]))
    return None


def _one_versus_rest(is_class: Array, score: Array) -> float | None:
    return _roc_auc(is_class, score) if is_class.any() and not is_class.all() else None


def _roc_auc(is_class: Array, score: Array) -> float:
    """By ranks (Mann & Whitney 1947): as scikit-learn has it, several times as fast; ensembles ask for it often."""
    is_class = is_class.astype(bool)
    num_in = int(np.count_nonzero(is_class))
    above = rankdata(score, nan_policy="raise")[is_class].sum() - num_in * (num_in + 1) / 2
    return float(above / (num_in * (len(is_class) - num_in)))
