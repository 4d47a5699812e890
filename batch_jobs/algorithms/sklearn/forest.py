"""Forests on raw float32 columns: missing values are scikit-learn's own, categories are codes.

NOTE: nothing scales the columns, for the reason given in `batch_jobs.algorithms.xgboost.trees`.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import log_loss, root_mean_squared_error

from aimass_core.domain.algorithms.trees import ForestHyperparameters, RandomForestHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.sklearn.forest_graph import to_graph
from batch_jobs.algorithms.sklearn.one_by_one import labels_log_loss

_NUM_REPORTS = 8
# Between two looks at the time.
_TREES_AT_ONCE = 5
_MAX_LEAF_VALUES = 20_000_000


@dataclass(frozen=True, slots=True)
class _Forest:
    """Trees of a kind. Subclasses say which."""

    hyperparameters: ForestHyperparameters
    _CLASS_FEATURES: ClassVar[float | str]
    _REGRESSION_FEATURES: ClassVar[float]

    def fit(
        self,
        problem: Problem,
        train: Examples,
        validation: Examples | None,
        *,
        context: FitContext,
    ) -> "FittedForest":
        """See `Learner.fit`; a step is a tree. More trees never overfit, so all that there is time for are kept."""
        num_trees = context.num_steps or self.hyperparameters.num_trees
        fitted = FittedForest(forest=self._build(problem), problem=problem, num_steps=num_trees)
        told = set(np.linspace(1, num_trees, _NUM_REPORTS + 1).astype(int).tolist())
        for step in sorted(told | set(range(_TREES_AT_ONCE, num_trees, _TREES_AT_ONCE))):
            if step > 1 and context.is_time_up():
                context.listener.message(
                    f"the job's time was up after {len(fitted.forest.estimators_)} of {num_trees} trees: the model has "
                    "these. Give it a larger max_seconds, or fewer trees"
                )
                return replace(fitted, num_steps=len(fitted.forest.estimators_))
            # scikit-learn grows the missing trees only: the forest is the one that a single fit would give.
            fitted.forest.set_params(n_estimators=step)
            fitted.forest.fit(train.features, train.targets)
            _check_size(fitted.forest, num_trees, problem)
            if step in told:
                losses = {} if validation is None else {f"validation/{_LOSS[problem.task]}": _loss(fitted, validation)}
                context.listener.step(step, num_trees, losses)
        return fitted

    def _build(self, problem: Problem) -> Any:
        # NOTE: of 0 and 1 the squared error is half the Gini impurity, and a mean is a probability: one regression of
        # all labels is the classification of them.
        chosen = self.hyperparameters
        is_regression = problem.task is Task.REGRESSION
        classifier, regressor, options = self._kind()
        return (classifier if _has_classes(problem) else regressor)(
            max_depth=chosen.max_depth,
            min_samples_leaf=chosen.min_samples_leaf,
            max_features=chosen.max_features or (self._REGRESSION_FEATURES if is_regression else self._CLASS_FEATURES),
            random_state=problem.seed,
            n_jobs=problem.num_threads,
            warm_start=True,
            **options,
        )

    def _kind(self) -> tuple[Any, Any, dict[str, Any]]:
        """scikit-learn's classifier and regressor, and what else they are given."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class RandomForest(_Forest):
    """The algorithm `random_forest` (Breiman 2001).

    Of values two thirds of the columns: a third, Breiman's rule, is one where there are few, and was no better on any
    of nine tables (docs/RESULTS.md).
    """

    hyperparameters: RandomForestHyperparameters
    _CLASS_FEATURES: ClassVar[float | str] = "sqrt"
    _REGRESSION_FEATURES: ClassVar[float] = 2 / 3

    def _kind(self) -> tuple[Any, Any, dict[str, Any]]:
        share = self.hyperparameters.max_samples
        return RandomForestClassifier, RandomForestRegressor, {"max_samples": share if share < 1 else None}


@dataclass(frozen=True, slots=True)
class ExtraTrees(_Forest):
    """The algorithm `extra_trees` (Geurts, Ernst and Wehenkel 2006).

    Their root of the number of columns is the worst of what was measured on four tables of many classes and two of two:
    with half of the columns accuracy is higher by .1 to 4 points and trees are smaller, as thresholds are drawn at
    random already (docs/RESULTS.md).
    """

    _CLASS_FEATURES: ClassVar[float | str] = 0.5
    _REGRESSION_FEATURES: ClassVar[float] = 1.0

    def _kind(self) -> tuple[Any, Any, dict[str, Any]]:
        return ExtraTreesClassifier, ExtraTreesRegressor, {}


def _check_size(forest: Any, num_trees: int, problem: Problem) -> None:
    """Every leaf holds a value for each label: said after the first tree, before memory is full."""
    mean_leaves = np.mean([tree.tree_.n_leaves for tree in forest.estimators_])
    num_values = int(num_trees * mean_leaves * problem.num_outputs)
    if problem.task is Task.MULTILABEL and num_values > _MAX_LEAF_VALUES:
        raise InvalidRequestError(
            f"{num_trees} trees of about {mean_leaves:,.0f} leaves for {problem.num_outputs:,} labels would hold "
            f"{num_values:,} values, and {_MAX_LEAF_VALUES:,} is the most: lower num_trees, raise min_samples_leaf, or "
            "take linear or mlp"
        )


_LOSS = {
    Task.BINARY: "log_loss",
    Task.MULTICLASS: "log_loss",
    Task.MULTILABEL: "log_loss",
    Task.REGRESSION: "rmse",
}


def _has_classes(problem: Problem) -> bool:
    return problem.task in (Task.BINARY, Task.MULTICLASS)


def _loss(fitted: "FittedForest", part: Examples) -> float:
    scores = fitted.predict(part.features).astype(np.float64)
    if fitted.problem.task is Task.REGRESSION:
        return float(root_mean_squared_error(part.targets, scores))
    if fitted.problem.task is Task.MULTILABEL:
        return labels_log_loss(part.targets, scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return float(log_loss(part.targets, scores, labels=range(fitted.problem.num_outputs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedForest:
    """A forest of `num_steps` trees."""

    forest: Any
    problem: Problem
    num_steps: int

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """See `Fitted.predict`."""
        answer = self.forest.predict_proba if _has_classes(self.problem) else self.forest.predict
        return np.asarray(answer(features), dtype=np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """See `Fitted.to_onnx`."""
        return to_graph(
            [tree.tree_ for tree in self.forest.estimators_],
            name="forest",
            num_outputs=self.problem.num_outputs,
            width=self.problem.num_numeric + len(self.problem.cardinalities),
            has_classes=_has_classes(self.problem),
        )
