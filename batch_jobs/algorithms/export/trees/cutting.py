"""Makes ensembles smaller: leaves joined where that changes least, those that are left fitted again, values rounded."""

import heapq
from dataclasses import replace

import numpy as np
from scipy import sparse

from batch_jobs.algorithms.export.trees.arrays import Floats, Ints, Mode, Trees
from batch_jobs.algorithms.export.trees.reading import Ensemble

_UNSEEN = 0.1
_NUM_STEPS = 20
_RIDGE = 1.0
_TOLERANCE = 1e-5
_LEVELS = 255
_ROUNDS = 12


def to_sums(ensemble: Ensemble) -> Ensemble:
    """The same with leaves that are summed, where their mean was taken."""
    if not ensemble.is_mean:
        return ensemble
    trees = ensemble.trees
    values = trees.leaf_values / np.float32(len(trees.roots))
    return replace(ensemble, trees=replace(trees, leaf_values=values), is_mean=False)


def join_leaves(ensemble: Ensemble, leaves: Ints, num_leaves: int) -> Ensemble:
    """With so many leaves, by joining again and again those two whose difference matters least for the rows
    that came to these leaves [rows, trees].

    Joined leaves have their mean value, weighted by the rows that come to each: what is lost is the variance between
    them, as in the pruning of Breiman et al. (1984). A tree that becomes one leaf becomes a part of the base.
    """
    trees = ensemble.trees
    count = _count_rows(trees, leaves)
    value, feature = trees.leaf_values.astype(np.float64), trees.feature.copy()
    parent = np.full(len(feature), -1, dtype=np.int64)
    for side in (trees.true_node, trees.false_node):
        parent[side[trees.branches]] = trees.branches
    left = trees.num_leaves
    candidates = [_rate(trees, node, count, value) for node in trees.branches if _has_leaves(trees, feature, node)]
    heapq.heapify(candidates)
    while left > max(num_leaves, 1) and candidates:
        _, node = heapq.heappop(candidates)
        one, two = trees.true_node[node], trees.false_node[node]
        value[node] = (count[one] * value[one] + count[two] * value[two]) / (count[one] + count[two])
        value[one] = value[two] = 0
        feature[node] = -1
        above = parent[node]
        # A tree that is one leaf is none.
        left -= 1 if above >= 0 else 2
        if above >= 0 and _has_leaves(trees, feature, above):
            heapq.heappush(candidates, _rate(trees, above, count, value))
    return _without_stumps(replace(ensemble, trees=replace(trees, feature=feature, leaf_values=value)))


def refit(ensemble: Ensemble, features: Floats, sums: Floats) -> Ensemble:
    """With the leaf values that come closest to these sums [rows, outputs], and stay close to what they are."""
    trees = ensemble.trees
    leaves = trees.find_leaves(features)
    rest = sums - trees.sum_leaves(leaves) - ensemble.base
    values = trees.leaf_values.astype(np.float64)
    for outputs, chosen in _group_trees(trees):
        at = leaves[:, chosen]
        known = np.flatnonzero(np.bincount(at.reshape(-1), minlength=len(values)))
        number = np.zeros(len(values), dtype=np.int64)
        number[known] = np.arange(len(known))
        rows = np.repeat(np.arange(len(at)), len(chosen))
        shape = (len(at), len(known))
        design = sparse.csr_array((np.ones(at.size, dtype=np.float32), (rows, number[at.reshape(-1)])), shape=shape)
        for output in outputs:
            values[known, output] += _solve(design, rest[:, output])
    return replace(ensemble, trees=replace(trees, leaf_values=values.astype(np.float32)))


def round_values(ensemble: Ensemble) -> Ensemble:
    """With no more leaf values than a byte can tell apart, the best such (Lloyd 1982)."""
    trees = ensemble.trees
    is_leaf = trees.is_leaf
    flat = trees.leaf_values[is_leaf].astype(np.float64)
    known, numbers = np.unique(flat[flat != 0], return_inverse=True)
    if len(known) <= _LEVELS:
        return ensemble
    counts = np.bincount(numbers)
    centres = np.quantile(known, (np.arange(_LEVELS) + 0.5) / _LEVELS)
    centres[[0, -1]] = known[[0, -1]]
    for _ in range(_ROUNDS):
        nearest = _nearest(known, centres)
        weights = np.bincount(nearest, counts, minlength=_LEVELS)
        means = np.bincount(nearest, counts * known, minlength=_LEVELS) / np.maximum(weights, 1)
        centres = np.sort(np.where(weights > 0, means, centres))
    values = trees.leaf_values.astype(np.float64)
    rounded = flat.copy()
    rounded[flat != 0] = centres[_nearest(known, centres)][numbers]
    values[is_leaf] = rounded
    return replace(ensemble, trees=replace(trees, leaf_values=values.astype(np.float32)))


