"""The ONNX graph of a recurrent network of any framework, with ONNX's own LSTM and GRU."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from aimass_core.domain.algorithms.recurrent import Cell, Pooling, RnnHyperparameters
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.export.series import count_steps

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Linear:
    """Weights [inputs, outputs], and what is added."""

    weights: Floats
    biases: Floats | None = None


@dataclass(frozen=True, slots=True)
class Direction:
    """Of a recurrent layer: [gates * hidden, inputs], [gates * hidden, hidden] and both biases, in ONNX's order."""

    kernel: Floats
    recurrent: Floats
    biases: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What a network has learned. It reads words by their vectors, or series by their scale and a linear layer."""

    words: Floats | None = None
    means: Floats | None = None
    inverse_deviations: Floats | None = None
    front: Linear | None = None
    layers: Sequence[Sequence[Direction]]
    keys: Linear | None = None
    """With the scores: of attention."""
    scores: Linear | None = None
    answer: Linear


def write_recurrent(graph: GraphBuilder, features: str, weights: Weights, chosen: RnnHyperparameters) -> str:
    """Adds the network without what its answer is turned into, and answers its value [rows, outputs]."""
    return _Writer(graph, weights, chosen).write(features)


class _Writer:
    def __init__(self, graph: GraphBuilder, weights: Weights, chosen: RnnHyperparameters) -> None:
        self._graph, self._weights, self._chosen = graph, weights, chosen

    def write(self, features: str) -> str:
        is_text = self._weights.words is not None
        lengths = self._count_words(features) if is_text else self._find_ends(features)
        states = self._read_words(features) if is_text else self._read_series(features)
        for directions in self._weights.layers:
            states = self._recur(states, lengths, directions)
        return self._dense(self._pool(states, lengths), self._weights.answer)

    def _floats(self, values: Any) -> str:
        return self._graph.constant(values, np.float32)

    def _axes(self, *axes: int) -> str:
        return self._graph.constant(axes, np.int64)

    def _count_words(self, ids: str) -> str:
        """The length of each row [rows], int64."""
        graph = self._graph
        is_word = graph.node("Not", graph.node("Equal", ids, graph.constant(0, np.int64)))
        return graph.node("ReduceSum", graph.node("Cast", is_word, to=TensorProto.INT64), self._axes(1), keepdims=0)

    def _find_ends(self, series: str) -> str:
        """The length of each row [rows], int64."""
        graph = self._graph
        is_present = graph.node("Not", graph.node("IsNaN", series))
        is_step = graph.node(
            "ReduceMax", graph.node("Cast", is_present, to=TensorProto.INT64), self._axes(2), keepdims=0
        )
        numbers = graph.node("Add", count_steps(graph, series), graph.constant(1, np.int64))
        return graph.node("ReduceMax", graph.node("Mul", is_step, numbers), self._axes(1), keepdims=0)

    def _read_words(self, ids: str) -> str:
        return self._graph.node("Gather", self._floats(self._weights.words), ids)

    def _read_series(self, series: str) -> str:
        graph, weights = self._graph, self._weights
        centred = graph.node("Sub", series, self._floats(weights.means))
        scaled = graph.node("Mul", centred, self._floats(weights.inverse_deviations))
        filled = graph.node("Where", graph.node("IsNaN", series), self._floats(0.0), scaled)
        return self._dense(filled, weights.front)

    def _dense(self, values: str, layer: Linear | None) -> str:
        assert layer is not None  # noqa: S101  the network has what it reads by
        product = self._graph.node("MatMul", values, self._floats(layer.weights))
        return product if layer.biases is None else self._graph.node("Add", product, self._floats(layer.biases))

    def _recur(self, states: str, lengths: str, directions: Sequence[Direction]) -> str:
        """[rows, steps, width] to [rows, steps, directions * hidden]."""
        graph, chosen = self._graph, self._chosen
        kernels, recurrent, biases = (
            self._floats(np.stack(arrays))
            for arrays in zip(*((each.kernel, each.recurrent, each.biases) for each in directions), strict=True)
        )
        # A row of no length may be read as one step: the pool leaves it out.
        read = graph.node("Max", lengths, graph.constant(1, np.int64))
        of_gru: dict[str, Any] = {} if chosen.cell is Cell.LSTM else {"linear_before_reset": 1}
        outputs = graph.node(
            "LSTM" if chosen.cell is Cell.LSTM else "GRU",
            graph.node("Transpose", states, perm=[1, 0, 2]),
            kernels,
            recurrent,
            biases,
            graph.node("Cast", read, to=TensorProto.INT32),
            hidden_size=chosen.hidden,
            direction="bidirectional" if chosen.bidirectional else "forward",
            **of_gru,
        )
        rows_first = graph.node("Transpose", outputs, perm=[2, 0, 1, 3])
        return graph.node("Reshape", rows_first, graph.constant([0, 0, -1], np.int64))

    def _pool(self, states: str, lengths: str) -> str:
        """[rows, steps, width] to [rows, width]; zeros for a row of no length."""
        graph = self._graph
        weighted = graph.node("Mul", states, self._weigh(states, lengths))
        return graph.node("ReduceSum", weighted, self._axes(1), keepdims=0)

    def _weigh(self, states: str, lengths: str) -> str:
        graph, chosen = self._graph, self._chosen
        steps = graph.node("Unsqueeze", count_steps(graph, states), self._axes(0, 2))
        ends = graph.node("Unsqueeze", lengths, self._axes(1, 2))
        is_step = graph.node("Less", steps, ends)
        counted = graph.node("Cast", is_step, to=TensorProto.FLOAT)
        if chosen.pooling is Pooling.ATTENTION:
            scores = self._dense(graph.node("Tanh", self._dense(states, self._weights.keys)), self._weights.scores)
            kept = graph.node("Where", is_step, scores, self._floats(-1e9))
            return graph.node("Mul", graph.node("Softmax", kept, axis=1), counted)
        if chosen.pooling is Pooling.MEAN:
            sizes = graph.node("Max", ends, graph.constant(1, np.int64))
            return graph.node("Div", counted, graph.node("Cast", sizes, to=TensorProto.FLOAT))
        is_last = graph.node("Equal", steps, graph.node("Sub", ends, graph.constant(1, np.int64)))
        if not (chosen.bidirectional and chosen.layers):
            return graph.node("Cast", is_last, to=TensorProto.FLOAT)
        # The state of the second half that has read all is the one at the beginning.
        is_first = graph.node("And", graph.node("Equal", steps, graph.constant(0, np.int64)), is_step)
        half = self._floats(np.ones(chosen.hidden))
        halves = [
            graph.node("Mul", graph.node("Cast", each, to=TensorProto.FLOAT), half) for each in (is_last, is_first)
        ]
        return graph.node("Concat", *halves, axis=2)
