"""Writes ensembles as tables of small integers: a third of the bytes of the operator for trees, or less, but slower.

All tests that occur in the trees are made at once. Then a row goes down all trees together, level by level, by one
bit of the tests a step. A node is the number of its test, and how far away its children are, which lie side by side.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from batch_jobs.algorithms.export.trees.arrays import Ints, Mode, Trees
from batch_jobs.algorithms.export.trees.reading import Ensemble
from batch_jobs.algorithms.export.trees.snippets import Snippet

MAX_TESTS = 16_384
"""More make the table of a row's answers too large."""
_OPERATORS = {Mode.LEQ: "LessOrEqual", Mode.EQ: "Equal"}


def pack(snippet: Snippet, features: str, ensemble: Ensemble) -> str:
    """Adds the nodes; answers the name of the sums. Raises ValueError where there are too many different tests."""
    trees = _order(_normalise(ensemble.trees))
    tests, test_of_node = _find_tests(trees)
    if not tests.num_tests:
        raise ValueError("trees that test nothing")
    if tests.num_tests > MAX_TESTS:
        raise ValueError(f"{tests.num_tests:,} different tests, and at most {MAX_TESTS:,} fit: round thresholds first")
    answers = _write_tests(snippet, features, tests, trees)
    leaves = _descend(snippet, answers, trees, test_of_node)
    sums = _write_leaves(snippet, leaves, trees)
    if ensemble.is_mean:
        sums = snippet.add("Div", sums, snippet.constant(np.float32(len(trees.roots))))
    return sums


def _normalise(trees: Trees) -> Trees:
    """With tests of three kinds only: no larger, equal, member. `x < t` is `x <= the float before t`."""
    mode, threshold = trees.mode.copy(), trees.threshold.astype(np.float32)
    true_node, false_node = trees.true_node.copy(), trees.false_node.copy()
    missing = trees.sends_missing_true.copy()
    is_below = np.isin(mode, (Mode.LT, Mode.GTE)) & ~trees.is_leaf
    threshold[is_below] = np.nextafter(threshold[is_below], np.float32(-np.inf))
    swaps = np.isin(mode, (Mode.GTE, Mode.GT, Mode.NEQ)) & ~trees.is_leaf
    true_node[swaps], false_node[swaps] = trees.false_node[swaps], trees.true_node[swaps]
    # NaN is greater, less and equal to nothing, but it is unequal.
    missing[swaps] = ~missing[swaps] & (mode[swaps] != Mode.NEQ)
    mode[np.isin(mode, (Mode.LT, Mode.GTE, Mode.GT))] = Mode.LEQ
    mode[mode == Mode.NEQ] = Mode.EQ
    return Trees(
        roots=trees.roots,
        feature=trees.feature,
        threshold=threshold,
        mode=mode,
        true_node=true_node,
        false_node=false_node,
        sends_missing_true=missing,
        leaf_values=trees.leaf_values,
        sets=trees.sets,
    )


