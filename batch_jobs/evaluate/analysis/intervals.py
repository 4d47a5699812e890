"""Metrics of a sample with the intervals in which the truth lies 95 times in 100, in closed form.

A metric's variance is that of its rows' influences: how much each row pulls it (Efron 1981, the infinitesimal
jackknife). Of a ROC AUC they are DeLong's components (DeLong, DeLong & Clarke-Pearson 1988).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, rankdata

from batch_jobs.algorithms.export.assembly import THRESHOLD
from batch_jobs.data.frames import Array

Z = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A metric with the influence of each row: they add up to nothing."""

    value: float
    influences: Array

    @property
    def interval(self) -> tuple[float, float]:
        """Symmetric."""
        margin = Z * standard_error(self.influences)
        return self.value - margin, self.value + margin


def standard_error(influences: Array) -> float:
    """Of a metric with such influences, or of a difference of metrics on the same rows."""
    return float(np.sqrt((influences**2).sum()) / len(influences))


def measure(metric: str, truth: Array, scores: Array) -> Measured | None:
    """The metric `accuracy`, `subset_accuracy`, `roc_auc` of two classes or of labels, or `rmse`.

    None where it does not exist, or is another.
    """
    match metric:
        case "subset_accuracy":
            hits = ((scores >= THRESHOLD) == truth).all(axis=1).astype(np.float64)
            return Measured(value=float(hits.mean()), influences=hits - hits.mean())
        case "roc_auc" if truth.ndim > 1:
            return _mean_roc_auc(truth == 1, scores)
        case "accuracy":
            hits = (scores.argmax(axis=1) == truth).astype(np.float64)
            return Measured(value=float(hits.mean()), influences=hits - hits.mean())
        case "roc_auc":
            return _roc_auc(truth == 1, scores[:, 1])
        case "rmse":
            squares = (scores.astype(np.float64) - truth) ** 2
            # Of a forecast a row has several values.
            squares = squares.reshape(len(truth), -1).mean(axis=1)
            root = float(np.sqrt(squares.mean()))
            return Measured(value=root, influences=(squares - squares.mean()) / (2 * root or 1.0))
        case _:
            return None


def interval(metric: str, truth: Array, scores: Array) -> tuple[float, float, float] | None:
    """The metric with the ends of its interval."""
    found = measure(metric, truth, scores)
    if found is None:
        return None
    if metric in ("accuracy", "subset_accuracy"):
        return found.value, *share_interval(round(found.value * len(truth)), len(truth))
    low, high = found.interval
    return found.value, max(low, 0.0), min(high, 1.0) if metric == "roc_auc" else high


def share_interval(num_true: int, num_rows: int) -> tuple[float, float]:
    """Of a share (Wilson 1927): it holds for few rows and at 0 and 1 as well."""
    found = binomtest(num_true, num_rows).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def _mean_roc_auc(applies: Array, scores: Array) -> Measured | None:
    """Over the labels that some rows have and some have not; a mean's influences are the mean of the influences."""
    found = [_roc_auc(applies[:, label], scores[:, label]) for label in range(applies.shape[1])]
    if not (known := [each for each in found if each is not None]):
        return None
    return Measured(
        value=float(np.mean([each.value for each in known])),
        influences=np.mean([each.influences for each in known], axis=0),
    )


def _roc_auc(is_positive: Array, scores: Array) -> Measured | None:
    num_positive = int(is_positive.sum())
    num_negative = len(scores) - num_positive
    if not num_positive or not num_negative:
        return None
    ranks = rankdata(scores)
    below = np.empty(len(scores))
    # The share of the other class that each row is on the right side of; ties count half.
    below[is_positive] = (ranks[is_positive] - rankdata(scores[is_positive])) / num_negative
    below[~is_positive] = 1 - (ranks[~is_positive] - rankdata(scores[~is_positive])) / num_positive
    area = float(below[is_positive].mean())
    weight = np.where(is_positive, len(scores) / num_positive, len(scores) / num_negative)
    return Measured(value=area, influences=(below - area) * weight)
