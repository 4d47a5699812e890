"""A gate network that is learned together with small experts: Jacobs, Jordan, Nowlan and Hinton, "Adaptive Mixtures of
Local Experts" (1991).

The experts that the gate is learned with are small networks, for the gate's sake: each row makes those better that
answer it well already, and the gate learns to give it to them. A term for balance (Shazeer et al. 2017) keeps one of
them from taking all rows.
"""

import time
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from scipy.special import softmax
from torch import Tensor, nn
from torch.nn import functional

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target, fit_scale
from batch_jobs.decompose.vectors import Vectors

Floats = NDArray[np.float32]
_GATE_HIDDEN, _EXPERT_HIDDEN = 16, 32
_MAX_EPOCHS, _BATCH = 40, 256
_MAX_STEPS = 4000
_RATE, _DECAY, _BALANCE = 5e-3, 1e-4, 0.1
_SHARE_OF_TIME = 0.2
# Of standardised values: the variance that is left to an expert for its rows.
_NOISE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class GateNetwork:
    """One hidden layer, and the experts' shares; satisfies `Fitted`. Weights are [inputs, outputs]."""

    vectors: Vectors
    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    num_steps: int

    def predict(self, features: Array) -> Floats:
        """See Fitted."""
        hidden = np.maximum(self.vectors.transform(features) @ self.first + self.first_bias, 0)
        return np.asarray(softmax(hidden @ self.second + self.second_bias, axis=1), dtype=np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """See Fitted."""
        graph = GraphBuilder("gate")
        width = len(self.vectors.means) + len(self.vectors.codes)
        values = self.vectors.write(graph, graph.input(FEATURES, TensorProto.FLOAT, ["rows", width]))
        hidden = graph.node(
            "Relu",
            graph.node(
                "Gemm", values, graph.constant(self.first, np.float32), graph.constant(self.first_bias, np.float32)
            ),
        )
        answer = graph.node(
            "Gemm", hidden, graph.constant(self.second, np.float32), graph.constant(self.second_bias, np.float32)
        )
        shares = graph.node("Softmax", answer, axis=1)
        graph.output(shares, SCORES, TensorProto.FLOAT, ["rows", len(self.second_bias)])
        return graph.build()


def fit_mixture(
    vectors: Vectors,
    features: Array,
    truth: Array,
    target: Target,
    *,
    num_experts: int,
    seed: int,
    deadline: float | None,
) -> GateNetwork:
    """Of training rows, until a fifth of the time to the deadline is over at the latest."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.from_numpy(vectors.transform(features))
    answers = _to_answers(truth, target)
    networks = _Networks(vectors.width, target, num_experts=num_experts, generator=generator)
    optimizer = torch.optim.AdamW(networks.parameters(), lr=_RATE, weight_decay=_DECAY, foreach=False)
    # Networks as small as these are slower on several threads.
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    now = time.monotonic()
    end = None if deadline is None else now + _SHARE_OF_TIME * (deadline - now)
    num_steps = 0
    for _ in range(_MAX_EPOCHS):
        order = torch.randperm(len(inputs), generator=generator)
        for start in range(0, len(order), _BATCH):
            index = order[start : start + _BATCH]
            optimizer.zero_grad()
            torch.autograd.backward(networks.measure(inputs[index], answers[index]))
            optimizer.step()
            num_steps += 1
        if num_steps >= _MAX_STEPS or (end is not None and time.monotonic() > end):
            break
    torch.set_num_threads(num_threads)
    weights = [value.detach().numpy() for value in networks.gate.parameters()]
    return GateNetwork(
        vectors=vectors,
        first=np.ascontiguousarray(weights[0].T),
        first_bias=weights[1].copy(),
        second=np.ascontiguousarray(weights[2].T),
        second_bias=weights[3].copy(),
        num_steps=num_steps,
    )


def _to_answers(truth: Array, target: Target) -> Tensor:
    if target.labels is None:
        standard = fit_scale(target, truth).to_standard(truth)
        return torch.from_numpy(standard.astype(np.float32))
    return torch.from_numpy(truth.astype(np.float32 if target.task is Task.MULTILABEL else np.int64))


class _Networks(nn.Module):
    """The gate and the experts that it is learned with."""

    def __init__(self, width: int, target: Target, *, num_experts: int, generator: torch.Generator) -> None:
        super().__init__()
        self._target, self._num_experts = target, num_experts
        sizes = [(width, _GATE_HIDDEN, num_experts), *[(width, _EXPERT_HIDDEN, target.num_outputs)] * num_experts]
        self.gate, *experts = (
            nn.Sequential(nn.Linear(first, hidden), nn.ReLU(), nn.Linear(hidden, last)) for first, hidden, last in sizes
        )
        self._experts = nn.ModuleList(experts)
        for weights in self.parameters():
            limit = weights.shape[-1] ** -0.5
            nn.init.uniform_(weights, -limit, limit, generator=generator)

    def measure(self, rows: Tensor, wanted: Tensor) -> Tensor:
        """Minus the logarithm of what the mixture gives the truth, and how unequal the experts' shares are."""
        shares = torch.log_softmax(self.gate(rows), dim=1)
        said = torch.stack([expert(rows) for expert in self._experts], dim=1)
        loss = -torch.logsumexp(shares + self._log_likelihood(said, wanted), dim=1).mean()
        mean = shares.exp().mean(dim=0)
        return loss + _BALANCE * self._num_experts * (mean * mean).sum()

    def _log_likelihood(self, said: Tensor, wanted: Tensor) -> Tensor:
        """Of each row by each expert."""
        if self._target.labels is None:
            return -((said[:, :, 0] - wanted[:, None]) ** 2) / (2 * _NOISE)
        if self._target.task is Task.MULTILABEL:
            repeated = wanted[:, None].expand_as(said)
            return -functional.binary_cross_entropy_with_logits(said, repeated, reduction="none").sum(dim=2)
        return torch.log_softmax(said, dim=2)[torch.arange(len(wanted)), :, wanted]
