"""Linear forecaster that predicts what is added to the latest value.

NLinear: Zeng, Chen, Zhang and Xu, "Are Transformers Effective for Time Series Forecasting?" (AAAI 2023).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aimass_core.domain.algorithms.series import NlinearHyperparameters
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.torch.fcn import SeriesScaler
from batch_jobs.algorithms.torch.fitted import FittedNetwork, fit_network, start


class FromLastValue(nn.Module):
    """A network for series that is given differences from the latest values; the target's is added to its answer."""

    def __init__(self, network: nn.Module, problem: Problem) -> None:
        super().__init__()
        assert problem.target_channel is not None and problem.target_scale is not None  # noqa: S101, PT018  a forecast
        self.network = network
        self.channel = problem.target_channel
        self.mean, self.deviation = problem.target_scale.mean, problem.target_scale.deviation

    def forward(self, series: Tensor) -> Tensor:
        """float32 [rows, window, channels] to standardised values [rows, horizon]."""
        last = last_values(series)
        forecast: Tensor = self.network(series - last)
        level = (last[:, :, self.channel] - self.mean) / self.deviation
        return forecast + torch.where(torch.isnan(level), torch.zeros_like(level), level)


def last_values(series: Tensor) -> Tensor:
    """The latest value that is not missing, of each row and channel: [rows, 1, channels], NaN where there is none."""
    places = torch.arange(series.shape[1], device=series.device)[None, :, None]
    latest = torch.where(torch.isnan(series), torch.zeros_like(places), places).amax(dim=1, keepdim=True)
    return torch.gather(series, 1, latest)


class Network(nn.Module):
    """One linear layer from all values of the window, or a perceptron."""

    def __init__(self, problem: Problem, hyperparameters: NlinearHyperparameters, series: NDArray[np.float32]) -> None:
        super().__init__()
        self.channel = None if hyperparameters.all_columns else problem.target_channel
        self.scaler = SeriesScaler(series, by_series=False)
        width = series.shape[1] * (series.shape[2] if self.channel is None else 1)
        layers: list[nn.Module] = []
        for inner in hyperparameters.hidden:
            layers += [nn.Linear(width, inner), nn.ReLU(), nn.Dropout(hyperparameters.dropout)]
            width = inner
        last = nn.Linear(width, problem.num_outputs)
        if not hyperparameters.hidden:
            # To begin with, the forecast is that all stays as it is.
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, series: Tensor) -> Tensor:
        """float32 [rows, window, channels] to standardised values [rows, horizon]."""
        values, _ = self.scaler(series)
        values = values if self.channel is None else values[:, self.channel : self.channel + 1]
        return self.layers(values.flatten(1))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Nlinear:
    """The algorithm `nlinear`."""

    hyperparameters: NlinearHyperparameters

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
        network = FromLastValue(Network(problem, self.hyperparameters, _differences(train.features)), problem)
        return fit_network(network, self.hyperparameters, problem, train, validation, context=context)


def _differences(series: NDArray[Any]) -> NDArray[Any]:
    tensor = torch.from_numpy(series)
    return np.asarray((tensor - last_values(tensor)).numpy())
