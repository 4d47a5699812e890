"""Weighted means: all count the same, greedy selection, and weights that are fitted by the loss.

A mean of probabilities is less certain than it should be even where its members are calibrated (Ranjan and Gneiting
2010): its temperature is fitted along with it, which leaves labels and the order of a class's rows among two as they
are.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from aimass_core.domain.fusion import FusionMethod
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target
from batch_jobs.fuse.answers import SMALLEST, Answered, Doubles, from_logits, log_loss, to_hot, to_logits
from batch_jobs.fuse.methods.contract import CLASSES, VALUES, Settings
from batch_jobs.fuse.methods.nodes import add_link, add_logits, add_weighted_sum
from batch_jobs.search.ensembles import select

_COLDEST, _HOTTEST = 0.2, 5.0
_LEAST = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedMean:
    """Of the members' answers; of probabilities at a temperature, above 1 less certain and below it more."""

    weights: Doubles
    task: Task
    temperature: float = 1.0

    def answer(self, scores: Doubles) -> Doubles:
        """See Combination."""
        mean = np.asarray(np.einsum("mro,m->ro", scores, self.weights))
        if self.temperature == 1:
            return mean
        return from_logits(to_logits(mean, self.task) / self.temperature, self.task)

    def to_graph(self, graph: GraphBuilder, scores: str, weights: str | None) -> str:
        """See Combination."""
        assert weights is not None  # noqa: S101  it has some
        mean = add_weighted_sum(graph, scores, weights)
        if self.temperature == 1:
            return mean
        logits = add_logits(graph, mean, self.task)
        return add_link(graph, graph.node("Div", logits, graph.constant(self.temperature, np.float64)), self.task)


@dataclass(frozen=True, slots=True)
class Averaging:
    """All count the same."""

    method = FusionMethod.AVERAGING
    tasks = CLASSES | VALUES

    def fit(self, answered: Answered, settings: Settings) -> WeightedMean:
        """See Method."""
        del settings
        return _finish(np.full(answered.num_members, 1 / answered.num_members), answered)


@dataclass(frozen=True, slots=True)
class GreedyWeighting:
    """As `search.ensembles` selects."""

    method = FusionMethod.GREEDY_WEIGHTING
    tasks = CLASSES | VALUES

    def fit(self, answered: Answered, settings: Settings) -> WeightedMean:
        """See Method."""
        weights = select(
            [answered.of_member(number) for number in range(answered.num_members)],
            answered.truth,
            answered.target,
            metric=settings.metric,
            max_members=answered.num_members,
            seed=settings.seed,
        )
        return _finish(weights, answered)


@dataclass(frozen=True, slots=True)
class ConvexWeighting:
    """The least log loss, or squared error, of all weighted means."""

    method = FusionMethod.CONVEX_WEIGHTING
    tasks = CLASSES | VALUES

    def fit(self, answered: Answered, settings: Settings) -> WeightedMean:
        """See Method."""
        del settings
        return _finish(_fit_weights(answered), answered)


def _fit_weights(answered: Answered) -> Doubles:
    """Both losses are convex in the weights, so that any descent finds the least."""
    target, num_members = answered.target, answered.num_members
    scores, truth = (answered.scores, to_hot(answered.truth, target)) if target.labels else _standardise(answered)
    flat, wanted = scores.reshape(num_members, -1), truth.ravel()
    is_known = ~np.isnan(wanted)
    flat, wanted = flat[:, is_known], wanted[is_known]
    if target.labels is not None and target.task is not Task.MULTILABEL:
        flat, wanted = flat[:, wanted == 1], wanted[wanted == 1]

    def of_probabilities(weights: Doubles) -> tuple[float, Doubles]:
        mean = np.clip(weights @ flat, SMALLEST, 1 - SMALLEST)
        loss = -(wanted * np.log(mean) + (1 - wanted) * np.log(1 - mean)).mean()
        return float(loss), flat @ ((1 - wanted) / (1 - mean) - wanted / mean) / len(wanted)

    def of_values(weights: Doubles) -> tuple[float, Doubles]:
        wrong = weights @ flat - wanted
        return float((wrong**2).mean() / 2), flat @ wrong / len(wanted)

    found = minimize(
        of_values if target.labels is None else of_probabilities,
        np.full(num_members, 1 / num_members),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * num_members,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like},
        options={"maxiter": 200, "ftol": 1e-9},
    ).x
    weights = np.where(found < _LEAST, 0, found)
    return np.asarray(weights / weights.sum())


def _standardise(answered: Answered) -> tuple[Doubles, Doubles]:
    """Values and truth by the truth's mean and deviation: optimizers take steps of about 1."""
    truth = answered.truth.astype(np.float64).reshape(answered.num_rows, -1)
    mean, deviation = float(np.nanmean(truth)), float(np.nanstd(truth)) or 1.0
    return (answered.scores - mean) / deviation, (truth - mean) / deviation


def _finish(weights: Doubles, answered: Answered) -> WeightedMean:
    """With the temperature, where there are probabilities."""
    plain, target = WeightedMean(weights=weights, task=answered.target.task), answered.target
    if target.labels is None:
        return plain
    return WeightedMean(
        weights=weights,
        task=target.task,
        temperature=fit_temperature(plain.answer(answered.scores), answered.truth, target),
    )


def fit_temperature(probabilities: Doubles, truth: Array, target: Target) -> float:
    """By the log loss (Guo et al. 2017)."""
    logits = to_logits(probabilities, target.task)
    found = minimize_scalar(
        lambda power: log_loss(logits / np.exp(power), truth, target.task),
        bounds=(np.log(_COLDEST), np.log(_HOTTEST)),
        method="bounded",
    )
    return round(float(np.exp(found.x)), 4)
