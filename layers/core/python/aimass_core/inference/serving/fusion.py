"""A fusion that is served apart: members that are loaded for themselves, and the graph that combines their answers."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aimass_core.domain.endpoint_settings import FanOut
from aimass_core.domain.serving_graphs import PlacedMember, ServingGraph
from aimass_core.domain.signatures import Signature
from aimass_core.inference.serving import fanning
from aimass_core.inference.serving.model import AnyModel, Array, LoadedModel, Tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFusion:
    """Answers as a `LoadedModel` does, for one request.

    Attributes:
        weights: those of an endpoint; None: as they were fitted.
        fan_out: the members run elsewhere, are asked at the same time, and may fail so far; None: here, one by one.
        missing: once it has run, which members did not answer, and why.
    """

    combining: LoadedModel
    graph: ServingGraph
    members: Sequence[AnyModel]
    weights: Mapping[str, float] | None = None
    fan_out: FanOut | None = None
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def signature(self) -> Signature:
        """Of the whole."""
        return self.combining.signature

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        """See LoadedModel. A member that counts nothing is not asked.

        Raises UnavailableError where fewer members answer than have to.
        """
        deadline = time.monotonic() + seconds
        columns = {spec.column or spec.name: inputs[spec.name] for spec in self.signature.inputs}
        counts = self._counts()
        asked = [
            (member, placed)
            for member, count, placed in zip(self.members, counts, self.graph.members, strict=True)
            if count
        ]
        answers = self._ask_members(asked, columns, deadline)
        nothing = np.zeros_like(next(iter(answers.values())))
        feed = {placed.input: answers.get(placed.input, nothing) for placed in self.graph.members}
        weights = {} if self.graph.weights_input is None else {self.graph.weights_input: self._heard(counts, answers)}
        return self.combining.run(feed, outputs=outputs, seconds=deadline - time.monotonic(), constants=weights)

    def _ask_members(
        self, asked: Sequence[tuple[AnyModel, PlacedMember]], columns: Tensors, deadline: float
    ) -> dict[str, Array]:
        if self.fan_out is not None:
            return self._ask_at_once(asked, columns, deadline, self.fan_out)
        return {
            placed.input: fanning.ask(member, columns, seconds=deadline - time.monotonic()) for member, placed in asked
        }

    def _ask_at_once(
        self, asked: Sequence[tuple[AnyModel, PlacedMember]], columns: Tensors, deadline: float, fan_out: FanOut
    ) -> dict[str, Array]:
        """Returns when all have answered, or those that have not are late."""
        answers = fanning.ask_at_once(
            [fanning.Asked(name=placed.name, model=member, columns=columns) for member, placed in asked],
            seconds=fanning.limit(deadline - time.monotonic(), fan_out),
            missing=self.missing,
        )
        self._require_quorum(len(answers), len(asked), fan_out)
        return {placed.input: answers[placed.name] for _, placed in asked if placed.name in answers}

    def _require_quorum(self, num_answers: int, num_asked: int, fan_out: FanOut) -> None:
        # A model that combines others knows no answer that is missing.
        wanted = num_asked if self.graph.weights_input is None or fan_out.quorum is None else fan_out.quorum
        fanning.require_quorum(num_answers, num_asked, wanted=wanted, what="members", missing=self.missing)

    def _counts(self) -> Array:
        """What each member counts; 1 where there are no weights."""
        if self.graph.weights_input is None:
            return np.ones(len(self.members))
        given = self.weights or {}
        return np.array([given.get(member.name, member.weight or 0.0) for member in self.graph.members])

    def _heard(self, counts: Array, answers: Mapping[str, Array]) -> Array:
        """What each counts of those that have answered."""
        has_answered = [placed.input in answers for placed in self.graph.members]
        return np.where(has_answered, counts, 0.0)
