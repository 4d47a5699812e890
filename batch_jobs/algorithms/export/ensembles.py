"""Several graphs as one: shared inputs, and behind them what combines their answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from aimass_core.domain.signatures import Datatype, Signature, TensorSpec
from batch_jobs.algorithms.export.assembly import (
    ANSWERED,
    LABEL,
    PROBABILITIES,
    VALUE,
    build_answer_graph,
    name_inputs,
)
from batch_jobs.algorithms.export.builder import INNER_PREFIX, IR_VERSION, GraphBuilder, finish
from batch_jobs.algorithms.export.names import defined_names, rename, share_duplicates
from batch_jobs.algorithms.export.opsets import to_common
from batch_jobs.data.targets import Target, TargetScale

_ELEMENTS = {Datatype.FP32: TensorProto.FLOAT, Datatype.FP64: TensorProto.DOUBLE}
_ANSWERS = frozenset({LABEL, PROBABILITIES, VALUE})
Combine = Callable[[GraphBuilder, list[str]], str]
"""Adds what combines to a graph: from the members' answers, float64 [rows, outputs], to the whole's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A graph from raw columns to the answer, and what is written about it."""

    model: onnx.ModelProto
    signature: Signature


def find_conflict(known: Signature, other: Signature) -> str | None:
    """Why a model cannot join another in one graph; None where it can.

    Numbers may be float32 to the one and float64 to the other. All else that both read, they have to read alike.
    """
    for name in ("kind", "task", "target", "labels"):
        one, two = getattr(known, name), getattr(other, name)
        if one != two:
            return f"its {name} differ: {_short(two)} and not {_short(one)}"
    if (one := _answers(known)) != (two := _answers(other)):
        return f"its outputs differ: {_short(two)} and not {_short(one)}"
    inputs = {spec.column: spec for spec in known.inputs}
    for spec in other.inputs:
        if (first := inputs.get(spec.column)) is None:
            continue
        if spec.shape != first.shape:
            return f"it reads {spec.column!r} with the shape {spec.shape} and not {first.shape}"
        if spec.datatype is not first.datatype and not {spec.datatype, first.datatype} <= _ELEMENTS.keys():
            return f"it reads {spec.column!r} as {spec.datatype} and not as {first.datatype}"
    return None


def join_signatures(signatures: Sequence[Signature]) -> Signature:
    """What the graph of all takes: every column that any of them reads, known by what each of them knew."""
    inputs: dict[str, TensorSpec] = {}
    for signature in signatures:
        for spec in signature.inputs:
            column = spec.column or spec.name
            inputs[column] = _join(inputs[column], spec) if column in inputs else spec
    names = name_inputs(inputs)
    renamed = [spec.model_copy(update={"name": names[column]}) for column, spec in inputs.items()]
    outputs = [spec for spec in signatures[0].outputs if spec.name in _ANSWERS]
    return signatures[0].model_copy(update={"inputs": renamed, "outputs": outputs})


def merge(members: Sequence[Member], combine: Combine, target: Target) -> onnx.ModelProto:
    """The graph of all, checked. Its signature is that which `join_signatures` makes of theirs.

    What members have in common (an encoding, a vocabulary, a constant) is in it once.

    Raises:
        ValueError: Two of them conflict, as `find_conflict` says beforehand; or they are written for versions of ONNX
            that cannot be brought together.
    """
    joined = members[0].signature
    for member in members[1:]:
        if reason := find_conflict(joined, member.signature):
            raise ValueError(f"a member cannot join the ensemble: {reason}")
        joined = join_signatures([joined, member.signature])
    joined = join_signatures([member.signature for member in members])
    inputs: dict[str, onnx.ValueInfoProto] = {}
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    scores: list[str] = []
    models, opsets = to_common([member.model for member in members])
    for number, (model, member) in enumerate(zip(models, members, strict=True)):
        prefix = f"{INNER_PREFIX}member {number}/"
        graph, casts = _prepare(model, member.signature, joined, prefix, inputs)
        nodes += [*casts, *graph.node]
        constants += graph.initializer
        scores.append(f"{prefix}{VALUE if target.labels is None else PROBABILITIES}")
    answer = build_answer_graph(target, TargetScale()).graph
    combined = build_combining_graph(scores, combine, target).graph
    model = helper.make_model(
        helper.make_graph(
            [*nodes, *combined.node, *answer.node],
            "aimass",
            [inputs[spec.name] for spec in joined.inputs],
            answer.output,
            [*constants, *combined.initializer, *answer.initializer],
        ),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in opsets.items()],
    )
    share_duplicates(model.graph)
    finish(model, opsets=opsets, ir_version=max([IR_VERSION, *(own.ir_version for own in models)]))
    onnx.checker.check_model(model, full_check=True)
    return model


def weighted_mean(weights: Sequence[float], powers: Sequence[float] | None = None) -> Combine:
    """In float64: a value that is large beside what differs would lose it in float32.

    `powers`: what each member's probabilities are raised to beforehand, so that they still add up to 1.
    """
    total = float(sum(weights))

    def combine(graph: GraphBuilder, scores: list[str]) -> str:
        parts = [
            graph.node("Mul", _raise(graph, name, power), graph.constant(weight / total, np.float64))
            for name, weight, power in zip(scores, weights, powers or [1.0] * len(scores), strict=True)
        ]
        return graph.node("Sum", *parts)

    return combine


def _raise(graph: GraphBuilder, name: str, power: float) -> str:
    if power == 1.0:
        return name
    raised = graph.node("Pow", name, graph.constant(power, np.float64))
    return graph.node("Div", raised, graph.node("ReduceSum", raised, graph.constant([1], np.int64), keepdims=1))


def build_combining_graph(scores: Sequence[str], combine: Combine, target: Target) -> onnx.ModelProto:
    """From the members' answers, as they give them, to `ANSWERED`, which `assembly.build_answer_graph` goes on from."""
    graph = GraphBuilder("ensemble")
    is_flat = target.labels is None and not target.horizon
    doubles = [graph.node("Cast", name, to=TensorProto.DOUBLE) for name in scores]
    if is_flat:
        doubles = [graph.node("Unsqueeze", name, graph.constant([1], np.int64)) for name in doubles]
    found = graph.node("Cast", combine(graph, doubles), to=TensorProto.FLOAT)
    graph.output(found, ANSWERED, TensorProto.FLOAT, ["rows", target.num_outputs])
    return graph.build()


