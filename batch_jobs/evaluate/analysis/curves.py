"""Curves of classifications by scikit-learn: ROC, precision and recall, and calibration."""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn import metrics

from aimass_core.domain.reports import Calibration, CalibrationBin, ClassScore, LearningCurve, RateCurve
from batch_jobs.algorithms.export.assembly import THRESHOLD
from batch_jobs.data.frames import Array
from batch_jobs.evaluate.analysis.intervals import share_interval
from batch_jobs.evaluate.analysis.thinning import MAX_POINTS, thin, to_numbers

_MAX_CURVES = 100
_ALL_POINTS = 5_000
_MIN_POINTS = 50
_NUM_BINS = 15


def thin_curve(curve: LearningCurve) -> LearningCurve:
    """The same with at most 500 points."""
    kept = thin(np.asarray(curve.values, dtype=np.float64))
    return LearningCurve(
        name=curve.name, steps=[curve.steps[i] for i in kept], values=[float(curve.values[i]) for i in kept]
    )


def roc_curves(truth: Array, scores: Array, labels: Sequence[str]) -> list[RateCurve]:
    """Of each class that occurs, but not everywhere; the smallest areas first. Of two classes that of the second.

    Here and below, a truth of shape [rows, labels] is that of a multi-label task: each label is judged by itself.
    """
    curves = []
    for index in _classes_with_curve(truth, labels):
        is_class = _applies(truth, index)
        false_rate, true_rate, _ = metrics.roc_curve(is_class, scores[:, index])
        area = float(metrics.auc(false_rate, true_rate))
        curves.append(_to_curve(labels, index, area=area, points=(false_rate, true_rate), num_positive=is_class.sum()))
    return _bounded(curves)


def precision_recall_curves(truth: Array, scores: Array, labels: Sequence[str]) -> list[RateCurve]:
    """As `roc_curves`."""
    curves = []
    for index in _classes_with_curve(truth, labels):
        is_class = _applies(truth, index)
        precision, recall, _ = metrics.precision_recall_curve(is_class, scores[:, index])
        area = float(metrics.average_precision_score(is_class, scores[:, index]))
        points = recall[::-1], precision[::-1]
        curves.append(_to_curve(labels, index, area=area, points=points, num_positive=is_class.sum()))
    return _bounded(curves)


def _classes_with_curve(truth: Array, labels: Sequence[str]) -> Iterator[int]:
    for index in [1] if truth.ndim == 1 and len(labels) == 2 else range(len(labels)):
        if 0 < np.count_nonzero(_applies(truth, index)) < len(truth):
            yield index


def _applies(truth: Array, index: int) -> Array:
    """The rows of a class, or those that have a label."""
    return np.asarray(truth == index if truth.ndim == 1 else truth[:, index] == 1)


def _to_curve(
    labels: Sequence[str], index: int, *, area: float, points: tuple[Array, Array], num_positive: int
) -> RateCurve:
    x, y = points
    num_points = min(max(_ALL_POINTS // len(labels), _MIN_POINTS), MAX_POINTS)
    kept = thin(y, num_points)
    return RateCurve(
        label=labels[index],
        num_positive=int(num_positive),
        area=area,
        x=to_numbers(x[kept]),
        y=to_numbers(y[kept]),
    )


def _bounded(curves: list[RateCurve]) -> list[RateCurve]:
    return sorted(curves, key=lambda curve: curve.area)[:_MAX_CURVES]


def class_scores(truth: Array, scores: Array, labels: Sequence[str]) -> list[ClassScore]:
    """One line for each class, in their order."""
    predicted = scores >= THRESHOLD if truth.ndim > 1 else scores.argmax(axis=1)
    found = []
    for index, label in enumerate(labels):
        is_actual, is_answered = _applies(truth, index), _applies(predicted, index)
        hits, actual, answered = (int(rows.sum()) for rows in (is_actual & is_answered, is_actual, is_answered))
        found.append(
            ClassScore(
                label=label,
                num_rows=actual,
                num_predicted=answered,
                precision=hits / answered if answered else None,
                recall=hits / actual if actual else None,
                f1=2 * hits / (actual + answered) if actual + answered else None,
            )
        )
    return found


def calibration(truth: Array, scores: Array, labels: Sequence[str]) -> Calibration:
    """In 15 bins of equal width."""
    probabilities = scores.astype(np.float64)
    is_binary = truth.ndim == 1 and len(labels) == 2
    if truth.ndim > 1:
        given, came = probabilities.ravel(), truth.ravel() == 1
        squares = (given - came) ** 2
    else:
        given = probabilities[:, 1] if is_binary else probabilities.max(axis=1)
        came = truth == 1 if is_binary else probabilities.argmax(axis=1) == truth
        squares = (probabilities**2).sum(axis=1) - 2 * probabilities[np.arange(len(truth)), truth] + 1
    which = np.minimum((given * _NUM_BINS).astype(int), _NUM_BINS - 1)
    bins, difference = [], 0.0
    for index in np.unique(which):
        inside = which == index
        num_rows, num_true, promised = int(inside.sum()), int(came[inside].sum()), float(given[inside].mean())
        low, high = share_interval(num_true, num_rows)
        share = num_true / num_rows
        difference += num_rows * abs(share - promised)
        bins.append(CalibrationBin(num_rows=num_rows, mean_probability=promised, share=share, low=low, high=high))
    return Calibration(
        label=labels[1] if is_binary else None,
        expected_error=difference / len(given),
        brier_score=float(squares.mean()),
        bins=bins,
    )
