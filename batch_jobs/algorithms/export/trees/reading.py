"""Reads what operators of ONNX hold."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from batch_jobs.algorithms.export.trees import numbering
from batch_jobs.algorithms.export.trees.arrays import Floats, Ints, Mode, Trees

CLASSIFIER, REGRESSOR, ENSEMBLE = "TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble"
TREE_OPERATORS = (CLASSIFIER, REGRESSOR, ENSEMBLE)
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_PREFIX = "BRANCH_"
_LEAF = "LEAF"

Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """Trees and what is done to their sums.

    `base` is added to them. `labels` are those of a classifier; where it has two, and trees with one output, this is
    for the second, `is_share` where it is its share of 1, as it is.
    """

    trees: Trees
    base: Floats
    is_mean: bool = False
    transform: str = "NONE"
    labels: tuple[bytes, ...] | tuple[int, ...] | None = None
    is_share: bool = False

    @property
    def num_outputs(self) -> int:
        """Of the trees."""
        return int(self.trees.leaf_values.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An ensemble in a graph.

    Attributes:
        ensemble: what it is.
        position: of the operator for trees.
        features: the value that it reads.
        outputs: the values that it puts out: of a classifier a label and scores, else sums.
        outputs_within: of its own nodes behind that operator, but the last.
    """

    ensemble: Ensemble
    position: int
    features: str
    outputs: tuple[str, ...]
    outputs_within: frozenset[str] = frozenset()


def find(graph: onnx.GraphProto) -> list[Found]:
    """All ensembles that are not in graphs within it. Raises ValueError as `read` does."""
    return [find_at(graph, position) for position, node in enumerate(graph.node) if node.op_type in TREE_OPERATORS]


def find_at(graph: onnx.GraphProto, position: int) -> Found:
    """The ensemble that this operator for trees is, or begins. Raises ValueError as `read` does."""
    node = graph.node[position]
    ensemble = read(node)
    tables = {constant.name: constant for constant in graph.initializer}
    numbered = numbering.find(graph, node) if node.op_type == ENSEMBLE else None
    if numbered is None or numbered.table not in tables:
        return Found(ensemble=ensemble, position=position, features=node.input[0], outputs=tuple(node.output))
    table = numpy_helper.to_array(tables[numbered.table])
    trees = ensemble.trees
    values = np.zeros((len(trees.feature), table.shape[1]), dtype=table.dtype)
    values[trees.is_leaf] = table[trees.leaf_values[trees.is_leaf].sum(axis=1).astype(np.int64)]
    return Found(
        ensemble=Ensemble(trees=replace(trees, leaf_values=values), base=np.zeros(table.shape[1], dtype=table.dtype)),
        position=position,
        features=node.input[0],
        outputs=(numbered.output,),
        outputs_within=numbered.outputs_within,
    )


