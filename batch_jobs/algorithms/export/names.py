"""The names within a graph, those of the graphs within it included: `onnx.compose` misses some that these share."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import TypeVar

import onnx

_RANDOM = frozenset({"Bernoulli", "Multinomial"})
_Message = TypeVar("_Message", onnx.TensorProto, onnx.NodeProto)


def defined_names(graph: onnx.GraphProto) -> Iterator[str]:
    """Of all values: inputs, constants, and what operators put out."""
    yield from (value.name for value in graph.input)
    yield from (constant.name for constant in graph.initializer)
    for node in graph.node:
        yield from filter(None, node.output)
        for inner in _inner_graphs(node):
            yield from defined_names(inner)


def used_names(graph: onnx.GraphProto) -> Iterator[str]:
    """Of all values that are read, or put out by the graph; of graphs within it those that are not their own."""
    for node in graph.node:
        yield from filter(None, node.input)
        for inner in _inner_graphs(node):
            own = {*defined_names(inner)}
            yield from (name for name in used_names(inner) if name not in own)
    yield from (value.name for value in graph.output)


def rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Gives values other names, wherever they are used. Operators are named after what they put out."""
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        _rename_node(node, names)


def _rename_node(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    node.input[:] = [names.get(name, name) for name in node.input]
    node.output[:] = [names.get(name, name) for name in node.output]
    node.name = next(filter(None, node.output), "")
    for inner in _inner_graphs(node):
        rename(inner, names)


def share_duplicates(graph: onnx.GraphProto) -> None:
    """Leaves one of constants that are equal, and one of operators that do the same with the same values.

    Operators that draw random numbers are no two the same.
    """
    found: dict[bytes, tuple[str, ...]] = {}
    names: dict[str, str] = {}
    constants, nodes = [], []
    for constant in graph.initializer:
        known = found.setdefault(_content(constant), (constant.name,))
        if known == (constant.name,):
            constants.append(constant)
        names[constant.name] = known[0]
    for node in graph.node:
        _rename_node(node, names)
        is_random = node.op_type.startswith("Random") or node.op_type in _RANDOM
        known = tuple(node.output) if is_random else found.setdefault(_work(node), tuple(node.output))
        if known == tuple(node.output):
            nodes.append(node)
        names |= dict(zip(node.output, known, strict=True))
    constants, nodes = [_copy(constant) for constant in constants], [_copy(node) for node in nodes]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(constants)
    graph.node.extend(nodes)


def _content(constant: onnx.TensorProto) -> bytes:
    copy = _copy(constant)
    copy.name = ""
    return _digest(copy)


def _work(node: onnx.NodeProto) -> bytes:
    """All of an operator but its names, and those of the graphs within it."""
    copy = _copy(node)
    own = [*filter(None, node.output), *(name for inner in _inner_graphs(node) for name in defined_names(inner))]
    _rename_node(copy, {name: f"/{position}" for position, name in enumerate(own)})
    copy.name = ""
    for inner in _inner_graphs(copy):
        inner.name = ""
    return _digest(copy)


def _copy(message: _Message) -> _Message:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _digest(message: _Message) -> bytes:
    return hashlib.sha256(message.SerializeToString(deterministic=True)).digest()


def _inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
