"""Operators that move values, and those that count them."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from batch_jobs.compress.networks.operators.registry import (
    DTYPES,
    Attributes,
    Results,
    UnsupportedError,
    axes_of,
    integers,
    operator,
)


@operator("Shape", "Size")
def shape(node: Attributes, values: Tensor) -> Tensor:
    """Sizes as a tensor."""
    if node.op_type == "Size":
        return torch.tensor(values.numel())
    return torch.tensor(values.shape[node.get("start", 0) : node.get("end")], dtype=torch.int64)


@operator("Range")
def arange(node: Attributes, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:  # noqa: ARG001
    """Up to the limit, without it."""
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


@operator("ConstantOfShape")
def constant_of_shape(node: Attributes, sizes: Tensor) -> Tensor:
    """Zeros of float32 where no value is given."""
    value = node.get("value")
    if value is None:
        return torch.zeros(integers(sizes))
    number = torch.tensor(value.float_data or value.int64_data or value.int32_data or value.double_data)
    if value.raw_data:
        number = torch.frombuffer(bytearray(value.raw_data), dtype=DTYPES[value.data_type])
    return torch.full(integers(sizes), number.item(), dtype=DTYPES[value.data_type])


@operator("Expand")
def expand(node: Attributes, values: Tensor, sizes: Tensor) -> Tensor:  # noqa: ARG001
    """Broadcasts both ways."""
    return values.expand(np.broadcast_shapes(tuple(values.shape), tuple(integers(sizes))))


@operator("Reshape")
def reshape(node: Attributes, values: Tensor, sizes: Tensor) -> Tensor:
    """0 keeps a size."""
    wanted = integers(sizes)
    if not node.get("allowzero", 0):
        wanted = [values.shape[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    return values.reshape(wanted)


@operator("Flatten")
def flatten(node: Attributes, values: Tensor) -> Tensor:
    """To two dimensions."""
    axis = node.get("axis", 1)
    axis = axis + values.ndim if axis < 0 else axis
    return values.reshape(values.shape[:axis].numel(), -1)


@operator("Transpose")
def transpose(node: Attributes, values: Tensor) -> Tensor:
    """Turned around where no order is given."""
    return values.permute(node.get("perm") or list(range(values.ndim))[::-1])


@operator("Squeeze")
def squeeze(node: Attributes, values: Tensor, axes: Tensor | None = None) -> Tensor:
    """Of all axes of one where none are named."""
    chosen = axes_of(node, axes)
    return values.squeeze() if chosen is None else values.squeeze(tuple(chosen))


@operator("Unsqueeze")
def unsqueeze(node: Attributes, values: Tensor, axes: Tensor | None = None) -> Tensor:
    """Axes count in what comes out."""
    chosen = axes_of(node, axes) or []
    for axis in sorted(axis % (values.ndim + len(chosen)) for axis in chosen):
        values = values.unsqueeze(axis)
    return values


@operator("Concat")
def concat(node: Attributes, *values: Tensor) -> Tensor:
    """Along one axis."""
    return torch.cat(values, dim=node.get("axis"))


@operator("Split")
def split(node: Attributes, values: Tensor, sizes: Tensor | None = None) -> Results:
    """Into equal parts where no sizes are given."""
    axis = node.get("axis", 0)
    given = node.get("split") if sizes is None else integers(sizes)
    if given is None:
        return torch.split(values, -(-values.shape[axis] // node.num_outputs), dim=axis)
    return torch.split(values, list(given), dim=axis)


@operator("Slice")
def slice_axes(  # noqa: PLR0917  inputs are by position
    node: Attributes,
    values: Tensor,
    starts: Tensor | None = None,
    ends: Tensor | None = None,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    """Backwards too."""
    first, last = integers(node.get("starts") if starts is None else starts), integers(node.get("ends", ()))
    if ends is not None:
        last = integers(ends)
    chosen = axes_of(node, axes) or list(range(len(first)))
    strides = [1] * len(first) if steps is None else integers(steps)
    for begin, end, axis, step in zip(first, last, chosen, strides, strict=True):
        size = values.shape[axis]
        if step > 0:
            start, stop, _ = slice(begin, end, step).indices(size)
            index = [slice(None)] * (axis % values.ndim) + [slice(start, max(start, stop), step)]
            values = values[tuple(index)]
        else:
            # NOTE: ONNX writes an end before the beginning as a very negative number; so does Python.
            places = range(size)[slice(begin, end if end >= -size else None, step)]
            values = values.index_select(axis, torch.tensor(list(places), dtype=torch.int64))
    return values


@operator("Gather")
def gather(node: Attributes, values: Tensor, indices: Tensor) -> Tensor:
    """Whole slices along one axis."""
    axis = node.get("axis", 0) % values.ndim
    index = indices.to(torch.int64)
    index = torch.where(index < 0, index + values.shape[axis], index)
    if axis == 0 and values.ndim == 2 and values.is_floating_point():
        return functional.embedding(index, values)
    flat = values.index_select(axis, index.reshape(-1))
    return flat.reshape(*values.shape[:axis], *index.shape, *values.shape[axis + 1 :])


@operator("GatherElements")
def gather_elements(node: Attributes, values: Tensor, indices: Tensor) -> Tensor:
    """Single values."""
    axis = node.get("axis", 0)
    index = indices.to(torch.int64)
    index = torch.where(index < 0, index + values.shape[axis], index)
    # torch wants indices no larger than the values on the other axes; so does ONNX.
    return torch.gather(values, axis, index)


@operator("GatherND")
def gather_nd(node: Attributes, values: Tensor, indices: Tensor) -> Tensor:
    """By whole positions."""
    node.require("batch_dims", 0)
    return values[tuple(indices.to(torch.int64).unbind(-1))]


@operator("Pad")
def pad(
    node: Attributes,
    values: Tensor,
    widths: Tensor | None = None,
    value: Tensor | None = None,
    axes: Tensor | None = None,
) -> Tensor:
    """With a constant, or what is at the edge or reflected from it."""
    mode = node.get("mode", "constant")
    before_after = integers(node.get("pads") if widths is None else widths)
    chosen = list(range(values.ndim)) if axes is None else integers(axes)
    half = len(before_after) // 2
    padding = [0] * (2 * values.ndim)
    for place, axis in enumerate(chosen):
        end = 2 * (values.ndim - 1 - axis % values.ndim)
        padding[end], padding[end + 1] = before_after[place], before_after[half + place]
    if mode == "constant":
        filling = node.get("value", 0.0) if value is None else value.item()
        return functional.pad(values, padding, value=filling)
    names = {"edge": "replicate", "reflect": "reflect"}
    if mode not in names:
        raise UnsupportedError(f"Pad with mode={mode}")
    while len(padding) > 2 * (values.ndim - 2) and not any(padding[-2:]):
        padding = padding[:-2]
    return functional.pad(values, padding, mode=names[mode])


@operator("Tile")
def tile(node: Attributes, values: Tensor, repeats: Tensor) -> Tensor:  # noqa: ARG001
    """Repeated whole."""
    return values.repeat(integers(repeats))
