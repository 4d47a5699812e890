"""Convolutional networks for series: the FCN and the ResNet of Wang, Yan and Oates 2017.

"Time Series Classification from Scratch with Deep Neural Networks: A Strong Baseline" (IJCNN 2017). Series may differ
in length: what was filled up takes part in no convolution, no batch statistic and no mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor, nn
from torch.nn import functional

from aimass_core.domain.algorithms.series import FcnHyperparameters
from batch_jobs.algorithms.channels import fit_channels
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.torch.fitted import FittedNetwork, fit_network, start
from batch_jobs.algorithms.torch.written import write_convolution, write_layers, write_tensor
from batch_jobs.data.augmentation.building import build_augmentation

_EPSILON = 1e-6


class SeriesScaler(nn.Module):
    """Standardises each channel by the training rows; a missing value becomes the mean.

    With `by_series`, each series is brought to mean 0 and deviation 1 by its own values on top.
    """

    means: Tensor
    inverse_deviations: Tensor

    def __init__(self, series: NDArray[np.float32], *, by_series: bool) -> None:
        super().__init__()
        means, inverse_deviations = fit_channels(series)
        self.register_buffer("means", torch.from_numpy(means))
        self.register_buffer("inverse_deviations", torch.from_numpy(inverse_deviations))
        self.by_series = by_series

    def forward(self, series: Tensor) -> tuple[Tensor, Tensor]:
        """[rows, steps, channels] to [rows, channels, steps], and 1 for each step with a value, [rows, 1, steps]."""
        is_present = ~torch.isnan(series)
        scaled = (series - self.means) * self.inverse_deviations
        scaled = torch.where(is_present, scaled, torch.zeros_like(scaled))
        if self.by_series:
            counts = is_present.float().sum(dim=1, keepdim=True).clamp(min=1.0)
            centred = torch.where(is_present, scaled - scaled.sum(dim=1, keepdim=True) / counts, 0.0)
            deviations = (centred.square().sum(dim=1, keepdim=True) / counts).sqrt()
            scaled = centred / (deviations + _EPSILON)
        mask = is_present.any(dim=2, keepdim=True).float()
        return scaled.transpose(1, 2), mask.transpose(1, 2)

    def write(self, graph: GraphBuilder, series: str) -> str:
        """The first that `forward` answers."""
        zero = graph.constant(0, np.float32)
        is_missing = graph.node("IsNaN", series)
        scaled = graph.node("Sub", series, write_tensor(graph, self.means))
        scaled = graph.node("Mul", scaled, write_tensor(graph, self.inverse_deviations))
        scaled = graph.node("Where", is_missing, zero, scaled)
        if self.by_series:
            steps, epsilon = graph.constant([1], np.int64), graph.constant(_EPSILON, np.float32)
            is_present = graph.node("Cast", graph.node("Not", is_missing), to=TensorProto.FLOAT)
            counts = graph.node("ReduceSum", is_present, steps)
            counts = graph.node("Max", counts, graph.constant(1, np.float32))
            mean = graph.node("Div", graph.node("ReduceSum", scaled, steps), counts)
            centred = graph.node("Where", is_missing, zero, graph.node("Sub", scaled, mean))
            squares = graph.node("ReduceSum", graph.node("Mul", centred, centred), steps)
            deviations = graph.node("Sqrt", graph.node("Div", squares, counts))
            scaled = graph.node("Div", centred, graph.node("Add", deviations, epsilon))
        return graph.node("Transpose", scaled, perm=[0, 2, 1])

    @staticmethod
    def write_mask(graph: GraphBuilder, series: str) -> str:
        """The second that `forward` answers."""
        is_present = graph.node("Cast", graph.node("Not", graph.node("IsNaN", series)), to=TensorProto.FLOAT)
        mask = graph.node("ReduceMax", is_present, graph.constant([2], np.int64))
        return graph.node("Transpose", mask, perm=[0, 2, 1])


class _MaskedNorm(nn.BatchNorm1d):
    """Batch normalisation by the steps that exist."""

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None or not self.training:
            return super().forward(values)
        is_step = mask[:, 0] > 0
        steps_last = values.transpose(1, 2)
        normalised = torch.zeros_like(steps_last)
        normalised[is_step] = super().forward(steps_last[is_step])
        return normalised.transpose(1, 2)


class _Convolution(nn.Module):
    """Convolution of the same length, and batch normalisation."""

    def __init__(self, num_inputs: int, num_outputs: int, kernel: int) -> None:
        super().__init__()
        self.padding = ((kernel - 1) // 2, kernel // 2)
        self.convolution = nn.Conv1d(num_inputs, num_outputs, kernel, bias=False)
        self.norm = _MaskedNorm(num_outputs)

    def forward(self, values: Tensor, mask: Tensor | None) -> Tensor:
        return self.norm(self.convolution(functional.pad(values, self.padding)), mask)  # type: ignore[no-any-return]

    def write(self, graph: GraphBuilder, values: str) -> str:
        """What `forward` answers where nothing is trained."""
        return write_convolution(graph, values, self.convolution, self.norm, pads=self.padding)


class _Block(nn.Module):
    """Convolutions with ReLU, and around them a shortcut where it is a residual block."""

    def __init__(self, widths: Sequence[int], kernels: Sequence[int], *, is_residual: bool) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            _Convolution(inner, outer, kernel) for (inner, outer), kernel in zip(pairwise(widths), kernels, strict=True)
        )
        self.shortcut = _Convolution(widths[0], widths[-1], 1) if is_residual else None

    def forward(self, values: Tensor, mask: Tensor, mask_if_padded: Tensor | None) -> Tensor:
        output = values
        for position, convolution in enumerate(self.convolutions):
            output = convolution(output, mask_if_padded)
            if self.shortcut is not None and position == len(self.convolutions) - 1:
                output = output + self.shortcut(values, mask_if_padded)
            output = torch.relu(output) * mask
        return output

    def write(self, graph: GraphBuilder, values: str, mask: str) -> str:
        """What `forward` answers where nothing is trained."""
        output = values
        for position, convolution in enumerate(self.convolutions):
            assert isinstance(convolution, _Convolution)  # noqa: S101  nn.ModuleList forgets the type
            output = convolution.write(graph, output)
            if self.shortcut is not None and position == len(self.convolutions) - 1:
                output = graph.node("Add", output, self.shortcut.write(graph, values))
            output = graph.node("Mul", graph.node("Relu", output), mask)
        return output


class Network(nn.Module):
    """Blocks of convolutions, the mean over time, and one linear layer."""

    def __init__(self, problem: Problem, hyperparameters: FcnHyperparameters, series: NDArray[np.float32]) -> None:
        super().__init__()
        self.scaler = SeriesScaler(series, by_series=hyperparameters.normalise_series)
        kernels, widths, width = hyperparameters.kernels, hyperparameters.resolve_channels(), problem.num_numeric
        blocks = []
        if hyperparameters.residual:
            for outer in widths:
                blocks.append(_Block([width, *[outer] * len(kernels)], kernels, is_residual=True))
                width = outer
        else:
            blocks.append(_Block([width, *widths], kernels, is_residual=False))
            width = widths[-1]
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(width, problem.num_outputs)

    def forward(self, series: Tensor) -> Tensor:
        """float32 [rows, steps, channels] to logits, or to standardised values [rows, 1]."""
        values, mask = self.scaler(series)
        mask_if_padded = mask if self.training and not bool(mask.all()) else None
        for block in self.blocks:
            values = block(values, mask, mask_if_padded)
        means = values.sum(dim=2) / mask.sum(dim=2).clamp(min=1.0)
        return self.head(means)  # type: ignore[no-any-return]

    def write(self, graph: GraphBuilder, features: str) -> str:
        """See `Written`."""
        values, mask = self.scaler.write(graph, features), self.scaler.write_mask(graph, features)
        for block in self.blocks:
            assert isinstance(block, _Block)  # noqa: S101  nn.ModuleList forgets the type
            values = block.write(graph, values, mask)
        steps = graph.constant([2], np.int64)
        counts = graph.node("Max", graph.node("ReduceSum", mask, steps, keepdims=0), graph.constant(1, np.float32))
        means = graph.node("Div", graph.node("ReduceSum", values, steps, keepdims=0), counts)
        return write_layers(graph, means, [self.head])


@dataclass(frozen=True, slots=True)
class Fcn:
    """The algorithm `fcn`."""

    hyperparameters: FcnHyperparameters

    def fit(
        self,
        problem: Problem,
        train: Examples,
        validation: Examples | None,
        *,
        context: FitContext,
    ) -> FittedNetwork:
        """See `Learner.fit`; a step is an epoch."""
        start(problem)
        network = Network(problem, self.hyperparameters, train.features)
        augmentation = build_augmentation(self.hyperparameters, problem, train.features)
        return fit_network(
            network,
            self.hyperparameters,
            problem,
            train,
            validation,
            context=context,
            augment=augmentation.augment,
            mix=augmentation.mix,
            has_variable_length=True,
        )
