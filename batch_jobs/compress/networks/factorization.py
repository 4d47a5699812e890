"""Factorization: layers as two thin ones, each of the rank that keeps a share of its outputs' energy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
import torch
from torch import Tensor
from torch.nn import functional

from aimass_core.domain.compression import CompressionMethod
from batch_jobs.algorithms.export.assembly import PROBABILITIES
from batch_jobs.compress.contract import Ground, Proposal, Settings, UnfitError
from batch_jobs.compress.networks.core import Core
from batch_jobs.compress.networks.lowrank import SPLITTABLE, Split, read_matrix, write_factors
from batch_jobs.compress.networks.module import CoreModule, to_tensors
from batch_jobs.compress.networks.network import Network, open_network

_ENERGIES = (0.999, 0.99, 0.97, 0.93, 0.85, 0.7)
_MIN_VALUES = 1024
"""A layer with fewer weights is not worth two operators."""


@dataclass(frozen=True, slots=True)
class Factorization:
    """Singular values decide, and on what rows of the training data make of a layer: no training is needed.

    Settings: `energy` that each layer keeps, below 1.
    """

    method: CompressionMethod = CompressionMethod.FACTORIZATION

    def propose(self, model: onnx.ModelProto, ground: Ground) -> Sequence[Proposal]:
        """See `Method`."""
        splits = find_splits(open_network(model, ground), ground)
        proposals: dict[tuple[int, ...], Proposal] = {}
        for energy in _ENERGIES:
            if ranks := tuple(choose_ranks(splits, energy).values()):
                proposals.setdefault(ranks, Proposal(settings={"energy": energy}))
        if not proposals:
            raise UnfitError("no layer becomes smaller as two: all are small, or have no singular values to spare")
        return [*proposals.values()]

    def apply(self, model: onnx.ModelProto, settings: Settings, ground: Ground) -> onnx.ModelProto:
        """See `Method`."""
        energy = float(settings.get("energy") or 0.99)
        if not 0 < energy < 1:
            raise UnfitError(f"energy={energy}: a layer can keep a share between 0 and 1")
        network = open_network(model, ground)
        splits = find_splits(network, ground)
        ranks = choose_ranks(splits, energy)
        if not ranks:
            raise UnfitError(f"no layer becomes smaller as two that keep {energy} of its outputs' energy")
        for index, rank in ranks.items():
            write_factors(network.graph, splits[index], rank)
        return network.graph.to_model()


def find_splits(network: Network, ground: Ground) -> list[Split]:
    """Of all layers that are large enough."""
    module, features = CoreModule(network.core), to_tensors(network.features)
    trace = module.trace(features)
    outputs = [node.output[0] for node in network.core.nodes if node.op_type in SPLITTABLE]
    gradients = measure_gradients(network.core, module, features, outputs, seed=ground.seed)
    found = []
    for node in network.core.nodes:
        matrix = read_matrix(network.graph, node, trace, gradients)
        if matrix is not None and matrix.num_values >= _MIN_VALUES:
            found.append(matrix.split())
    return found


def measure_gradients(
    core: Core, module: CoreModule, features: Mapping[str, Tensor], names: Sequence[str], *, seed: int
) -> dict[str, Tensor]:
    """Of the likelihood of answers that are drawn as the network itself says, at the values of these names. Of values
    that are no probabilities: of the answer with normal noise."""
    output, *values = module(features, [core.logits or core.answer, *names])
    generator = torch.Generator().manual_seed(seed)
    if core.answer == PROBABILITIES and output.ndim == 2:
        logits = torch.log(output.clamp(min=1e-7)) if core.logits is None else output
        drawn = torch.multinomial(torch.softmax(logits.detach(), dim=1), 1, generator=generator)[:, 0]
        total = functional.cross_entropy(logits, drawn, reduction="sum")
    else:
        total = (output * torch.randn(output.shape, generator=generator)).sum()
    known = [(name, value) for name, value in zip(names, values, strict=True) if value.requires_grad]
    found = torch.autograd.grad(total, [value for _, value in known], allow_unused=True)
    return {name: value for (name, _), value in zip(known, found, strict=True) if value is not None}


def choose_ranks(splits: Sequence[Split], energy: float) -> dict[int, int]:
    """The rank of each split that makes its layer cheaper."""
    ranks = {index: split.rank_for(energy) for index, split in enumerate(splits)}
    return {index: rank for index, rank in ranks.items() if splits[index].is_cheaper(rank)}
