"""The trees of a scikit-learn forest as one ONNX operator, whole columns at a time.

skl2onnx walks them node by node, which takes longer than growing them, and converts a forest as if none of its values
was ever missing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES

_LEAF = -1


def to_graph(trees: Sequence[Any], *, name: str, num_outputs: int, width: int, has_classes: bool) -> onnx.ModelProto:
    """From `features` to `scores`, the mean of the trees: shares of classes, values or labels.

    Args:
        trees: fitted ones, `sklearn.tree._tree.Tree`.
        name: of the graph.
        num_outputs: classes, labels, or 1.
        width: of the features.
        has_classes: whether a leaf holds shares of classes.
    """
    sizes = np.array([tree.node_count for tree in trees])
    left = np.concatenate([tree.children_left for tree in trees])
    is_leaf = left == _LEAF
    tree_ids, node_ids = np.repeat(np.arange(len(trees)), sizes), np.concatenate([np.arange(size) for size in sizes])
    modes = np.where(is_leaf, b"LEAF", b"BRANCH_LEQ")
    nodes = {
        "nodes_treeids": tree_ids,
        "nodes_nodeids": node_ids,
        "nodes_featureids": np.where(is_leaf, 0, np.concatenate([tree.feature for tree in trees])),
        "nodes_modes": modes,
        "nodes_values": np.where(is_leaf, 0, _to_thresholds(np.concatenate([tree.threshold for tree in trees]))),
        "nodes_truenodeids": np.where(is_leaf, 0, left),
        "nodes_falsenodeids": np.where(is_leaf, 0, np.concatenate([tree.children_right for tree in trees])),
        "nodes_missing_value_tracks_true": np.concatenate([tree.missing_go_to_left for tree in trees]).astype(np.int64),
    }
    values = np.concatenate([_to_values(tree, has_classes=has_classes) for tree in trees]) / len(trees)
    # Of two shares one is what the other lacks to 1.
    is_of_two = has_classes and num_outputs == 2
    if is_of_two:
        values = values[:, 1:]
    leaves, outputs = np.nonzero(values * is_leaf[:, None])
    # A leaf that says nothing has to be in the list too.
    silent = np.flatnonzero(is_leaf & ~values.any(axis=1))
    leaves, outputs = np.concatenate([leaves, silent]), np.concatenate([outputs, np.zeros_like(silent)])
    graph = GraphBuilder(name)
    features = graph.input(FEATURES, TensorProto.FLOAT, ["rows", width])
    scores = graph.node(
        "TreeEnsembleRegressor",
        features,
        domain="ai.onnx.ml",
        **nodes,
        target_treeids=tree_ids[leaves],
        target_nodeids=node_ids[leaves],
        target_ids=outputs,
        target_weights=values[leaves, outputs],
        n_targets=values.shape[1],
    )
    if is_of_two:
        other = graph.node("Sub", graph.constant(1.0, np.float32), scores)
        scores = graph.node("Concat", other, scores, axis=1)
    graph.output(scores, SCORES, TensorProto.FLOAT, ["rows", num_outputs])
    return graph.build()


def _to_thresholds(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest of single precision that is not above: a value of single precision is on the same side of both."""
    single = values.astype(np.float32)
    return np.where(single > values, np.nextafter(single, np.float32(-np.inf)), single)


def _to_values(tree: Any, *, has_classes: bool) -> NDArray[np.float64]:
    """[nodes, outputs]."""
    values: NDArray[np.float64] = tree.value[:, 0] if has_classes else tree.value[:, :, 0]
    return values / values.sum(axis=1, keepdims=True) if has_classes else values
