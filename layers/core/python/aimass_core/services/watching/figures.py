"""Metrics of answers that became true or not, as evaluation of models has them, with numpy alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.reports import Calibration, CalibrationBin, Histogram, Residuals
from aimass_core.domain.signatures import ConfusionMatrix

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_NUM_BINS = 10
_NUM_RESIDUAL_BINS = 30
_MAX_DOTS = 400
_PERCENTS = (1, 5, 25, 50, 75, 95, 99)
_MIN_SHARE = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAnswers:
    """Rows of a classification: indices of labels, and the probabilities where all rows have them."""

    labels: Sequence[str]
    truth: Indices
    predicted: Indices
    scores: Floats | None

    def take(self, index: NDArray[Any]) -> "ClassAnswers":
        """Some of the rows."""
        scores = None if self.scores is None else self.scores[index]
        return ClassAnswers(labels=self.labels, truth=self.truth[index], predicted=self.predicted[index], scores=scores)

    def metrics(self) -> Mapping[str, float]:
        """Accuracy, F1 (of the second of two labels, else the mean over those that occur), log loss and ROC AUC."""
        found = {"accuracy": float((self.truth == self.predicted).mean()), "f1": self._f1()}
        if self.scores is not None:
            shares = self.scores / self.scores.sum(axis=1, keepdims=True)
            right = np.clip(shares[np.arange(len(shares)), self.truth], _MIN_SHARE, None)
            found["log_loss"] = float(-np.log(right).mean())
            classes = [1] if len(self.labels) == 2 else range(len(self.labels))
            areas = [_roc_auc(self.truth == index, shares[:, index]) for index in classes]
            known = [area for area in areas if area is not None]
            if known:
                found["roc_auc"] = float(np.mean(known))
        return found

    def _f1(self) -> float:
        occurring = np.union1d(self.truth, self.predicted)
        classes = [1] if len(self.labels) == 2 else occurring.tolist()
        scores = []
        for index in classes:
            both = int(((self.truth == index) & (self.predicted == index)).sum())
            either = int((self.truth == index).sum() + (self.predicted == index).sum())
            scores.append(2 * both / either if either else 0.0)
        return float(np.mean(scores))

    def confusion(self) -> ConfusionMatrix:
        """Rows of each label by what was answered."""
        size = len(self.labels)
        counts = np.bincount(self.truth * size + self.predicted, minlength=size * size).reshape(size, size)
        return ConfusionMatrix(labels=list(self.labels), counts=counts.tolist())

    def calibration(self) -> Calibration | None:
        """As `Calibration` says; its intervals are Wilson's."""
        if self.scores is None:
            return None
        is_binary = len(self.labels) == 2
        shares = self.scores[:, 1] if is_binary else self.scores.max(axis=1)
        came = self.truth == (1 if is_binary else self.scores.argmax(axis=1))
        places = np.minimum((shares * _NUM_BINS).astype(int), _NUM_BINS - 1)
        bins = [_to_bin(shares[places == place], came[places == place]) for place in np.unique(places)]
        wanted = np.eye(len(self.labels))[self.truth]
        return Calibration(
            label=self.labels[1] if is_binary else None,
            expected_error=sum(each.num_rows * abs(each.share - each.mean_probability) for each in bins) / len(shares),
            brier_score=float(((self.scores - wanted) ** 2).sum(axis=1).mean()),
            bins=bins,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAnswers:
    """Rows of a regression."""

    truth: Floats
    predicted: Floats

    def take(self, index: NDArray[Any]) -> "NumberAnswers":
        """Some of the rows."""
        return NumberAnswers(truth=self.truth[index], predicted=self.predicted[index])

    def metrics(self) -> Mapping[str, float]:
        """RMSE, MAE, and R2 where the truth is not all the same."""
        errors = self.predicted - self.truth
        found = {"rmse": float(np.sqrt((errors**2).mean())), "mae": float(np.abs(errors).mean())}
        spread = float(((self.truth - self.truth.mean()) ** 2).sum())
        if spread > 0:
            found["r2"] = 1 - float((errors**2).sum()) / spread
        return found

    def residuals(self) -> Residuals:
        """As `Residuals` says; the dots are the largest errors and an even sample of the others."""
        errors = self.predicted - self.truth
        counts, edges = np.histogram(errors, bins=_NUM_RESIDUAL_BINS)
        order = np.argsort(-np.abs(errors), kind="stable")
        others = order[_MAX_DOTS // 4 :]
        step = max(math.ceil(len(others) / (_MAX_DOTS * 3 // 4)), 1)
        kept = np.concatenate([order[: _MAX_DOTS // 4], others[::step]])
        return Residuals(
            mean=float(errors.mean()),
            std=float(errors.std()),
            quantiles={
                str(at): float(value) for at, value in zip(_PERCENTS, np.percentile(errors, _PERCENTS), strict=True)
            },
            histogram=Histogram(edges=edges.tolist(), counts=counts.tolist()),
            actual=self.truth[kept].tolist(),
            predicted=self.predicted[kept].tolist(),
        )


Answers = ClassAnswers | NumberAnswers


def wilson(share: float, num_rows: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z = 1.96
    centre = (share + z * z / (2 * num_rows)) / (1 + z * z / num_rows)
    half = z / (1 + z * z / num_rows) * float(np.sqrt(share * (1 - share) / num_rows + z * z / (4 * num_rows**2)))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _to_bin(shares: Floats, came: NDArray[np.bool_]) -> CalibrationBin:
    share = float(came.mean())
    low, high = wilson(share, len(came))
    return CalibrationBin(num_rows=len(came), mean_probability=float(shares.mean()), share=share, low=low, high=high)


def _roc_auc(is_class: NDArray[np.bool_], scores: Floats) -> float | None:
    """By ranks (Mann & Whitney 1947), those of equals being their mean. None where all rows are alike."""
    num_in = int(is_class.sum())
    if num_in in (0, len(is_class)):
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    above = float(ranks[is_class].sum()) - num_in * (num_in + 1) / 2
    return above / (num_in * (len(is_class) - num_in))