def round_thresholds(ensemble: Ensemble, num_tests: int) -> Ensemble:
    """With at most so many different tests, unless there are more of sets: the rarest become their neighbours."""
    trees = ensemble.trees
    inner = trees.branches
    inner = inner[trees.mode[inner] <= Mode.GT]
    if not len(inner):
        return ensemble
    keys = np.stack([trees.feature[inner], trees.mode[inner], trees.sends_missing_true[inner]], axis=1)
    _, kind = np.unique(keys, axis=0, return_inverse=True)
    pairs = np.stack([kind.reshape(-1).astype(np.float64), trees.threshold[inner].astype(np.float64)], axis=1)
    tests, numbers, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    others = trees.branches[trees.mode[trees.branches] > Mode.GT]
    num_others = len(np.unique(np.stack([trees.feature[others], trees.threshold[others]], axis=1), axis=0))
    kept = _choose_tests(tests, counts, max(num_tests - num_others, len(np.unique(tests[:, 0]))))
    threshold = trees.threshold.copy()
    threshold[inner] = tests[kept][:, 1][numbers.reshape(-1)]
    return replace(ensemble, trees=replace(trees, threshold=threshold))


def _choose_tests(tests: Floats, counts: Ints, num_tests: int) -> Ints:
    """Of each test the one that stands for it. Tests are sorted; groups of neighbours hold about as many nodes each."""
    share = counts.sum() / num_tests
    chosen = np.arange(len(tests))
    if len(tests) <= num_tests:
        return chosen
    kinds, firsts = np.unique(tests[:, 0], return_index=True)
    bounds = [*firsts.tolist(), len(tests)]
    spare = num_tests
    for position in range(len(kinds)):
        start, end = bounds[position], bounds[position + 1]
        own = counts[start:end]
        remaining = len(kinds) - position - 1
        size = int(np.clip(round(own.sum() / share), 1, min(end - start, spare - remaining)))
        spare -= size
        middle = np.cumsum(own) - own / 2
        group = np.minimum((middle / own.sum() * size).astype(np.int64), size - 1)
        for number in np.unique(group):
            members = np.flatnonzero(group == number)
            chosen[start + members] = start + members[own[members].argmax()]
    return chosen


def _nearest(values: Floats, centres: Floats) -> Ints:
    bounds = (centres[1:] + centres[:-1]) / 2
    return np.searchsorted(bounds, values).astype(np.int64)


def _count_rows(trees: Trees, leaves: Ints) -> Floats:
    """How many rows come to each node; a leaf that none comes to has a little weight."""
    count = np.bincount(leaves.reshape(-1), minlength=len(trees.feature)).astype(np.float64)
    count[trees.is_leaf] += _UNSEEN
    levels = [trees.roots]
    while len(inner := levels[-1][trees.feature[levels[-1]] >= 0]):
        levels.append(np.concatenate([trees.true_node[inner], trees.false_node[inner]]))
    for level in reversed(levels):
        inner = level[trees.feature[level] >= 0]
        count[inner] = count[trees.true_node[inner]] + count[trees.false_node[inner]]
    return count


def _has_leaves(trees: Trees, feature: Ints, node: int) -> bool:
    return bool(feature[trees.true_node[node]] < 0 and feature[trees.false_node[node]] < 0)


def _rate(trees: Trees, node: int, count: Floats, value: Floats) -> tuple[float, int]:
    """What joining the leaves of a branch loses, and the branch."""
    one, two = trees.true_node[node], trees.false_node[node]
    weight = count[one] * count[two] / (count[one] + count[two])
    return float(weight * np.square(value[one] - value[two]).sum()), int(node)


def _without_stumps(ensemble: Ensemble) -> Ensemble:
    trees = ensemble.trees
    is_one = trees.feature[trees.roots] < 0
    if is_one.all():
        is_one[0] = False
    base = ensemble.base + trees.leaf_values[trees.roots[is_one]].sum(axis=0)
    kept = replace(trees, leaf_values=trees.leaf_values.astype(np.float32)).keep(np.flatnonzero(~is_one))
    return replace(ensemble, trees=kept, base=base.astype(np.float32))


def _group_trees(trees: Trees) -> list[tuple[list[int], Ints]]:
    """Outputs, and the trees that speak of them."""
    speaks = np.zeros((len(trees.roots), trees.leaf_values.shape[1]), dtype=np.bool_)
    level, owner = trees.roots, np.arange(len(trees.roots))
    while len(level):
        np.logical_or.at(speaks, owner, trees.leaf_values[level] != 0)
        inner = trees.feature[level] >= 0
        owner = np.concatenate([owner[inner], owner[inner]])
        level = np.concatenate([trees.true_node[level[inner]], trees.false_node[level[inner]]])
    found, numbers = np.unique(speaks, axis=0, return_inverse=True)
    return [
        (np.flatnonzero(outputs).tolist(), np.flatnonzero(numbers.reshape(-1) == number))
        for number, outputs in enumerate(found)
        if outputs.any()
    ]


def _solve(design: sparse.csr_array, rest: Floats) -> Floats:
    """Ridge regression by conjugate gradients, in few steps: what these do not reach hardly matters."""
    transposed = design.T.tocsr()
    found = np.zeros(design.shape[1])
    gradient = np.asarray(transposed @ rest)
    direction, norm = gradient.copy(), float(gradient @ gradient)
    least = _TOLERANCE * norm
    for _ in range(_NUM_STEPS):
        if norm <= least or norm == 0:
            break
        image = transposed @ (design @ direction) + _RIDGE * direction
        step = norm / float(direction @ image)
        found += step * direction
        gradient = gradient - step * image
        norm, before = float(gradient @ gradient), norm
        direction = gradient + (norm / before) * direction
    return found
