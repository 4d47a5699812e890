"""Sequences of different lengths in one batch: padding never changes an answer.

Padding stands at the end, so that whatever reads forward has read a sequence before it meets the padding; what reads
backward is given each sequence turned around within its own length.
"""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.recurrent import Cell, Pooling
from batch_jobs.algorithms.channels import fit_channels
from batch_jobs.algorithms.export.recurrent import Direction, Linear
from batch_jobs.algorithms.learning import Problem

_LSTM_GATES, _GRU_GATES = (0, 3, 1, 2), (1, 0, 2)
"""Torch has input, forget, candidate, output, and reset, update, candidate; ONNX input, output, forget, candidate, and
update, reset, candidate."""


class WordFront(nn.Module):
    """Token ids [rows, length] to vectors [rows, length, width]; 0 is padding."""

    def __init__(self, num_ids: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_ids, width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.1)
        with torch.no_grad():
            self.embedding.weight[0] = 0.0

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors, and the length of each row [rows, 1]."""
        return self.embedding(ids), (ids != 0).sum(dim=1, keepdim=True)

    def read(self) -> dict[str, Any]:
        """What it has learned, as of `Weights`."""
        return {"words": _read(self.embedding.weight)}


class SeriesFront(nn.Module):
    """Values [rows, length, channels] to vectors [rows, length, width]; steps of NaN at the end are padding.

    Channels are standardised; a missing value counts as the mean.
    """

    means: Tensor
    inverse_deviations: Tensor

    def __init__(self, series: NDArray[np.float32], width: int) -> None:
        super().__init__()
        means, inverse_deviations = fit_channels(series)
        self.register_buffer("means", torch.from_numpy(means))
        self.register_buffer("inverse_deviations", torch.from_numpy(inverse_deviations))
        self.linear = nn.Linear(series.shape[2], width)

    def forward(self, series: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors, and the length of each row [rows, 1]."""
        is_missing = torch.isnan(series)
        scaled = (torch.where(is_missing, self.means, series) - self.means) * self.inverse_deviations
        steps = torch.arange(1, series.shape[1] + 1, device=series.device)
        is_step = ~is_missing.all(dim=2)
        return self.linear(scaled), (is_step * steps).amax(dim=1, keepdim=True)

    def read(self) -> dict[str, Any]:
        """What it has learned, as of `Weights`."""
        means, inverse_deviations = _read(self.means), _read(self.inverse_deviations)
        return {"means": means, "inverse_deviations": inverse_deviations, "front": read_linear(self.linear)}


def build_front(problem: Problem, features: NDArray[np.generic], width: int) -> WordFront | SeriesFront:
    """The front for what the problem's features are."""
    if problem.kind is DataKind.TEXT:
        return WordFront(problem.cardinalities[0], width)
    return SeriesFront(cast("NDArray[np.float32]", features), width)


class RecurrentLayer(nn.Module):
    """One layer in one direction or both: [rows, length, width] to [rows, length, directions * hidden]."""

    def __init__(self, cell: Cell, width: int, hidden: int, *, bidirectional: bool) -> None:
        super().__init__()
        build = nn.LSTM if cell is Cell.LSTM else nn.GRU
        self.forth = build(width, hidden, batch_first=True)
        self.back = build(width, hidden, batch_first=True) if bidirectional else None

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """States beyond a row's length are of no meaning."""
        states: Tensor = self.forth(vectors)[0]
        if self.back is None:
            return states
        turned: Tensor = self.back(turn(vectors, lengths))[0]
        return torch.cat([states, turn(turned, lengths)], dim=2)

    def read(self) -> list[Direction]:
        """What it has learned."""
        return [_read_direction(each) for each in (self.forth, self.back) if each is not None]


def turn(vectors: Tensor, lengths: Tensor) -> Tensor:
    """Every row from its end to its beginning; the padding stays where it is."""
    steps = torch.arange(vectors.shape[1], device=vectors.device).unsqueeze(0)
    order = torch.where(steps < lengths, lengths - 1 - steps, steps)
    # By whole vectors: `gather` looks up every value of its own, and takes three times as long.
    return vectors[torch.arange(vectors.shape[0], device=vectors.device).unsqueeze(1), order]


class Pool(nn.Module):
    """States [rows, length, width] to one vector [rows, width]; zeros for a sequence of no length."""

    def __init__(self, pooling: Pooling, width: int, *, directions: int) -> None:
        super().__init__()
        self.pooling = pooling
        self.directions = directions
        self.attention = (
            nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1, bias=False))
            if pooling is Pooling.ATTENTION
            else None
        )

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Padding has no weight at all."""
        steps = torch.arange(states.shape[1], device=states.device).unsqueeze(0)
        return (states * self._weigh(states, steps, lengths)).sum(dim=1)

    def read(self) -> tuple[Linear, Linear] | None:
        """What attention has learned."""
        if self.attention is None:
            return None
        keys, _, scores = self.attention
        assert isinstance(keys, nn.Linear) and isinstance(scores, nn.Linear)  # noqa: S101, PT018  forgotten types
        return read_linear(keys), read_linear(scores)

    def _weigh(self, states: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
        is_step = (steps < lengths).unsqueeze(2)
        if self.attention is not None:
            scores = self.attention(states).masked_fill(~is_step, -1e9)
            return torch.softmax(scores, dim=1) * is_step
        if self.pooling is Pooling.MEAN:
            return is_step / lengths.clamp(min=1).unsqueeze(2)
        is_last = (steps == lengths - 1).unsqueeze(2)
        if self.directions == 1:
            return is_last.to(states.dtype)
        # The state of the second half that has read all is the one at the beginning.
        is_first = (steps == 0).unsqueeze(2) & is_step
        half = states.shape[2] // 2
        return torch.cat([is_last.expand(-1, -1, half), is_first.expand(-1, -1, half)], dim=2).to(states.dtype)


def read_linear(layer: nn.Linear) -> Linear:
    """What it has learned."""
    return Linear(_read(layer.weight).T, None if layer.bias is None else _read(layer.bias))


def _read_direction(layer: nn.LSTM | nn.GRU) -> Direction:
    order = _LSTM_GATES if isinstance(layer, nn.LSTM) else _GRU_GATES

    def arrange(rows: Tensor) -> NDArray[np.float32]:
        gates = np.split(_read(rows), len(order))
        return np.concatenate([gates[gate] for gate in order])

    kernel, recurrent, *biases = (arrange(weight) for weight in layer.parameters())
    return Direction(kernel, recurrent, np.concatenate(biases))


def _read(tensor: Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().numpy(), np.float32)
