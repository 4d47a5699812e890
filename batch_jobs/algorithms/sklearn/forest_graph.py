"""The trees of a scikit-learn forest as one ONNX operator, whole columns at a time.

skl2onnx walks them node by node, which takes longer than growing them, and converts a forest as if none of its values
was ever missing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from batch_jobs.algorithms.export.trees import writing
from batch_jobs.algorithms.export.trees.arrays import Mode, Trees
from batch_jobs.algorithms.export.trees.reading import Ensemble

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
    roots = np.cumsum(sizes) - sizes
    left, right = (np.concatenate([getattr(tree, f"children_{side}") for tree in trees]) for side in ("left", "right"))
    is_leaf, root = left == _LEAF, np.repeat(roots, sizes)
    values = np.concatenate([_to_values(tree, has_classes=has_classes) for tree in trees])
    # Of two shares one is what the other lacks to 1.
    is_of_two = has_classes and num_outputs == 2
    grown = Trees(
        roots=roots,
        feature=np.where(is_leaf, -1, np.concatenate([tree.feature for tree in trees])),
        threshold=np.where(is_leaf, 0, _to_thresholds(np.concatenate([tree.threshold for tree in trees]))),
        mode=np.full(len(left), Mode.LEQ),
        true_node=np.where(is_leaf, -1, root + left),
        false_node=np.where(is_leaf, -1, root + right),
        sends_missing_true=np.concatenate([tree.missing_go_to_left for tree in trees]).astype(np.bool_) & ~is_leaf,
        leaf_values=(values[:, 1:] if is_of_two else values) * is_leaf[:, None],
    )
    # NOTE: a sum of shares is never above their number; one of so many parts of shares may be above 1.
    ensemble = Ensemble(
        trees=grown,
        is_mean=True,
        base=np.zeros(grown.leaf_values.shape[1]),
        labels=(0, 1) if is_of_two else None,
        is_share=is_of_two,
    )
    return writing.build(name, ensemble, width=width)


def _to_thresholds(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest of single precision that is not above: a value of single precision is on the same side of both."""
    single = values.astype(np.float32)
    return np.where(single > values, np.nextafter(single, np.float32(-np.inf)), single)


def _to_values(tree: Any, *, has_classes: bool) -> NDArray[np.float64]:
    """[nodes, outputs]."""
    values: NDArray[np.float64] = tree.value[:, 0] if has_classes else tree.value[:, :, 0]
    return values / values.sum(axis=1, keepdims=True) if has_classes else values
