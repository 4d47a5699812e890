"""The ONNX graph of a trained recurrent Keras network, with ONNX's own LSTM and GRU.

Keras's own exporter takes a network that is read backward within each row's length for one that is read backward
through the padding, and says nothing; a GRU it writes as a loop over the steps.
"""

from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.recurrent import Cell, Pooling, RnnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES, Problem
from batch_jobs.algorithms.tensorflow.sequences import FRONT, KEYS, SCALER, SCORES_OF_STEPS, back, forth

ANSWER = "answer"
_LSTM_GATES = (0, 3, 1, 2)
"""Keras has input, forget, candidate, output; ONNX input, output, forget, candidate. Of a GRU both have the same."""

Floats = NDArray[np.float32]


def build_graph(network: keras.Model, *, problem: Problem, chosen: RnnHyperparameters) -> onnx.ModelProto:
    """See `Fitted.to_onnx`. The network is one that `rnn.build_network` built."""
    return _Writer(network, problem, chosen).write()


class _Writer:
    def __init__(self, network: keras.Model, problem: Problem, chosen: RnnHyperparameters) -> None:
        self._network, self._problem, self._chosen = network, problem, chosen
        self._graph = GraphBuilder("rnn")

    def write(self) -> onnx.ModelProto:
        graph, problem = self._graph, self._problem
        is_text, is_forecast = problem.kind is DataKind.TEXT, problem.task is Task.FORECASTING
        shape: list[int | str] = ["rows", "steps"] if is_text else ["rows", "steps", problem.num_numeric]
        features = graph.input(FEATURES, TensorProto.INT64 if is_text else TensorProto.FLOAT, shape)
        last = self._last_values(features) if is_forecast else None
        steps = features if last is None else graph.node("Sub", features, last)
        lengths = self._count_words(steps) if is_text else self._find_ends(steps)
        states = self._read_words(steps) if is_text else self._read_series(steps)
        for index in range(self._chosen.layers):
            states = self._recur(states, lengths, index)
        answer = self._dense(self._pool(states, lengths), ANSWER)
        if last is not None:
            answer = graph.node("Add", answer, self._level(last))
        answer = self._activate(answer)
        graph.output(answer, SCORES, TensorProto.FLOAT, ["rows", problem.num_outputs])
        return graph.build()

    def _activate(self, answer: str) -> str:
        """What the network ends with: softmax, sigmoid or nothing."""
        last = self._network.layers[-1]
        if isinstance(last, keras.layers.Softmax):
            return self._graph.node("Softmax", answer, axis=1)
        is_sigmoid = isinstance(last, keras.layers.Activation) and last.activation is keras.activations.sigmoid
        return self._graph.node("Sigmoid", answer) if is_sigmoid else answer

    def _weights(self, name: str) -> list[Floats]:
        return [np.asarray(array, np.float32) for array in self._network.get_layer(name).get_weights()]

    def _floats(self, values: Any) -> str:
        return self._graph.constant(values, np.float32)

    def _axes(self, *axes: int) -> str:
        return self._graph.constant(axes, np.int64)

    def _last_values(self, series: str) -> str:
        """The latest values that are not missing [rows, 1, channels]."""
        graph = self._graph
        places = graph.node("Unsqueeze", self._count_steps(series), self._axes(0, 2))
        known = graph.node("Where", graph.node("IsNaN", series), graph.constant(0, np.int64), places)
        return graph.node("GatherElements", series, graph.node("ReduceMax", known, self._axes(1)), axis=1)

    def _level(self, last: str) -> str:
        """The target's latest value on the scale of the answers [rows, 1]."""
        graph, scale = self._graph, self._problem.target_scale
        assert scale is not None  # noqa: S101  a forecast
        value = graph.node("Gather", last, graph.constant(self._problem.target_channel, np.int64), axis=2)
        level = graph.node("Div", graph.node("Sub", value, self._floats(scale.mean)), self._floats(scale.deviation))
        return graph.node("Where", graph.node("IsNaN", level), self._floats(0.0), level)

    def _count_steps(self, values: str) -> str:
        """0, 1, 2, ... for each step there is room for."""
        graph = self._graph
        size = graph.node("Squeeze", graph.node("Shape", values, start=1, end=2), self._axes(0))
        return graph.node("Range", graph.constant(0, np.int64), size, graph.constant(1, np.int64))

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
        numbers = graph.node("Add", self._count_steps(series), graph.constant(1, np.int64))
        return graph.node("ReduceMax", graph.node("Mul", is_step, numbers), self._axes(1), keepdims=0)

    def _read_words(self, ids: str) -> str:
        (vectors,) = self._weights(FRONT)
        return self._graph.node("Gather", self._floats(vectors), ids)

    def _read_series(self, series: str) -> str:
        graph, scaler = self._graph, self._network.get_layer(SCALER)
        centred = graph.node("Sub", series, self._floats(scaler.means))
        scaled = graph.node("Mul", centred, self._floats(scaler.inverse_deviations))
        filled = graph.node("Where", graph.node("IsNaN", series), self._floats(0.0), scaled)
        return self._dense(filled, FRONT)

    def _dense(self, values: str, name: str) -> str:
        weights, *bias = self._weights(name)
        product = self._graph.node("MatMul", values, self._floats(weights))
        return self._graph.node("Add", product, self._floats(bias[0])) if bias else product

    def _recur(self, states: str, lengths: str, index: int) -> str:
        """[rows, steps, width] to [rows, steps, directions * hidden]."""
        graph, chosen = self._graph, self._chosen
        names = [forth(index), back(index)] if chosen.bidirectional else [forth(index)]
        directions = [_to_onnx_weights(self._weights(name), chosen.cell) for name in names]
        kernels, recurrent, biases = (self._floats(np.stack(arrays)) for arrays in zip(*directions, strict=True))
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
        steps = graph.node("Unsqueeze", self._count_steps(states), self._axes(0, 2))
        ends = graph.node("Unsqueeze", lengths, self._axes(1, 2))
        is_step = graph.node("Less", steps, ends)
        counted = graph.node("Cast", is_step, to=TensorProto.FLOAT)
        if chosen.pooling is Pooling.ATTENTION:
            scores = self._dense(graph.node("Tanh", self._dense(states, KEYS)), SCORES_OF_STEPS)
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


def _to_onnx_weights(weights: list[Floats], cell: Cell) -> tuple[Floats, Floats, Floats]:
    """Kernel, recurrent kernel and both biases of one direction, the gates in ONNX's order."""
    kernel, recurrent, bias = weights
    order = _LSTM_GATES if cell is Cell.LSTM else (0, 1, 2)
    # Keras's LSTM has one bias for both.
    biases = np.stack([bias, np.zeros_like(bias)]) if cell is Cell.LSTM else bias

    def arrange(columns: Floats) -> Floats:
        gates = np.split(columns, len(order), axis=1)
        return np.concatenate([gates[gate] for gate in order], axis=1)

    return arrange(kernel).T, arrange(recurrent).T, arrange(biases).reshape(-1)
