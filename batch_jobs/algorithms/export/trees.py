"""Ensembles of trees as operators of ONNX hold them: read into arrays, followed row by row, and written again."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

ML_DOMAIN = "ai.onnx.ml"
CLASSIFIER, REGRESSOR, ENSEMBLE = "TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble"
TREE_OPERATORS = (CLASSIFIER, REGRESSOR, ENSEMBLE)
_MAX_VALUES = 2**22

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Mode(StrEnum):
    """When a row goes to the true side: its value compared with the threshold. As operators of version 3 write it."""

    LEQ = "BRANCH_LEQ"
    LT = "BRANCH_LT"
    GTE = "BRANCH_GTE"
    GT = "BRANCH_GT"
    EQ = "BRANCH_EQ"
    NEQ = "BRANCH_NEQ"


MODES = tuple(Mode)
"""In the order in which operators of version 5 number them."""
_COMPARISONS = (np.less_equal, np.less, np.greater_equal, np.greater, np.equal, np.not_equal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """Nodes of all trees, one after the other. Of a leaf `feature` is -1; a branch has two nodes that come later or
    earlier, no matter."""

    roots: Ints
    feature: Ints
    threshold: Floats
    mode: Ints
    """Positions in `MODES`."""
    true_node: Ints
    false_node: Ints
    sends_missing_true: Bools
    leaf_values: Floats
    """[nodes, outputs]; of branches 0."""

    @property
    def is_leaf(self) -> Bools:
        """Of each node."""
        return np.asarray(self.feature < 0)

    def find_leaves(self, features: Floats) -> tuple[Ints, int]:
        """The leaf of each row in each tree [rows, trees], and how many branches were taken in all."""
        leaves = np.empty((len(features), len(self.roots)), dtype=np.int64)
        size = max(_MAX_VALUES // max(len(self.roots), 1), 1)
        num_taken = 0
        for start in range(0, len(features), size):
            part = slice(start, start + size)
            leaves[part], taken = self._find(features[part])
            num_taken += taken
        return leaves, num_taken

    def sum_leaves(self, leaves: Ints) -> Floats:
        """What the trees say together [rows, outputs], before anything is added to it."""
        total = np.zeros((len(leaves), self.leaf_values.shape[1]), dtype=np.float64)
        for tree in range(leaves.shape[1]):
            total += self.leaf_values[leaves[:, tree]]
        return total

    def _find(self, features: Floats) -> tuple[Ints, int]:
        at = np.tile(self.roots, len(features))
        rows = np.repeat(np.arange(len(features)), len(self.roots))
        active = np.flatnonzero(self.feature[at] >= 0)
        num_taken = 0
        while len(active):
            num_taken += len(active)
            nodes = at[active]
            values = features[rows[active], self.feature[nodes]]
            goes_true = self._compare(values, nodes) | (np.isnan(values) & self.sends_missing_true[nodes])
            at[active] = np.where(goes_true, self.true_node[nodes], self.false_node[nodes])
            active = active[self.feature[at[active]] >= 0]
        return at.reshape(len(features), len(self.roots)), num_taken

    def _compare(self, values: Floats, nodes: Ints) -> Bools:
        modes, thresholds = self.mode[nodes], self.threshold[nodes]
        goes_true = np.zeros(len(nodes), dtype=np.bool_)
        for mode in np.unique(modes):
            of_mode = modes == mode
            goes_true[of_mode] = _COMPARISONS[mode](values[of_mode], thresholds[of_mode])
        return goes_true


def read(node: onnx.NodeProto) -> Trees:
    """The trees of one of the operators. Raises ValueError for one with tests of sets, which none of ours has."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return _read_tensors(attributes) if node.op_type == ENSEMBLE else _read_lists(attributes)


