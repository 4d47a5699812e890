"""Splits the task of a table among small experts that are trained as the best model of a study."""

import time
from collections.abc import Sequence

from optuna.trial import FrozenTrial

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.decomposition import DecomposeSpec, PartSpec
from aimass_core.domain.studies import TrialAttribute
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import InvalidRequestError
from batch_jobs.decompose.contract import Ground
from batch_jobs.decompose.measuring import Tried, count_operations, find_noise, judge, measure_all, measure_alone
from batch_jobs.decompose.opening import open_trainer
from batch_jobs.decompose.telling import tell
from batch_jobs.decompose.trying import Trial
from batch_jobs.decompose.workflow import export_whole, write_document
from batch_jobs.search.endings.contract import Ending, Phase, find_held_out, resolve_metric, to_row
from batch_jobs.search.goals import Goal
from batch_jobs.search.running import measure
from batch_jobs.search.studying import Studying
from batch_jobs.train.exporting import Exported
from batch_jobs.train.material import Material
from batch_jobs.train.notes import Notes

SHARE = 0.2
"""Of all time."""
_NUM_MEASURED = 3


def decompose(studying: Studying, ranked: Sequence[FrozenTrial], goal: Goal) -> Ending | None:
    """None where no whole is better than the best model with as few operations a row, or there is no time for one.

    Leaves decomposition.json and decomposition.html.

    Args:
        studying: of the study, whose archive has the models of the best trials.
        ranked: its trials, best first.
        goal: what is to be good.
    """
    began, ends = time.monotonic(), studying.time_to_end(SHARE)
    trial, exported, material = _find_single(studying, ranked)
    if exported is None or material is None:
        studying.notes("nothing is decomposed: that is for tables in memory of which the best model is known")
        return None
    seconds = float(trial.user_attrs[TrialAttribute.SECONDS])
    if ends is not None and ends - began < seconds:
        studying.notes(
            f"nothing is decomposed: there are {ends - began:.0f} s, and trial {trial.number} took {seconds:.0f}"
        )
        return None
    studying.reporter.progress("decomposing")
    ground = _open(studying, exported, material, metric=resolve_metric(goal, exported))
    rows, num_cpus = ground.frame(ground.validation), studying.environment.num_cpus
    single = _to_single(trial.number, exported, ground)
    measuring = measure_alone(single, rows, ground.spec, num_cpus=num_cpus)
    trying = Trial(ground=ground, deadline=ends, single_seconds=seconds, measuring_seconds=measuring)
    try:
        trying.run()
    except InvalidRequestError as error:
        studying.notes(f"nothing is decomposed: {error.message}")
        return None
    measured = [single, *_find_affordable(trying.tried, single, ground, goal)]
    measure_all(measured, rows, ground.spec, num_cpus=num_cpus)
    chosen = next((each for each in measured[1:] if not each.missed), None)
    write_document(tell(measured, chosen, ground, unfit=trying.unfit), studying.environment)
    if chosen is None:
        best = min(trying.tried, key=lambda each: goal.sign * each.score.value)
        studying.notes(
            f"no decomposition is clearly better than trial {trial.number} ({goal.metric} {single.score.value:.5g}) "
            f"with as few operations and within the limits: {best.name} reaches {best.score.value:.5g}"
        )
        return None
    whole = export_whole(chosen, ground, seconds=time.monotonic() - began, environment=studying.environment)
    figures = measure(whole)
    score = goal.find(figures.metrics)
    studying.notes(
        f"{chosen.name} reaches {goal.metric} {score:.5g} with {chosen.num_operations:,} operations a row, trial "
        f"{trial.number} {single.score.value:.5g} with {single.num_operations:,}"
    )
    row = to_row(whole, chosen.name, figures, score=score, seconds=time.monotonic() - began)
    return Ending(exported=whole, material=ground.material, row=row, whole=chosen.whole)


def _find_single(
    studying: Studying, ranked: Sequence[FrozenTrial]
) -> tuple[FrozenTrial, Exported | None, Material | None]:
    """The best trial, with its model and rows where these are of a table."""
    trial = ranked[0]
    exported = studying.find(trial.number)
    if exported is None:
        return trial, None, None
    material = find_held_out(studying, exported)
    return trial, exported, material if material is not None and material.data_kind is DataKind.TABLE else None


def _find_affordable(tried: Sequence[Tried], single: Tried, ground: Ground, goal: Goal) -> list[Tried]:
    """Some that are better with as few operations, by more than the difference's standard error; the best first."""
    better = [each for each in tried if goal.sign * each.score.value < goal.sign * single.score.value]
    rows, seed, truth = ground.frame(ground.validation), ground.spec.seed, ground.validation.truth
    most = count_operations(single, rows, seed=seed)
    found = [each for each in better if count_operations(each, rows, seed=seed) <= most]
    return [
        each
        for each in sorted(found, key=lambda each: goal.sign * each.score.value)[:_NUM_MEASURED]
        if abs(each.score.value - single.score.value) > find_noise(each, single, truth, ground.target, seed=seed)
    ]


def _open(studying: Studying, exported: Exported, material: Material, *, metric: str) -> Ground:
    study, card = studying.spec, exported.card
    part = PartSpec(algorithm=card.algorithm, framework=card.framework, hyperparameters=card.hyperparameters)
    spec = DecomposeSpec.model_validate(
        {
            **study.model_dump(mode="json", include={*LearningSpec.model_fields}),
            "kind": "decompose",
            "metric": metric,
            "max_model_bytes": study.max_model_bytes,
            "max_latency_ms": study.max_latency_ms,
        }
    )
    phase = Phase(reporter=studying.reporter, name="decomposing")
    notes = Notes(phase)
    trainer = open_trainer(studying.environment, spec, material, part, reporter=phase, notes=notes)
    return Ground(
        spec=spec,
        material=material,
        single_scores=exported.validation_scores,
        trainer=trainer,
        notes=notes,
    )


def _to_single(number: int, exported: Exported, ground: Ground) -> Tried:
    scores = exported.validation_scores
    return Tried(
        name=f"trial {number}",
        whole=None,
        model=exported.model,
        signature=exported.signature,
        scores=scores,
        score=judge(scores, ground.validation.truth, ground.target, metric=ground.spec.metric),
    )
