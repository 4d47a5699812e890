"""Leaves of several values: the operator for trees answers which row of a table each of them ends at.

The operator of version 5 has one value for a leaf. Lists of version 3 take 1.8 to 2.5 times the bytes of this, and four
times as long to be made; both answer as quickly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from batch_jobs.algorithms.export.trees.arrays import Trees
from batch_jobs.algorithms.export.trees.snippets import Snippet

# Whole numbers up to it are exact in single precision.
_MAX_ROWS = 2**24
# What is looked up for a row at once: a part of the trees after the other, so that a large batch fits in memory.
_MAX_LOOKED_UP_BYTES = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """Nodes of a graph that are one ensemble: from the operator for trees to `output`, their sums."""

    table: str
    output: str
    outputs_within: frozenset[str]


def number(trees: Trees) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The rows that differ [distinct, outputs], and of each leaf its row. Raises ValueError where they are too many."""
    values = np.ascontiguousarray(trees.leaf_values[trees.is_leaf], dtype=np.float32)
    _, first, numbers = np.unique(
        values.view(f"V{values.shape[1] * values.itemsize}").reshape(-1), return_index=True, return_inverse=True
    )
    if len(first) > _MAX_ROWS:
        raise ValueError(f"trees with {len(first):,} different leaves of several values: {_MAX_ROWS:,} are the most")
    return values[first], numbers.reshape(-1)


def look_up(snippet: Snippet, numbers: str, table: NDArray[np.float32], num_trees: int) -> str:
    """Adds what turns the rows' numbers [rows, trees] into their sums [rows, outputs], and answers its name."""
    whole = snippet.add("Cast", numbers, to=TensorProto.INT32)
    size = max(_MAX_LOOKED_UP_BYTES // table[0].nbytes, 1)
    rows, axis = snippet.constant(table), snippet.constant(np.asarray([1], dtype=np.int64))
    sums = []
    for start in range(0, num_trees, size):
        ends = (snippet.constant(np.asarray([end], dtype=np.int64)) for end in (start, start + size))
        part = snippet.add("Slice", whole, *ends, axis) if size < num_trees else whole
        sums.append(snippet.add("ReduceSum", snippet.add("Gather", rows, part), axis, keepdims=0))
    return sums[0] if len(sums) == 1 else snippet.add("Sum", *sums)


def find(graph: onnx.GraphProto, node: onnx.NodeProto) -> Numbered | None:
    """What `look_up` added behind this operator for trees; None where that is something else."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for each in graph.node:
        for name in each.input:
            readers.setdefault(name, []).append(each)
    casts = readers.get(node.output[0], [])
    parts = _behind(readers, casts, "Cast")
    slices = parts if parts and parts[0].op_type == "Slice" else []
    gathers = _behind(readers, slices, "Slice") if slices else parts
    ends = _behind(readers, gathers, "Gather")
    inner = [*casts, *slices, *gathers]
    if len(gathers) > 1:
        inner, ends = [*inner, *ends], _behind(readers, ends, "ReduceSum")
    tables = {each.input[0] for each in gathers}
    last = {each.output[0] for each in ends if each.op_type == ("Sum" if len(gathers) > 1 else "ReduceSum")}
    if len(casts) != 1 or len(tables) != 1 or len(last) != 1:
        return None
    names = frozenset(each.output[0] for each in inner)
    return Numbered(table=tables.pop(), output=last.pop(), outputs_within=names)


def _behind(
    readers: Mapping[str, Sequence[onnx.NodeProto]], nodes: Sequence[onnx.NodeProto], op_type: str
) -> list[onnx.NodeProto]:
    """What reads these nodes; nothing where one of them is of another kind."""
    if any(node.op_type != op_type for node in nodes):
        return []
    return [reader for node in nodes for reader in readers.get(node.output[0], [])]