def _prepare(
    model: onnx.ModelProto,
    signature: Signature,
    joined: Signature,
    prefix: str,
    inputs: dict[str, onnx.ValueInfoProto],
) -> tuple[onnx.GraphProto, list[onnx.NodeProto]]:
    """A copy of the graph under names of its own, which reads the shared inputs; those that are new are added."""
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    names = {name: f"{prefix}{name}" for name in defined_names(graph)}
    shared = {spec.column or spec.name: spec for spec in joined.inputs}
    columns = {spec.name: spec.column or spec.name for spec in signature.inputs}
    constants = {constant.name for constant in graph.initializer}
    casts: list[onnx.NodeProto] = []
    # Before IR version 4 constants were inputs too.
    for value in (value for value in graph.input if value.name not in constants):
        spec, own = shared[columns[value.name]], value.type.tensor_type.elem_type
        element = _ELEMENTS.get(spec.datatype, own)
        if element == own:
            names[value.name] = spec.name
        else:
            casts.append(helper.make_node("Cast", [spec.name], [names[value.name]], to=own))
        if spec.name not in inputs:
            inputs[spec.name] = onnx.ValueInfoProto()
            inputs[spec.name].CopyFrom(value)
            inputs[spec.name].name = spec.name
            inputs[spec.name].type.tensor_type.elem_type = element
    rename(graph, names)
    return graph, casts


def _join(known: TensorSpec, other: TensorSpec) -> TensorSpec:
    lows = [spec.minimum for spec in (known, other) if spec.minimum is not None]
    highs = [spec.maximum for spec in (known, other) if spec.maximum is not None]
    # One that knows no list takes any value.
    values = None
    if known.categories is not None and other.categories is not None:
        values = list(dict.fromkeys([*known.categories, *other.categories]))
    return known.model_copy(
        update={
            "datatype": known.datatype if known.datatype is other.datatype else Datatype.FP64,
            "minimum": min(lows, default=None),
            "maximum": max(highs, default=None),
            "categories": values,
        }
    )


def _answers(signature: Signature) -> dict[str, tuple[Datatype, list[int]]]:
    return {spec.name: (spec.datatype, spec.shape) for spec in signature.outputs if spec.name in _ANSWERS}


def _short(value: object) -> str:
    return str(value)[:80]
