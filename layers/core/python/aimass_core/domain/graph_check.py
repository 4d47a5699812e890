"""Looks into an ONNX file before ONNX Runtime does: no data outside of the file, no operators but the standard's and
those that `OPERATORS` names.

A walk over the wire format of protobuf, since the layer has no `onnx` package: only the messages that can hold a
tensor or an operator's domain are entered. Field numbers are those of onnx.proto3.
"""

from collections.abc import Callable, Iterator, Mapping

MAX_MODEL_BYTES = 512 * 1024**2
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
# Of ONNX Runtime's own, which are compiled into it and load nothing, those that our quantization writes. This one meets
# weights, scales, states and lengths of other shapes than it needs with an error.
OPERATORS = frozenset({("com.microsoft", "DynamicQuantizeLSTM")})

_MAX_DEPTH = 64
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_NODE_TYPE, _NODE_DOMAIN, _OPSET_DOMAIN = 4, 7, 1
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


def is_run(domain: str, op_type: str) -> bool:
    """Whether a graph may have such an operator."""
    return domain in DOMAINS or (domain, op_type) in OPERATORS


def _check_message(message: memoryview, kind: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise GraphError(f"its graph is nested deeper than {_MAX_DEPTH} levels")
    if kind == "node":
        _check_operator(message)
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


def _check_operator(node: memoryview) -> None:
    """NOTE: of a field that is there twice the last one holds."""
    words = {_NODE_TYPE: "", _NODE_DOMAIN: ""}
    words |= {number: _to_text(value) for number, value in _fields(node) if number in words}
    if not is_run(words[_NODE_DOMAIN], words[_NODE_TYPE]):
        raise _refuse(words[_NODE_DOMAIN], words[_NODE_TYPE])


def _check_opset(number: int, value: int | memoryview) -> None:
    if number == _OPSET_DOMAIN and (domain := _to_text(value)) not in DOMAINS | {own for own, _ in OPERATORS}:
        raise _refuse(domain)


def _to_text(value: int | memoryview) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, memoryview) else str(value)


def _refuse(domain: str, op_type: str = "") -> GraphError:
    named = f" ({op_type[:100]})" if op_type else ""
    return GraphError(f"it uses operators of the domain {domain[:100]!r}{named}; only those of ONNX itself are run")


_CHECKS: Mapping[str, Callable[[int, int | memoryview], None]] = {
    "tensor": _check_tensor,
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
