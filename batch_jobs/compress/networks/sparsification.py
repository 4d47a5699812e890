"""Structured sparsification: whole channels and units are removed, those that the loss would miss least."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from aimass_core.domain.compression import CompressionMethod
from batch_jobs.compress.contract import Ground, Proposal, Settings, UnfitError
from batch_jobs.compress.networks.core import Core
from batch_jobs.compress.networks.graphs import Array
from batch_jobs.compress.networks.module import CoreModule, to_tensors
from batch_jobs.compress.networks.network import Network, open_network, sample_truth
from batch_jobs.compress.networks.propagation import find_units
from batch_jobs.compress.networks.training import Loss
from batch_jobs.compress.networks.units import Units, remove

_RATIOS = (0.25, 0.5, 0.65, 0.7, 0.75)
_MULTIPLE = 8
_MIN_UNITS = 8
_BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class Sparsification:
    """What is left answers badly until it is trained on: see `Finetuning`.

    Settings: `ratio` of the units that go from each layer, between 0 and 1.
    """

    method: CompressionMethod = CompressionMethod.SPARSIFICATION

    def propose(self, model: onnx.ModelProto, ground: Ground) -> Sequence[Proposal]:
        """See `Method`."""
        network = open_network(model, ground)
        _require_layers(find_units(network))
        return [Proposal(settings={"ratio": ratio}) for ratio in _RATIOS]

    def apply(self, model: onnx.ModelProto, settings: Settings, ground: Ground) -> onnx.ModelProto:
        """See `Method`."""
        ratio = float(settings.get("ratio") or 0.5)
        if not 0 < ratio < 1:
            raise UnfitError(f"ratio={ratio}: a share between 0 and 1 of a layer's units can be removed")
        network = open_network(model, ground)
        units = find_units(network)
        layers = _require_layers(units)
        importance = measure_importance(network, units, ground)
        remove(network.core, units, choose_units(layers, importance, ratio))
        return network.graph.to_model()


def _require_layers(units: Units) -> list[Array]:
    layers = [layer for layer in units.free_layers() if len(layer) >= _MIN_UNITS]
    if not layers:
        raise UnfitError(f"no layer has {_MIN_UNITS} or more channels or units that could be removed")
    return layers


def choose_units(layers: Sequence[Array], importance: Array, ratio: float) -> list[int]:
    """The least important of each layer; a multiple of eight stays.

    NOTE: ONNX Runtime computes convolutions in blocks of 8 or 16 channels, and of other numbers so much slower that
    three channels in ten took longer than five (46 and 40 microseconds).
    """
    chosen: list[int] = []
    for layer in layers:
        kept = max(round(len(layer) * (1 - ratio) / _MULTIPLE), 1) * _MULTIPLE
        order = layer[np.argsort(importance[layer], kind="stable")]
        chosen += order[: max(len(layer) - kept, 0)].tolist()
    return chosen


def measure_importance(network: Network, units: Units, ground: Ground) -> Array:
    """Of each unit (root): the square of what the loss would change by without its weights, by the first term of
    Taylor's series (Molchanov et al. 2019), summed over batches of the rows that the network knows."""
    module, core = CoreModule(network.core), network.core
    loss, (truth, taught) = Loss(core, ground), sample_truth(ground, len(next(iter(network.features.values()))))
    places = _places(core, units)
    importance = np.zeros(units.count)
    for start in range(0, len(truth), _BATCH_SIZE):
        now = np.arange(start, min(start + _BATCH_SIZE, len(truth)))
        module.zero_grad()
        value = loss(module, to_tensors(network.features, now), truth[now], taught[now])
        value.backward()  # type: ignore[no-untyped-call]
        change = np.zeros(units.count)
        for index, place, roots in places:
            weight = module.weights[index]
            if weight.grad is not None:
                axes = tuple(axis for axis in range(weight.ndim) if axis != place)
                products = (weight * weight.grad).detach()
                np.add.at(change, roots, (products.sum(axes) if axes else products).numpy().astype(np.float64))
        importance += change**2
    return importance


def _places(core: Core, units: Units) -> list[tuple[int, int, Array]]:
    """Weights, their axes, and the units (roots) along them."""
    return [
        (index, place, units.roots(axis))
        for index, name in enumerate(core.weights)
        for place, axis in enumerate(units.axes.get(name, ()))
        if axis is not None
    ]
