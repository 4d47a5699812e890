"""Several exported graphs as one: shared inputs, and behind them the weighted mean of their answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from aimass_core.domain.signatures import Datatype, Signature, TensorSpec
from batch_jobs.algorithms.export.assembly import (
    ANSWERED,
    PROBABILITIES,
    VALUE,
    build_answer_graph,
    name_inputs,
)
from batch_jobs.algorithms.export.builder import INNER_PREFIX, ML_OPSET, OPSET, GraphBuilder, finish
from batch_jobs.algorithms.export.names import defined_names, rename, share_duplicates
from batch_jobs.data.targets import Target, TargetScale

_ELEMENTS = {Datatype.FP32: TensorProto.FLOAT, Datatype.FP64: TensorProto.DOUBLE}
_OPSETS = {"": OPSET, "ai.onnx.ml": ML_OPSET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A graph that `assembly.assemble` made, and what is written about it."""

    model: onnx.ModelProto
    signature: Signature


def find_conflict(known: Signature, other: Signature) -> str | None:
    """Why a model cannot join another in one graph; None where it can.

    Numbers may be float32 to the one and float64 to the other. All else that both read, they have to read alike.
    """
    for name in ("kind", "task", "target", "labels", "outputs"):
        one, two = getattr(known, name), getattr(other, name)
        if one != two:
            return f"its {name} differ: {_short(two)} and not {_short(one)}"
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
    return signatures[0].model_copy(update={"inputs": renamed})


def merge(members: Sequence[Member], weights: Sequence[float], target: Target) -> onnx.ModelProto:
    """The graph of all, checked. Its signature is that which `join_signatures` makes of theirs.

    What members have in common (an encoding, a vocabulary, a constant) is in it once.

    Raises:
        ValueError: Two of them conflict; `find_conflict` says so beforehand.
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
    for number, member in enumerate(members):
        prefix = f"{INNER_PREFIX}member {number}/"
        graph, casts = _prepare(member, joined, prefix, inputs)
        nodes += [*casts, *graph.node]
        constants += graph.initializer
        scores.append(f"{prefix}{VALUE if target.labels is None else PROBABILITIES}")
    answer = build_answer_graph(target, TargetScale()).graph
    mean = _mean_graph(scores, weights, target)
    model = helper.make_model(
        helper.make_graph(
            [*nodes, *mean.node, *answer.node],
            "aimass",
            [inputs[spec.name] for spec in joined.inputs],
            answer.output,
            [*constants, *mean.initializer, *answer.initializer],
        ),
        opset_imports=members[0].model.opset_import,
    )
    share_duplicates(model.graph)
    onnx.checker.check_model(finish(model), full_check=True)
    return model


def _prepare(
    member: Member, joined: Signature, prefix: str, inputs: dict[str, onnx.ValueInfoProto]
) -> tuple[onnx.GraphProto, list[onnx.NodeProto]]:
    """A copy of the graph under names of its own, which reads the shared inputs; those that are new are added."""
    opsets = {opset.domain: opset.version for opset in member.model.opset_import}
    if opsets != _OPSETS or member.model.functions:
        raise ValueError(f"a member of an ensemble has the opsets {_OPSETS} and no functions; this one has {opsets}")
    graph = onnx.GraphProto()
    graph.CopyFrom(member.model.graph)
    names = {name: f"{prefix}{name}" for name in defined_names(graph)}
    shared = {spec.column: spec for spec in joined.inputs}
    columns = {spec.name: spec.column for spec in member.signature.inputs}
    casts: list[onnx.NodeProto] = []
    for value in graph.input:
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


def _mean_graph(scores: Sequence[str], weights: Sequence[float], target: Target) -> onnx.GraphProto:
    """In float64: a value that is large beside what differs would lose it in float32."""
    graph = GraphBuilder("ensemble")
    total = float(sum(weights))
    parts = [
        graph.node(
            "Mul",
            graph.node("Cast", name, to=TensorProto.DOUBLE),
            graph.constant(weight / total, np.float64),
        )
        for name, weight in zip(scores, weights, strict=True)
    ]
    mean = graph.node("Cast", graph.node("Sum", *parts), to=TensorProto.FLOAT)
    if target.labels is None and not target.horizon:
        mean = graph.node("Unsqueeze", mean, graph.constant([1], np.int64))
    graph.output(mean, ANSWERED, TensorProto.FLOAT, ["rows", target.num_outputs])
    return graph.build().graph


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


def _short(value: object) -> str:
    return str(value)[:80]
