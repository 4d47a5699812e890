"""Combines the best models of a study into one, where that is better on the rows that judged them."""

import math
import time
from collections.abc import Sequence

import numpy as np
from optuna.trial import FrozenTrial

from aimass_core.domain.studies import TrialAttribute
from batch_jobs.algorithms.export.ensembles import find_conflict
from batch_jobs.search.archive import Kept
from batch_jobs.search.endings.contract import Ending, to_row
from batch_jobs.search.ensemble_export import ENSEMBLE, Chosen, export_ensemble, judge
from batch_jobs.search.ensembles import find_power, raise_to, select
from batch_jobs.search.goals import Goal
from batch_jobs.search.refitting import refit
from batch_jobs.search.running import measure
from batch_jobs.search.studying import Studying

# Standard errors of a share that a combination may be behind the best model alone, which is chosen by the same rows.
_NUM_ERRORS = 2.0


def combine(
    studying: Studying,
    ranked: Sequence[FrozenTrial],
    goal: Goal,
    *,
    best: float,
    max_members: int,
    is_refitted: bool,
) -> Ending | None:
    """None where the best model alone is as good, the ensemble misses a limit, or there is no time for one.

    Of classes it is selected by the log loss, of probabilities that were raised, whatever the metric: over 17 tables
    that was better on unseen rows than what was selected by accuracy or ROC AUC. By these the best model alone is the
    best by luck too; an ensemble with a lower loss may be two standard errors behind it.

    Args:
        studying: of the study, whose archive has the models of the best trials.
        ranked: its trials, best first.
        goal: what is to be good.
        best: the score that is to be beaten.
        max_members: how many models there may be in it; fewer where there is no time to hand over so many.
        is_refitted: whether these are fitted again on all rows, where there is time.
    """
    began, spec = time.monotonic(), studying.spec
    max_members = _count_members(studying, max_members)
    if not max_members:
        studying.notes("no time is left to combine models: the best alone is the model")
        return None
    kept = find_compatible(studying, ranked)
    if len(kept) < 2:
        return None
    numbers, sizes = list(kept), {trial.number: int(trial.user_attrs[TrialAttribute.MODEL_BYTES]) for trial in ranked}
    first, find_material = studying.load(numbers[0]), studying.worker.runner.materials.find
    target, metrics = find_material(first.train_spec).target, first.card.evaluations[0].metrics
    truth = first.validated.truth
    judged = goal.metric if goal.metric in metrics else goal.fallback or goal.metric
    loss = judged if target.labels is None else "log_loss"
    powers = [find_power(each.scores, truth, target) for each in kept.values()]
    deadline = studying.time_to_close(max_members)
    weights = select(
        [raise_to(each.scores, power) for each, power in zip(kept.values(), powers, strict=True)],
        truth,
        target,
        metric=loss,
        max_members=max_members,
        sizes=[sizes[number] for number in numbers],
        seed=spec.seed,
        is_time_up=lambda: deadline is not None and time.monotonic() >= deadline,
    )
    if np.count_nonzero(weights) < 2:
        studying.notes("the best model alone is as good as any combination of several")
        return None
    counts = {
        number: (float(weight), power) for number, weight, power in zip(numbers, weights, powers, strict=True) if weight
    }
    models = {number: first if number == numbers[0] else studying.load(number) for number in counts}

    def choose() -> list[Chosen]:
        return [
            Chosen(
                trial=number,
                weight=weight,
                power=power,
                exported=models[number],
                material=find_material(models[number].train_spec),
            )
            for number, (weight, power) in counts.items()
        ]

    found = judge(choose())[0].metrics
    score = goal.find(found)
    words = f"{len(counts)} models together reach {goal.metric} {score:.5g}, the best alone {best:.5g}"
    is_luck = target.labels is not None and 0 <= score <= 1 and best == ranked[0].values[0]
    slack = _NUM_ERRORS * math.sqrt(score * (1 - score) / len(truth)) if is_luck else 0.0
    if (goal.sign * score - slack, found[loss]) >= (goal.sign * best, metrics[loss]):
        studying.notes(f"{words}: that is no better, so that the best alone is the model")
        return None
    if is_refitted:
        heaviest_first = sorted(counts, key=lambda number: -counts[number][0])
        models |= refit(studying, {number: models[number] for number in heaviest_first})
    exported, material = export_ensemble(choose())
    figures = measure(exported)
    if missed := [name for name, excess in figures.constraints(spec).items() if excess > 0]:
        studying.notes(f"{words}: they miss the limit of {' and '.join(missed)}, so that the best alone is the model")
        return None
    studying.notes(f"{words}: they are the model")
    row = to_row(exported, f"{ENSEMBLE} of {len(counts)}", figures, score=score, seconds=time.monotonic() - began)
    return Ending(exported=exported, material=material, row=row)


def _count_members(studying: Studying, most: int) -> int:
    """How many models there is time for; 0 where it is for one alone."""
    now = time.monotonic()
    ends = ((count, studying.time_to_close(count)) for count in range(most, 1, -1))
    return next((count for count, end in ends if end is None or now < end), 0)


def find_compatible(studying: Studying, ranked: Sequence[FrozenTrial]) -> dict[int, Kept]:
    """The models that were kept and can join the best of them in one graph, best first.

    None of them is loaded: there are many more than are combined in the end.
    """
    kept = studying.worker.archive.find_kept(trial.number for trial in ranked)
    first = next(iter(kept.values()), None)
    return {
        number: each
        for number, each in kept.items()
        if first is not None and (each is first or find_conflict(first.signature, each.signature) is None)
    }
