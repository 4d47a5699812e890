"""The parts of a decomposition: a gate that says which expert a row is for, and experts that answer a part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
from numpy.typing import NDArray

from batch_jobs.algorithms.export.builder import finish
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.train.exporting import Exported
from batch_jobs.train.fitting import Predictor

GATE = "gate"


def expert_name(position: int) -> str:
    """Numbers begin with 1."""
    return f"expert-{position + 1}"


@dataclass(frozen=True, kw_only=True)
class PartModel:
    """A model that was trained for a part of the task: for itself, and in pieces as the one graph of all has it.

    Parts that share an encoder are given its features once.
    """

    exported: Exported
    predictor: Predictor
    target: Target
    num_train_rows: int

    @cached_property
    def core(self) -> onnx.ModelProto:
        """From `features` to `scores`."""
        return finish(self.predictor.fitted.to_onnx())

    def answer(self, frame: Frame) -> NDArray[np.float32]:
        """By its own graph: probabilities, or values in the target's unit."""
        return self.exported.scorer.answer(frame).scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a part answers to all rows of validation, where it is not what the whole answers.

    `truth` is the right answer. `groups` says which of the whole's classes each of its own stands for; None where the
    whole does not say anything of the kind.
    """

    truth: Array
    groups: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Expert:
    """Answers the rows that are given to it.

    `places` says of each of its outputs which of the whole's it is; None where they are the same. `constant` is the
    one answer, as the whole has its outputs, of an expert that has learned no other: nothing is run for it.
    """

    purpose: str
    part: PartModel
    places: tuple[int, ...] | None = None
    question: Question | None = None
    constant: Array | None = None

    @property
    def is_constant(self) -> bool:
        """Whether nothing has to be run."""
        return self.constant is not None

    def place(self, scores: Array, num_outputs: int) -> Array:
        """Scores of the whole, 0 where it has none."""
        if self.places is None:
            return scores
        placed = np.zeros((len(scores), num_outputs), dtype=np.float32)
        placed[:, self.places] = scores
        return placed


def describe_labels(labels: Sequence[str], *, limit: int = 12) -> str:
    """Some of them, for a purpose."""
    shown = ", ".join(label[:40] for label in labels[:limit])
    return shown if len(labels) <= limit else f"{shown} and {len(labels) - limit} more"
