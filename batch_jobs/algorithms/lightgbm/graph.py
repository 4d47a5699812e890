"""The trees of a booster in ONNX.

What a model's text means: LightGBM's `Tree::ToString` and `Tree::CategoricalDecision` (include/LightGBM/tree.h).
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import lightgbm
import numpy as np
import onnx
from numpy.typing import NDArray

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export import boosters
from batch_jobs.algorithms.export.trees.arrays import Mode, Trees

_BY_CATEGORY, _DEFAULT_LEFT = 1, 2
_MISSING_SHIFT, _MISSING_MASK, _NEVER_MISSING = 2, 3, 0
_BITS = 32


def to_graph(booster: lightgbm.Booster, *, task: Task, num_outputs: int, width: int) -> onnx.ModelProto:
    """From `features` to `scores`.

    Args:
        booster: in single precision.
        task: binary, multiclass or regression.
        num_outputs: classes; of a regression 1.
        width: of the features.
    """
    trees = _to_trees(booster.model_to_string(), num_sums=1 if task is Task.BINARY else num_outputs)
    return boosters.to_graph("lightgbm", trees, task=task, num_outputs=num_outputs, width=width)


def _to_trees(text: str, *, num_sums: int) -> Trees:
    """Tree by tree, in each the branches first."""
    num_leaves = _read(text, "num_leaves", np.int64)
    num_branches = num_leaves - 1
    sizes, trees = num_leaves + num_branches, np.arange(len(num_leaves))
    roots = np.cumsum(sizes) - sizes
    tree_of_branch, tree_of_leaf = np.repeat(trees, num_branches), np.repeat(trees, num_leaves)
    branch = roots[tree_of_branch] + _count(num_branches)
    first_leaf = roots + num_branches
    leaf = first_leaf[tree_of_leaf] + _count(num_leaves)
    kinds, thresholds = _read(text, "decision_type", np.int64), _read(text, "threshold", np.float64)
    # A value that is missing where none ever was is 0 to LightGBM; one that is no category is in no set.
    is_zero = (kinds >> _MISSING_SHIFT) & _MISSING_MASK == _NEVER_MISSING
    is_set = (kinds & _BY_CATEGORY) > 0
    goes_left = np.where(is_zero, thresholds >= 0, (kinds & _DEFAULT_LEFT) > 0) & ~is_set
    # The sets of a tree are numbered within it.
    num_sets = _read(text, "num_cat", np.int64)
    thresholds[is_set] += (np.cumsum(num_sets) - num_sets)[tree_of_branch[is_set]]

    def place(values: Any, where: NDArray[np.int64], *, otherwise: Any) -> NDArray[Any]:
        found = np.full(sizes.sum(), otherwise)
        found[where] = values
        return found

    def children(name: str) -> NDArray[Any]:
        given = _read(text, name, np.int64)
        first = np.where(given < 0, first_leaf[tree_of_branch], roots[tree_of_branch])
        return place(first + np.where(given < 0, ~given, given), branch, otherwise=-1)

    weights = place(_read(text, "leaf_value", np.float64), leaf, otherwise=np.float32(0))
    return Trees(
        roots=roots,
        feature=place(_read(text, "split_feature", np.int64), branch, otherwise=-1),
        threshold=place(thresholds, branch, otherwise=0.0),
        mode=place(np.where(is_set, Mode.MEMBER, Mode.LEQ), branch, otherwise=Mode.LEQ),
        true_node=children("left_child"),
        false_node=children("right_child"),
        sends_missing_true=place(goes_left, branch, otherwise=False),
        leaf_values=boosters.take_turns(weights, np.repeat(trees, sizes), num_sums),
        sets=tuple(_read_sets(text, num_sets)),
    )


def _read_sets(text: str, num_sets: NDArray[np.int64]) -> Iterator[tuple[float, ...]]:
    """Of all trees, one after the other: bits of categories in words, and where in its tree's words each set begins."""
    bits = np.unpackbits(_read(text, "cat_threshold", np.uint32).astype("<u4").view(np.uint8), bitorder="little")
    bounds = _read(text, "cat_boundaries", np.int64) * _BITS
    tree_begins = at = 0
    for count in num_sets[num_sets > 0]:
        within = bounds[at : at + count + 1] + tree_begins
        for begin, end in pairwise(within):
            yield tuple(np.flatnonzero(bits[begin:end]).astype(float).tolist())
        tree_begins, at = within[-1], at + count + 1


def _count(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, ... for each size, one after the other."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _read(text: str, name: str, dtype: Any) -> NDArray[Any]:
    """A property of all trees, one after the other."""
    found = " ".join(re.findall(rf"^{name}=(.*)$", text, flags=re.MULTILINE))
    return np.array(found.split(), dtype=dtype)
