"""Gradient-boosted trees on raw float32 columns: missing values and categories of few values are CatBoost's own.

NOTE: nothing scales the columns, for the reason given in `batch_jobs.algorithms.xgboost.trees`.
"""

from dataclasses import dataclass
from math import exp, log
from typing import Any

import catboost
import numpy as np
import onnx
from numpy.typing import NDArray

from aimass_core.domain.algorithms.trees import CatBoostHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.catboost.boosting import Boosting
from batch_jobs.algorithms.catboost.graph import to_graph
from batch_jobs.algorithms.catboost.pools import MAX_NATIVE_CATEGORIES, build_pool, codes_of_hashes, to_document
from batch_jobs.algorithms.export import boosters
from batch_jobs.algorithms.learning import Examples, FitContext, Problem

_LOSSES = {
    Task.BINARY: "Logloss",
    Task.MULTICLASS: "MultiClass",
    Task.MULTILABEL: "MultiLogloss",
    Task.REGRESSION: "RMSE",
}
# CatBoost's rule for a fit that validation rows stop: by the logarithm of the number of rows, a constant, and by that
# of the number of rounds.
_RATES = {
    "Logloss": (0.247, -5.158, -0.435),
    "MultiLogloss": (0.247, -5.158, -0.435),
    "MultiClass": (0.02, -2.364, -0.382),
    "RMSE": (0.157, -4.062, -0.61),
}
_USUAL_ROUNDS, _MAX_RATE = 1000, 0.5


@dataclass(frozen=True, slots=True)
class Trees:
    """The algorithm `catboost`."""

    hyperparameters: CatBoostHyperparameters

    def fit(
        self,
        problem: Problem,
        train: Examples,
        validation: Examples | None,
        *,
        context: FitContext,
    ) -> "FittedTrees":
        """See `Learner.fit`; a step is a boosting round."""
        chosen = self.hyperparameters
        with context.checkpoints.running():
            boosting = Boosting(
                self._parameters(problem, wants_accuracy=context.wants_accuracy),
                build_pool(train.features, problem, train.targets),
                None if validation is None else build_pool(validation.features, problem, validation.targets),
                # A fit on all rows has as many rounds as were best, at the rate of the fit that found them.
                rate=chosen.learning_rate or usual_rate(problem.task, train.num_rows, chosen.num_rounds),
                num_rounds=context.num_steps or chosen.num_rounds,
                patience=chosen.early_stopping_rounds,
                context=context,
            )
            model, best = boosting.run()
        return FittedTrees(model=model, problem=problem, num_steps=best)

    def _parameters(self, problem: Problem, *, wants_accuracy: bool) -> dict[str, Any]:
        chosen = self.hyperparameters
        parameters: dict[str, Any] = {
            "loss_function": _LOSSES[problem.task],
            "random_seed": problem.seed,
            "thread_count": problem.num_threads,
            "depth": chosen.max_depth,
            "l2_leaf_reg": chosen.reg_lambda,
            "random_strength": chosen.random_strength,
            # Its own default, which samples by gradients, is no better and fails where all are 0.
            "bootstrap_type": "Bernoulli",
            "subsample": chosen.subsample,
            "rsm": chosen.colsample_bylevel,
            "border_count": chosen.max_bin,
            "boosting_type": chosen.boosting_type.capitalize(),
            "one_hot_max_size": MAX_NATIVE_CATEGORIES,
            "allow_const_label": True,
            "use_best_model": False,
            "logging_level": "Silent",
        }
        if problem.task is Task.BINARY:
            # Of which the rows may have one alone.
            parameters["class_names"] = [0, 1]
        if problem.task is Task.MULTICLASS:
            parameters["classes_count"] = problem.num_outputs
        if wants_accuracy:
            parameters["custom_metric"] = ["Accuracy"]
        return parameters


def usual_rate(task: Task, num_rows: int, num_rounds: int) -> float:
    """The learning rate that CatBoost takes where nobody says which."""
    of_rows, constant, of_rounds = _RATES[_LOSSES[task]]
    rate = exp(of_rows * log(num_rows) + constant + of_rounds * log(num_rounds / _USUAL_ROUNDS))
    return round(min(rate, _MAX_RATE), 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedTrees:
    """A model, cut at its best round."""

    model: catboost.CatBoost
    problem: Problem
    num_steps: int

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """See `Fitted.predict`."""
        kind = "Probability" if self.problem.task.is_classification else "RawFormulaVal"
        pool = build_pool(features, self.problem)
        scores = self.model.predict(pool, prediction_type=kind, thread_count=self.problem.num_threads)
        return np.asarray(scores, dtype=np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """See `Fitted.to_onnx`."""
        problem, document = self.problem, to_document(self.model)
        width = problem.num_numeric + len(problem.cardinalities)
        graph = to_graph(
            document, codes_of_hashes(document), task=problem.task, num_outputs=problem.num_outputs, width=width
        )
        if graph is not None:
            return graph
        (answer,) = self.predict(np.zeros((1, width), dtype=np.float32))
        return boosters.to_constant_graph("catboost", np.atleast_1d(answer), width)
