"""Trees as arrays of nodes."""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_MAX_VALUES = 2**22


class Mode(IntEnum):
    """When a row goes to the true side: its value compared with the threshold, or found in a set. As operators of
    version 5 number it; those of version 3 know the names, all but MEMBER."""

    LEQ = 0
    LT = 1
    GTE = 2
    GT = 3
    EQ = 4
    NEQ = 5
    MEMBER = 6


_COMPARISONS = (np.less_equal, np.less, np.greater_equal, np.greater, np.equal, np.not_equal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """Nodes of all trees in any order. Each but the roots is a child of one branch."""

    roots: Ints
    feature: Ints
    """Of a leaf -1."""
    threshold: Floats
    """Of a test of membership: the position of the set."""
    mode: Ints
    true_node: Ints
    false_node: Ints
    sends_missing_true: Bools
    leaf_values: Floats
    """[nodes, outputs]; of branches 0."""
    sets: tuple[tuple[float, ...], ...] = ()

    @property
    def is_leaf(self) -> Bools:
        """Of each node."""
        return np.asarray(self.feature < 0)

    @property
    def branches(self) -> Ints:
        """Positions of all that are no leaves."""
        return np.flatnonzero(self.feature >= 0)

    @property
    def num_leaves(self) -> int:
        """Of all trees."""
        return int(self.is_leaf.sum())

    def find_leaves(self, features: Floats) -> Ints:
        """The leaf of each row in each tree [rows, trees]."""
        return self._follow(features)[0]

    def count_visits(self, features: Floats) -> int:
        """How many branches the rows take in all."""
        return self._follow(features)[1]

    def sum_leaves(self, leaves: Ints) -> Floats:
        """What the trees say together [rows, outputs], before anything is added to it."""
        total = np.zeros((len(leaves), self.leaf_values.shape[1]), dtype=np.float64)
        for tree in range(leaves.shape[1]):
            total += self.leaf_values[leaves[:, tree]]
        return total

    def keep(self, trees: Ints) -> Self:
        """Without the other trees, and without nodes that no root leads to."""
        return replace(self, roots=self.roots[trees]).without_orphans()

    def without_orphans(self) -> Self:
        """Nodes level by level, and none but those that a root leads to; sets likewise."""
        levels = [self.roots]
        while len(levels[-1]):
            inner = levels[-1][self.feature[levels[-1]] >= 0]
            levels.append(np.stack([self.true_node[inner], self.false_node[inner]], axis=1).reshape(-1))
        order = np.concatenate(levels)
        number = np.full(len(self.feature), -1, dtype=np.int64)
        number[order] = np.arange(len(order))
        is_set = (self.mode[order] == Mode.MEMBER) & (self.feature[order] >= 0)
        threshold = self.threshold[order].copy()
        used, positions = np.unique(threshold[is_set].astype(np.int64), return_inverse=True)
        threshold[is_set] = positions
        is_branch = self.feature[order] >= 0
        return replace(
            self,
            roots=number[self.roots],
            feature=self.feature[order],
            threshold=threshold,
            mode=self.mode[order],
            true_node=np.where(is_branch, number[self.true_node[order]], -1),
            false_node=np.where(is_branch, number[self.false_node[order]], -1),
            sends_missing_true=self.sends_missing_true[order],
            leaf_values=self.leaf_values[order],
            sets=tuple(self.sets[position] for position in used),
        )

    def _follow(self, features: Floats) -> tuple[Ints, int]:
        leaves = np.empty((len(features), len(self.roots)), dtype=np.int64)
        size = max(_MAX_VALUES // max(len(self.roots), 1), 1)
        lookup = _Lookup(self.sets)
        num_visits = 0
        for start in range(0, len(features), size):
            part = slice(start, start + size)
            leaves[part], visits = self._follow_part(features[part], lookup)
            num_visits += visits
        return leaves, num_visits

    def _follow_part(self, features: Floats, lookup: "_Lookup") -> tuple[Ints, int]:
        at = np.tile(self.roots, len(features))
        rows = np.repeat(np.arange(len(features)), len(self.roots))
        active = np.flatnonzero(self.feature[at] >= 0)
        num_visits = 0
        while len(active):
            num_visits += len(active)
            nodes = at[active]
            values = features[rows[active], self.feature[nodes]]
            goes_true = self._compare(values, nodes, lookup) | (np.isnan(values) & self.sends_missing_true[nodes])
            at[active] = np.where(goes_true, self.true_node[nodes], self.false_node[nodes])
            active = active[self.feature[at[active]] >= 0]
        return at.reshape(len(features), len(self.roots)), num_visits

    def _compare(self, values: Floats, nodes: Ints, lookup: "_Lookup") -> Bools:
        modes, thresholds = self.mode[nodes], self.threshold[nodes]
        if len(nodes) and modes[0] != Mode.MEMBER and (modes == modes[0]).all():
            return np.asarray(_COMPARISONS[modes[0]](values, thresholds))
        goes_true = np.zeros(len(nodes), dtype=np.bool_)
        for mode in np.unique(modes):
            at = modes == mode
            compare = lookup.contains if mode == Mode.MEMBER else _COMPARISONS[mode]
            goes_true[at] = compare(values[at], thresholds[at])
        return goes_true


class _Lookup:
    """Which set has which value, as a table."""

    def __init__(self, sets: tuple[tuple[float, ...], ...]) -> None:
        self._known = np.unique(np.asarray([value for values in sets for value in values], dtype=np.float64))
        self._has = np.zeros((len(sets), len(self._known) + 1), dtype=np.bool_)
        for number, values in enumerate(sets):
            self._has[number, np.searchsorted(self._known, np.asarray(values))] = True

    def contains(self, values: Floats, numbers: Floats) -> Bools:
        """Value by value, each in the set of that number."""
        at = np.searchsorted(self._known, values)
        is_known = np.append(self._known, np.nan)[at] == values
        return np.asarray(self._has[numbers.astype(np.int64), at] & is_known)
