"""A logistic regression for each label of a multi-label task (one versus rest)."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from aimass_core.domain.algorithms.linear import LinearHyperparameters
from aimass_core.errors import InvalidRequestError

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneByOne:
    """Weights [columns, labels] and biases; answers as one of scikit-learn's classifiers does."""

    coef_: Doubles
    """[labels, columns]"""
    intercept_: Doubles
    num_stopped: int
    """Labels whose solver was stopped before it converged."""

    def predict_proba(self, columns: Any) -> Doubles:
        """Of each label for itself: [rows, labels]."""
        return np.asarray(expit(columns @ self.coef_.T + self.intercept_))


def fit_one_by_one(
    columns: Any,
    targets: NDArray[np.uint8],
    hyperparameters: LinearHyperparameters,
    *,
    seed: int,
    is_time_up: Callable[[], bool],
    probabilities: NDArray[np.float32] | None = None,
) -> OneByOne:
    """Of a label that every row has, or none, there is nothing to learn but how often it occurs.

    Where there are probabilities of the labels, [rows, labels], these are learned: every row counts with the label and
    without it, as much as either is probable.

    Raises:
        InvalidRequestError: There was no time for all labels: those that are left would have no model.
    """
    num_rows, num_labels = targets.shape
    weights: NDArray[np.float64] | None = None
    if probabilities is not None:
        columns = columns[np.tile(np.arange(num_rows), 2)]
    coefficients = np.zeros((num_labels, columns.shape[1]))
    intercepts = logit((targets.sum(axis=0, dtype=np.int64) + 0.5) / (num_rows + 1))
    num_stopped = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for label in np.flatnonzero(targets.any(axis=0) & ~targets.all(axis=0)):
            if is_time_up():
                raise InvalidRequestError(
                    f"The job's time was up after {label} of {num_labels} labels: give it a larger max_seconds."
                )
            wanted = targets[:, label]
            if probabilities is not None:
                share = probabilities[:, label].astype(np.float64)
                wanted, weights = np.repeat([1, 0], num_rows), np.concatenate([share, 1 - share])
            model = LogisticRegression(
                C=1.0 / hyperparameters.l2, max_iter=hyperparameters.max_iterations, random_state=seed
            ).fit(columns, wanted, sample_weight=weights)
            coefficients[label], intercepts[label] = model.coef_[0], model.intercept_[0]
            num_stopped += int(model.n_iter_.max()) >= hyperparameters.max_iterations
    return OneByOne(coef_=coefficients, intercept_=intercepts, num_stopped=num_stopped)


def labels_log_loss(truth: NDArray[np.uint8], scores: Doubles) -> float:
    """The mean over rows and labels."""
    return float(log_loss(truth.ravel(), scores.ravel(), labels=[0, 1]))
