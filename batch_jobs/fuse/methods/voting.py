"""Votes: the label that most members choose, or the mean of probabilities that were calibrated for each of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.fusion import FusionMethod
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.assembly import THRESHOLD
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.fuse.answers import Answered, Doubles, from_logits, to_logits
from batch_jobs.fuse.methods.contract import CLASSES, Settings
from batch_jobs.fuse.methods.diagonal import Pool, fit_pool
from batch_jobs.fuse.methods.nodes import add_link, add_logits, add_weighted_sum

_TIE_SHARE = 1e-3
"""What the mean of probabilities counts beside the votes: less than one vote of 50, enough to part a tie."""
_PENALTY = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class HardVote:
    """Probabilities are shares of votes; the mean of the members' own parts ties."""

    weights: Doubles
    task: Task

    def answer(self, scores: Doubles) -> Doubles:
        """See Combination."""
        mixed = (1 - _TIE_SHARE) * self._votes(scores) + _TIE_SHARE * scores
        return np.asarray(np.einsum("mro,m->ro", mixed, self.weights))

    def to_graph(self, graph: GraphBuilder, scores: str, weights: str | None) -> str:
        """See Combination."""
        assert weights is not None  # noqa: S101  it has some
        votes = graph.node("Cast", self._vote_nodes(graph, scores), to=_DOUBLE)
        votes = graph.node("Mul", votes, graph.constant(1 - _TIE_SHARE, np.float64))
        parting = graph.node("Mul", scores, graph.constant(_TIE_SHARE, np.float64))
        return add_weighted_sum(graph, graph.node("Add", votes, parting), weights)

    def _votes(self, scores: Doubles) -> NDArray[np.bool_]:
        if self.task is Task.MULTILABEL:
            return np.asarray(scores >= THRESHOLD)
        return np.asarray(scores.argmax(axis=-1)[..., None] == np.arange(scores.shape[-1]))

    def _vote_nodes(self, graph: GraphBuilder, scores: str) -> str:
        if self.task is Task.MULTILABEL:
            return graph.node("GreaterOrEqual", scores, graph.constant(THRESHOLD, np.float64))
        best = graph.node("ArgMax", scores, axis=-1, keepdims=1)
        size = graph.node("Squeeze", graph.node("Shape", scores, start=2, end=3))
        classes = graph.node("Range", graph.constant(0, np.int64), size, graph.constant(1, np.int64))
        return graph.node("Equal", best, classes)


_DOUBLE = 11  # TensorProto.DOUBLE


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftVote:
    """The mean of what each member's probabilities are once they are calibrated (Platt 1999; of several classes with a
    slope and an offset for each)."""

    weights: Doubles
    task: Task
    slopes: Doubles
    offsets: Doubles
    """Both [members, 1, outputs]."""

    def answer(self, scores: Doubles) -> Doubles:
        """See Combination."""
        calibrated = from_logits(to_logits(scores, self.task) * self.slopes + self.offsets, self.task)
        return np.asarray(np.einsum("mro,m->ro", calibrated, self.weights))

    def to_graph(self, graph: GraphBuilder, scores: str, weights: str | None) -> str:
        """See Combination."""
        assert weights is not None  # noqa: S101  it has some
        logits = graph.node("Mul", add_logits(graph, scores, self.task), graph.constant(self.slopes, np.float64))
        logits = graph.node("Add", logits, graph.constant(self.offsets, np.float64))
        return add_weighted_sum(graph, add_link(graph, logits, self.task), weights)


@dataclass(frozen=True, slots=True)
class HardVoting:
    """Nothing is fitted."""

    method = FusionMethod.HARD_VOTING
    tasks = CLASSES

    def fit(self, answered: Answered, settings: Settings) -> HardVote:
        """See Method."""
        del settings
        return HardVote(weights=_equal(answered), task=answered.target.task)


@dataclass(frozen=True, slots=True)
class SoftVoting:
    """Each member is calibrated."""

    method = FusionMethod.SOFT_VOTING
    tasks = CLASSES

    def fit(self, answered: Answered, settings: Settings) -> SoftVote:
        """See Method."""
        target = answered.target
        logits = to_logits(answered.scores, target.task)
        pools: list[Pool] = [
            fit_pool(own[None], answered.truth, target, seed=settings.seed, penalties=(_PENALTY,)) for own in logits
        ]
        return SoftVote(
            weights=_equal(answered),
            task=target.task,
            slopes=np.stack([pool.coefficients for pool in pools]),
            offsets=np.stack([pool.intercept[None] for pool in pools]),
        )


def _equal(answered: Answered) -> Doubles:
    return np.full(answered.num_members, 1 / answered.num_members)
