"""Features of a table as vectors whose distances mean something: quantities in deviations, codes as one of many."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.data.frames import Array

_MAX_CODES = 32
_LIMIT = 5.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """Fitted on training rows. A missing quantity is the mean; of a category's codes the most frequent are told apart,
    each as far from the others as a deviation."""

    means: Floats
    inverse_deviations: Floats
    codes: tuple[int, ...]
    """Of each category, how many of its codes are told apart: codes from 0 to this."""

    @property
    def width(self) -> int:
        """Of a vector."""
        return len(self.means) + sum(self.codes)

    def transform(self, features: Array) -> Floats:
        """float32 [rows, width]."""
        num_numeric = len(self.means)
        scaled = (features[:, :num_numeric] - self.means) * self.inverse_deviations
        parts = [np.clip(np.where(np.isnan(scaled), np.float32(0), scaled), -_LIMIT, _LIMIT)]
        for column, count in enumerate(self.codes, start=num_numeric):
            parts.append((features[:, [column]] == np.arange(count, dtype=np.float32)).astype(np.float32))
        return np.ascontiguousarray(np.concatenate(parts, axis=1, dtype=np.float32))

    def write(self, graph: GraphBuilder, features: str) -> str:
        """The same in ONNX."""
        num_numeric = len(self.means)
        parts = []
        if num_numeric:
            numbers = graph.node("Gather", features, graph.constant(range(num_numeric), np.int64), axis=1)
            scaled = graph.node(
                "Mul",
                graph.node("Sub", numbers, graph.constant(self.means, np.float32)),
                graph.constant(self.inverse_deviations, np.float32),
            )
            filled = graph.node("Where", graph.node("IsNaN", scaled), graph.constant(0, np.float32), scaled)
            limits = [graph.constant(limit, np.float32) for limit in (-_LIMIT, _LIMIT)]
            parts.append(graph.node("Clip", filled, *limits))
        for column, count in enumerate(self.codes, start=num_numeric):
            code = graph.node("Gather", features, graph.constant([column], np.int64), axis=1)
            is_code = graph.node("Equal", code, graph.constant(np.arange(count), np.float32))
            parts.append(graph.node("Cast", is_code, to=1))
        return graph.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def fit_vectors(features: Array, *, num_numeric: int, cardinalities: tuple[int, ...]) -> Vectors:
    """Of the features of a table (see `algorithms.learning.Problem`)."""
    numbers = features[:, :num_numeric].astype(np.float64)
    is_known = ~np.isnan(numbers)
    counts = np.maximum(is_known.sum(axis=0), 1)
    means = np.where(is_known, numbers, 0).sum(axis=0) / counts
    deviations = np.sqrt(np.where(is_known, (numbers - means) ** 2, 0).sum(axis=0) / counts)
    inverse = np.divide(1, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    return Vectors(
        means=means.astype(np.float32),
        inverse_deviations=inverse.astype(np.float32),
        codes=tuple(min(cardinality, _MAX_CODES) for cardinality in cardinalities),
    )
