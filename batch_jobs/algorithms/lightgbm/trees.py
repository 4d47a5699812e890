"""Gradient-boosted trees on raw float32 columns: missing values and categories of few values are LightGBM's own.

NOTE: nothing scales the columns, for the reason given in `batch_jobs.algorithms.xgboost.trees`.
"""

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import onnx
from numpy.typing import NDArray

from aimass_core.domain.algorithms.trees import LightGBMHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.lightgbm.graph import to_graph
from batch_jobs.algorithms.lightgbm.single_precision import to_single_precision
from batch_jobs.algorithms.pace import BestRound, BoostingPace
from batch_jobs.data.maps import is_on_disk, release

_OBJECTIVES = {Task.BINARY: "binary", Task.MULTICLASS: "multiclass", Task.REGRESSION: "regression"}
_CURVES = {"binary_logloss": "log_loss", "multi_logloss": "log_loss", "rmse": "rmse"}
_ERRORS = {Task.BINARY: "binary_error", Task.MULTICLASS: "multi_error"}
_METRICS = {Task.BINARY: "binary_logloss", Task.MULTICLASS: "multi_logloss", Task.REGRESSION: "rmse"}
_REPORT_EVERY = 10

# A split by a set of categories becomes one ONNX node for each of the set. Beyond so many, the codes are split as
# quantities: they are ordered by frequency.
MAX_NATIVE_CATEGORIES = 64


@dataclass(frozen=True, slots=True)
class Trees:
    """The algorithm `lightgbm`."""

    hyperparameters: LightGBMHyperparameters

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
        parameters = self._parameters(problem)
        if context.wants_accuracy:
            parameters["metric"] = [parameters["metric"], _ERRORS[problem.task]]
        data = _dataset(train, problem, parameters)
        parts, names = [data], ["train"]
        pace = BoostingPace(context=context, rate=self.hyperparameters.learning_rate, num_rounds=num_rounds)
        # The pace comes first: those that follow end the training by an exception.
        callbacks: list[Any] = [_KeepPace(pace)] if context.num_steps is None else []
        best_round = BestRound()
        if validation is not None:
            parts.append(_dataset(validation, problem, parameters, reference=data))
            names.append("validation")
            callbacks.append(_KeepBest(best_round, patience=self.hyperparameters.early_stopping_rounds))
        callbacks.append(_ReportRounds(context, num_rounds))
        booster = lightgbm.train(parameters, data, num_rounds, valid_sets=parts, valid_names=names, callbacks=callbacks)
        best = best_round.best_round or booster.current_iteration()
        pace.finish(best)
        if not booster.feature_importance().any():
            context.listener.message(
                f"the model always gives the same answer: no split of the {train.num_rows} rows leaves at least "
                f"min_child_samples={self.hyperparameters.min_child_samples} on either side"
            )
        return FittedTrees(booster=to_single_precision(booster, num_rounds=best), problem=problem, num_steps=best)

    def _parameters(self, problem: Problem) -> dict[str, Any]:
        chosen = self.hyperparameters
        return {
            "objective": _OBJECTIVES[problem.task],
            "metric": _METRICS[problem.task],
            "seed": problem.seed,
            "num_threads": problem.num_threads,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
            "bagging_freq": 1,  # without it, `subsample` does nothing
            "max_depth": chosen.max_depth or -1,
            **({"num_class": problem.num_outputs} if problem.task is Task.MULTICLASS else {}),
            **chosen.model_dump(exclude={"num_rounds", "early_stopping_rounds", "max_depth"}),
        }


def _dataset(
    examples: Examples, problem: Problem, parameters: dict[str, Any], *, reference: lightgbm.Dataset | None = None
) -> lightgbm.Dataset:
    native = [
        problem.num_numeric + position
        for position, size in enumerate(problem.cardinalities)
        if size <= MAX_NATIVE_CATEGORIES
    ]
    return lightgbm.Dataset(
        _Rows(examples.features) if is_on_disk(examples.features) else examples.features,
        label=examples.targets,
        categorical_feature=native,
        reference=reference,
        params=dict(parameters),
    )


class _Rows(lightgbm.Sequence):  # type: ignore[misc]
    """Features on disk, of which LightGBM takes some rows at a time."""

    batch_size = 16_384

    def __init__(self, features: NDArray[Any]) -> None:
        self._features = features

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """The signature is LightGBM's."""
        rows = np.array(self._features[index], dtype=np.float64)
        if isinstance(index, slice):
            release(self._features)
        return rows

    def __len__(self) -> int:
        return len(self._features)


class _ReportRounds:
    def __init__(self, context: FitContext, num_rounds: int) -> None:
        self._context = context
        self._num_rounds = num_rounds

    def __call__(self, environment: lightgbm.callback.CallbackEnv) -> None:
        """The signature is LightGBM's."""
        step = environment.iteration + 1
        if environment.iteration % _REPORT_EVERY == 0 or step == self._num_rounds:
            self._context.listener.step(step, self._num_rounds, _figures(environment))
        if self._context.is_time_up() and step < self._num_rounds:
            self._context.listener.message(
                f"the job's time was up after {step} of at most {self._num_rounds} rounds. A larger max_seconds, or a "
                "higher learning_rate, lets it come to its end"
            )
            raise lightgbm.callback.EarlyStopException(environment.iteration, environment.evaluation_result_list)


class _KeepBest:
    def __init__(self, best: BestRound, *, patience: int) -> None:
        self._best = best
        self._patience = patience

    def __call__(self, environment: lightgbm.callback.CallbackEnv) -> None:
        """The signature is LightGBM's."""
        if self._best.keep(environment.iteration + 1, _figures(environment)) >= self._patience:
            raise lightgbm.callback.EarlyStopException(environment.iteration, environment.evaluation_result_list)


def _figures(environment: lightgbm.callback.CallbackEnv) -> dict[str, float]:
    """What a round is worth, by the names of curves."""
    figures = {}
    for found in environment.evaluation_result_list:
        value = float(found.metric_value)
        if found.metric_name in _CURVES:
            figures[f"{found.dataset_name}/{_CURVES[found.metric_name]}"] = value
        else:
            figures[f"{found.dataset_name}/accuracy"] = 1 - value
    return figures


class _KeepPace:
    def __init__(self, pace: BoostingPace) -> None:
        self._pace = pace

    def __call__(self, environment: lightgbm.callback.CallbackEnv) -> None:
        """The signature is LightGBM's."""
        if (rate := self._pace.after_round()) is not None:
            environment.model.reset_parameter({"learning_rate": rate})


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedTrees:
    """A booster, cut at its best round."""

    booster: lightgbm.Booster
    problem: Problem
    num_steps: int

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """See `Fitted.predict`."""
        scores = np.asarray(self.booster.predict(features, num_threads=self.problem.num_threads), dtype=np.float32)
        return np.stack([1 - scores, scores], axis=1) if self.problem.task is Task.BINARY else scores

    def to_onnx(self) -> onnx.ModelProto:
        """See `Fitted.to_onnx`."""
        problem = self.problem
        width = problem.num_numeric + len(problem.cardinalities)
        return to_graph(self.booster, task=problem.task, num_outputs=problem.num_outputs, width=width)
