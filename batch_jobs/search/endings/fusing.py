"""Combines the best models of a study in the way that is best of all that there are, by cross-fitting."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from optuna.trial import FrozenTrial

from aimass_core.domain.fusion import FuseSpec, Placement
from aimass_core.domain.studies import TrialAttribute
from aimass_core.errors import InvalidDataError
from batch_jobs.algorithms.export.ensembles import join_signatures
from batch_jobs.data.targets import Target
from batch_jobs.fuse.answers import Answered, stack, to_given
from batch_jobs.fuse.candidates import Candidate, choose_candidate
from batch_jobs.fuse.choosing import Ground, Judged, is_gain, judge_methods, to_score
from batch_jobs.fuse.describing import describe_fusion, to_card
from batch_jobs.fuse.methods import METHODS, Method, Settings
from batch_jobs.fuse.page import write_page
from batch_jobs.registered.results import describe
from batch_jobs.search.combining import find_compatible
from batch_jobs.search.endings.contract import Ending, resolve_metric, to_registered, to_row
from batch_jobs.search.ensemble_export import join_materials, join_parts
from batch_jobs.search.goals import Goal
from batch_jobs.search.refitting import refit
from batch_jobs.search.running import measure
from batch_jobs.search.studying import Studying
from batch_jobs.train.exporting import Exported
from batch_jobs.train.fitting import judge_by_folds
from batch_jobs.train.material import VALIDATION, Material

# Of the time that is left: the rest is for fits of the members on all rows.
_SHARE = 0.5


def fuse(
    studying: Studying,
    ranked: Sequence[FrozenTrial],
    goal: Goal,
    *,
    best: float,
    max_members: int,
    is_refitted: bool,
) -> Ending | None:
    """None where no combination is better than the best model alone, none keeps the limits, or there is no time.

    Leaves fusion.json and fusion.html. Arguments are those of `combining.combine`. What fits a combination are the
    answers that judged the trials: none of a model that had seen the row.
    """
    began, deadline = time.monotonic(), studying.time_to_close(max_members)
    if deadline is not None and began >= deadline:
        studying.notes("no time is left to fuse models: the best alone is the model")
        return None
    numbers = _choose_members(list(find_compatible(studying, ranked)), ranked, max_members)
    if len(numbers) < 2:
        return None
    models = {number: studying.load(number) for number in numbers}
    first, materials = next(iter(models.values())), studying.worker.runner.materials
    own = [materials.find(model.train_spec) for model in models.values()]
    joined = join_materials(own)
    validated = join_parts([model.validated for model in models.values()])
    material = replace(joined, parts={**joined.parts, VALIDATION: validated})
    scores = stack([model.validation_scores for model in models.values()])
    ground = Ground(
        judge=Answered(scores=scores, truth=validated.truth, target=material.target),
        metric=resolve_metric(goal, first),
    )
    ends = None if deadline is None else began + _SHARE * (deadline - began)
    spec, environment = studying.spec, studying.environment
    judged, unfit = judge_methods(
        METHODS,
        ground,
        settings=Settings(metric=ground.metric, seed=spec.seed, num_threads=environment.num_cpus),
        seconds_left=lambda: None if ends is None else ends - time.monotonic(),
    )
    if is_refitted:
        models |= refit(studying, models)
    candidate = _choose(studying, models, ground, judged, unfit, material=material)
    if candidate is None:
        return None
    exported = _export(studying, candidate, material, own[0], first, seconds=time.monotonic() - began)
    figures = measure(exported)
    score = goal.find(figures.metrics)
    name = f"fusion of {len(candidate.members)} ({candidate.judged.method.method})"
    words = f"{name} reaches {goal.metric} {score:.5g}, the best alone {best:.5g}"
    if goal.sign * score >= goal.sign * best:
        studying.notes(f"{words}: that is no better, so that the best alone is the model")
        return None
    studying.notes(f"{words}: it is the model")
    row = to_row(exported, name, figures, score=score, seconds=time.monotonic() - began)
    return Ending(exported=exported, material=material, row=row)


def _choose_members(numbers: Sequence[int], ranked: Sequence[FrozenTrial], max_members: int) -> list[int]:
    """The best of each algorithm, which err on different rows, then the best of all; in their order."""
    algorithms = {trial.number: trial.user_attrs[TrialAttribute.ALGORITHM] for trial in ranked}
    firsts = {algorithms[number]: number for number in reversed(numbers)}.values()
    chosen = sorted(numbers, key=lambda number: (number not in firsts, numbers.index(number)))[:max_members]
    return [number for number in numbers if number in chosen]


def _choose(
    studying: Studying,
    models: Mapping[int, Exported],
    ground: Ground,
    judged: Sequence[Judged],
    unfit: Mapping[Method, str],
    *,
    material: Material,
) -> Candidate | None:
    spec, target = studying.spec, material.target
    members = [to_registered(number, model) for number, model in models.items()]
    fuse_spec = FuseSpec.model_validate(
        {
            "kind": "fuse",
            "members": [member.name for member in members],
            "placement": Placement.ONE_GRAPH,
            "max_model_bytes": spec.max_model_bytes,
            "max_latency_ms": spec.max_latency_ms,
        }
    )
    judge = ground.judge
    alone = [to_score(ground.metric, target, judge.truth, judge.of_member(number)) for number in range(len(members))]
    better = [one for one in judged if is_gain(one.score, alone)]
    rows = material.parts[VALIDATION].sample(seed=spec.seed).frame
    candidate = None
    if not better:
        studying.notes("no fusion of the best models is better than the best of them alone")
    else:
        try:
            candidate = choose_candidate(better, members, fuse_spec, target=target, rows=rows, num_threads=1)
        except InvalidDataError as error:
            studying.notes(error.message)
    document = describe_fusion(
        fuse_spec,
        members,
        alone,
        ground=ground,
        judged=judged,
        unfit=unfit,
        candidate=candidate,
        rows=rows,
        num_threads=1,
    )
    write_page(studying.environment.output_path, document, judge)
    return candidate


def _export(
    studying: Studying, candidate: Candidate, material: Material, own: Material, first: Exported, *, seconds: float
) -> Exported:
    target: Target = material.target
    environment = studying.environment
    scores = to_given(candidate.judged.answers, target)
    card = to_card(
        candidate,
        is_cross_fitted=True,
        dataset=environment.dataset,
        dataset_digest=environment.dataset_digest,
        seconds=seconds + sum(member.card.training_seconds for member in candidate.members),
        notes=studying.notes,
    )
    exported = describe(
        candidate.model,
        join_signatures([member.signature for member in candidate.members]),
        material,
        data=first.spec,
        card=card,
        expected=lambda frame: candidate.expected(frame, target),
        validation_scores=scores,
        scorer=candidate.scorer,
    )
    if first.spec.folds is None:
        return exported
    evaluation = exported.card.evaluations[0]
    means = judge_by_folds(own, first.spec, scores)
    known = {
        "evaluations": [evaluation.model_copy(update={"metrics": means})],
        "primary_value": means.get(exported.card.primary_metric or "", exported.card.primary_value),
    }
    return replace(exported, card=exported.card.model_copy(update=known))
