"""Writes a graph so that its layers can be changed: what is computed from constants is a constant, and shapes that rows
do not change are written down."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import torch
from onnx import helper
from torch import Tensor

from batch_jobs.compress.networks.core import Core, is_known
from batch_jobs.compress.networks.graphs import Array, EditableGraph, read_names
from batch_jobs.compress.networks.module import CoreModule, to_tensor, to_tensors
from batch_jobs.compress.networks.operators import OPERATORS, Attributes, UnsupportedError

_RANDOM = ("Dropout",)
_MAX_GROWTH_BYTES = 2**16


def fold_constants(graph: EditableGraph) -> None:
    """Computes what depends on constants alone. torch writes the gates of recurrent layers as slices of weights."""
    rest = []
    for node in graph.nodes:
        if not _fold(graph, node):
            rest.append(node)
    graph.nodes = rest
    graph.remove_unused()


def _fold(graph: EditableGraph, node: onnx.NodeProto) -> bool:
    if not is_known(node) or node.op_type in _RANDOM or not all(name in graph.constants for name in read_names(node)):
        return False
    given = [graph.constants[name] if name else None for name in node.input]
    if not given or any(values is not None and values.dtype.kind not in "fiub" for values in given):
        return False
    try:
        results = OPERATORS[node.op_type](Attributes(node), *(None if one is None else to_tensor(one) for one in given))
    except UnsupportedError:
        return False
    tensors = results if isinstance(results, tuple) else (results,)
    arrays = [None if one is None else one.detach().contiguous().numpy() for one in tensors]
    size = sum(one.nbytes for one in arrays if one is not None)
    if size > sum(one.nbytes for one in given if one is not None) + _MAX_GROWTH_BYTES:
        return False
    for name, values in zip(node.output, arrays, strict=False):
        if name and values is not None:
            graph.constants[name] = values
    return True


def settle_shapes(core: Core, features: Mapping[str, Array], rows: Sequence[Array], sequences: frozenset[str]) -> None:
    """Writes as a constant every shape that is computed, where constants can say the same for any rows; and leaves out
    of recurrent layers states that begin as zeros.

    Args:
        core: Its graph is changed.
        features: Of some rows.
        rows: Positions of two samples of them, of different size.
        sequences: The features that are of any length; in the second sample they are a step shorter.
    """
    module = CoreModule(core)
    traces = [
        module.trace(_shorten(to_tensors(features, index), sequences if number else frozenset()))
        for number, index in enumerate(rows)
    ]
    for node in core.nodes:
        if node.op_type == "Reshape":
            _settle(core.graph, node, traces)
        elif node.op_type in ("LSTM", "GRU"):
            _leave_zeros_out(node, traces)
    core.graph.remove_unused()


def _shorten(features: dict[str, Tensor], sequences: frozenset[str]) -> dict[str, Tensor]:
    return {name: values[:, :-1] if name in sequences else values for name, values in features.items()}


def is_sequence(values: Tensor) -> bool:
    """Whether the second dimension counts steps: ids of words, or vectors of steps."""
    is_ids = values.ndim == 2 and values.dtype == torch.int64
    return values.shape[1:2].numel() > 2 and (is_ids or (values.ndim == 3 and values.is_floating_point()))


def _settle(graph: EditableGraph, node: onnx.NodeProto, traces: Sequence[Mapping[str, Tensor]]) -> None:
    before = [tuple(trace[node.input[0]].shape) for trace in traces]
    after = [tuple(trace[node.output[0]].shape) for trace in traces]
    wanted = []
    for axis, sizes in enumerate(zip(*after, strict=True)):
        if len(set(sizes)) == 1:
            wanted.append(sizes[0])
        elif all(axis < len(shape) and shape[axis] == size for shape, size in zip(before, sizes, strict=True)):
            wanted.append(0)
        else:
            wanted.append(-1)
    if wanted.count(-1) > 1 or any(0 in shape for shape in after):
        return
    del node.input[1:], node.attribute[:]
    node.input.append(graph.add_constant("shape", np.asarray(wanted, dtype=np.int64)))


def _leave_zeros_out(node: onnx.NodeProto, traces: Sequence[Mapping[str, Tensor]]) -> None:
    for place in (5, 6):
        name = node.input[place] if place < len(node.input) else ""
        if name and all(not trace[name].any() for trace in traces):
            node.input[place] = ""
    while node.input and not node.input[-1]:
        del node.input[-1]


def set_attribute(node: onnx.NodeProto, name: str, value: object) -> None:
    """Gives an attribute another value."""
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
