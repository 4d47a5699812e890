"""Combines the best models of a study into one, where that is better on the rows that judged them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from optuna.trial import FrozenTrial

from aimass_core.domain.studies import LeaderboardRow
from batch_jobs.algorithms.export.ensembles import find_conflict
from batch_jobs.search.ensemble_export import ENSEMBLE, Chosen, export_ensemble
from batch_jobs.search.ensembles import select
from batch_jobs.search.goals import Goal
from batch_jobs.search.refitting import refit
from batch_jobs.search.running import measure
from batch_jobs.search.studying import Studying
from batch_jobs.train.exporting import Exported
from batch_jobs.train.material import Material


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """An ensemble as one model, with the material that it is judged by and its row of the leaderboard."""

    exported: Exported
    material: Material
    row: LeaderboardRow


def combine(
    studying: Studying, ranked: Sequence[FrozenTrial], goal: Goal, *, max_members: int, is_refitted: bool
) -> Combined | None:
    """None where the best model alone is as good, the ensemble misses a limit, or there is no time for one.

    Args:
        studying: of the study, whose archive has the models of the best trials.
        ranked: its trials, best first.
        goal: what is to be good.
        max_members: how many models there may be in it.
        is_refitted: whether these are fitted again on all rows, where there is time.
    """
    began, spec, deadline = time.monotonic(), studying.spec, studying.time_to_close(is_alone=False)
    if deadline is not None and began >= deadline:
        studying.notes("no time is left to combine models: the best alone is the model")
        return None
    found = {trial.number: exported for trial in ranked if (exported := studying.find(trial.number)) is not None}
    models = _compatible(found)
    if len(models) < 2:
        return None
    numbers, members = list(models), list(models.values())
    materials = {number: studying.worker.runner.materials.find(models[number].train_spec) for number in numbers}
    target, metrics = materials[numbers[0]].target, members[0].card.evaluations[0].metrics
    weights = select(
        [member.validation_scores for member in members],
        members[0].validated.truth,
        target,
        metric=goal.metric if goal.metric in metrics else goal.fallback or goal.metric,
        max_members=max_members,
        sizes=[len(member.model) for member in members],
        seed=spec.seed,
        is_time_up=lambda: deadline is not None and time.monotonic() >= deadline,
    )
    if np.count_nonzero(weights) < 2:
        studying.notes("the best model alone is as good as any combination of several")
        return None
    counts = {number: float(weight) for number, weight in zip(numbers, weights, strict=True) if weight}
    if is_refitted:
        heaviest_first = sorted(counts, key=lambda number: -counts[number])
        models |= refit(studying, {number: models[number] for number in heaviest_first}, is_alone=False)
    chosen = [
        Chosen(trial=number, weight=weight, exported=models[number], material=materials[number])
        for number, weight in counts.items()
    ]
    exported, material = export_ensemble(chosen)
    figures = measure(exported)
    missed = [name for name, excess in figures.constraints(spec).items() if excess > 0]
    score, best = goal.find(figures.metrics), ranked[0].values[0]
    words = f"{len(chosen)} models together reach {goal.metric} {score:.5g}, the best alone {best:.5g}"
    if missed or goal.sign * score >= goal.sign * best:
        why = f"they miss the limit of {' and '.join(missed)}" if missed else "that is no better"
        studying.notes(f"{words}: {why}, so that the best alone is the model")
        return None
    studying.notes(f"{words}: they are the model")
    row = LeaderboardRow(
        rank=0,
        name=f"{ENSEMBLE} of {len(chosen)}",
        algorithm=ENSEMBLE,
        score=score,
        latency_ms=figures.latency_ms,
        model_bytes=figures.model_bytes,
        seconds=round(time.monotonic() - began, 3),
    )
    return Combined(exported=exported, material=material, row=row)


def _compatible(found: Mapping[int, Exported]) -> dict[int, Exported]:
    """Those that can join the best one in one graph."""
    first = next(iter(found.values()), None)
    return {
        number: exported
        for number, exported in found.items()
        if first is not None and (exported is first or find_conflict(first.signature, exported.signature) is None)
    }
