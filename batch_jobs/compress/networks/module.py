"""A core as a module of torch: the graph's weights are its parameters, and go back into the graph as they are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from batch_jobs.compress.contract import UnfitError
from batch_jobs.compress.networks.core import Core
from batch_jobs.compress.networks.graphs import Array
from batch_jobs.compress.networks.operators import OPERATORS, Attributes, UnsupportedError

Rounding = Callable[[Tensor], Tensor]
"""Values as integers would have them, for those that come after."""


class CoreModule(nn.Module):
    """Computes values of a core from its features, operator by operator.

    Args:
        core: Its weights become parameters.
        roundings: Of values, features and weights, by name.

    Raises:
        UnfitError: When called: an operator is used in a way that torch does not know.
    """

    def __init__(self, core: Core, *, roundings: Mapping[str, Rounding] | None = None) -> None:
        super().__init__()
        self._core, self._roundings = core, roundings or {}
        read = {name for node in core.nodes for name in node.input}
        constants = core.graph.constants
        self._constants = {
            name: to_tensor(constants[name])
            for name in read
            if name in constants and name not in core.weights and constants[name].dtype.kind in "fiub"
        }
        self.weights = nn.ParameterList(nn.Parameter(to_tensor(constants[name])) for name in core.weights)
        self._steps = [(OPERATORS[node.op_type], Attributes(node), node) for node in core.nodes]
        last_use = {name: index for index, node in enumerate(core.nodes) for name in node.input}
        self._unused: list[list[str]] = [[] for _ in core.nodes]
        for name, index in last_use.items():
            self._unused[index].append(name)

    def forward(self, features: Mapping[str, Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """The values of these names."""
        values = self._begin(features)
        kept = set(wanted)
        for index in range(len(self._steps)):
            self._step(index, values)
            for name in self._unused[index]:
                if name not in kept:
                    values.pop(name, None)
        return [values[name] for name in wanted]

    @torch.no_grad()
    def trace(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All values, constants too."""
        values = self._begin(features)
        for index in range(len(self._steps)):
            self._step(index, values)
        return values

    def write_back(self) -> None:
        """Puts the parameters into the graph."""
        for name, weight in zip(self._core.weights, self.weights, strict=True):
            self._core.graph.constants[name] = weight.detach().cpu().numpy().copy()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What moves the parameters moves the constants."""
        self._constants = {name: fn(values) for name, values in self._constants.items()}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _begin(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        values = {**self._constants, **dict(zip(self._core.weights, self.weights, strict=True)), **features}
        return {name: self._round(name, value) for name, value in values.items()}

    def _step(self, index: int, values: dict[str, Tensor]) -> None:
        function, attributes, node = self._steps[index]
        try:
            results = function(attributes, *(values[name] if name else None for name in node.input))
        except UnsupportedError as error:
            raise UnfitError(
                f"the operator {node.name or node.output[0]!r} is one that cannot be trained: {error}"
            ) from error
        for name, value in zip(node.output, results if isinstance(results, tuple) else (results,), strict=False):
            if name and value is not None:
                values[name] = self._round(name, value)

    def _round(self, name: str, value: Tensor) -> Tensor:
        rounding = self._roundings.get(name)
        return value if rounding is None else rounding(value)


def to_tensor(values: Array) -> Tensor:
    """A copy, which torch may write to."""
    return torch.from_numpy(np.array(values, order="C"))


def to_tensors(features: Mapping[str, Array], index: Array | slice = slice(None)) -> dict[str, Tensor]:
    """Of some rows."""
    return {name: to_tensor(values[index]) for name, values in features.items()}
