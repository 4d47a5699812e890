"""Multilayer perceptron for tables: piecewise-linear encoding of quantities, embeddings of categories.

The encoding is that of `quantities`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor, nn

from aimass_core.domain.algorithms.networks import MlpHyperparameters
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.quantities import CLIP, embedding_width, fit_scaling
from batch_jobs.algorithms.torch.fitted import FittedNetwork, fit_network, start
from batch_jobs.algorithms.torch.written import write_layers
from batch_jobs.data.augmentation.building import build_augmentation
from batch_jobs.data.maps import blocks


class Quantities(nn.Module):
    """Standardised, clipped and binned numbers, and an indicator of what is missing (which is encoded as zeros)."""

    left: Tensor
    inverse_widths: Tensor
    means: Tensor
    inverse_deviations: Tensor

    def __init__(self, numeric: NDArray[np.float32]) -> None:
        super().__init__()
        scaling = fit_scaling(numeric)
        for name, value in (
            ("left", scaling.left),
            ("inverse_widths", scaling.inverse_widths),
            ("means", scaling.means),
            ("inverse_deviations", scaling.inverse_deviations),
        ):
            self.register_buffer(name, torch.from_numpy(value))
        self.num_outputs = scaling.num_outputs

    def forward(self, numeric: Tensor) -> Tensor:
        """[rows, columns] to [rows, num_outputs]."""
        is_missing = torch.isnan(numeric)
        filled = torch.where(is_missing, self.means, numeric)
        scaled = ((filled - self.means) * self.inverse_deviations).clamp(-CLIP, CLIP)
        bins = ((filled.unsqueeze(2) - self.left) * self.inverse_widths).clamp(0.0, 1.0)
        bins = torch.where(is_missing.unsqueeze(2), torch.zeros_like(bins), bins)
        return torch.cat([scaled, is_missing.float(), bins.flatten(1)], dim=1)

    def write(self, graph: GraphBuilder, numeric: str) -> str:
        """See `Written`."""
        means, left = (graph.constant(value.numpy(), np.float32) for value in (self.means, self.left))
        inverse_deviations, inverse_widths = (
            graph.constant(value.numpy(), np.float32) for value in (self.inverse_deviations, self.inverse_widths)
        )
        zero, one = (graph.constant(value, np.float32) for value in (0.0, 1.0))
        low, high, axis = (
            graph.constant(-CLIP, np.float32),
            graph.constant(CLIP, np.float32),
            graph.constant([2], np.int64),
        )
        is_missing = graph.node("IsNaN", numeric)
        filled = graph.node("Where", is_missing, means, numeric)
        scaled = graph.node("Mul", graph.node("Sub", filled, means), inverse_deviations)
        bins = graph.node("Sub", graph.node("Unsqueeze", filled, axis), left)
        bins = graph.node("Clip", graph.node("Mul", bins, inverse_widths), zero, one)
        bins = graph.node("Where", graph.node("Unsqueeze", is_missing, axis), zero, bins)
        return graph.node(
            "Concat",
            graph.node("Clip", scaled, low, high),
            graph.node("Cast", is_missing, to=TensorProto.FLOAT),
            graph.node("Flatten", bins, axis=1),
            axis=1,
        )


class Network(nn.Module):
    """Takes the feature matrix: quantities first, then one code for each category."""

    def __init__(self, problem: Problem, hyperparameters: MlpHyperparameters, features: NDArray[np.float32]) -> None:
        super().__init__()
        self.num_numeric = problem.num_numeric
        self.quantities = Quantities(features[:, : self.num_numeric]) if self.num_numeric else None
        sizes = [embedding_width(size) for size in problem.cardinalities]
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

    def write(self, graph: GraphBuilder, features: str) -> str:
        """See `Written`."""
        parts = []
        if self.quantities is not None:
            begin, end, axis = (graph.constant([value], np.int64) for value in (0, self.num_numeric, 1))
            parts.append(self.quantities.write(graph, graph.node("Slice", features, begin, end, axis)))
        for index, embedding in enumerate(self.embeddings):
            column = graph.node("Gather", features, graph.constant(self.num_numeric + index, np.int64), axis=1)
            codes = graph.node("Cast", column, to=TensorProto.INT64)
            (weight,) = embedding.parameters()
            parts.append(graph.node("Gather", graph.constant(weight.numpy(), np.float32), codes))
        values = graph.node("Concat", *parts, axis=1)
        return write_layers(graph, values, self.layers)

    @torch.no_grad()
    def settle_unknowns(self, features: NDArray[np.float32]) -> None:
        """An unknown category that training never saw gets the mean of the known ones, weighted by frequency."""
        for embedding, found in zip(self.embeddings, self._count_codes(features), strict=True):
            assert isinstance(embedding, nn.Embedding)  # noqa: S101  nn.ModuleList forgets the type
            counts = torch.from_numpy(found).float()
            if counts[0] == 0:
                embedding.weight[0] = (counts[:, None] * embedding.weight).sum(0) / counts.sum()

    def _count_codes(self, features: NDArray[np.float32]) -> list[NDArray[np.int64]]:
        """Of each category, the rows of each code."""
        sizes = [len(next(embedding.parameters())) for embedding in self.embeddings]
        counts = [np.zeros(size, dtype=np.int64) for size in sizes]
        for block in blocks(features) if sizes else ():
            for index, size in enumerate(sizes):
                counts[index] += np.bincount(block[:, self.num_numeric + index].astype(np.int64), minlength=size)
        return counts


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
        network = Network(problem, self.hyperparameters, train.known)
        augmentation = build_augmentation(self.hyperparameters, problem, train.known)
        fitted = fit_network(
            network,
            self.hyperparameters,
            problem,
            train,
            validation,
            context=context,
            augment=augmentation.augment,
            mix=augmentation.mix,
        )
        network.settle_unknowns(train.features)
        return fitted
