"""Boosted trees as one ONNX operator, from arrays of nodes.

Converters walk trees node by node, which takes longer than growing them where they are many and small.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import ML_DOMAIN, GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES

_LOGISTIC, _SOFTMAX = "LOGISTIC", "SOFTMAX"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """Of each leaf its tree, its id there, and what it adds to which output; where there are no `outputs`, trees take
    turns among them."""

    trees: NDArray[np.int64]
    ids: NDArray[np.int64]
    weights: NDArray[np.floating[Any]]
    outputs: NDArray[np.int64] | None = None


def to_graph(
    name: str,
    nodes: Mapping[str, NDArray[Any]],
    leaves: Leaves,
    *,
    task: Task,
    num_outputs: int,
    width: int,
    base_values: NDArray[np.floating[Any]] | None = None,
) -> onnx.ModelProto:
    """From `features` to `scores`.

    Args:
        name: of the graph.
        nodes: the operators' attributes `nodes_...`.
        leaves: in the order of the nodes.
        task: decides what becomes of the sums.
        num_outputs: classes, labels, or 1.
        width: of the features.
        base_values: where the sums begin; one for each output (of two classes one).
    """
    graph = GraphBuilder(name)
    features = graph.input(FEATURES, TensorProto.FLOAT, ["rows", width])
    num_sums = 1 if task is Task.BINARY else num_outputs
    outputs = leaves.trees % num_sums if leaves.outputs is None else leaves.outputs
    base = {} if base_values is None else {"base_values": np.asarray(base_values, dtype=np.float64)}
    if task in (Task.BINARY, Task.MULTICLASS):
        _, scores = graph.nodes(
            "TreeEnsembleClassifier",
            features,
            num_outputs=2,
            domain=ML_DOMAIN,
            **nodes,
            **base,
            class_treeids=leaves.trees,
            class_nodeids=leaves.ids,
            class_ids=outputs,
            class_weights=leaves.weights,
            classlabels_int64s=np.arange(num_outputs),
            post_transform=_LOGISTIC if task is Task.BINARY else _SOFTMAX,
        )
    else:
        sums = graph.node(
            "TreeEnsembleRegressor",
            features,
            domain=ML_DOMAIN,
            **nodes,
            **base,
            target_treeids=leaves.trees,
            target_nodeids=leaves.ids,
            target_ids=outputs,
            target_weights=leaves.weights,
            n_targets=num_outputs,
        )
        scores = graph.node("Sigmoid", sums) if task is Task.MULTILABEL else sums
    graph.output(scores, SCORES, TensorProto.FLOAT, ["rows", num_outputs])
    return graph.build()


def to_constant_graph(name: str, answer: NDArray[np.float32], width: int) -> onnx.ModelProto:
    """From `features` to `scores` that are always the same, of trees that say nothing."""
    graph = GraphBuilder(name)
    features = graph.input(FEATURES, TensorProto.FLOAT, ["rows", width])
    num_rows = graph.node("Shape", features, start=0, end=1)
    shape = graph.node("Concat", num_rows, graph.constant([len(answer)], np.int64), axis=0)
    scores = graph.node("Expand", graph.constant(answer[None], np.float32), shape)
    graph.output(scores, SCORES, TensorProto.FLOAT, ["rows", len(answer)])
    return graph.build()
