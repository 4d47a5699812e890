"""Networks that write their own graph: torch's exporter takes seconds, also for what is a few products."""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn

from batch_jobs.algorithms.export.builder import GraphBuilder


@runtime_checkable
class Written(Protocol):
    """A network that writes its own graph."""

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Adds what `forward` computes where nothing is trained, and answers its value."""


def write_tensor(graph: GraphBuilder, tensor: Tensor) -> str:
    """A float32 initializer."""
    return graph.constant(tensor.detach().numpy(), np.float32)


def write_layers(graph: GraphBuilder, values: str, layers: Iterable[nn.Module]) -> str:
    """Linear layers with ReLU; what is dropped out is dropped in training alone."""
    for layer in layers:
        if isinstance(layer, nn.Linear):
            weights = (write_tensor(graph, weight) for weight in (layer.weight, layer.bias))
            values = graph.node("Gemm", values, *weights, transB=1)
        elif isinstance(layer, nn.ReLU):
            values = graph.node("Relu", values)
    return values


def write_convolution(
    graph: GraphBuilder,
    values: str,
    convolution: nn.Conv1d | nn.Conv2d,
    norm: nn.BatchNorm1d | nn.BatchNorm2d,
    *,
    pads: Sequence[int],
) -> str:
    """A convolution without a bias, with the batch normalisation that follows it in its weights."""
    assert norm.running_mean is not None and norm.running_var is not None  # noqa: S101, PT018  it has learned
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    scale = norm.weight.double() / (variance + norm.eps).sqrt()
    weight = convolution.weight.double() * scale.reshape(-1, *[1] * (convolution.weight.ndim - 1))
    bias = norm.bias.double() - mean * scale
    weights = (write_tensor(graph, each) for each in (weight, bias))
    return graph.node("Conv", values, *weights, kernel_shape=list(convolution.kernel_size), pads=list(pads))
