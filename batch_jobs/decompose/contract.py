"""What every method of decomposition is given and what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aimass_core.domain.decomposition import DecomposeSpec, DecompositionMethod
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.decompose.training import Trainer
from batch_jobs.decompose.wholes import Whole
from batch_jobs.train.material import TRAIN, VALIDATION, Material, Part
from batch_jobs.train.notes import Notes

MIN_ROWS = 20
"""That an expert is trained on; with fewer it answers what is most frequent among them."""


class UnfitError(Exception):
    """A method cannot split this task. The message says why, for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What methods work with: the rows, the single model's answers to those that validate, and who trains parts."""

    spec: DecomposeSpec
    material: Material
    single_scores: Array
    trainer: Trainer
    notes: Notes

    @property
    def target(self) -> Target:
        """Of the whole."""
        return self.material.target

    @property
    def train(self) -> Part:
        """What parts are trained on."""
        return self.material.parts[TRAIN]

    @property
    def validation(self) -> Part:
        """What judges the whole, and says when to stop training a part."""
        return self.material.parts[VALIDATION]

    def features(self, part: Part) -> Array:
        """As the parts that share an encoder have them."""
        return self.trainer.encoder.transform(self.frame(part))

    def frame(self, part: Part) -> Frame:
        """Rows are in memory."""
        assert isinstance(part.frame, Frame)  # noqa: S101  see `workflow`
        return part.frame

    def check_rows(self, num_experts: int) -> None:
        """Raises UnfitError where there are too few rows for so many experts."""
        most = self.train.num_rows // MIN_ROWS
        if num_experts > most:
            raise UnfitError(
                f"{num_experts} experts need at least {MIN_ROWS} rows each to train on, and there are "
                f"{self.train.num_rows}: choose at most {most}"
            )


class Method(Protocol):
    """A way to split a task."""

    @property
    def method(self) -> DecompositionMethod:
        """Which one it is."""

    def propose(self, ground: Ground) -> Sequence[int]:
        """How many experts are worth a try, the most promising first. Raises UnfitError."""

    def build(self, num_experts: int, ground: Ground) -> Whole:
        """Trains the parts. Raises UnfitError."""


def limit_counts(counts: Sequence[int], ground: Ground) -> list[int]:
    """Those of the numbers of experts that there are rows for. Raises UnfitError where there are none."""
    found = [count for count in dict.fromkeys(counts) if 2 <= count <= ground.train.num_rows // MIN_ROWS]
    if not found:
        ground.check_rows(max(min(counts, default=2), 2))
    return found


def take(part: Part, rows: Array, truth: Array) -> Part:
    """The rows of these positions with another truth, one for each of them."""
    taken = part.take(np.asarray(rows), name=part.name)
    return Part(name=part.name, frame=taken.frame, truth=truth, numbers=taken.numbers)
