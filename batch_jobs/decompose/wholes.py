"""A decomposition as a whole: its parts, and how it answers by them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.decomposition import DecompositionMethod
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.decompose.combining import Cascading, Combination, Decoding, Followed, Routing
from batch_jobs.decompose.parts import Expert, PartModel, Question


@dataclass(frozen=True, kw_only=True)
class Whole:
    """`gate` is None where all experts are run. `scores` judge it where they are not its own answers to the rows of
    validation, as something was fitted on these: they are cross-fitted."""

    name: str
    method: DecompositionMethod
    target: Target
    gate: PartModel | None = None
    gate_purpose: str = ""
    gate_question: Question | None = None
    experts: tuple[Expert, ...]
    combination: Combination
    scores: Array | None = None

    def share(self, frame: Frame) -> NDArray[np.bool_]:
        """Which experts a row is given to [rows, experts], by the gate's own graph, or the experts' of a cascade."""
        if isinstance(self.combination, Cascading):
            return self._follow(self.combination, frame).asked
        if self.gate is None or not isinstance(self.combination, Routing):
            return np.ones((frame.num_rows, len(self.experts)), dtype=bool)
        return self.combination.choose(self.gate.answer(frame))

    def answer(self, frame: Frame) -> NDArray[np.float32]:
        """By the parts, each of which is run apart: probabilities [rows, classes], or values [rows] or
        [rows, horizon]."""
        num_outputs = self.target.num_outputs
        if isinstance(self.combination, Routing):
            assert self.gate is not None  # noqa: S101  a routing has a gate
            scores = self.combination.combine(
                self.gate.answer(frame),
                lambda position, rows: self._ask(self.experts[position], frame.take(rows)),
                num_outputs=num_outputs,
            )
        elif isinstance(self.combination, Cascading):
            scores = self._follow(self.combination, frame).scores
        else:
            scores = self.combination.combine([self._ask(expert, frame) for expert in self.experts])
        is_single = self.target.labels is None and not self.target.horizon
        return scores[:, 0] if is_single else scores

    def find_undecided(self, frame: Frame) -> NDArray[np.bool_]:
        """Rows that arithmetic in another order may give to other experts."""
        if isinstance(self.combination, Cascading):
            return self._follow(self.combination, frame).is_undecided
        if self.gate is None or not isinstance(self.combination, Routing):
            return np.zeros(frame.num_rows, dtype=bool)
        return self.combination.find_undecided(self.gate.answer(frame))

    def _follow(self, cascading: Cascading, frame: Frame) -> Followed:
        return cascading.follow(
            lambda position, rows: self._ask(self.experts[position], frame.take(rows)), frame.num_rows
        )

    def _ask(self, expert: Expert, frame: Frame) -> Array:
        scores = expert.part.answer(frame)
        flat = scores[:, None] if scores.ndim == 1 else scores
        if isinstance(self.combination, Decoding):
            return flat
        return expert.place(flat, self.target.num_outputs)
