"""Convolutional networks for series: the FCN and the ResNet of Wang, Yan and Oates 2017.

"Time Series Classification from Scratch with Deep Neural Networks: A Strong Baseline" (IJCNN 2017). Series may differ
in length: what was filled up takes part in no convolution, no batch statistic and no mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from aimass_core.domain.algorithms.series import FcnHyperparameters
from batch_jobs.algorithms.channels import fit_channels
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.torch.fitted import FittedNetwork, fit_network, start

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


def example_of(series: NDArray[Any]) -> NDArray[Any]:
    """Two rows for tracing, with at least two steps: an exporter takes a size of one for a constant."""
    rows = series[:2]
    return np.concatenate([rows, np.full_like(rows[:, :1], np.nan)], axis=1)


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
        return fit_network(
            network,
            self.hyperparameters,
            problem,
            train,
            validation,
            context=context,
            example=example_of(train.features),
            has_variable_length=True,
        )