def _order(trees: Trees) -> Trees:
    """Tree by tree, within one level by level, so that distances are short: siblings side by side."""
    order: list[Ints] = []
    offset = 0
    roots = []
    for root in trees.roots:
        levels = [np.asarray([root])]
        while len(levels[-1]):
            inner = levels[-1][trees.feature[levels[-1]] >= 0]
            levels.append(np.stack([trees.true_node[inner], trees.false_node[inner]], axis=1).reshape(-1))
        order.append(np.concatenate(levels))
        roots.append(offset)
        offset += len(order[-1])
    nodes = np.concatenate(order)
    number = np.full(len(trees.feature), -1, dtype=np.int64)
    number[nodes] = np.arange(len(nodes))
    return Trees(
        roots=np.asarray(roots, dtype=np.int64),
        feature=trees.feature[nodes],
        threshold=trees.threshold[nodes],
        mode=trees.mode[nodes],
        true_node=number[trees.true_node[nodes]],
        false_node=number[trees.false_node[nodes]],
        sends_missing_true=trees.sends_missing_true[nodes],
        leaf_values=trees.leaf_values[nodes],
        sets=trees.sets,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tests:
    """Those that differ, sorted by mode."""

    mode: Ints
    feature: Ints
    threshold: NDArray[np.float32]
    sends_missing_true: NDArray[np.bool_]

    @property
    def num_tests(self) -> int:
        return len(self.mode)


def _find_tests(trees: Trees) -> tuple[_Tests, Ints]:
    """And of each node the number of its test; of leaves one more than there are."""
    inner = trees.branches
    keys = np.stack(
        [
            trees.mode[inner].astype(np.float64),
            trees.feature[inner].astype(np.float64),
            trees.threshold[inner].astype(np.float64),
            trees.sends_missing_true[inner].astype(np.float64),
        ],
        axis=1,
    )
    found, numbers = np.unique(keys, axis=0, return_inverse=True)
    test_of_node = np.full(len(trees.feature), len(found), dtype=np.int64)
    test_of_node[inner] = numbers.reshape(-1)
    return (
        _Tests(
            mode=found[:, 0].astype(np.int64),
            feature=found[:, 1].astype(np.int64),
            threshold=found[:, 2].astype(np.float32),
            sends_missing_true=found[:, 3] > 0,
        ),
        test_of_node,
    )


def _write_tests(snippet: Snippet, features: str, tests: _Tests, trees: Trees) -> str:
    """int32 [rows, tests + 1]: 1 where a row goes to the false side; the last is that of leaves, 0."""
    parts = []
    for mode in (Mode.LEQ, Mode.EQ, Mode.MEMBER):
        chosen = np.flatnonzero(tests.mode == mode)
        if not len(chosen):
            continue
        values = snippet.add("Gather", features, _integers(snippet, tests.feature[chosen]), axis=1)
        if mode is Mode.MEMBER:
            holds = _write_membership(snippet, values, tests, trees, chosen)
        else:
            holds = snippet.add(_OPERATORS[mode], values, snippet.constant(tests.threshold[chosen]))
        missing = tests.sends_missing_true[chosen]
        if missing.any():
            is_missing = snippet.add("IsNaN", values)
            if not missing.all():
                is_missing = snippet.add("And", is_missing, snippet.constant(missing))
            holds = snippet.add("Or", holds, is_missing)
        parts.append(snippet.add("Not", holds))
    fails = parts[0] if len(parts) == 1 else snippet.add("Concat", *parts, axis=1)
    numbers = snippet.add("Cast", fails, to=TensorProto.INT32)
    ends = snippet.constant(np.asarray([0, 0, 0, 1], dtype=np.int64))
    return snippet.add("Pad", numbers, ends)


def _write_membership(snippet: Snippet, values: str, tests: _Tests, trees: Trees, chosen: Ints) -> str:
    """Looks codes up in a table that has, of each test, all codes up to the largest of any set of its feature."""
    sets = [trees.sets[int(number)] for number in tests.threshold[chosen]]
    if any(value != int(value) or not 0 <= value < 2**15 for values in sets for value in values):
        raise ValueError("tests of sets of other values than codes from 0 on")
    largest = max(int(max(values)) for values in sets)
    table = np.zeros((len(sets), largest + 2), dtype=np.bool_)
    for number, members in enumerate(sets):
        table[number, np.asarray(members, dtype=np.int64)] = True
    words = np.packbits(table, axis=1, bitorder="little")
    # What is no code of any set is looked up as the one after the largest. NaN too: it fails each comparison.
    bounds = [snippet.constant(np.float32(bound)) for bound in (-0.5, largest + 1)]
    known = snippet.add("And", snippet.add("Greater", values, bounds[0]), snippet.add("Less", values, bounds[1]))
    code = snippet.add("Where", known, values, bounds[1])
    whole = snippet.add("Equal", snippet.add("Floor", code), code)
    code = snippet.add("Cast", snippet.add("Where", whole, code, bounds[1]), to=TensorProto.INT32)
    eight = snippet.constant(np.int32(8))
    starts = snippet.constant((np.arange(len(sets)) * words.shape[1]).astype(np.int32))
    position = snippet.add("Add", snippet.add("Div", code, eight), starts)
    word = snippet.add("Gather", snippet.constant(words.reshape(-1)), position)
    bit = snippet.add("Gather", snippet.constant((1 << np.arange(8)).astype(np.uint8)), snippet.add("Mod", code, eight))
    bits = snippet.add("BitwiseAnd", word, bit)
    return snippet.add("Cast", bits, to=TensorProto.BOOL)


def _descend(snippet: Snippet, answers: str, trees: Trees, test_of_node: Ints) -> str:
    """int32 [rows, trees]: the node of each tree that a row ends at."""
    inner = trees.branches
    distance = np.zeros(len(trees.feature), dtype=np.int64)
    distance[inner] = trees.true_node[inner] - inner
    tests, distances = snippet.constant(_narrow(test_of_node)), snippet.constant(_narrow(distance))
    rows = snippet.add("Shape", answers, end=1)
    shape = snippet.add("Concat", rows, _integers(snippet, np.asarray([1])), axis=0)
    node = snippet.add("Expand", snippet.constant(trees.roots.astype(np.int32)[None]), shape)
    for _ in range(_depth(trees)):
        test = snippet.add("Cast", snippet.add("Gather", tests, node), to=TensorProto.INT32)
        fails = snippet.add("GatherElements", answers, test, axis=1)
        step = snippet.add("Cast", snippet.add("Gather", distances, node), to=TensorProto.INT32)
        node = snippet.add("Add", snippet.add("Add", node, step), fails)
    return node


def _write_leaves(snippet: Snippet, leaves: str, trees: Trees) -> str:
    """Leaves are numbered among nodes: values are stored of all, or where many are equal, of those that differ."""
    num_outputs = trees.leaf_values.shape[1]
    if num_outputs > 1 and (np.count_nonzero(trees.leaf_values, axis=1) <= 1).all():
        return _write_single_leaves(snippet, leaves, trees)
    values = _write_values(snippet, leaves, trees.leaf_values.astype(np.float32))
    return snippet.add("ReduceSum", values, snippet.constant(np.asarray([1], dtype=np.int64)), keepdims=0)


def _write_single_leaves(snippet: Snippet, leaves: str, trees: Trees) -> str:
    """Each leaf speaks of one output, and of most trees all do: these are summed by a matrix of zeros and ones."""
    outputs = np.abs(trees.leaf_values).argmax(axis=1)
    tree_of_node = np.searchsorted(trees.roots, np.arange(len(trees.feature)), side="right") - 1
    matrix = np.zeros((len(trees.roots), trees.leaf_values.shape[1]), dtype=np.bool_)
    speaks = np.flatnonzero(trees.leaf_values.any(axis=1))
    matrix[tree_of_node[speaks], outputs[speaks]] = True
    if (matrix.sum(axis=1) > 1).any():
        values = _write_values(snippet, leaves, trees.leaf_values.astype(np.float32))
        return snippet.add("ReduceSum", values, snippet.constant(np.asarray([1], dtype=np.int64)), keepdims=0)
    single = trees.leaf_values[np.arange(len(outputs)), outputs].astype(np.float32)
    values = snippet.add("Squeeze", _write_values(snippet, leaves, single[:, None]), snippet.constant(np.asarray([2])))
    weights = snippet.add("Cast", snippet.constant(matrix), to=TensorProto.FLOAT)
    return snippet.add("MatMul", values, weights)


def _write_values(snippet: Snippet, nodes: str, values: NDArray[np.float32]) -> str:
    """float32 [rows, trees, outputs]."""
    found, numbers = np.unique(values, axis=0, return_inverse=True)
    narrow = _narrow(numbers.reshape(-1))
    if narrow.nbytes + found.nbytes >= values.nbytes:
        return snippet.add("Gather", snippet.constant(values), nodes)
    number = snippet.add("Cast", snippet.add("Gather", snippet.constant(narrow), nodes), to=TensorProto.INT32)
    return snippet.add("Gather", snippet.constant(found), number)


def _depth(trees: Trees) -> int:
    level, depth = trees.roots, 0
    while len(level := level[trees.feature[level] >= 0]):
        level = np.concatenate([trees.true_node[level], trees.false_node[level]])
        depth += 1
    return depth


def _integers(snippet: Snippet, values: Ints) -> str:
    return snippet.constant(values.astype(np.int64))


def _narrow(values: Ints) -> NDArray[Any]:
    """In the smallest datatype that holds them all."""
    largest = int(values.max(initial=0))
    return values.astype(next(kind for kind in (np.uint8, np.uint16, np.int32) if largest <= np.iinfo(kind).max))
