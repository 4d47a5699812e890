"""The ONNX graph of a trained recurrent Keras network.

Keras's own exporter takes a network that is read backward within each row's length for one that is read backward
through the padding, and says nothing; a GRU it writes as a loop over the steps.
"""

import keras
import numpy as np
import onnx
from onnx import TensorProto

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.recurrent import Cell, Pooling, RnnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.export.recurrent import Direction, Floats, Linear, Weights, write_recurrent
from batch_jobs.algorithms.export.series import find_level, last_values
from batch_jobs.algorithms.learning import FEATURES, SCORES, Problem
from batch_jobs.algorithms.tensorflow.sequences import FRONT, KEYS, SCALER, SCORES_OF_STEPS, back, forth

ANSWER = "answer"
_LSTM_GATES = (0, 3, 1, 2)
"""Keras has input, forget, candidate, output; ONNX input, output, forget, candidate. Of a GRU both have the same."""


def build_graph(network: keras.Model, *, problem: Problem, chosen: RnnHyperparameters) -> onnx.ModelProto:
    """See `Fitted.to_onnx`. The network is one that `rnn.build_network` built."""
    graph = GraphBuilder("rnn")
    is_text = problem.kind is DataKind.TEXT
    shape: list[int | str] = ["rows", "steps"] if is_text else ["rows", "steps", problem.num_numeric]
    features = graph.input(FEATURES, TensorProto.INT64 if is_text else TensorProto.FLOAT, shape)
    weights = _read_weights(network, chosen, is_text=is_text)
    if problem.task is Task.FORECASTING:
        last = last_values(graph, features)
        answer = write_recurrent(graph, graph.node("Sub", features, last), weights, chosen)
        assert problem.target_channel is not None and problem.target_scale is not None  # noqa: S101, PT018
        level = find_level(graph, last, channel=problem.target_channel, scale=problem.target_scale)
        answer = graph.node("Add", answer, level)
    else:
        answer = write_recurrent(graph, features, weights, chosen)
    graph.output(_activate(graph, answer, network), SCORES, TensorProto.FLOAT, ["rows", problem.num_outputs])
    return graph.build()


def _activate(graph: GraphBuilder, answer: str, network: keras.Model) -> str:
    """What the network ends with: softmax, sigmoid or nothing."""
    last = network.layers[-1]
    if isinstance(last, keras.layers.Softmax):
        return graph.node("Softmax", answer, axis=1)
    is_sigmoid = isinstance(last, keras.layers.Activation) and last.activation is keras.activations.sigmoid
    return graph.node("Sigmoid", answer) if is_sigmoid else answer


def _read_weights(network: keras.Model, chosen: RnnHyperparameters, *, is_text: bool) -> Weights:
    def arrays_of(name: str) -> list[Floats]:
        return [np.asarray(array, np.float32) for array in network.get_layer(name).get_weights()]

    names = [[forth(index), *([back(index)] if chosen.bidirectional else [])] for index in range(chosen.layers)]
    has_attention = chosen.pooling is Pooling.ATTENTION
    scaler = None if is_text else network.get_layer(SCALER)
    return Weights(
        words=arrays_of(FRONT)[0] if is_text else None,
        means=None if scaler is None else scaler.means,
        inverse_deviations=None if scaler is None else scaler.inverse_deviations,
        front=None if is_text else Linear(*arrays_of(FRONT)),
        layers=[[_to_direction(arrays_of(name), chosen.cell) for name in layer] for layer in names],
        keys=Linear(*arrays_of(KEYS)) if has_attention else None,
        scores=Linear(*arrays_of(SCORES_OF_STEPS)) if has_attention else None,
        answer=Linear(*arrays_of(ANSWER)),
    )


def _to_direction(weights: list[Floats], cell: Cell) -> Direction:
    kernel, recurrent, bias = weights
    order = _LSTM_GATES if cell is Cell.LSTM else (0, 1, 2)
    # Keras's LSTM has one bias for both.
    biases = np.stack([bias, np.zeros_like(bias)]) if cell is Cell.LSTM else bias

    def arrange(columns: Floats) -> Floats:
        gates = np.split(columns, len(order), axis=1)
        return np.concatenate([gates[gate] for gate in order], axis=1)

    return Direction(arrange(kernel).T, arrange(recurrent).T, arrange(biases).reshape(-1))
