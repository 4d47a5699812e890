"""Tensors on the wire: as JSON, and as the bytes of the binary tensor extension."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.signatures import Datatype, TensorSpec
from aimass_core.errors import InvalidRequestError, MalformedRequestError
from aimass_core.inference.serving.model import NUMPY_TYPES

Array = NDArray[Any]

_LENGTH_BYTES = 4
_NONE = type(None)
# Of so few values Python says sooner than NumPy whether one is infinite.
_FEW = 8
_LARGEST = {each: float(np.finfo(each).max) for each in (np.float16, np.float32, np.float64)}
_FLOATS = (Datatype.FP16, Datatype.FP32, Datatype.FP64)
_INTEGERS = tuple(each for each in Datatype if each.startswith(("INT", "UINT")))


def _range(datatype: Datatype) -> str:
    limits = np.iinfo(NUMPY_TYPES[datatype])
    return f"{limits.min} to {limits.max}"


# NOTE: exact types: to Python a bool is an int, to a model it is not.
_JSON_TYPES: dict[Datatype, frozenset[type]] = {
    Datatype.BYTES: frozenset({str, type(None)}),
    Datatype.BOOL: frozenset({bool}),
    **dict.fromkeys(_INTEGERS, frozenset({int})),
    **dict.fromkeys(_FLOATS, frozenset({int, float, type(None)})),
}
_WORDS = {
    Datatype.BYTES: "strings",
    Datatype.BOOL: "booleans",
    **{each: f"whole numbers from {_range(each)}" for each in _INTEGERS},
    **dict.fromkeys(_FLOATS, "numbers (null where missing)"),
}


def describe(spec: TensorSpec) -> str:
    """What an input must be, for messages."""
    shape = ", ".join("any" if size < 0 else str(size) for size in spec.shape)
    return f"input {spec.name!r} must be {spec.datatype} of shape [{shape}]"


def from_json(spec: TensorSpec, data: Sequence[Any], shape: Sequence[int]) -> Array:
    """Row-major values, flat or nested, as a tensor. A null is a missing number or text.

    Raises:
        InvalidRequestError: Values of another type, out of range, or not as many as the shape says.
    """
    flat, types = _flatten(data)
    if len(flat) != math.prod(shape):
        raise InvalidRequestError(f"{describe(spec)}; its shape {list(shape)} does not hold {len(flat)} values.")
    if not types <= _JSON_TYPES[spec.datatype]:
        wrong = types - _JSON_TYPES[spec.datatype]
        example = next(value for value in flat if type(value) in wrong)
        raise InvalidRequestError(
            f"{describe(spec)}; its data must be {_WORDS[spec.datatype]}, not {str(example)[:40]!r} "
            f"({type(example).__name__})."
        )
    if _NONE in types:
        missing = "" if spec.datatype is Datatype.BYTES else math.nan
        flat = [missing if value is None else value for value in flat]
    return _to_array(spec, flat).reshape(shape)


def from_bytes(spec: TensorSpec, raw: bytes, shape: Sequence[int]) -> Array:
    """Little-endian, row-major; BYTES are elements with a length of four bytes before each.

    Raises:
        InvalidRequestError: Not as many bytes as the shape says, an infinite number, or text that is not UTF-8.
    """
    count = math.prod(shape)
    if spec.datatype is Datatype.BYTES:
        texts = _read_texts(spec, raw)
        if len(texts) != count:
            raise InvalidRequestError(f"{describe(spec)}; its shape {list(shape)} does not hold {len(texts)} values.")
        return _to_array(spec, texts).reshape(shape)
    dtype = np.dtype(NUMPY_TYPES[spec.datatype]).newbyteorder("<")
    if len(raw) != count * dtype.itemsize:
        raise InvalidRequestError(
            f"{describe(spec)}; its shape {list(shape)} needs {count * dtype.itemsize} bytes, and {len(raw)} were sent."
        )
    if spec.datatype is Datatype.BOOL and raw.strip(b"\x00\x01"):
        raise InvalidRequestError(f"{describe(spec)}; each of its bytes must be 0 or 1.")
    array = np.frombuffer(raw, dtype).astype(NUMPY_TYPES[spec.datatype]).reshape(shape)
    _require_finite(spec, array)
    return array


def to_json(array: Array) -> list[Any]:
    """Flat values; NaN and infinity, which JSON cannot say, are null."""
    flat: list[Any] = array.ravel().tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return [value if math.isfinite(value) else None for value in flat]
    return flat


def to_bytes(array: Array) -> bytes:
    """The reverse of `from_bytes`."""
    if array.dtype.kind != "O":
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    encoded = [str(value).encode() for value in array.ravel()]
    return b"".join(chain.from_iterable((len(text).to_bytes(_LENGTH_BYTES, "little"), text) for text in encoded))


def _to_array(spec: TensorSpec, flat: Sequence[Any]) -> Array:
    if spec.datatype is Datatype.BYTES:
        return np.array(flat, dtype=object)
    dtype = NUMPY_TYPES[spec.datatype]
    if spec.datatype not in _FLOATS:
        try:
            return np.array(flat, dtype)
        except OverflowError as error:
            raise InvalidRequestError(f"{describe(spec)}; its data must be {_WORDS[spec.datatype]}.") from error
    if len(flat) <= _FEW and all(abs(value) <= _LARGEST[dtype] or value != value for value in flat):  # noqa: PLR0124
        return np.array(flat, dtype)
    try:
        with np.errstate(over="ignore"):
            array = np.array(flat, dtype)
    except OverflowError as error:
        raise InvalidRequestError(f"{describe(spec)}; a value of its data is too large.") from error
    _require_finite(spec, array)
    return array


def _require_finite(spec: TensorSpec, array: Array) -> None:
    if spec.datatype in _FLOATS and np.isinf(array).any():
        raise InvalidRequestError(f"{describe(spec)}; a value of its data is infinite, or too large for it.")


def _flatten(data: Sequence[Any]) -> tuple[Sequence[Any], set[type]]:
    """The values, and their types."""
    types = set(map(type, data))
    while list in types:
        if len(types) > 1:
            raise MalformedRequestError("The data of an input mixes lists and values.")
        data = list(chain.from_iterable(data))
        types = set(map(type, data))
    return data, types


def _read_texts(spec: TensorSpec, raw: bytes) -> list[str]:
    texts, position = [], 0
    while position < len(raw):
        start = position + _LENGTH_BYTES
        end = start + int.from_bytes(raw[position:start], "little")
        if start > len(raw) or end > len(raw):
            raise InvalidRequestError(f"{describe(spec)}; its bytes end within an element.")
        try:
            texts.append(raw[start:end].decode())
        except UnicodeDecodeError as error:
            raise InvalidRequestError(f"{describe(spec)}; element {len(texts)} is not UTF-8 text.") from error
        position = end
    return texts
