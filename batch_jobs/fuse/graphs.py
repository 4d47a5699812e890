"""Combinations as ONNX: behind their members in one graph, or alone, where the members are served apart."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from batch_jobs.algorithms.export.assembly import build_answer_graph
from batch_jobs.algorithms.export.builder import OPSET, GraphBuilder, finish
from batch_jobs.algorithms.export.ensembles import Combine, Member, build_combining_graph, merge
from batch_jobs.data.targets import Target, TargetScale
from batch_jobs.fuse.methods import Combination
from batch_jobs.registered.models import RegisteredModel

WEIGHTS = "weights"


def input_name(number: int) -> str:
    """Of a member's answer, counted from 0, in a combination that is alone."""
    return f"member {number + 1}"


def to_one_graph(members: Sequence[RegisteredModel], combination: Combination, target: Target) -> bytes:
    """Members and combination; `join_signatures` describes its interface. Raises ValueError where they cannot join."""
    parts = [Member(model=member.graph, signature=member.signature) for member in members]
    model = merge(parts, _combine(combination, weights=None), target)
    return bytes(model.SerializeToString(deterministic=True))


def to_lone_graph(num_members: int, combination: Combination, target: Target) -> bytes:
    """From the members' answers, and where it has them the weights, to the whole's."""
    is_flat = target.labels is None and not target.horizon
    shape: list[int | str] = ["rows"] if is_flat else ["rows", target.num_outputs]
    names = [input_name(number) for number in range(num_members)]
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names]
    weights = None if combination.weights is None else WEIGHTS
    if weights is not None:
        given.append(helper.make_tensor_value_info(weights, TensorProto.DOUBLE, [num_members]))
    combining = build_combining_graph(names, _combine(combination, weights=weights), target).graph
    answer = build_answer_graph(target, TargetScale()).graph
    graph = helper.make_graph(
        [*combining.node, *answer.node],
        "aimass",
        given,
        list(answer.output),
        [*combining.initializer, *answer.initializer],
    )
    model = finish(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)]))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _combine(combination: Combination, *, weights: str | None) -> Combine:
    """`weights` is a value that takes the place of the fitted ones."""

    def combine(graph: GraphBuilder, scores: list[str]) -> str:
        axis = graph.constant([0], np.int64)
        stacked = graph.node("Concat", *[graph.node("Unsqueeze", name, axis) for name in scores], axis=0)
        own = None
        if combination.weights is not None:
            known = weights or graph.constant(combination.weights, np.float64)
            if weights is not None:
                known = graph.node("Div", known, graph.node("ReduceSum", known, keepdims=1))
            own = graph.node("Reshape", known, graph.constant([-1, 1, 1], np.int64))
        return combination.to_graph(graph, stacked, own)

    return combine
