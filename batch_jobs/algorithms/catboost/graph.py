"""The trees of a model in ONNX.

CatBoost asks the same question at all nodes of a level, so that a tree is its questions and two to their number values.
As nodes those are left out that are decided by questions above them, and those whose two sides say the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export import boosters
from batch_jobs.algorithms.export.trees.arrays import Mode, Trees

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# Where the sum of a class begins that no row has: its share of a softmax is 0.
_NEVER = -1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Questions:
    """Those of all trees of one depth, [trees, depth]: whether a value is above the threshold, or equal to it; and the
    values of leaves, [trees, leaves, outputs]. The answers are the bits of a leaf's number, the first the lowest."""

    feature: Ints
    threshold: NDArray[np.float64]
    is_equality: Bools
    values: NDArray[np.float64]

    @property
    def depth(self) -> int:
        """Of each tree."""
        return int(self.feature.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nodes:
    """Nodes tree by tree, [nodes]; `low` and `high` are numbers within the tree. Of leaves `feature` is -1."""

    tree: Ints
    feature: Ints
    threshold: NDArray[np.float64]
    is_equality: Bools
    low: Ints
    high: Ints
    values: NDArray[np.float64]


def to_graph(
    document: Mapping[str, Any], codes: Mapping[int, int], *, task: Task, num_outputs: int, width: int
) -> onnx.ModelProto | None:
    """From `features` to `scores`; None where no leaf says anything.

    Args:
        document: the model, as CatBoost writes it in JSON.
        codes: of the hashes of categories.
        task: what it answers.
        num_outputs: classes, labels, or 1.
        width: of the features.
    """
    (scale, begins), places = document["scale_and_bias"], _places(document, task, num_outputs)
    base = np.full(1 if task is Task.BINARY else num_outputs, _NEVER)
    base[places] = begins
    nodes = _to_nodes(_read(document, codes))
    if not nodes.values.any():
        return None
    is_branch = nodes.feature >= 0
    sizes = np.bincount(nodes.tree)
    roots = np.cumsum(sizes) - sizes
    low, high = (np.where(is_branch, roots[nodes.tree] + side, -1) for side in (nodes.low, nodes.high))
    values = np.zeros((len(nodes.tree), len(base)))
    values[:, places] = scale * nodes.values
    trees = Trees(
        roots=roots,
        feature=nodes.feature,
        threshold=nodes.threshold,
        mode=np.where(nodes.is_equality, Mode.EQ, Mode.LEQ),
        true_node=np.where(nodes.is_equality, high, low),
        false_node=np.where(nodes.is_equality, low, high),
        # What is missing is below all that is there; a category is never missing.
        sends_missing_true=is_branch & ~nodes.is_equality,
        leaf_values=values,
    )
    return boosters.to_graph("catboost", trees, task=task, num_outputs=num_outputs, width=width, base=base)


def _places(document: Mapping[str, Any], task: Task, num_outputs: int) -> Ints:
    """Of what a leaf says the outputs: a class without a row is none of CatBoost's."""
    if task is Task.MULTICLASS:
        return np.asarray(document["model_info"]["class_params"]["class_to_label"], dtype=np.int64)
    return np.arange(1 if task is Task.BINARY else num_outputs)


def _read(document: Mapping[str, Any], codes: Mapping[int, int]) -> list[_Questions]:
    """Trees of one depth each."""
    info = document["features_info"]
    numbers = [feature["flat_feature_index"] for feature in info.get("float_features", [])]
    categories = [feature["flat_feature_index"] for feature in info.get("categorical_features", [])]
    num_outputs = len(document["scale_and_bias"][1])
    by_depth: dict[int, list[Mapping[str, Any]]] = {}
    for tree in document["oblivious_trees"]:
        by_depth.setdefault(len(tree["splits"] or ()), []).append(tree)

    def column(split: Mapping[str, Any]) -> int:
        if split["split_type"] == "FloatFeature":
            return int(numbers[split["float_feature_index"]])
        return int(categories[split["cat_feature_index"]])

    def threshold(split: Mapping[str, Any]) -> float:
        return float(split["border"] if split["split_type"] == "FloatFeature" else codes[split["value"]])

    def of_splits(trees: Sequence[Mapping[str, Any]], depth: int, get: Any, dtype: Any) -> NDArray[Any]:
        found = [[get(split) for split in tree["splits"] or ()] for tree in trees]
        return np.array(found, dtype=dtype).reshape(len(trees), depth)

    return [
        _Questions(
            feature=of_splits(trees, depth, column, np.int64),
            threshold=of_splits(trees, depth, threshold, np.float64),
            is_equality=of_splits(trees, depth, lambda split: split["split_type"] == "OneHotFeature", np.bool_),
            values=np.array([tree["leaf_values"] for tree in trees]).reshape(len(trees), 2**depth, num_outputs),
        )
        for depth, trees in sorted(by_depth.items())
    ]


def _to_nodes(groups: Sequence[_Questions]) -> _Nodes:
    found, num_trees = [], 0
    for questions in groups:
        found.append(_to_nodes_of_depth(questions, first_tree=num_trees))
        num_trees += len(questions.values)
    return _Nodes(
        **{name: np.concatenate([getattr(nodes, name) for nodes in found]) for name in _Nodes.__dataclass_fields__}
    )


def _to_nodes_of_depth(questions: _Questions, *, first_tree: int) -> _Nodes:
    """Before any is left out, the nodes of a tree are numbered level by level, in each by the answers above."""
    depth, (num_trees, num_leaves, num_outputs) = questions.depth, questions.values.shape
    num_nodes = 2 * num_leaves - 1
    low, high = (np.zeros((num_trees, num_nodes), dtype=np.int64) for _ in range(2))
    # In the place of each node of a level the one that is left of it.
    standing = np.broadcast_to(np.arange(num_leaves - 1, num_nodes), (num_trees, num_leaves))
    for level in reversed(range(depth)):
        size = 2**level
        own = slice(size - 1, 2 * size - 1)
        low[:, own], high[:, own] = standing[:, :size], standing[:, size:]
        is_true, is_false = _decided(questions, level)
        is_false |= _says_same(questions.values, low[:, own], high[:, own])
        kept = np.where(is_false, low[:, own], np.arange(size - 1, 2 * size - 1))
        standing = np.where(is_true, high[:, own], kept)
    is_used = _follow(standing[:, 0], low, high, num_branches=num_leaves - 1)
    number = np.cumsum(is_used, axis=1) - 1
    tree, node = np.nonzero(is_used)
    is_branch = node < num_leaves - 1
    question = np.where(is_branch, np.log2(node + 1).astype(np.int64), 0)
    values = np.zeros((len(node), num_outputs))
    values[~is_branch] = questions.values[tree[~is_branch], node[~is_branch] - (num_leaves - 1)]

    def of_branches(array: NDArray[Any], otherwise: Any) -> NDArray[Any]:
        found = np.full(len(node), otherwise, dtype=array.dtype)
        found[is_branch] = array[tree[is_branch], question[is_branch]]
        return found

    def of_children(children: Ints) -> Ints:
        return np.where(is_branch, number[tree, children[tree, node]], 0)

    return _Nodes(
        tree=first_tree + tree,
        feature=of_branches(questions.feature, -1),
        threshold=of_branches(questions.threshold, 0.0),
        is_equality=of_branches(questions.is_equality, otherwise=False),
        low=of_children(low),
        high=of_children(high),
        values=values,
    )


def _decided(questions: _Questions, level: int) -> tuple[Bools, Bools]:
    """The nodes of a level, [trees, nodes], whose answer is yes after those above it, and those where it is no."""
    paths = np.arange(2**level)
    is_true, is_false = (np.zeros((len(questions.values), len(paths)), dtype=np.bool_) for _ in range(2))
    threshold = questions.threshold[:, level]
    for above in range(level):
        is_same = questions.feature[:, above] == questions.feature[:, level]
        is_equality, other = questions.is_equality[:, level], questions.threshold[:, above]
        was_true = (paths >> above & 1).astype(np.bool_)
        becomes_true = np.where(is_equality, other == threshold, other >= threshold)
        becomes_false = np.where(is_equality, other == threshold, other <= threshold)
        is_true |= (is_same & becomes_true)[:, None] & was_true
        is_false |= (is_same & becomes_false)[:, None] & ~was_true
        is_false |= (is_same & is_equality & (other != threshold))[:, None] & was_true
    return is_true, is_false


def _says_same(values: NDArray[np.float64], low: Ints, high: Ints) -> Bools:
    """Where both sides are leaves of equal values."""
    num_trees, num_leaves, _ = values.shape
    first = num_leaves - 1
    are_leaves = (low >= first) & (high >= first)
    trees = np.arange(num_trees)[:, None]
    left, right = (values[trees, np.maximum(side - first, 0)] for side in (low, high))
    return np.asarray(are_leaves & (left == right).all(axis=2))


def _follow(roots: Ints, low: Ints, high: Ints, *, num_branches: int) -> Bools:
    """Which nodes of each tree a row may come to."""
    is_used = np.zeros(low.shape, dtype=np.bool_)
    trees, nodes = np.arange(len(roots)), roots
    while len(nodes):
        is_used[trees, nodes] = True
        is_branch = nodes < num_branches
        trees, nodes = trees[is_branch], nodes[is_branch]
        trees, nodes = np.tile(trees, 2), np.concatenate([low[trees, nodes], high[trees, nodes]])
    return is_used
