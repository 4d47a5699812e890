"""How it learns, answers and becomes a graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from aimass_nearest.spec import NearestHyperparameters
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES, Examples, FitContext, Problem


@dataclass(frozen=True)
class Nearest:
    """A `Learner`."""

    hyperparameters: NearestHyperparameters

    def fit(
        self, problem: Problem, train: Examples, validation: Examples | None, *, context: FitContext
    ) -> "FittedNearest":
        """Centroids of standardised features; a missing value counts as the mean."""
        means = np.nan_to_num(np.nanmean(train.features, axis=0))
        scales = 1 / np.maximum(np.nan_to_num(np.nanstd(train.features, axis=0)), 1e-6)
        standard = (np.where(np.isnan(train.features), means, train.features) - means) * scales
        centroids = np.stack([standard[train.targets == label].mean(axis=0) for label in range(problem.num_outputs)])
        context.listener.step(1, 1, {})
        # |x - c|^2 = |x|^2 - 2 x.c + |c|^2, and |x|^2 is the same for every class.
        sharpness = self.hyperparameters.sharpness
        return FittedNearest(
            means=means.astype(np.float32),
            scales=scales.astype(np.float32),
            weights=(2 * sharpness * centroids.T).astype(np.float32),
            biases=(-sharpness * (centroids**2).sum(axis=1)).astype(np.float32),
        )


@dataclass(frozen=True)
class FittedNearest:
    """A `Fitted`."""

    means: NDArray[np.float32]
    scales: NDArray[np.float32]
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    num_steps: int = 1

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities."""
        standard = (np.where(np.isnan(features), self.means, features) - self.means) * self.scales
        logits = standard @ self.weights + self.biases
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), dtype=np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """The same in ONNX."""
        graph = GraphBuilder("nearest")
        features = graph.input(FEATURES, TensorProto.FLOAT, ["rows", len(self.means)])
        means = graph.constant(self.means, np.float32)
        filled = graph.node("Where", graph.node("IsNaN", features), means, features)
        standard = graph.node("Mul", graph.node("Sub", filled, means), graph.constant(self.scales, np.float32))
        weights, biases = graph.constant(self.weights, np.float32), graph.constant(self.biases, np.float32)
        scores = graph.node("Softmax", graph.node("Gemm", standard, weights, biases), axis=1)
        graph.output(scores, SCORES, TensorProto.FLOAT, ["rows", len(self.biases)])
        return graph.build()
