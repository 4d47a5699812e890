"""Multilayer perceptron for tables: piecewise-linear encoding of quantities, embeddings of categories.

The encoding is that of Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep
Learning" (NeurIPS 2022), with quantile bins: it makes a network follow steps and plateaus nearly as trees do.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aimass_core.domain.algorithms.networks import MlpHyperparameters
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.torch.batches import to_batches
from batch_jobs.algorithms.torch.fitted import Answer, FittedNetwork, start
from batch_jobs.algorithms.torch.loop import train_network

_MAX_BINS = 32
_MAX_ENCODED = 2048
_CLIP = 5.0


class Quantities(nn.Module):
    """Standardised, clipped and binned numbers, and an indicator of what is missing (which is encoded as zeros)."""

    left: Tensor
    inverse_widths: Tensor
    means: Tensor
    inverse_deviations: Tensor

    def __init__(self, numeric: NDArray[np.float32]) -> None:
        super().__init__()
        left, inverse_widths = _bins(numeric)
        filled = np.where(np.isnan(numeric), np.nan, numeric.astype(np.float64))
        means = np.array([_or_zero(np.mean, column[~np.isnan(column)]) for column in filled.T])
        deviations = np.array([_or_zero(np.std, column[~np.isnan(column)]) for column in filled.T])
        scales = np.divide(1.0, deviations, out=np.ones_like(deviations), where=deviations > 0)
        for name, value in (
            ("left", left),
            ("inverse_widths", inverse_widths),
            ("means", means),
            ("inverse_deviations", scales),
        ):
            self.register_buffer(name, torch.from_numpy(value.astype(np.float32)))
        self.num_outputs = numeric.shape[1] * (2 + left.shape[1])

    def forward(self, numeric: Tensor) -> Tensor:
        """[rows, columns] to [rows, num_outputs]."""
        is_missing = torch.isnan(numeric)
        filled = torch.where(is_missing, self.means, numeric)
        scaled = ((filled - self.means) * self.inverse_deviations).clamp(-_CLIP, _CLIP)
        bins = ((filled.unsqueeze(2) - self.left) * self.inverse_widths).clamp(0.0, 1.0)
        bins = torch.where(is_missing.unsqueeze(2), torch.zeros_like(bins), bins)
        return torch.cat([scaled, is_missing.float(), bins.flatten(1)], dim=1)


def _or_zero(statistic: Any, values: NDArray[Any]) -> float:
    return float(statistic(values)) if len(values) else 0.0


def _bins(numeric: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Left edges and inverse widths of quantile bins, [columns, bins]; bins that do not exist have width infinity."""
    num_columns = numeric.shape[1]
    num_bins = min(_MAX_BINS, _MAX_ENCODED // max(num_columns, 1))
    left, inverse = np.zeros((num_columns, num_bins)), np.zeros((num_columns, num_bins))
    for index, column in enumerate(numeric.T):
        present = column[~np.isnan(column)].astype(np.float64)
        if not len(present) or not num_bins:
            continue
        edges = np.unique(np.quantile(present, np.linspace(0, 1, num_bins + 1)))
        for position, (low, high) in enumerate(pairwise(edges)):
            left[index, position], inverse[index, position] = low, 1.0 / max(high - low, 1e-30)
    return left, inverse


class Network(nn.Module):
    """Takes the feature matrix: quantities first, then one code for each category."""

    def __init__(self, problem: Problem, hyperparameters: MlpHyperparameters, features: NDArray[np.float32]) -> None:
        super().__init__()
        self.num_numeric = problem.num_numeric
        self.quantities = Quantities(features[:, : self.num_numeric]) if self.num_numeric else None
        sizes = [min(16, 2 + round(size**0.5)) for size in problem.cardinalities]
        self.embeddings = nn.ModuleList(
            nn.Embedding(size, width) for size, width in zip(problem.cardinalities, sizes, strict=True)
        )
        width = sum(sizes) + (self.quantities.num_outputs if self.quantities else 0)
        layers: list[nn.Module] = []
        for inner in hyperparameters.hidden:
            layers += [nn.Linear(width, inner), nn.ReLU(), nn.Dropout(hyperparameters.dropout)]
            width = inner
        self.layers = nn.Sequential(*layers, nn.Linear(width, problem.num_outputs))

    def forward(self, features: Tensor) -> Tensor:
        """Logits, or standardised values [rows, 1]."""
        parts = [self.quantities(features[:, : self.num_numeric])] if self.quantities is not None else []
        for index, embedding in enumerate(self.embeddings):
            parts.append(embedding(features[:, self.num_numeric + index].long()))
        return self.layers(torch.cat(parts, dim=1))  # type: ignore[no-any-return]

    @torch.no_grad()
    def settle_unknowns(self, features: NDArray[np.float32]) -> None:
        """An unknown category that training never saw gets the mean of the known ones, weighted by frequency."""
        for index, embedding in enumerate(self.embeddings):
            assert isinstance(embedding, nn.Embedding)  # noqa: S101  nn.ModuleList forgets the type
            codes = features[:, self.num_numeric + index].astype(np.int64)
            counts = torch.from_numpy(np.bincount(codes, minlength=embedding.num_embeddings)).float()
            if counts[0] == 0:
                embedding.weight[0] = (counts[:, None] * embedding.weight).sum(0) / counts.sum()


@dataclass(frozen=True, slots=True)
class Mlp:
    """The algorithm `mlp`."""

    hyperparameters: MlpHyperparameters

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
        epochs = train_network(
            network,
            self.hyperparameters,
            problem,
            to_batches(train),
            None if validation is None else to_batches(validation),
            context=context,
        )
        network.settle_unknowns(train.features)
        answer = Answer(network, problem)
        return FittedNetwork(answer=answer, num_steps=epochs, example=train.features[:2])
