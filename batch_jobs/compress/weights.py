"""Weights stored with fewer bits: ONNX Runtime restores them as it loads the file, and computes in float32."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from batch_jobs.algorithms.export.names import defined_names
from batch_jobs.algorithms.export.trees.snippets import Snippet, find_prefix

MIN_VALUES = 512
"""Smaller constants stay as they are: biases, scales, sizes."""
_FLOATS = {TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64}
_LARGEST = {16: float(np.finfo(np.float16).max), 8: 1e30, 4: 1e30}
GROUP = {8: 64, 4: 32}
"""So many neighbours share a scale."""


def find_weights(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Constants of the graph itself; those of loops and branches within it may be changed there."""
    for constant in model.graph.initializer:
        if constant.data_type in _FLOATS and np.prod(constant.dims) >= MIN_VALUES:
            yield constant


def store(model: onnx.ModelProto, num_bits: int) -> onnx.ModelProto:
    """A copy whose large constants have 16, 8 or 4 bits.

    NOTE: `Cast` and `Mul`, and not `DequantizeLinear`, which ONNX Runtime computes again with each request.
    """
    new = onnx.ModelProto()
    new.CopyFrom(model)
    snippet = Snippet(find_prefix("w", {*defined_names(model.graph)}))
    kept: list[TensorProto] = []
    chosen = {constant.name for constant in find_weights(model)}
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant) if constant.name in chosen else None
        if values is None or not np.abs(values).max() <= _LARGEST[num_bits]:
            kept.append(constant)
        elif num_bits == 16:
            _store_half(snippet, constant, values)
        else:
            _store_integers(snippet, constant, values, num_bits=num_bits)
    nodes = [*snippet.nodes, *model.graph.node]
    del new.graph.initializer[:], new.graph.node[:]
    new.graph.initializer.extend([*kept, *snippet.constants])
    new.graph.node.extend(nodes)
    # Of version 3 and before, constants are inputs too.
    inputs = [value for value in model.graph.input if value.name not in chosen]
    del new.graph.input[:]
    new.graph.input.extend(inputs)
    return new


def _store_half(snippet: Snippet, constant: TensorProto, values: NDArray[Any]) -> None:
    snippet.add("Cast", snippet.constant(values.astype(np.float16)), output=constant.name, to=constant.data_type)


def _store_integers(snippet: Snippet, constant: TensorProto, values: NDArray[Any], *, num_bits: int) -> None:
    group, largest = GROUP[num_bits], 2 ** (num_bits - 1) - 1
    flat = values.astype(np.float64).reshape(-1)
    padded = np.pad(flat, (0, -len(flat) % group)).reshape(-1, group)
    peaks = np.abs(padded).max(axis=1, keepdims=True)
    scales = (peaks / largest).astype(np.float32)
    with np.errstate(over="ignore"):
        halves = scales.astype(np.float16)
    if np.isfinite(halves).all() and (halves[peaks > 0] > 0).all():
        scales = halves
    steps = np.where(scales > 0, scales.astype(np.float64), 1)
    integers = np.clip(np.round(padded / steps), -largest, largest).astype(np.int8)
    if num_bits == 8:
        restored = snippet.constant(integers)
    else:
        restored = _unpack_nibbles(snippet, integers + largest, zero=largest)
    restored = snippet.add("Cast", restored, to=TensorProto.FLOAT)
    factors = snippet.add("Cast", snippet.constant(scales), to=TensorProto.FLOAT)
    restored = snippet.add("Mul", restored, factors)
    if padded.size != len(flat):
        flattened = snippet.add("Reshape", restored, snippet.constant(np.asarray([-1], dtype=np.int64)))
        bounds = [snippet.constant(np.asarray([bound], dtype=np.int64)) for bound in (0, len(flat))]
        restored = snippet.add("Slice", flattened, *bounds)
    shape = snippet.constant(np.asarray(constant.dims, dtype=np.int64))
    if constant.data_type == TensorProto.FLOAT:
        snippet.add("Reshape", restored, shape, output=constant.name)
    else:
        snippet.add("Cast", snippet.add("Reshape", restored, shape), output=constant.name, to=constant.data_type)


def _unpack_nibbles(snippet: Snippet, values: NDArray[np.int8], *, zero: int) -> str:
    """int32 [groups, size]: of each byte of the first half of a group its lower, and of the second its upper part."""
    half = values.shape[1] // 2
    words = (values[:, :half] + (values[:, half:].astype(np.int16) << 4)).astype(np.uint8)
    bytes_ = snippet.add("Cast", snippet.constant(words), to=TensorProto.INT32)
    sixteen = snippet.constant(np.int32(16))
    parts = [snippet.add("Mod", bytes_, sixteen), snippet.add("Div", bytes_, sixteen)]
    joined = snippet.add("Concat", *parts, axis=1)
    return snippet.add("Sub", joined, snippet.constant(np.int32(zero)))
