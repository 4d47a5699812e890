"""The state of a training as JSON and arrays, and back again: bit for bit."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from batch_jobs.algorithms.torch.sharding import laid_as, whole

Arrays = dict[str, NDArray[Any]]


@dataclass(slots=True, kw_only=True)
class Position:
    """How far a training is: steps done in this epoch, and the sums of its losses; the best epoch so far."""

    epoch: int = 1
    step: int = 0
    loss_sum: float = 0.0
    weight_sum: float = 0.0
    best_loss: float = float("inf")
    best_epoch: int = 0

    def begin_epoch(self, epoch: int) -> None:
        """Nothing of it is done."""
        self.epoch, self.step, self.loss_sum, self.weight_sum = epoch, 0, 0.0, 0.0

    def to_json(self) -> dict[str, Any]:
        """What the constructor takes."""
        return asdict(self)


@dataclass(slots=True, kw_only=True)
class Randomness:
    """The generators: torch's own (dropout), the loop's (order, augmentation), and the loop's when the epoch began."""

    generator: torch.Generator
    epoch_began: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))

    def begin_epoch(self) -> None:
        """Remembers where the epoch's order came from."""
        self.epoch_began = self.generator.get_state()

    def begin_step(self, position: Position, *, seed: int, rank: int) -> torch.Generator:
        """Of one process among several: what its dropout draws from, and its augmentation.

        Every process draws otherwise, and the same again when the step is repeated, without a word to the others; the
        loop's own generator stays in step with theirs.
        """
        entropy = [seed, rank, position.epoch, position.step]
        drawn = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))
        torch.manual_seed(drawn)
        return torch.Generator().manual_seed(drawn ^ 1)

    def to_arrays(self) -> Arrays:
        """States are bytes."""
        states = {"torch": torch.get_rng_state(), "loop": self.generator.get_state(), "epoch": self.epoch_began}
        if torch.cuda.is_available():
            states["cuda"] = torch.cuda.get_rng_state()
        return {f"random/{name}": state.numpy() for name, state in states.items()}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from there."""
        torch.set_rng_state(torch.from_numpy(arrays["random/torch"]))
        self.generator.set_state(torch.from_numpy(arrays["random/loop"]))
        self.epoch_began = torch.from_numpy(arrays["random/epoch"])
        if torch.cuda.is_available() and "random/cuda" in arrays:
            torch.cuda.set_rng_state(torch.from_numpy(arrays["random/cuda"]))


def to_arrays(prefix: str, tensors: Mapping[str, Tensor]) -> Arrays:
    """Copies: what trains on does not change them. Of tensors in parts they are all of it."""
    return {f"{prefix}/{name}": whole(tensor.detach()).cpu().numpy().copy() for name, tensor in tensors.items()}


def to_tensors(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Those under the prefix."""
    start = f"{prefix}/"
    return {name.removeprefix(start): torch.from_numpy(a) for name, a in arrays.items() if name.startswith(start)}


def load_network(network: nn.Module, prefix: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Into the memory that its weights have."""
    own = network.state_dict()
    network.load_state_dict({name: laid_as(tensor, own[name]) for name, tensor in to_tensors(prefix, arrays).items()})


def optimizer_to_state(optimizer: Optimizer) -> tuple[dict[str, Any], Arrays]:
    """Its groups as JSON, its tensors as arrays named optimizer/<weight>/<name>."""
    state = optimizer.state_dict()
    tensors = {
        f"{index}/{name}": value
        for index, values in state["state"].items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }
    return {"groups": state["param_groups"]}, to_arrays("optimizer", tensors)


def load_optimizer(optimizer: Optimizer, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Moments lie in memory as their weights do: other strides may round otherwise.

    What kernels compute it is this optimizer's own choice: the checkpoint may come from another device.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for path, tensor in to_tensors("optimizer", arrays).items():
        index, _, name = path.partition("/")
        weight = weights[int(index)]
        laid = laid_as(tensor, weight) if tensor.shape == weight.shape else tensor
        state.setdefault(int(index), {})[name] = laid.detach()
    groups = [
        {name: tuple(value) if name == "betas" else value for name, value in group.items()} | {"fused": own["fused"]}
        for group, own in zip(document["groups"], optimizer.param_groups, strict=True)
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def copy_weights(network: nn.Module) -> dict[str, Tensor]:
    """As they are now; whole, where the network is in parts."""
    return {name: whole(tensor.detach()).clone() for name, tensor in network.state_dict().items()}
