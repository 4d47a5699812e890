"""Joins encoding, model and answer into one graph, and names its inputs and outputs."""

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import TensorProto, compose

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import INNER_PREFIX, GraphBuilder, finish
from batch_jobs.algorithms.learning import FEATURES, SCORES
from batch_jobs.data.targets import Target, TargetScale

LABEL = "label"
PROBABILITIES = "probabilities"
VALUE = "value"
THRESHOLD = 0.5
"""A label of a multi-label task applies where its probability is no less."""
ANSWERED = f"{INNER_PREFIX}answer/{SCORES}"
_MODEL_PREFIX = f"{INNER_PREFIX}model/"


def name_inputs(columns: Iterable[str]) -> Mapping[str, str]:
    """An input is named like its column, save where that is an output's name or looks like one of ours."""
    names: dict[str, str] = {}
    taken = {LABEL, PROBABILITIES, VALUE}
    for column in columns:
        name = column
        while name in taken or name.startswith(INNER_PREFIX):
            name = f"column {name}"
        taken.add(name)
        names[column] = name
    return names


def assemble(encoding: onnx.ModelProto, model: onnx.ModelProto, target: Target, scale: TargetScale) -> bytes:
    """The whole graph, checked and serialized.

    Args:
        encoding: From raw columns to `features`.
        model: From `features` to `scores`.
        target: Says what the answer is.
        scale: Brings standardised values back to the target's own.
    """
    core = compose.add_prefix(finish(model), _MODEL_PREFIX)
    features, scores = f"{_MODEL_PREFIX}{FEATURES}", f"{_MODEL_PREFIX}{SCORES}"
    core = compose.merge_models(encoding, core, io_map=[(FEATURES, features)], outputs=[scores])
    merged = finish(compose.merge_models(core, build_answer_graph(target, scale), io_map=[(scores, ANSWERED)]))
    merged.graph.name = "aimass"
    onnx.checker.check_model(merged, full_check=True)
    return bytes(merged.SerializeToString(deterministic=True))


def build_answer_graph(target: Target, scale: TargetScale) -> onnx.ModelProto:
    """From scores, under the name `ANSWERED`, to the outputs."""
    graph = GraphBuilder("answer")
    if target.labels is None:
        shape: list[int | str] = ["rows", target.horizon] if target.horizon else ["rows"]
        scores = graph.input(ANSWERED, TensorProto.FLOAT, ["rows", target.num_outputs])
        flat = scores if target.horizon else graph.node("Squeeze", scores, graph.constant([1], np.int64))
        standard = graph.node("Cast", flat, to=TensorProto.DOUBLE)
        scaled = graph.node("Mul", standard, graph.constant(scale.deviation, np.float64))
        values = graph.node("Add", scaled, graph.constant(scale.mean, np.float64))
        graph.output(graph.node("Cast", values, to=TensorProto.FLOAT), VALUE, TensorProto.FLOAT, shape)
        return graph.build()
    num_labels = len(target.labels)
    scores = graph.input(ANSWERED, TensorProto.FLOAT, ["rows", num_labels])
    if target.task is Task.MULTILABEL:
        applies = graph.node("GreaterOrEqual", scores, graph.constant(THRESHOLD, np.float32))
        graph.output(applies, LABEL, TensorProto.BOOL, ["rows", num_labels])
    else:
        best = graph.node("ArgMax", scores, axis=1, keepdims=0)
        graph.output(graph.node("Gather", graph.texts(target.labels), best), LABEL, TensorProto.STRING, ["rows"])
    graph.output(scores, PROBABILITIES, TensorProto.FLOAT, ["rows", num_labels])
    return graph.build()
