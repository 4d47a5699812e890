"""Which features are kept, judged on the training rows alone."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LassoCV, LogisticRegression

from aimass_core.domain.features import Selection
from batch_jobs.data.frames import Array
from batch_jobs.encoding.features.categories import Truth

MAX_ROWS = 10_000
_MIN_VARIANCE = 1e-12
_DROPPED_SHARE = 0.1


def select(
    selection: Selection, features: Array, truth: Truth, *, num_codes: int, num_threads: int
) -> NDArray[np.bool_]:
    """A mask over the features, of which the last `num_codes` are codes of categories; at least one is kept."""
    sample = np.random.default_rng(truth.seed).permutation(len(features))[:MAX_ROWS]
    case = _Case(features[sample], truth.values[sample], truth, num_codes, num_threads)
    if selection.method == "recursive":
        return _eliminate(case, selection.keep or 1)
    scores = _SCORES[selection.method](case)
    keep = selection.keep or int((scores > 0).sum())
    mask = np.zeros(features.shape[1], dtype=bool)
    mask[np.argsort(-scores, kind="stable")[: max(keep, 1)]] = True
    return mask


class _Case:
    def __init__(self, features: Array, values: Array, truth: Truth, num_codes: int, num_threads: int) -> None:
        self.features = features
        self.values = values
        self.truth = truth
        self.num_threads = num_threads
        self.is_code = np.arange(features.shape[1]) >= features.shape[1] - num_codes

    @property
    def is_classification(self) -> bool:
        """Whether the values are classes."""
        return self.truth.target.labels is not None

    def filled(self) -> NDArray[np.float64]:
        """Medians for what is missing."""
        doubles = self.features.astype(np.float64)
        is_missing = np.isnan(doubles)
        present = [column[~gap] for column, gap in zip(doubles.T, is_missing.T, strict=True)]
        medians = np.array([np.median(column) if len(column) else 0.0 for column in present])
        return np.where(is_missing, medians, doubles)

    def fit_trees(self, columns: Array, rows: Array) -> Any:
        """A small LightGBM model of some columns and rows."""
        import lightgbm

        model = lightgbm.LGBMClassifier if self.is_classification else lightgbm.LGBMRegressor
        settings = {"n_estimators": 100, "num_leaves": 15, "verbosity": -1, "n_jobs": self.num_threads}
        fitted = model(**settings, random_state=self.truth.seed, deterministic=True, force_col_wise=True)
        return fitted.fit(self.features[np.ix_(rows, columns)], self.values[rows])


def _variances(case: _Case) -> Array:
    filled = case.filled()
    ranges = np.ptp(filled, axis=0)
    scaled = filled / np.where(ranges > 0, ranges, 1.0)
    variances = scaled.var(axis=0)
    return np.where(variances > _MIN_VARIANCE, variances, 0.0)


def _mutual_information(case: _Case) -> Array:
    measure = mutual_info_classif if case.is_classification else mutual_info_regression
    scores = measure(
        case.filled(),
        case.values,
        discrete_features=case.is_code,
        random_state=case.truth.seed,
    )
    return np.asarray(scores)


def _permutation(case: _Case) -> Array:
    """Importance for rows that the model was not fitted on."""
    half = len(case.values) * 2 // 3
    everything = np.arange(case.features.shape[1])
    model = case.fit_trees(everything, np.arange(half))
    judged = np.arange(half, len(case.values))
    scoring = "neg_log_loss" if case.is_classification else "neg_root_mean_squared_error"
    if case.is_classification:
        judged = judged[np.isin(case.values[judged], model.classes_)]
        if len(np.unique(case.values[judged])) < len(model.classes_):
            scoring = "accuracy"
    found = permutation_importance(
        model, case.features[judged], case.values[judged], scoring=scoring, n_repeats=3, random_state=case.truth.seed
    )
    return np.asarray(found.importances_mean)


def _l1(case: _Case) -> Array:
    """The largest weight of each feature. Codes have no order, so that a linear model cannot judge them: all kept."""
    filled = case.filled()[:, ~case.is_code]
    deviations = filled.std(axis=0)
    standard = (filled - filled.mean(axis=0)) / np.where(deviations > 0, deviations, 1.0)
    if case.is_classification:
        model = LogisticRegression(
            l1_ratio=1.0, solver="saga", C=0.1, max_iter=500, tol=1e-3, random_state=case.truth.seed
        )
    else:
        model = LassoCV(cv=3, max_iter=5_000, tol=1e-3, random_state=case.truth.seed)
    with warnings.catch_warnings():
        # Which weights are zero shows long before the last digits of the others do.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(standard, case.values)
    weights = np.full(len(case.is_code), np.inf)
    weights[~case.is_code] = np.abs(np.atleast_2d(model.coef_)).max(axis=0)
    return weights


def _eliminate(case: _Case, num_kept: int) -> NDArray[np.bool_]:
    left = np.arange(case.features.shape[1])
    rows = np.arange(len(case.values))
    while len(left) > num_kept:
        importances = case.fit_trees(left, rows).booster_.feature_importance("gain")
        num_dropped = min(max(int(len(left) * _DROPPED_SHARE), 1), len(left) - num_kept)
        left = np.sort(left[np.argsort(-importances, kind="stable")[: len(left) - num_dropped]])
    return np.isin(np.arange(case.features.shape[1]), left)


_SCORES: Mapping[str, Callable[[_Case], Array]] = {
    "variance": _variances,
    "mutual_information": _mutual_information,
    "permutation": _permutation,
    "l1": _l1,
}
