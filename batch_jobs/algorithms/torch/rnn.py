"""Recurrent network for texts, series and forecasts."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aimass_core.domain.algorithms.recurrent import RnnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.export.recurrent import Weights, write_recurrent
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.torch.fitted import FittedNetwork, fit_network, start
from batch_jobs.algorithms.torch.nlinear import FromLastValue, last_values
from batch_jobs.algorithms.torch.sequences import Pool, RecurrentLayer, build_front, read_linear
from batch_jobs.data.augmentation.building import build_augmentation


class Network(nn.Module):
    """Vectors of the steps, recurrent layers over them, one pooled vector, a linear layer."""

    def __init__(self, problem: Problem, hyperparameters: RnnHyperparameters, features: NDArray[np.generic]) -> None:
        super().__init__()
        self.chosen = chosen = hyperparameters
        directions = 2 if chosen.bidirectional and chosen.layers else 1
        self.front = build_front(problem, features, chosen.embedding)
        width = chosen.embedding
        self.layers = nn.ModuleList()
        for _ in range(chosen.layers):
            self.layers.append(RecurrentLayer(chosen.cell, width, chosen.hidden, bidirectional=chosen.bidirectional))
            width = directions * chosen.hidden
        self.dropout = nn.Dropout(chosen.dropout)
        self.pool = Pool(chosen.pooling, width, directions=directions)
        self.answer = nn.Linear(width, problem.num_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Logits, or standardised values [rows, 1]."""
        vectors, lengths = self.front(features)
        # What is padding in every row of the batch need not be computed.
        vectors = vectors[:, : max(int(lengths.max()), 1)]
        states = self.dropout(vectors)
        for layer in self.layers:
            states = self.dropout(layer(states, lengths))
        return self.answer(self.pool(states, lengths))  # type: ignore[no-any-return]

    def write(self, graph: GraphBuilder, features: str) -> str:
        """See `Written`."""
        keys, scores = self.pool.read() or (None, None)
        weights = Weights(
            **self.front.read(),
            layers=[cast("RecurrentLayer", layer).read() for layer in self.layers],
            keys=keys,
            scores=scores,
            answer=read_linear(self.answer),
        )
        return write_recurrent(graph, features, weights, self.chosen)


def _build(problem: Problem, hyperparameters: RnnHyperparameters, features: NDArray[np.generic]) -> nn.Module:
    """A forecast is read as differences from the latest values, and the target's is added to the answer."""
    if problem.task is not Task.FORECASTING:
        return Network(problem, hyperparameters, features)
    differences = features - last_values(torch.from_numpy(features)).numpy()
    return FromLastValue(Network(problem, hyperparameters, differences), problem)


@dataclass(frozen=True, slots=True)
class Rnn:
    """The algorithm `rnn`."""

    hyperparameters: RnnHyperparameters

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
        network = _build(problem, self.hyperparameters, train.features)
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
