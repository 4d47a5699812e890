"""Logistic and ridge regression on imputed, scaled and one-hot encoded columns, or on texts, in float64 throughout."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, root_mean_squared_error

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.linear import LinearHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES, Examples, FitContext, Problem
from batch_jobs.algorithms.sklearn.one_by_one import fit_one_by_one, labels_log_loss
from batch_jobs.algorithms.sklearn.text_linear import FittedTextLinear, add_link, fit_text_design

Doubles = NDArray[np.float64]
_MIN_PROBABILITY = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How features become the regression's columns.

    Quantities: the median for what is missing, then zero mean and unit deviation. An indicator for each column that
    had missing values in training. One column for each known category; the unknown is all zeros.
    """

    medians: Doubles
    means: Doubles
    inverse_deviations: Doubles
    indicated: NDArray[np.int64]
    cardinalities: tuple[int, ...]

    def transform(self, features: NDArray[Any]) -> Doubles:
        """The design matrix."""
        numeric = features[:, : len(self.medians)].astype(np.float64)
        is_missing = np.isnan(numeric)
        scaled = (np.where(is_missing, self.medians, numeric) - self.means) * self.inverse_deviations
        codes = features[:, len(self.medians) :]
        hot = [codes[:, [i]] == np.arange(1, size) for i, size in enumerate(self.cardinalities)]
        return np.concatenate([scaled, is_missing[:, self.indicated], *hot], axis=1, dtype=np.float64)


def fit_design(features: NDArray[Any], problem: Problem) -> Design:
    """Medians, means and deviations of the training rows."""
    numeric = features[:, : problem.num_numeric].astype(np.float64)
    is_missing = np.isnan(numeric)
    medians = np.array(
        [
            np.median(column[~missing]) if not missing.all() else 0.0
            for column, missing in zip(numeric.T, is_missing.T, strict=True)
        ]
    )
    filled = np.where(is_missing, medians, numeric)
    deviations = filled.std(axis=0)
    return Design(
        medians=medians,
        means=filled.mean(axis=0),
        inverse_deviations=np.divide(1.0, deviations, out=np.ones_like(deviations), where=deviations > 0),
        indicated=np.flatnonzero(is_missing.any(axis=0)),
        cardinalities=problem.cardinalities,
    )


