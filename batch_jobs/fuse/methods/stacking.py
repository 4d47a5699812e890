"""Models on the members' answers (Wolpert 1992): linear ones, and for values blending, which has fewer freedoms."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LinearRegression, RidgeCV

from aimass_core.domain.fusion import FusionMethod
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.data.frames import Array
from batch_jobs.fuse.answers import Answered, Doubles, from_logits, to_logits
from batch_jobs.fuse.methods.contract import CLASSES, VALUES, Combination, Settings
from batch_jobs.fuse.methods.diagonal import fit_pool
from batch_jobs.fuse.methods.nodes import add_link, add_logits, add_weighted_sum

_PENALTIES = np.logspace(-3, 4, 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearStack:
    """`coefficients` [members, 1, outputs] of logits or values, and `intercept` [outputs]."""

    coefficients: Doubles
    intercept: Doubles
    task: Task
    weights = None

    def answer(self, scores: Doubles) -> Doubles:
        """See Combination."""
        inner = to_logits(scores, self.task) if self.task.is_classification else scores
        found = (inner * self.coefficients).sum(axis=0) + self.intercept
        return from_logits(found, self.task) if self.task.is_classification else np.asarray(found)

    def to_graph(self, graph: GraphBuilder, scores: str, weights: str | None) -> str:
        """See Combination."""
        del weights
        inner = add_logits(graph, scores, self.task) if self.task.is_classification else scores
        found = add_weighted_sum(graph, inner, graph.constant(self.coefficients, np.float64))
        found = graph.node("Add", found, graph.constant(self.intercept, np.float64))
        return add_link(graph, found, self.task) if self.task.is_classification else found


@dataclass(frozen=True, slots=True)
class StackingLinear:
    """Of classes a log-linear pool. Of values ridge regression: of what the mean of the members is wrong by, on what
    each of them is away from that mean, so that the penalty draws towards averaging and not towards nothing."""

    method = FusionMethod.STACKING_LINEAR
    tasks = CLASSES | VALUES

    def fit(self, answered: Answered, settings: Settings) -> Combination:
        """See Method."""
        target = answered.target
        if target.labels is None:
            return self._fit_values(answered)
        pool = fit_pool(to_logits(answered.scores, target.task), answered.truth, target, seed=settings.seed)
        return LinearStack(coefficients=pool.coefficients[:, None], intercept=pool.intercept, task=target.task)

    def _fit_values(self, answered: Answered) -> LinearStack:
        values, truth = _to_columns(answered)
        num_members, mean = answered.num_members, values.mean(axis=1)
        center, deviation = float(mean.mean()), float(mean.std()) or 1.0
        away = np.column_stack([values - mean[:, None], mean - center]) / deviation
        ridge = RidgeCV(alphas=_PENALTIES).fit(away, (truth - mean) / deviation)
        own, whole = ridge.coef_[:-1], float(ridge.coef_[-1])
        return LinearStack(
            coefficients=((1 + whole) / num_members + own - own.mean())[:, None, None],
            intercept=np.array([float(ridge.intercept_) * deviation - whole * center]),
            task=answered.target.task,
        )


@dataclass(frozen=True, slots=True)
class Blending:
    """Linear with an intercept; no member counts less than nothing."""

    method = FusionMethod.BLENDING
    tasks = VALUES

    def fit(self, answered: Answered, settings: Settings) -> LinearStack:
        """See Method."""
        del settings
        values, truth = _to_columns(answered)
        center, deviation = float(truth.mean()), float(truth.std()) or 1.0
        found = LinearRegression(positive=True).fit((values - center) / deviation, (truth - center) / deviation)
        return LinearStack(
            coefficients=found.coef_[:, None, None],
            intercept=np.array([center + float(found.intercept_) * deviation - center * float(found.coef_.sum())]),
            task=answered.target.task,
        )


def _to_columns(answered: Answered) -> tuple[Doubles, Array]:
    """One row for each value that is known, those of all steps to come together."""
    truth = answered.truth.astype(np.float64).ravel()
    is_known = ~np.isnan(truth)
    return answered.scores.reshape(answered.num_members, -1).T[is_known], truth[is_known]
