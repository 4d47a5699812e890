"""The trees of a booster in ONNX, all but those that split by sets of categories: there a node becomes several, and
onnxmltools converts them."""

import re
from typing import Any

import lightgbm
import numpy as np
import onnx
from numpy.typing import NDArray

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export import boosters
from batch_jobs.algorithms.export.boosters import Leaves

_BY_CATEGORY, _DEFAULT_LEFT = 1, 2
_MISSING_SHIFT, _MISSING_MASK, _NEVER_MISSING = 2, 3, 0


def to_graph(booster: lightgbm.Booster, *, task: Task, num_outputs: int, width: int) -> onnx.ModelProto | None:
    """From `features` to `scores`; None where a split is by categories.

    Args:
        booster: in single precision.
        task: binary, multiclass or regression.
        num_outputs: classes; of a regression 1.
        width: of the features.
    """
    text = booster.model_to_string()
    kinds = _read(text, "decision_type", np.int64)
    if (kinds & _BY_CATEGORY).any():
        return None
    nodes, leaves = _to_nodes(text, kinds)
    return boosters.to_graph("lightgbm", nodes, leaves, task=task, num_outputs=num_outputs, width=width)


def _to_nodes(text: str, kinds: NDArray[np.int64]) -> tuple[dict[str, NDArray[Any]], Leaves]:
    """The attributes of all nodes, tree by tree, in each the branches first; and the leaves."""
    num_leaves = _read(text, "num_leaves", np.int64)
    num_branches = num_leaves - 1
    sizes, trees = num_leaves + num_branches, np.arange(len(num_leaves))
    starts = np.cumsum(sizes) - sizes
    tree_of_branch, tree_of_leaf = np.repeat(trees, num_branches), np.repeat(trees, num_leaves)
    branch = starts[tree_of_branch] + _count(num_branches)
    leaf_id = num_branches[tree_of_leaf] + _count(num_leaves)
    thresholds = _read(text, "threshold", np.float64)
    # A value that is missing where none ever was is 0 to LightGBM.
    is_zero = (kinds >> _MISSING_SHIFT) & _MISSING_MASK == _NEVER_MISSING
    goes_left = np.where(is_zero, thresholds >= 0, (kinds & _DEFAULT_LEFT) > 0)

    def of_nodes(values: Any, dtype: Any) -> NDArray[Any]:
        found = np.zeros(sizes.sum(), dtype=dtype)
        found[branch] = values
        return found

    def of_children(name: str) -> NDArray[Any]:
        children = _read(text, name, np.int64)
        return of_nodes(np.where(children < 0, num_branches[tree_of_branch] + ~children, children), np.int64)

    modes = np.full(sizes.sum(), b"LEAF", dtype="S10")
    modes[branch] = b"BRANCH_LEQ"
    nodes = {
        "nodes_treeids": np.repeat(trees, sizes),
        "nodes_nodeids": _count(sizes),
        "nodes_featureids": of_nodes(_read(text, "split_feature", np.int64), np.int64),
        "nodes_modes": modes,
        "nodes_values": of_nodes(thresholds, np.float64),
        "nodes_truenodeids": of_children("left_child"),
        "nodes_falsenodeids": of_children("right_child"),
        "nodes_missing_value_tracks_true": of_nodes(goes_left, np.int64),
    }
    return nodes, Leaves(trees=tree_of_leaf, ids=leaf_id, weights=_read(text, "leaf_value", np.float64))


def _count(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, ... for each size, one after the other."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _read(text: str, name: str, dtype: Any) -> NDArray[Any]:
    """A property of all trees, one after the other."""
    found = " ".join(re.findall(rf"^{name}=(.*)$", text, flags=re.MULTILINE))
    return np.array(found.split(), dtype=dtype)
