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
from batch_jobs.algorithms.export import series as graphs
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.torch.fcn import SeriesScaler
from batch_jobs.algorithms.torch.fitted import FittedNetwork, fit_network, start
from batch_jobs.algorithms.torch.written import Written, write_layers
from batch_jobs.data.augmentation.building import build_augmentation


class FromLastValue(nn.Module):
    """A network for series that is given differences from the latest values; the target's is added to its answer."""

    def __init__(self, network: nn.Module, problem: Problem) -> None:
        super().__init__()
        assert problem.target_channel is not None and problem.target_scale is not None  # noqa: S101, PT018  a forecast
        self.network = network
        self.channel = problem.target_channel
        self.scale = problem.target_scale

    def forward(self, series: Tensor) -> Tensor:
        """float32 [rows, window, channels] to standardised values [rows, horizon]."""
        last = last_values(series)
        forecast: Tensor = self.network(series - last)
        level = (last[:, :, self.channel] - self.scale.mean) / self.scale.deviation
        return forecast + torch.where(torch.isnan(level), torch.zeros_like(level), level)

    def write(self, graph: GraphBuilder, features: str) -> str:
        """See `Written`."""
        assert isinstance(self.network, Written)  # noqa: S101  as all of ours are
        last = graphs.last_values(graph, features)
        forecast = self.network.write(graph, graph.node("Sub", features, last))
        return graph.node("Add", forecast, graphs.find_level(graph, last, channel=self.channel, scale=self.scale))


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

    def write(self, graph: GraphBuilder, features: str) -> str:
        """See `Written`."""
        values = self.scaler.write(graph, features)
        if self.channel is not None:
            values = graph.node("Gather", values, graph.constant(self.channel, np.int64), axis=1)
        return write_layers(graph, graph.node("Flatten", values, axis=1), self.layers)


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
        )


def _differences(series: NDArray[Any]) -> NDArray[Any]:
    tensor = torch.from_numpy(series)
    return np.asarray((tensor - last_values(tensor)).numpy())
