"""Log-linear pools: of each class or label the weighted sum of the members' logits, and what it is ahead by itself.

Fitted by the log loss with a penalty on what the weights are away from a prior, so that few rows leave them near it:
the geometric mean of the members, where all count the same. How much the penalty counts is found by cross-validation.
A general logistic regression on the logits would have the square of the classes as many weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from sklearn.model_selection import KFold

from aimass_core.domain.signatures import Task
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target
from batch_jobs.fuse.answers import Doubles, from_logits, log_loss, to_hot

_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_NUM_FOLDS = 3
_MAX_CELLS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """`coefficients` [members, outputs] and `intercept` [outputs]."""

    coefficients: Doubles
    intercept: Doubles

    def answer(self, logits: Doubles) -> Doubles:
        """The logits of the whole."""
        return np.asarray(np.einsum("mro,mo->ro", logits, self.coefficients) + self.intercept)


def fit_pool(
    logits: Doubles, truth: Array, target: Target, *, seed: int, penalties: Sequence[float] = _PENALTIES
) -> Pool:
    """Of logits [members, rows, outputs]. With several penalties the best of them by cross-validation."""
    limit = max(_MAX_CELLS // (logits.shape[0] * logits.shape[2]), 1000)
    if logits.shape[1] > limit:
        chosen = np.random.default_rng(seed).choice(logits.shape[1], size=limit, replace=False)
        logits, truth = logits[:, chosen], truth[chosen]
    penalty = penalties[0]
    if len(penalties) > 1:
        folds = list(KFold(_NUM_FOLDS, shuffle=True, random_state=seed).split(truth))
        losses = [
            sum(
                log_loss(
                    _fit(logits[:, train], truth[train], target, own).answer(logits[:, held]), truth[held], target.task
                )
                for train, held in folds
            )
            for own in penalties
        ]
        penalty = penalties[int(np.argmin(losses))]
    return _fit(logits, truth, target, penalty)


def _fit(logits: Doubles, truth: Array, target: Target, penalty: float) -> Pool:
    num_members, _, num_outputs = logits.shape
    hot, task = to_hot(truth, target), target.task
    divisor = hot.size if task is Task.MULTILABEL else len(hot)
    prior = np.zeros((num_members + 1, num_outputs))
    prior[:-1] = 1 / num_members

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        values = flat.reshape(prior.shape)
        found = Pool(coefficients=values[:-1], intercept=values[-1]).answer(logits)
        wrong = (from_logits(found, task) - hot) / divisor
        slope = np.concatenate([np.einsum("mro,ro->mo", logits, wrong), wrong.sum(axis=0)[None]])
        away = values - prior
        return (
            log_loss(found, truth, task) + penalty * float((away**2).sum()) / 2,
            (slope + penalty * away).ravel(),
        )

    found = minimize(loss, prior.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    values = found.reshape(prior.shape)
    return Pool(coefficients=values[:-1], intercept=values[-1])