@dataclass(frozen=True, slots=True)
class Linear:
    """The algorithm `linear`."""

    hyperparameters: LinearHyperparameters

    def fit(
        self,
        problem: Problem,
        train: Examples,
        validation: Examples | None,
        *,
        context: FitContext,
    ) -> "FittedLinear | FittedTextLinear":
        """See `Learner.fit`; the solver runs to its end, so validation examples only draw the curve."""
        fitted: FittedLinear | FittedTextLinear
        if problem.kind is DataKind.TEXT:
            words = fit_text_design(train.features, problem)
            solved = self._solve(problem, words.transform(train.features), train, context)
            fitted = FittedTextLinear(problem=problem, design=words, **solved)
        else:
            design = fit_design(train.features, problem)
            solved = self._solve(problem, design.transform(train.features), train, context)
            fitted = FittedLinear(problem=problem, design=design, **solved)
        losses = {"train": train} | ({"validation": validation} if validation is not None else {})
        context.listener.step(1, 1, dict(_loss(name, fitted, part) for name, part in losses.items()))
        return fitted

    def _solve(self, problem: Problem, columns: Any, train: Examples, context: FitContext) -> dict[str, Any]:
        """The model, its weights [columns, outputs] and its biases; of two classes the one logit of the second."""
        chosen, targets, weights = self.hyperparameters, train.targets, None
        if problem.task is Task.REGRESSION:
            ridge = Ridge(alpha=chosen.l2).fit(columns, targets)
            return {"model": ridge, "weights": ridge.coef_[:, None], "biases": np.array([ridge.intercept_])}
        if problem.task is Task.MULTILABEL:
            labels = fit_one_by_one(
                columns,
                targets,
                chosen,
                seed=problem.seed,
                is_time_up=context.is_time_up,
                probabilities=train.soft_targets,
            )
            if labels.num_stopped:
                context.listener.message(
                    f"the solvers of {labels.num_stopped} labels stopped at max_iterations={chosen.max_iterations} "
                    "before they converged"
                )
            return {"model": labels, "weights": labels.coef_.T, "biases": labels.intercept_}
        if train.soft_targets is not None:
            columns, targets, weights = _repeat(columns, train.soft_targets)
        model = LogisticRegression(C=1.0 / chosen.l2, max_iter=chosen.max_iterations, random_state=problem.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(columns, targets, sample_weight=weights)
        if int(model.n_iter_.max()) >= chosen.max_iterations:
            context.listener.message(
                f"the solver stopped at max_iterations={chosen.max_iterations} before it converged"
            )
        return {"model": model, "weights": model.coef_.T, "biases": model.intercept_}


def _repeat(columns: Any, probabilities: NDArray[np.float32]) -> tuple[Any, NDArray[np.int64], Doubles]:
    """Each row once for each class that is not all but impossible, which it weighs as much as it is probable. Every
    class is that of some row."""
    rows, classes = np.nonzero(probabilities >= np.minimum(_MIN_PROBABILITY, probabilities.max(axis=0)))
    return columns[rows], classes, probabilities[rows, classes].astype(np.float64)


def _loss(name: str, fitted: "FittedLinear | FittedTextLinear", part: Examples) -> tuple[str, float]:
    problem = fitted.problem
    scores = fitted.predict(part.features).astype(np.float64)
    if problem.task is Task.REGRESSION:
        return f"{name}/rmse", float(root_mean_squared_error(part.targets, scores))
    if problem.task is Task.MULTILABEL:
        return f"{name}/log_loss", labels_log_loss(part.targets, scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return f"{name}/log_loss", float(log_loss(part.targets, scores, labels=range(problem.num_outputs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedLinear:
    """Weights of shape [columns, outputs] on the design matrix; two classes have one."""

    problem: Problem
    design: Design
    model: Any
    weights: Doubles
    biases: Doubles
    num_steps: int = 1

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """See `Fitted.predict`; scikit-learn's own answer."""
        columns = self.design.transform(features)
        if self.problem.task is Task.REGRESSION:
            return np.asarray(self.model.predict(columns), dtype=np.float32)
        return np.asarray(self.model.predict_proba(columns), dtype=np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """See `Fitted.to_onnx`."""
        graph = GraphBuilder("linear")
        width = self.problem.num_numeric + len(self.problem.cardinalities)
        features = graph.input(FEATURES, TensorProto.FLOAT, ["rows", width])
        columns = graph.node("Concat", *self._design_parts(graph, features), axis=1)
        weights, biases = self.weights, self.biases
        if self.problem.task is Task.BINARY:
            # One logit is the same as two of which the first is zero.
            weights, biases = np.hstack([np.zeros_like(weights), weights]), np.array([0.0, biases[0]])
        logits = graph.node("Gemm", columns, graph.constant(weights, np.float64), graph.constant(biases, np.float64))
        scores = add_link(graph, logits, self.problem)
        single = graph.node("Cast", scores, to=TensorProto.FLOAT)
        graph.output(single, SCORES, TensorProto.FLOAT, ["rows", self.problem.num_outputs])
        return graph.build()

    def _design_parts(self, graph: GraphBuilder, features: str) -> list[str]:
        design, num_numeric = self.design, self.problem.num_numeric
        doubles = graph.node("Cast", features, to=TensorProto.DOUBLE)
        parts: list[str] = []
        if num_numeric:
            numeric = _columns(graph, doubles, np.arange(num_numeric))
            is_missing = graph.node("IsNaN", numeric)
            filled = graph.node("Where", is_missing, graph.constant(design.medians, np.float64), numeric)
            centred = graph.node("Sub", filled, graph.constant(design.means, np.float64))
            parts.append(graph.node("Mul", centred, graph.constant(design.inverse_deviations, np.float64)))
            if len(design.indicated):
                parts.append(_to_double(graph, _columns(graph, is_missing, design.indicated)))
        for index, size in enumerate(design.cardinalities):
            code = _columns(graph, doubles, np.array([num_numeric + index]))
            parts.append(_to_double(graph, graph.node("Equal", code, graph.constant(np.arange(1, size), np.float64))))
        return parts


def _columns(graph: GraphBuilder, matrix: str, index: NDArray[np.int64]) -> str:
    return graph.node("Gather", matrix, graph.constant(index, np.int64), axis=1)


def _to_double(graph: GraphBuilder, value: str) -> str:
    return graph.node("Cast", value, to=TensorProto.DOUBLE)
