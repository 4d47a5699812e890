"""Joins encoding, model and answer into one graph, and names its inputs and outputs."""

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import TensorProto, compose

from batch_jobs.algorithms.export.builder import INNER_PREFIX, GraphBuilder, finish
from batch_jobs.algorithms.learning import FEATURES, SCORES
from batch_jobs.data.targets import Target, TargetScale

LABEL = "label"
PROBABILITIES = "probabilities"
VALUE = "value"
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


def assemble(
    encoding: onnx.ModelProto | None,
    model: onnx.ModelProto,
    target: Target,
    scale: TargetScale,
    *,
    image_input: str = "",
) -> bytes:
    """The whole graph, checked and serialized.

    Args:
        encoding: From raw columns to `features`; None where the model takes the images themselves as `image_input`.
        model: From `features` to `scores`.
        target: Says what the answer is.
        scale: Brings standardised values back to the target's own.
        image_input: The name that the input of an image model is to have.
    """
    core = compose.add_prefix(finish(model), _MODEL_PREFIX)
    features, scores = f"{_MODEL_PREFIX}{FEATURES}", f"{_MODEL_PREFIX}{SCORES}"
    if encoding is not None:
        core = compose.merge_models(encoding, core, io_map=[(FEATURES, features)], outputs=[scores])
    else:
        _rename_input(core, features, image_input)
    answer = _answer_graph(target, scale)
    inner = f"{INNER_PREFIX}answer/{SCORES}"
    merged = compose.merge_models(core, answer, io_map=[(scores, inner)])
    merged = finish(merged)
    merged.graph.name = "aimass"
    onnx.checker.check_model(merged, full_check=True)
    return bytes(merged.SerializeToString(deterministic=True))


def _rename_input(model: onnx.ModelProto, old: str, new: str) -> None:
    for value in model.graph.input:
        if value.name == old:
            value.name = new
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name == old:
                node.input[position] = new


def _answer_graph(target: Target, scale: TargetScale) -> onnx.ModelProto:
    graph = GraphBuilder("answer")
    source = f"{INNER_PREFIX}answer/{SCORES}"
    if target.labels is None:
        scores = graph.input(source, TensorProto.FLOAT, ["rows", 1])
        standard = graph.node(
            "Cast", graph.node("Squeeze", scores, graph.constant([1], np.int64)), to=TensorProto.DOUBLE
        )
        scaled = graph.node("Mul", standard, graph.constant(scale.deviation, np.float64))
        values = graph.node("Add", scaled, graph.constant(scale.mean, np.float64))
        graph.output(graph.node("Cast", values, to=TensorProto.FLOAT), VALUE, TensorProto.FLOAT, ["rows"])
        return graph.build()
    scores = graph.input(source, TensorProto.FLOAT, ["rows", len(target.labels)])
    best = graph.node("ArgMax", scores, axis=1, keepdims=0)
    graph.output(graph.node("Gather", graph.texts(target.labels), best), LABEL, TensorProto.STRING, ["rows"])
    graph.output(scores, PROBABILITIES, TensorProto.FLOAT, ["rows", len(target.labels)])
    return graph.build()