def _read_lists(attributes: dict[str, Any]) -> Trees:
    tree_ids = np.asarray(attributes["nodes_treeids"], dtype=np.int64)
    node_ids = np.asarray(attributes["nodes_nodeids"], dtype=np.int64)
    modes = [mode.decode() for mode in attributes["nodes_modes"]]
    is_leaf = np.asarray([mode == "LEAF" for mode in modes], dtype=np.bool_)
    if unknown := {*modes} - {"LEAF", *MODES}:
        raise ValueError(f"trees with nodes of the kind {sorted(unknown)[0]}")
    find = _Finder(tree_ids, node_ids)
    weights = _floats(attributes, "target_weights", "class_weights")
    kind = "target" if "target_ids" in attributes else "class"
    outputs = np.asarray(attributes[f"{kind}_ids"], dtype=np.int64)
    num_outputs = int(attributes["n_targets"]) if kind == "target" else _num_classes(attributes)
    values = np.zeros((len(modes), max(num_outputs, int(outputs.max(initial=0)) + 1)), dtype=weights.dtype)
    leaves = find(np.asarray(attributes[f"{kind}_treeids"]), np.asarray(attributes[f"{kind}_nodeids"]))
    np.add.at(values, (leaves, outputs), weights)
    feature = np.where(is_leaf, -1, np.asarray(attributes["nodes_featureids"], dtype=np.int64))
    missing = attributes.get("nodes_missing_value_tracks_true") or [0] * len(modes)
    numbers = {mode.value: position for position, mode in enumerate(MODES)}
    true_node, false_node = (
        np.where(is_leaf, -1, find(tree_ids, np.where(is_leaf, node_ids, np.asarray(attributes[name]))))
        for name in ("nodes_truenodeids", "nodes_falsenodeids")
    )
    is_child = np.zeros(len(modes), dtype=np.bool_)
    is_child[true_node[~is_leaf]] = is_child[false_node[~is_leaf]] = True
    return Trees(
        roots=np.flatnonzero(~is_child),
        feature=feature,
        threshold=_floats(attributes, "nodes_values"),
        mode=np.asarray([numbers.get(mode, 0) for mode in modes], dtype=np.int64),
        true_node=true_node,
        false_node=false_node,
        sends_missing_true=np.asarray(missing, dtype=np.bool_),
        leaf_values=values,
    )


class _Finder:
    """Positions of nodes that are known by the numbers of their tree and within it."""

    def __init__(self, tree_ids: Ints, node_ids: Ints) -> None:
        self._width = int(node_ids.max(initial=0)) + 1
        keys = tree_ids * self._width + node_ids
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def __call__(self, tree_ids: Ints, node_ids: Ints) -> Ints:
        return np.asarray(self._order[np.searchsorted(self._keys, tree_ids * self._width + node_ids)])


def _floats(attributes: dict[str, Any], *names: str) -> Floats:
    for name in names:
        if attributes.get(name):
            return np.asarray(attributes[name], dtype=np.float32)
        if (tensor := attributes.get(f"{name}_as_tensor")) is not None:
            return np.asarray(numpy_helper.to_array(tensor))
    return np.zeros(0, dtype=np.float32)


def _num_classes(attributes: dict[str, Any]) -> int:
    return len(attributes.get("classlabels_strings") or attributes.get("classlabels_int64s") or [0])


def _read_tensors(attributes: dict[str, Any]) -> Trees:
    """Branches and leaves are numbered apart; here leaves come after all branches."""
    modes = numpy_helper.to_array(attributes["nodes_modes"]).astype(np.int64)
    if modes.max(initial=0) >= len(MODES):
        raise ValueError("trees with tests of sets")
    num_branches, num_leaves = len(modes), len(attributes["leaf_targetids"])
    is_true_leaf, is_false_leaf, true_ids, false_ids, feature, outputs = (
        np.asarray(attributes[name], dtype=np.int64)
        for name in (
            "nodes_trueleafs",
            "nodes_falseleafs",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "nodes_featureids",
            "leaf_targetids",
        )
    )
    weights = numpy_helper.to_array(attributes["leaf_weights"])
    values = np.zeros((num_branches + num_leaves, int(attributes["n_targets"])), dtype=weights.dtype)
    values[num_branches + np.arange(num_leaves), outputs] = weights
    none = np.full(num_leaves, -1, dtype=np.int64)
    zeros = np.zeros(num_leaves, dtype=np.int64)
    missing = attributes.get("nodes_missing_value_tracks_true") or [0] * num_branches
    roots = np.asarray(attributes["tree_roots"], dtype=np.int64)
    # A tree of one leaf has a branch whose two sides are that leaf.
    return Trees(
        roots=roots,
        feature=np.concatenate([feature, none]),
        threshold=np.concatenate([numpy_helper.to_array(attributes["nodes_splits"]), zeros]).astype(weights.dtype),
        mode=np.concatenate([modes, zeros]),
        true_node=np.concatenate([true_ids + is_true_leaf * num_branches, none]),
        false_node=np.concatenate([false_ids + is_false_leaf * num_branches, none]),
        sends_missing_true=np.concatenate([np.asarray(missing, dtype=np.bool_), zeros.astype(np.bool_)]),
        leaf_values=values,
    )
