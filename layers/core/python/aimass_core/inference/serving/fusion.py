"""A fusion that is served apart: members that are loaded for themselves, and the graph that combines their answers."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aimass_core.domain.serving_graphs import ServingGraph
from aimass_core.domain.signatures import Signature
from aimass_core.inference.serving.model import NUMPY_TYPES, Array, LoadedModel, Tensors


class AnyModel(Protocol):
    """What answers for a version, whether as one graph or as several."""

    @property
    def signature(self) -> Signature:
        """Of the whole."""

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        """See LoadedModel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFusion:
    """Answers as a `LoadedModel` does. `weights` are those of an endpoint; None: as they were fitted."""

    combining: LoadedModel
    graph: ServingGraph
    members: Sequence[LoadedModel]
    weights: Mapping[str, float] | None = None

    @property
    def signature(self) -> Signature:
        """Of the whole."""
        return self.combining.signature

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        """See LoadedModel. A member that counts nothing is not asked."""
        deadline = time.monotonic() + seconds
        columns = {spec.column or spec.name: inputs[spec.name] for spec in self.signature.inputs}
        counts = self._counts()
        answers: dict[str, Array] = {}
        for member, count, placed in zip(self.members, counts, self.graph.members, strict=True):
            if count:
                answers[placed.input] = _ask(member, columns, seconds=deadline - time.monotonic())
        nothing = np.zeros_like(next(iter(answers.values())))
        feed = {placed.input: answers.get(placed.input, nothing) for placed in self.graph.members}
        weights = {} if self.graph.weights_input is None else {self.graph.weights_input: counts}
        return self.combining.run(feed, outputs=outputs, seconds=deadline - time.monotonic(), constants=weights)

    def _counts(self) -> Array:
        """What each member counts; 1 where there are no weights."""
        if self.graph.weights_input is None:
            return np.ones(len(self.members))
        given = self.weights or {}
        return np.array([given.get(member.name, member.weight or 0.0) for member in self.graph.members])


def _ask(member: LoadedModel, columns: Tensors, *, seconds: float) -> Array:
    """Its probabilities, or values. A number may be float32 to one member and float64 to another."""
    signature = member.signature
    inputs = {
        spec.name: columns[spec.column or spec.name].astype(NUMPY_TYPES[spec.datatype], copy=False)
        for spec in signature.inputs
    }
    name = "value" if signature.labels is None else "probabilities"
    return member.run(inputs, outputs=[name], seconds=seconds)[name]
