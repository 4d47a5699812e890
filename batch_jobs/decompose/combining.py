"""How the experts' answers become the whole's: by a gate that chooses among them, as a sum of all, or by the first that
is sure.

Each way is written twice, in NumPy and in ONNX, and the two are compared on every row that validates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from batch_jobs.data.frames import Array

Floats = NDArray[np.float32]
Ask = Callable[[int, Array], Array]
"""The answer of an expert, as the whole has its outputs, to the rows of these positions."""

_SMALLEST = 1e-7
_UNDECIDED = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Each row is given to the experts that the gate has most shares for.

    `num_active` is how many at most; beside the first only those with a share of at least `min_share`. `priors`
    [experts, outputs] says what is answered for an expert that is not run, by its share. Without priors the shares of
    those that are run are made to add up to 1. `constants` are answers of experts that have but one.
    """

    num_active: int = 1
    min_share: float = 0.0
    priors: Floats | None = None
    constants: dict[int, Floats]

    def limits(self, shares: Floats) -> Floats:
        """What the share of an expert has to be at least, for each row [rows, 1]."""
        ordered = np.sort(shares, axis=1)
        last = ordered[:, [-min(self.num_active, shares.shape[1])]]
        return np.asarray(np.maximum(last, np.minimum(ordered[:, [-1]], np.float32(self.min_share))))

    def choose(self, shares: Floats) -> NDArray[np.bool_]:
        """Which experts a row is given to; those that are constant are among them."""
        return np.asarray(shares >= self.limits(shares))

    def find_undecided(self, shares: Floats) -> NDArray[np.bool_]:
        """Rows that the same sums in another order may give to other experts."""
        ordered, limits, active = (
            np.sort(shares, axis=1),
            self.limits(shares)[:, 0],
            min(self.num_active, shares.shape[1]),
        )
        first, last = ordered[:, -1], ordered[:, -active]
        is_next_near = ordered[:, -active - 1] > last - _UNDECIDED if active < shares.shape[1] else False
        by_rank = is_next_near | ((np.abs(last - self.min_share) < _UNDECIDED) & (last < first))
        by_share = ((np.abs(shares - limits[:, None]) < _UNDECIDED) & (shares < first[:, None])).any(axis=1)
        return np.asarray(np.where(limits == last, by_rank, by_share))

    def combine(self, shares: Floats, ask: Ask, *, num_outputs: int) -> Floats:
        """The scores of all rows [rows, outputs]."""
        chosen, table = self.choose(shares), self.table(shares.shape[1], num_outputs)
        weights = shares
        if self.priors is None:
            weights = np.where(chosen, shares, 0)
            weights = weights / weights.sum(axis=1, keepdims=True)
        scores = weights @ table
        for position in self.running(shares.shape[1]):
            rows = np.flatnonzero(chosen[:, position])
            if len(rows):
                scores[rows] += weights[rows, position, None] * (ask(position, rows) - table[position])
        return np.asarray(scores, dtype=np.float32)

    def table(self, num_experts: int, num_outputs: int) -> Floats:
        """What is answered for an expert that is not run [experts, outputs]."""
        found = np.zeros((num_experts, num_outputs), np.float32) if self.priors is None else self.priors.copy()
        for position, constant in self.constants.items():
            found[position] = constant
        return found

    def running(self, num_experts: int) -> list[int]:
        """Experts with something to run."""
        return [position for position in range(num_experts) if position not in self.constants]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a cascade did with rows: its scores, which experts were asked [rows, experts], and of which rows the same
    sums in another order may ask others."""

    scores: Floats
    asked: NDArray[np.bool_]
    is_undecided: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascading:
    """Experts are asked one after the other, until one's largest probability reaches its limit. `limits` has one of
    each expert but the last."""

    limits: tuple[float, ...]

    def follow(self, ask: Ask, num_rows: int) -> Followed:
        """Rows through all experts that they need."""
        rows = np.arange(num_rows)
        scores = np.asarray(ask(0, rows), dtype=np.float32)
        asked = np.zeros((num_rows, len(self.limits) + 1), dtype=bool)
        asked[:, 0], is_undecided = True, np.zeros(num_rows, dtype=bool)
        for position, limit in enumerate(self.limits, start=1):
            sure = scores[rows].max(axis=1)
            is_undecided[rows] |= np.abs(sure - limit) < _UNDECIDED
            rows = rows[sure < np.float32(limit)]
            if not len(rows):
                break
            scores[rows] = ask(position, rows)
            asked[rows, position] = True
        return Followed(scores=scores, asked=asked, is_undecided=is_undecided)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summing:
    """All experts are run, and their answers weighted and added up."""

    weights: tuple[float, ...]

    def combine(self, answers: Sequence[Array]) -> Floats:
        """The scores of all rows [rows, outputs]."""
        terms = [weight * answer.astype(np.float64) for weight, answer in zip(self.weights, answers, strict=True)]
        return np.asarray(np.sum(terms, axis=0), dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """All experts are run, each of which tells some classes from others; the class whose code fits best is right.

    `code` [experts, classes] is 1 where an expert is to say yes, -1 where no, 0 where it says nothing. A class is as
    likely as all that the experts say of it is: probabilities are multiplied (loss-based decoding with the logarithmic
    loss, Allwein, Schapire and Singer 2000).
    """

    code: NDArray[np.int8]

    def matrices(self) -> tuple[Floats, Floats]:
        """By which the logarithms of no and of yes are multiplied, [experts, classes]."""
        return (self.code < 0).astype(np.float32), (self.code > 0).astype(np.float32)

    def combine(self, answers: Sequence[Array]) -> Floats:
        """The scores of all rows [rows, classes]."""
        said = np.log(np.clip(np.stack(answers, axis=1), _SMALLEST, 1.0))
        no, yes = self.matrices()
        return np.asarray(softmax(said[:, :, 0] @ no + said[:, :, 1] @ yes, axis=1), dtype=np.float32)

    @property
    def smallest(self) -> float:
        """Below it a probability counts as this much."""
        return _SMALLEST


Combination = Routing | Cascading | Summing | Decoding
