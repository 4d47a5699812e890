"""Looks into an ONNX file before ONNX Runtime does: no data outside of the file, no operators but the standard's.

A walk over the wire format of protobuf, since the layer has no `onnx` package: only the messages that can hold a
tensor or an operator's domain are entered. Field numbers are those of onnx.proto3.
"""

from collections.abc import Callable, Iterator, Mapping

MAX_MODEL_BYTES = 512 * 1024**2
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})

_MAX_DEPTH = 64
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_NODE_DOMAIN, _OPSET_DOMAIN = 7, 1
_CHILDREN: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 9: "opset", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "tensor": {},
    "opset": {},
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class GraphError(Exception):
    """The file is not a model that may be served; the message says why."""


def check(model: bytes) -> None:
    """Raises GraphError for a file that is not protobuf, names external data, or uses another operator domain."""
    _check_message(memoryview(model), "model", 0)


def _check_message(message: memoryview, kind: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise GraphError(f"its graph is nested deeper than {_MAX_DEPTH} levels")
    check_field = _CHECKS.get(kind)
    for number, value in _fields(message):
        if check_field is not None:
            check_field(number, value)
        child = _CHILDREN[kind].get(number)
        if child is not None:
            if not isinstance(value, memoryview):
                raise GraphError(f"field {number} of a {kind} has the wrong wire type")
            _check_message(value, child, depth + 1)


def _check_tensor(number: int, value: int | memoryview) -> None:
    if number == _TENSOR_EXTERNAL_DATA or (number == _TENSOR_DATA_LOCATION and value != 0):
        raise GraphError("it refers to data outside of the file")


def _check_node(number: int, value: int | memoryview) -> None:
    if number == _NODE_DOMAIN:
        _check_domain(value)


def _check_opset(number: int, value: int | memoryview) -> None:
    if number == _OPSET_DOMAIN:
        _check_domain(value)


def _check_domain(value: int | memoryview) -> None:
    domain = bytes(value).decode(errors="replace") if isinstance(value, memoryview) else str(value)
    if domain not in DOMAINS:
        raise GraphError(f"it uses operators of the domain {domain[:100]!r}; only those of ONNX itself are run")


_CHECKS: Mapping[str, Callable[[int, int | memoryview], None]] = {
    "tensor": _check_tensor,
    "node": _check_node,
    "opset": _check_opset,
}


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        wire_type = tag & 7
        if wire_type == _VARINT:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if wire_type == _BYTES:
            size, position = _varint(message, position)
        elif wire_type in (_FIXED64, _FIXED32):
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise GraphError("it is not an ONNX file")
        end = position + size
        if end > len(message):
            raise GraphError("it is cut off, or not an ONNX file")
        yield tag >> 3, message[position:end]
        position = end


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise GraphError("it is cut off, or not an ONNX file")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise GraphError("it is not an ONNX file")
