"""Boosted trees as one ONNX operator, from arrays of nodes.

Converters walk trees node by node, which takes longer than growing them where they are many and small.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.export.trees import writing
from batch_jobs.algorithms.export.trees.arrays import Trees
from batch_jobs.algorithms.export.trees.reading import Ensemble
from batch_jobs.algorithms.learning import FEATURES, SCORES

_TRANSFORMS = {Task.BINARY: "LOGISTIC", Task.MULTICLASS: "SOFTMAX", Task.MULTILABEL: "LOGISTIC"}


def to_graph(
    name: str, trees: Trees, *, task: Task, num_outputs: int, width: int, base: NDArray[np.float64] | None = None
) -> onnx.ModelProto:
    """From `features` to `scores`.

    Args:
        name: of the graph.
        trees: what their leaves add to each sum: there is one of two classes, else one for each output.
        task: decides what becomes of the sums.
        num_outputs: classes, labels, or 1.
        width: of the features.
        base: where the sums begin; without it at 0.
    """
    ensemble = Ensemble(
        trees=trees,
        base=np.zeros(trees.leaf_values.shape[1]) if base is None else base,
        transform=_TRANSFORMS.get(task, "NONE"),
        labels=tuple(range(num_outputs)) if task in (Task.BINARY, Task.MULTICLASS) else None,
    )
    return writing.build(name, ensemble, width=width)


def take_turns(weights: NDArray[np.float32], tree_of_node: NDArray[np.int64], num_sums: int) -> NDArray[np.float32]:
    """Leaves' values [nodes, sums] of trees that add to one sum after the other, from what each node says."""
    values = np.zeros((len(weights), num_sums), dtype=np.float32)
    values[np.arange(len(weights)), tree_of_node % num_sums] = weights
    return values


def to_constant_graph(name: str, answer: NDArray[np.float32], width: int) -> onnx.ModelProto:
    """From `features` to `scores` that are always the same, of trees that say nothing."""
    graph = GraphBuilder(name)
    features = graph.input(FEATURES, TensorProto.FLOAT, ["rows", width])
    num_rows = graph.node("Shape", features, start=0, end=1)
    shape = graph.node("Concat", num_rows, graph.constant([len(answer)], np.int64), axis=0)
    scores = graph.node("Expand", graph.constant(answer[None], np.float32), shape)
    graph.output(scores, SCORES, TensorProto.FLOAT, ["rows", len(answer)])
    return graph.build()
