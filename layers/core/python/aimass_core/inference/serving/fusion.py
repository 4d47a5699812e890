"""A fusion that is served apart: members that are loaded for themselves, and the graph that combines their answers."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from aimass_core.domain.endpoint_settings import FanOut
from aimass_core.domain.serving_graphs import PlacedMember, ServingGraph
from aimass_core.domain.signatures import Signature
from aimass_core.errors import (
    AimassError,
    DeadlineExceededError,
    InvalidRequestError,
    PayloadTooLargeError,
    UnavailableError,
)
from aimass_core.inference.serving.model import NUMPY_TYPES, Array, LoadedModel, Tensors

# Members that are waited for at the same time, of all requests of a process. (What they wait for has another pool.)
_pool = ThreadPoolExecutor(max_workers=64, thread_name_prefix="member")


class AnyModel(Protocol):
    """What answers for a version, whether as one graph or as several."""

    @property
    def signature(self) -> Signature:
        """Of the whole."""

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        """See LoadedModel."""


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
        return {placed.input: _ask(member, columns, seconds=deadline - time.monotonic()) for member, placed in asked}

    def _ask_at_once(
        self, asked: Sequence[tuple[AnyModel, PlacedMember]], columns: Tensors, deadline: float, fan_out: FanOut
    ) -> dict[str, Array]:
        """Returns when all have answered, or those that have not are late."""
        seconds = deadline - time.monotonic()
        if fan_out.seconds is not None:
            seconds = min(seconds, fan_out.seconds)
        waiting = [(_pool.submit(_ask, member, columns, seconds=seconds), placed) for member, placed in asked]
        wait([future for future, _ in waiting], timeout=max(seconds, 0))
        answers: dict[str, Array] = {}
        for future, placed in waiting:
            try:
                answers[placed.input] = future.result(timeout=0)
            except (TimeoutError, DeadlineExceededError):
                self.missing[placed.name] = f"it did not answer within {seconds:.3g} s"
            except (InvalidRequestError, PayloadTooLargeError):
                raise  # what was sent is wrong, whoever else may have answered
            except AimassError as error:
                self.missing[placed.name] = error.message
        self._require_quorum(len(answers), len(asked), fan_out)
        return answers

    def _require_quorum(self, num_answers: int, num_asked: int, fan_out: FanOut) -> None:
        # A model that combines others knows no answer that is missing.
        wanted = num_asked if self.graph.weights_input is None or fan_out.quorum is None else fan_out.quorum
        if num_answers < max(min(wanted, num_asked), 1):
            faults = "; ".join(f"{name}: {reason}" for name, reason in self.missing.items())
            raise UnavailableError(f"{num_answers} of {num_asked} members answered, and {wanted} have to. {faults}")

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


def _ask(member: AnyModel, columns: Tensors, *, seconds: float) -> Array:
    """Its probabilities, or values. A number may be float32 to one member and float64 to another."""
    signature = member.signature
    inputs = {
        spec.name: columns[spec.column or spec.name].astype(NUMPY_TYPES[spec.datatype], copy=False)
        for spec in signature.inputs
    }
    name = "value" if signature.labels is None else "probabilities"
    return member.run(inputs, outputs=[name], seconds=seconds)[name]
