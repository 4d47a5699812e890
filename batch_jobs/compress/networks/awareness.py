"""Quantization-aware finetuning: the network is trained as its quantized layers will compute (Jacob et al. 2018,
arXiv:1712.05877).

Values and weights are rounded as the quantized graph rounds them; gradients pass a rounding as if it were none, but not
where it cuts off (the straight-through estimator). Ranges of activations stay those that were calibrated; those of
weights follow the weights. Biases are rounded so little that nothing has to know.
"""

from collections.abc import Iterator
from functools import partial

import onnx
import torch
from onnx import helper
from torch import Tensor
from torch.nn import functional

from batch_jobs.compress import integers, weights
from batch_jobs.compress.contract import Ground
from batch_jobs.compress.networks.module import Rounding
from batch_jobs.compress.networks.training import finetune

_LARGEST = 127
_TINY = 1e-12


def tune_layers(model: onnx.ModelProto, quantized: onnx.ModelProto, ground: Ground) -> onnx.ModelProto:
    """The float model with weights that answer better once its layers are in int8, if there are any: see `finetune`.

    Args:
        model: Named by `find_heavy`.
        quantized: What `quantize_static` has made of it.
        ground: Whose rows of training it learns.
    """
    return finetune(model, ground, roundings=find_roundings(model, quantized))


def tune_weights(model: onnx.ModelProto, num_bits: int, ground: Ground) -> onnx.ModelProto:
    """The same for `weights.store`."""
    rounding = partial(round_groups, num_bits=num_bits)
    return finetune(model, ground, roundings={weight.name: rounding for weight in weights.find_weights(model)})


def find_roundings(model: onnx.ModelProto, quantized: onnx.ModelProto) -> dict[str, Rounding]:
    """Of the float model's values and weights, by name."""
    roundings: dict[str, Rounding] = {
        name: partial(_round_values, scale=float(each.scale), zero_point=int(each.zero_point))
        for name, each in integers.read_ranges(quantized).items()
    }
    return roundings | {name: partial(round_channels, axis=axis) for name, axis in _find_axes(model, quantized)}


def _find_axes(model: onnx.ModelProto, quantized: onnx.ModelProto) -> Iterator[tuple[str, int]]:
    """Weights, and along which axis each channel has a scale of its own."""
    makers = {name: node for node in quantized.graph.node for name in node.output}
    layers = {node.name: node for node in quantized.graph.node}
    for node in integers.find_heavy(model):
        maker = makers.get(layers[node.name].input[1])
        if maker is not None:
            yield node.input[1], helper.get_node_attr_value(maker, "axis")


def _round_values(values: Tensor, *, scale: float, zero_point: int) -> Tensor:
    return torch.fake_quantize_per_tensor_affine(values, scale, zero_point, 0, 255)


def round_channels(values: Tensor, *, axis: int, largest: int = _LARGEST) -> Tensor:
    """To integers from -largest to largest, by a scale of each channel's own."""
    axis %= values.ndim
    scales = values.detach().abs().amax([place for place in range(values.ndim) if place != axis])
    scales = scales.clamp(min=_TINY) / largest
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(values, scales, zeros, axis, -largest, largest)


def round_groups(values: Tensor, *, num_bits: int) -> Tensor:
    """As `weights.store` does: neighbours share a scale."""
    size = weights.GROUP[num_bits]
    groups = functional.pad(values.reshape(-1), (0, -values.numel() % size)).reshape(-1, size)
    rounded = round_channels(groups, axis=0, largest=2 ** (num_bits - 1) - 1)
    return rounded.reshape(-1)[: values.numel()].reshape(values.shape)
