"""What members answered to rows that none of them was trained on: what combinations are fitted to and judged by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logit, softmax

from aimass_core.domain.signatures import Task
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target

Doubles = NDArray[np.float64]
SMALLEST = 1e-7
"""What a probability is at least where its logarithm is taken; the graph does the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """`scores` [members, rows, outputs]: probabilities of classes or labels, values, or those of all steps to come; and
    the truth of these rows, as a `Part` has it."""

    scores: Doubles
    truth: Array
    target: Target

    @property
    def num_members(self) -> int:
        """How many answered."""
        return int(self.scores.shape[0])

    @property
    def num_rows(self) -> int:
        """How many rows."""
        return int(self.scores.shape[1])

    def take(self, index: Array) -> "Answered":
        """The rows of these positions."""
        return Answered(scores=self.scores[:, index], truth=self.truth[index], target=self.target)

    def of_member(self, number: int) -> Array:
        """Its answers, as a graph gives them."""
        return to_given(self.scores[number], self.target)


def stack(scores: Sequence[Array]) -> Doubles:
    """The answers of members as `Answered.scores` has them."""
    return np.stack([own.astype(np.float64).reshape(len(own), -1) for own in scores])


def to_given(scores: Doubles, target: Target) -> Array:
    """[rows, outputs] as a graph gives them: values of one step to come have no second dimension."""
    given = scores.astype(np.float32)
    return given[:, 0] if target.labels is None and not target.horizon else given


def to_logits(probabilities: Doubles, task: Task) -> Doubles:
    """Log odds of labels that apply each for itself, else logarithms."""
    if task is Task.MULTILABEL:
        return np.asarray(logit(np.clip(probabilities, SMALLEST, 1 - SMALLEST)))
    return np.log(np.clip(probabilities, SMALLEST, None))


def from_logits(logits: Doubles, task: Task) -> Doubles:
    """The reverse."""
    return np.asarray(expit(logits) if task is Task.MULTILABEL else softmax(logits, axis=-1))


def log_loss(logits: Doubles, truth: Array, task: Task) -> float:
    """The mean over rows, and over labels where a row has several."""
    if task is Task.MULTILABEL:
        return float((np.logaddexp(0, logits) - truth * logits).mean())
    return float(-log_softmax(logits, axis=-1)[np.arange(len(truth)), truth].mean())


def to_hot(truth: Array, target: Target) -> Doubles:
    """The probabilities that the truth would be: 1 of what applies."""
    if target.task is Task.MULTILABEL:
        return truth.astype(np.float64)
    return np.eye(target.num_outputs)[truth]
