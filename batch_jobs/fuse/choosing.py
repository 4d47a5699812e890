"""Fits every way to combine, and judges each by rows that did not fit it.

Where the metric looks at labels alone, ways differ by a few rows that might as well have come out otherwise: of those
the one whose probabilities are best is chosen, by the log loss, which every row tells something about. Likewise by the
ROC AUC, which looks at their order alone: of those that are not worse than the best by more than the standard error of
the difference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from aimass_core.domain.model_jobs import Score
from aimass_core.domain.signatures import Task
from batch_jobs.data.frames import Array
from batch_jobs.data.labels import rarest_labels
from batch_jobs.data.splits import Split, k_folds
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.analysis.intervals import Measured, measure, standard_error
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER, evaluate
from batch_jobs.fuse.answers import Answered, Doubles, to_given
from batch_jobs.fuse.methods import Combination, Method, Settings

_NUM_FOLDS = 5
_NUM_BINS = 15
_DIGITS = 9
_OF_LABELS = frozenset({"accuracy", "f1", "f1_micro", "subset_accuracy", "hamming_loss"})
_OF_ORDER = "roc_auc"
_BY_PROBABILITIES = "log_loss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A way to combine, fitted to all rows that may fit it, with the answers [rows, outputs] that judge it."""

    method: Method
    combination: Combination
    answers: Doubles
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What fits and what judges.

    Without `fit` the rows that judge fit as well, in turns: a combination is judged by rows that did not fit it, and in
    the end fitted to all of them.
    """

    judge: Answered
    fit: Answered | None = None
    metric: str


def judge_methods(
    methods: Sequence[Method],
    ground: Ground,
    *,
    settings: Settings,
    seconds_left: Callable[[], float | None] = lambda: None,
) -> tuple[list[Judged], dict[Method, str]]:
    """The one that is chosen rather first, of those that are the same the simpler; and why others were not used."""
    found: list[Judged] = []
    unfit: dict[Method, str] = {}
    task = ground.judge.target.task
    for method in methods:
        left = seconds_left()
        if task not in method.tasks:
            unfit[method] = f"it is not for a {task} task"
        elif left is not None and left < 0:
            unfit[method] = "there was no time left for it"
        else:
            try:
                found.append(_judge(method, ground, settings))
            except ValueError as error:
                unfit[method] = str(error)
    return _order(found, ground), unfit


def _order(found: Sequence[Judged], ground: Ground) -> list[Judged]:
    """The one that is chosen rather first."""
    ranked = sorted(found, key=lambda one: to_preference(one.score))
    target, truth = ground.judge.target, ground.judge.truth
    if not ranked or ground.metric != _OF_ORDER or target.task is not Task.BINARY:
        return ranked
    best, *_ = known = [measure(_OF_ORDER, truth, to_given(one.answers, target)) for one in ranked]
    if best is None:
        return ranked

    def is_alike(other: Measured | None) -> bool:
        return other is not None and best.value - other.value <= standard_error(best.influences - other.influences)

    alike = [one for one, other in zip(ranked, known, strict=True) if is_alike(other)]
    alike.sort(key=lambda one: _round(one.score.metrics[_BY_PROBABILITIES]))
    return [*alike, *(one for one in ranked if one not in alike)]


def to_key(score: Score) -> float:
    """The less the better by the metric; what differs beyond nine digits is a tie."""
    rounded = _round(score.value)
    return rounded if score.metric in LOWER_IS_BETTER else -rounded


def to_preference(score: Score) -> tuple[float, ...]:
    """The less the rather it is chosen."""
    return (_round(score.metrics[_BY_PROBABILITIES]), to_key(score)) if _is_of_labels(score) else (to_key(score),)


def is_gain(score: Score, alone: Sequence[Score]) -> bool:
    """Whether it is better than each of these: by what is preferred; and by labels it is not worse than the best of
    them by more than the standard error of a share of these rows."""
    if to_preference(score) >= min(map(to_preference, alone)):
        return False
    error = sqrt(max(score.value * (1 - score.value), 0) / max(score.num_rows, 1)) if _is_of_labels(score) else 0.0
    return to_key(score) <= min(map(to_key, alone)) + error


def _is_of_labels(score: Score) -> bool:
    return score.metric in _OF_LABELS and _BY_PROBABILITIES in score.metrics


def _round(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def to_score(metric: str, target: Target, truth: Array, scores: Array) -> Score:
    """All metrics, and of classifications the expected calibration error."""
    metrics = dict(evaluate("validation", target, truth, scores).metrics)
    if target.labels is not None:
        metrics["ece"] = calibration_error(target, truth, scores)
    return Score(metric=metric, value=metrics[metric], metrics=metrics, num_rows=len(truth))


def calibration_error(target: Target, truth: Array, scores: Array) -> float:
    """Expected calibration error (Naeini et al. 2015): how far the probability of the answer is from how often it is
    right, in 15 bins of it; of several labels over all labels of all rows."""
    if target.task is Task.MULTILABEL:
        sure, right = scores.ravel(), truth.ravel().astype(float)
    else:
        sure, right = scores.max(axis=1), (scores.argmax(axis=1) == truth).astype(float)
    bins = np.minimum((sure * _NUM_BINS).astype(int), _NUM_BINS - 1)
    counts = np.bincount(bins, minlength=_NUM_BINS)
    away = np.bincount(bins, weights=right - sure, minlength=_NUM_BINS)
    return float(np.abs(away[counts > 0]).sum() / len(sure))


def _judge(method: Method, ground: Ground, settings: Settings) -> Judged:
    judge = ground.judge
    if ground.fit is not None:
        combination = method.fit(ground.fit, settings)
        answers = combination.answer(judge.scores)
    else:
        answers = np.empty(judge.scores.shape[1:])
        for split in divide(judge, seed=settings.seed):
            part = method.fit(judge.take(split.train), settings)
            answers[split.validation] = part.answer(judge.scores[:, split.validation])
        combination = method.fit(judge, settings)
    score = to_score(ground.metric, judge.target, judge.truth, to_given(answers, judge.target))
    return Judged(method=method, combination=combination, answers=answers, score=score)


def divide(answered: Answered, *, seed: int) -> list[Split]:
    """Folds in which each row is judged once. Those of forecasts are in one piece each, as neighbours in time share
    what comes after them; the only example of a class is judged as well, by what never saw the class."""
    num_rows, task = answered.num_rows, answered.target.task
    if task is Task.FORECASTING:
        pieces = np.array_split(np.arange(num_rows), _NUM_FOLDS)
    else:
        truth = rarest_labels(answered.truth) if task is Task.MULTILABEL else answered.truth
        classes = truth if task.is_classification else None
        folds = k_folds(num_rows, classes=classes, num_folds=_NUM_FOLDS, seed=seed)
        pieces = [fold.validation for fold in folds]
        single = np.setdiff1d(np.arange(num_rows), np.concatenate(pieces))
        pieces[0] = np.sort(np.concatenate([pieces[0], single]))
    return [Split(train=np.setdiff1d(np.arange(num_rows), piece), validation=piece) for piece in pieces]
