"""Operators with weights that are no recurrent layers, and pooling."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from batch_jobs.compress.networks.operators.registry import Attributes, Results, UnsupportedError, operator

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_MAX_POOLS = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}


@operator("MatMul")
def matmul(node: Attributes, one: Tensor, two: Tensor) -> Tensor:  # noqa: ARG001
    """As numpy has it."""
    return torch.matmul(one, two)


@operator("Gemm")
def gemm(node: Attributes, one: Tensor, two: Tensor, bias: Tensor | None = None) -> Tensor:
    """alpha * A B + beta * C."""
    left = one.t() if node.get("transA", 0) else one
    right = two.t() if node.get("transB", 0) else two
    product = left @ right * node.get("alpha", 1.0) if node.get("alpha", 1.0) != 1.0 else left @ right
    return product if bias is None else product + bias * node.get("beta", 1.0)


@operator("Einsum")
def einsum(node: Attributes, *values: Tensor) -> Tensor:
    """By its equation."""
    return torch.einsum(node.get("equation"), *values)


@operator("Conv")
def conv(node: Attributes, values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """In one to three dimensions, in groups too."""
    dims = weight.ndim - 2
    strides, dilations = node.get("strides") or [1] * dims, node.get("dilations") or [1] * dims
    kernel = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilations, strict=True)]
    pads, groups = node.get("pads") or [0] * (2 * dims), node.get("group", 1)
    if node.get("auto_pad", "NOTSET") == "NOTSET" and pads[:dims] == pads[dims:]:
        # Without a copy of the values, which would not lie in memory as convolutions like it.
        return _CONVOLUTIONS[dims](values, weight, bias, strides, pads[:dims], dilations, groups)
    return _CONVOLUTIONS[dims](_pad(node, values, kernel, strides), weight, bias, strides, 0, dilations, groups)


@operator("MaxPool")
def max_pool(node: Attributes, values: Tensor) -> Results:
    """The values alone."""
    node.require("storage_order", 0)
    if node.num_outputs > 1:
        raise UnsupportedError("MaxPool with indices")
    kernel, dims = node.get("kernel_shape"), values.ndim - 2
    strides, dilations = node.get("strides") or [1] * dims, node.get("dilations") or [1] * dims
    reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
    padded = _pad(node, values, reach, strides, value=-math.inf)
    return _MAX_POOLS[dims](padded, kernel, strides, 0, dilations, bool(node.get("ceil_mode", 0)))


@operator("AveragePool")
def average_pool(node: Attributes, values: Tensor) -> Tensor:
    """Padding counts only where it is asked to."""
    node.require("dilations", None, [1] * (values.ndim - 2))
    node.require("ceil_mode", 0)
    kernel, dims = node.get("kernel_shape"), values.ndim - 2
    strides = node.get("strides") or [1] * dims
    pool = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}[dims]
    means = pool(_pad(node, values, kernel, strides), kernel, strides)
    if node.get("count_include_pad", 0):
        return means
    ones = values.new_ones(1, 1, *values.shape[2:])
    return means / pool(_pad(node, ones, kernel, strides), kernel, strides)


@operator("GlobalAveragePool", "GlobalMaxPool")
def global_pool(node: Attributes, values: Tensor) -> Tensor:
    """Over all that is no channel."""
    axes = tuple(range(2, values.ndim))
    return values.mean(axes, keepdim=True) if node.op_type == "GlobalAveragePool" else values.amax(axes, keepdim=True)


def _pad(node: Attributes, values: Tensor, kernel: list[int], strides: list[int], *, value: float = 0.0) -> Tensor:
    """As `pads` or `auto_pad` say."""
    dims = len(kernel)
    pads, mode = node.get("pads") or [0] * (2 * dims), node.get("auto_pad", "NOTSET")
    if mode.startswith("SAME"):
        totals = [
            max((-(-size // step) - 1) * step + reach - size, 0)
            for size, step, reach in zip(values.shape[2:], strides, kernel, strict=True)
        ]
        less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
        pads = [*less, *more] if mode == "SAME_UPPER" else [*more, *less]
    elif mode == "VALID":
        return values
    if not any(pads):
        return values
    turned = [pads[axis + end * dims] for axis in reversed(range(dims)) for end in (0, 1)]
    return functional.pad(values, turned, value=value)


@operator("BatchNormalization")
def batch_normalization(  # noqa: PLR0917  inputs are by position
    node: Attributes, values: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    """By the statistics that it has learned."""
    node.require("training_mode", 0)
    if node.num_outputs > 1:
        raise UnsupportedError("BatchNormalization in training")
    return functional.batch_norm(values, mean, variance, scale, bias, training=False, eps=node.get("epsilon", 1e-5))


@operator("LayerNormalization")
def layer_normalization(node: Attributes, values: Tensor, scale: Tensor, bias: Tensor | None = None) -> Results:
    """Over the axes from one on."""
    node.require("stash_type", 1)
    axes = tuple(range(node.get("axis", -1) % values.ndim, values.ndim))
    mean = values.mean(axes, keepdim=True)
    centred = values - mean
    inverse = torch.rsqrt(centred.square().mean(axes, keepdim=True) + node.get("epsilon", 1e-5))
    normal = centred * inverse * scale
    return (normal if bias is None else normal + bias, mean, inverse)[: node.num_outputs]


@operator("InstanceNormalization")
def instance_normalization(node: Attributes, values: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Each row and channel for itself."""
    return functional.instance_norm(values, weight=scale, bias=bias, eps=node.get("epsilon", 1e-5))