def read(node: onnx.NodeProto) -> Ensemble:
    """What one operator says. Raises ValueError for what cannot be taken apart; the message ends "with ...", or the
    like."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    try:
        return _read_tensors(attributes) if node.op_type == ENSEMBLE else _read_lists(attributes)
    except (KeyError, IndexError) as error:
        raise ValueError(f"{node.op_type} lacks the attribute, or has a wrong number in it: {error}") from error


def _read_lists(attributes: Attributes) -> Ensemble:
    """Operators of version 3 and before: a list for each property of nodes, leaves included."""
    kind = "target" if "target_ids" in attributes else "class"
    trees = _read_nodes(attributes, kind)
    labels = attributes.get("classlabels_strings") or attributes.get("classlabels_int64s")
    outputs = np.unique(np.asarray(attributes[f"{kind}_ids"], dtype=np.int64))
    weights = trees.leaf_values
    is_binary = kind == "class" and len(labels or ()) == 2 and len(outputs) == 1
    if is_binary:
        trees = replace(trees, leaf_values=weights[:, outputs])
    base = _floats(attributes, "base_values")
    if len(base) == 0:
        base = np.zeros(trees.leaf_values.shape[1], dtype=np.float32)
    aggregate = attributes.get("aggregate_function", b"SUM").decode()
    if aggregate not in ("SUM", "AVERAGE") or len(base) != trees.leaf_values.shape[1]:
        raise ValueError(f"trees with the aggregate {aggregate} and {len(base)} base values")
    return Ensemble(
        trees=trees,
        base=base,
        is_mean=aggregate == "AVERAGE",
        transform=attributes.get("post_transform", b"NONE").decode(),
        labels=tuple(labels) if labels else None,
        is_share=is_binary and bool((weights >= 0).all()),
    )


def _read_nodes(attributes: Attributes, kind: str) -> Trees:
    tree_ids = np.asarray(attributes["nodes_treeids"], dtype=np.int64)
    node_ids = np.asarray(attributes["nodes_nodeids"], dtype=np.int64)
    names = [mode.decode().removeprefix(_PREFIX) for mode in attributes["nodes_modes"]]
    if unknown := {*names} - {_LEAF, *(mode.name for mode in Mode)}:
        raise ValueError(f"trees with nodes of the kind {sorted(unknown)[0]}")
    is_leaf = np.asarray([name == _LEAF for name in names], dtype=np.bool_)
    find = _Finder(tree_ids, node_ids)
    weights = _floats(attributes, f"{kind}_weights")
    outputs = np.asarray(attributes[f"{kind}_ids"], dtype=np.int64)
    num_outputs = int(attributes["n_targets"]) if kind == "target" else _num_classes(attributes)
    values = np.zeros((len(names), max(num_outputs, int(outputs.max(initial=0)) + 1)), dtype=weights.dtype)
    leaves = find(np.asarray(attributes[f"{kind}_treeids"]), np.asarray(attributes[f"{kind}_nodeids"]))
    np.add.at(values, (leaves, outputs), weights)
    missing = attributes.get("nodes_missing_value_tracks_true") or [0] * len(names)
    true_node, false_node = (
        np.where(is_leaf, -1, find(tree_ids, np.where(is_leaf, node_ids, np.asarray(attributes[name]))))
        for name in ("nodes_truenodeids", "nodes_falsenodeids")
    )
    is_child = np.zeros(len(names), dtype=np.bool_)
    is_child[true_node[~is_leaf]] = is_child[false_node[~is_leaf]] = True
    trees = Trees(
        roots=np.flatnonzero(~is_child),
        feature=np.where(is_leaf, -1, np.asarray(attributes["nodes_featureids"], dtype=np.int64)),
        threshold=_floats(attributes, "nodes_values"),
        mode=np.asarray([0 if name == _LEAF else Mode[name] for name in names], dtype=np.int64),
        true_node=true_node,
        false_node=false_node,
        sends_missing_true=np.asarray(missing, dtype=np.bool_),
        leaf_values=values,
    )
    return _join_chains(trees)


def _join_chains(trees: Trees) -> Trees:
    """As sets: tests for one value after the other, which all send the row to the same node where one holds.

    LightGBM's categories are exported so.
    """
    is_equal = (trees.mode == Mode.EQ) & ~trees.is_leaf
    if not is_equal.any():
        return trees
    after = trees.false_node
    goes_on = is_equal & is_equal[after]
    goes_on &= (trees.feature == trees.feature[after]) & (trees.true_node == trees.true_node[after])
    goes_on &= trees.sends_missing_true == trees.sends_missing_true[after]
    is_later = np.zeros(len(goes_on), dtype=np.bool_)
    is_later[after[goes_on]] = True
    threshold, mode, false_node = trees.threshold.copy(), trees.mode.copy(), trees.false_node.copy()
    sets: dict[tuple[float, ...], int] = {}
    for first in np.flatnonzero(goes_on & ~is_later):
        values, node = [float(trees.threshold[first])], first
        while goes_on[node]:
            node = after[node]
            values.append(float(trees.threshold[node]))
        threshold[first] = sets.setdefault(tuple(sorted({*values})), len(sets))
        mode[first], false_node[first] = Mode.MEMBER, after[node]
    joined = replace(trees, threshold=threshold, mode=mode, false_node=false_node, sets=tuple(sets))
    return joined.without_orphans()


class _Finder:
    """Positions of nodes that are known by the numbers of their tree and within it."""

    def __init__(self, tree_ids: Ints, node_ids: Ints) -> None:
        self._width = int(node_ids.max(initial=0)) + 1
        keys = tree_ids * self._width + node_ids
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def __call__(self, tree_ids: Ints, node_ids: Ints) -> Ints:
        return np.asarray(self._order[np.searchsorted(self._keys, tree_ids * self._width + node_ids)])


def _floats(attributes: Attributes, name: str) -> Floats:
    if attributes.get(name):
        return np.asarray(attributes[name], dtype=np.float32)
    if (tensor := attributes.get(f"{name}_as_tensor")) is not None:
        return np.asarray(numpy_helper.to_array(tensor))
    return np.zeros(0, dtype=np.float32)


def _num_classes(attributes: Attributes) -> int:
    return len(attributes.get("classlabels_strings") or attributes.get("classlabels_int64s") or [0])


def _read_tensors(attributes: Attributes) -> Ensemble:
    """Version 5: branches and leaves are numbered apart. Here leaves come after all branches."""
    num_branches, num_leaves = len(attributes["nodes_featureids"]), len(attributes["leaf_targetids"])
    ints = {name: np.asarray(values, dtype=np.int64) for name, values in attributes.items() if isinstance(values, list)}
    weights = numpy_helper.to_array(attributes["leaf_weights"])
    values = np.zeros((num_branches + num_leaves, int(attributes.get("n_targets", 1))), dtype=weights.dtype)
    values[num_branches + np.arange(num_leaves), ints["leaf_targetids"]] = weights
    zeros, none = np.zeros(num_leaves, dtype=np.int64), np.full(num_leaves, -1, dtype=np.int64)
    missing = ints.get("nodes_missing_value_tracks_true", np.zeros(num_branches, dtype=np.int64))
    mode = numpy_helper.to_array(attributes["nodes_modes"]).astype(np.int64)
    threshold = numpy_helper.to_array(attributes["nodes_splits"]).astype(weights.dtype)
    sets: dict[tuple[float, ...], int] = {}
    if "membership_values" in attributes:
        found = _split_at_nan(numpy_helper.to_array(attributes["membership_values"]))
        numbers = [sets.setdefault(values, len(sets)) for values in found]
        threshold[mode == Mode.MEMBER] = numbers[: int((mode == Mode.MEMBER).sum())]
    aggregate = int(attributes.get("aggregate_function", 1))
    if aggregate > 1:
        raise ValueError("trees with minima or maxima")
    trees = Trees(
        roots=ints["tree_roots"],
        feature=np.concatenate([ints["nodes_featureids"], none]),
        threshold=np.concatenate([threshold, zeros.astype(threshold.dtype)]),
        mode=np.concatenate([mode, zeros]),
        true_node=np.concatenate([ints["nodes_truenodeids"] + ints["nodes_trueleafs"] * num_branches, none]),
        false_node=np.concatenate([ints["nodes_falsenodeids"] + ints["nodes_falseleafs"] * num_branches, none]),
        sends_missing_true=np.concatenate([missing, zeros]).astype(np.bool_),
        leaf_values=values,
        sets=tuple(sets),
    )
    return Ensemble(
        trees=_without_pretence(trees),
        base=np.zeros(values.shape[1], dtype=np.float32),
        is_mean=aggregate == 0,
        transform=_TRANSFORMS[int(attributes.get("post_transform", 0))],
    )


def _without_pretence(trees: Trees) -> Trees:
    """A tree that is one leaf has a branch whose two sides are that leaf: the leaf is its root."""
    roots = trees.roots
    is_one = (trees.true_node[roots] == trees.false_node[roots]) & ~trees.is_leaf[roots]
    return replace(trees, roots=np.where(is_one, trees.true_node[roots], roots)).without_orphans()


def _split_at_nan(values: Floats) -> list[tuple[float, ...]]:
    ends = np.flatnonzero(np.isnan(values))
    parts = np.split(values, ends)
    return [tuple(part[~np.isnan(part)].tolist()) for part in parts if (~np.isnan(part)).any()]
