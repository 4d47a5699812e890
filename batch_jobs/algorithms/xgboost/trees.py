"""Gradient-boosted trees on raw float32 columns: NaN is XGBoost's own, categories are codes by frequency.

NOTE: nothing scales the columns. Split thresholds are data values, so one rounding in front of the trees sends rows
down other branches in ONNX than in XGBoost.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import xgboost
from numpy.typing import NDArray

from aimass_core.domain.algorithms.trees import XGBoostHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export import boosters
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.sharing import share
from batch_jobs.algorithms.xgboost.boosting import Boosting
from batch_jobs.algorithms.xgboost.graph import to_graph
from batch_jobs.algorithms.xgboost.matrices import Matrices
from batch_jobs.algorithms.xgboost.team import joined

_OBJECTIVES = {
    Task.BINARY: ("binary:logistic", "logloss"),
    Task.MULTICLASS: ("multi:softprob", "mlogloss"),
    Task.MULTILABEL: ("binary:logistic", "logloss"),
    Task.REGRESSION: ("reg:squarederror", "rmse"),
}
_ERRORS = {Task.BINARY: "error", Task.MULTICLASS: "merror"}


@dataclass(frozen=True, slots=True)
class Trees:
    """The algorithm `xgboost`."""

    hyperparameters: XGBoostHyperparameters

    def fit(
        self,
        problem: Problem,
        train: Examples,
        validation: Examples | None,
        *,
        context: FitContext,
    ) -> "FittedTrees":
        """See `Learner.fit`; a step is a boosting round."""
        num_rounds = context.num_steps or self.hyperparameters.num_rounds
        patience = self.hyperparameters.early_stopping_rounds if validation is not None else None
        with context.checkpoints.running(), joined(context.cluster) as team:
            # What is measured on the parts of all processes is the same for all: they stop in the same round.
            build = Matrices(
                problem, team, max_bin=self.hyperparameters.max_bin, scratch_path=context.scratch_path
            ).build
            parts = [(build(_to_labels(train, problem)), "train")]
            if validation is not None:
                parts.append((build(_to_labels(validation, problem)), "validation"))
            boosting = Boosting(
                self._parameters(problem, wants_accuracy=context.wants_accuracy),
                parts,
                num_rounds=num_rounds,
                patience=patience,
                soft_classes=train.soft_targets if problem.task is Task.MULTICLASS else None,
            )
            booster, best = boosting.run(share(context, team))
        return FittedTrees(booster=booster, problem=problem, num_steps=best)

    def _parameters(self, problem: Problem, *, wants_accuracy: bool) -> dict[str, Any]:
        chosen = self.hyperparameters
        objective, metric = _OBJECTIVES[problem.task]
        metrics = [metric, _ERRORS[problem.task]] if wants_accuracy else metric
        return {
            "objective": objective,
            "eval_metric": metrics,
            "tree_method": "hist",
            "seed": problem.seed,
            # Without it the rows and columns of a round depend on the rounds before it in the same process.
            "seed_per_iteration": True,
            "nthread": problem.num_threads,
            **({"num_class": problem.num_outputs} if problem.task is Task.MULTICLASS else {}),
            **chosen.model_dump(exclude={"num_rounds", "early_stopping_rounds"}),
        }


def _to_labels(examples: Examples, problem: Problem) -> Examples:
    """XGBoost's logistic loss takes probabilities for labels; its softmax takes classes alone: see `Boosting`."""
    soft = examples.soft_targets
    if soft is None or problem.task is Task.MULTICLASS:
        return examples
    return replace(examples, targets=soft[:, 1] if problem.task is Task.BINARY else soft)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedTrees:
    """A booster, cut at its best round."""

    booster: Any
    problem: Problem
    num_steps: int

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """See `Fitted.predict`."""
        scores = self.booster.predict(xgboost.DMatrix(features, nthread=self.problem.num_threads))
        if self.problem.task is Task.BINARY:
            return np.stack([1 - scores, scores], axis=1)
        return np.asarray(scores, dtype=np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """See `Fitted.to_onnx`."""
        width = self.problem.num_numeric + len(self.problem.cardinalities)
        graph = to_graph(self.booster, task=self.problem.task, num_outputs=self.problem.num_outputs, width=width)
        if graph is not None:
            return graph
        (answer,) = self.predict(np.zeros((1, width), dtype=np.float32))
        return boosters.to_constant_graph("xgboost", np.atleast_1d(answer), width)
