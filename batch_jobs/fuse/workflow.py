"""A fuse job from the models it is given to one that answers better than any of them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aimass_core.domain.fusion import FuseSpec, Fusion
from aimass_core.domain.model_jobs import Score
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.algorithms.export.ensembles import join_signatures
from batch_jobs.data.frames import Frame
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.metrics import evaluate, metric_names, primary_metric
from batch_jobs.fuse.answers import Answered, to_given
from batch_jobs.fuse.apart import ApartScorer, to_serving_graph
from batch_jobs.fuse.candidates import Candidate, choose_candidate
from batch_jobs.fuse.choosing import Ground, Judged, is_gain, judge_methods, to_key, to_score
from batch_jobs.fuse.describing import describe_fusion, to_card
from batch_jobs.fuse.members import answer, load_members
from batch_jobs.fuse.methods import METHODS, Method, Settings
from batch_jobs.fuse.out_of_fold import answer_out_of_fold
from batch_jobs.fuse.page import write_page
from batch_jobs.fuse.unseen import MIN_ROWS, Trained, split_unseen
from batch_jobs.registered.costs import resolve_threads
from batch_jobs.registered.material import read_material
from batch_jobs.registered.results import describe
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.handover import Handover
from batch_jobs.train.material import TRAIN, VALIDATION, Material
from batch_jobs.train.notes import Notes

_RESERVED_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """What is combined, by which rows."""

    spec: FuseSpec
    data: LearningSpec
    members: Sequence[Trained]
    material: Material
    ground: Ground
    scores: Sequence[Score]
    """Of each member."""
    num_threads: int
    """Of the device."""

    @property
    def rows(self) -> Frame:
        """To measure with."""
        return self.material.parts[VALIDATION].sample(seed=self.spec.seed).frame


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """Combines as `environment.spec` says.

    Leaves what a training leaves, and `fusion.json` and `fusion.html` in `output_path`. Where members are served apart
    `fusion.json` beside the model says which.

    Returns:
        As of a training. Those of validation are cross-fitted: of combinations that had not been fitted to the rows.

    Raises:
        InvalidRequestError: The members cannot be combined.
        InvalidDataError: There are too few rows that no member has seen; or no combination is better than the best
            member, or none meets the limits.
        InternalError: The exported model does not answer as its members do.
    """
    spec = environment.spec
    if not isinstance(spec, FuseSpec):
        raise InvalidRequestError(f"a {spec.kind} job combines no models")
    notes, began = Notes(reporter), time.monotonic()
    reporter.progress("reading")
    ready = _prepare(environment, spec, reporter, notes)
    reporter.progress("combining")
    judged, unfit = judge_methods(
        [method for method in METHODS if spec.method in (None, method.method)],
        ready.ground,
        settings=Settings(metric=ready.ground.metric, seed=spec.seed, num_threads=environment.num_cpus),
        seconds_left=lambda: (
            None if environment.deadline is None else environment.deadline - time.monotonic() - _RESERVED_SECONDS
        ),
    )
    reporter.progress("exporting")
    try:
        candidate = _choose(ready, judged, unfit)
    except InvalidDataError:
        _leave(environment, ready, judged, unfit, None)
        raise
    _leave(environment, ready, judged, unfit, candidate)
    notes(_summary(ready, candidate))
    return _hand_over(environment, ready, candidate, reporter, notes, began=began)


def _prepare(environment: Environment, spec: FuseSpec, reporter: Reporter, notes: Notes) -> _Ready:
    members = load_members(environment, spec)
    if spec.data is None:
        raise InvalidRequestError("the members were trained by no job of ours: give `data` with rows new to them")
    models = [member.model for member in members]
    read = read_material(environment, spec.data, models, notes)
    material = split_unseen(read, spec.data, members, notes, is_required=spec.out_of_fold is None)
    reporter.progress("answering")
    judge, fit = answer(models, material, material.parts[VALIDATION]), None
    if spec.out_of_fold is not None:
        is_new = material is not read or not any(member.model.card.is_refitted for member in members)
        unseen = set(material.parts[VALIDATION].rows.tolist()) if is_new and spec.data.validation is None else set()
        train = read.parts[TRAIN]
        part = train.take(np.flatnonzero([row not in unseen for row in train.rows.tolist()]), name=VALIDATION)
        kept, folds = answer_out_of_fold(environment, spec, members, part, reporter=reporter, notes=notes)
        if is_new and judge.num_rows >= MIN_ROWS:
            fit = folds
        else:
            judge, material = folds, replace(material, parts={**material.parts, VALIDATION: kept, TRAIN: kept})
    ground = Ground(judge=judge, fit=fit, metric=_find_metric(spec, judge))
    scores = [
        to_score(ground.metric, judge.target, judge.truth, judge.of_member(number)) for number in range(len(members))
    ]
    num_threads = resolve_threads(spec.device, num_cpus=environment.num_cpus)
    return _Ready(
        spec=spec,
        data=spec.data,
        members=members,
        material=material,
        ground=ground,
        scores=scores,
        num_threads=num_threads,
    )


def _find_metric(spec: FuseSpec, judge: Answered) -> str:
    known = evaluate(VALIDATION, judge.target, judge.truth, judge.of_member(0)).metrics
    if spec.metric is None:
        return primary_metric(judge.target, known)
    if spec.metric not in known:
        raise InvalidRequestError(
            f"there is no metric {spec.metric!r} of a {judge.target.task} task on these rows: choose one of "
            f"{', '.join(name for name in metric_names(judge.target) if name in known)}"
        )
    return spec.metric


def _choose(ready: _Ready, judged: Sequence[Judged], unfit: Mapping[Method, str]) -> Candidate:
    """Raises InvalidDataError where nothing is better than the best member, or nothing meets the limits."""
    best = min(range(len(ready.members)), key=lambda number: to_key(ready.scores[number]))
    better = [one for one in judged if is_gain(one.score, ready.scores)]
    metric = ready.ground.metric
    if not better:
        found = "; ".join(f"{one.method.method} {one.score.value:.5g}" for one in judged)
        reasons = "; ".join(f"{method.method}: {reason}" for method, reason in unfit.items() if len(judged) == 0)
        raise InvalidDataError(
            f"no combination is better than {ready.members[best].model.name} alone, with {metric} "
            f"{ready.scores[best].value:.5g} on {ready.ground.judge.num_rows} rows that no member was trained on: "
            f"{found or reasons}. Nothing was registered: use that model, or combine members that are wrong about "
            "different rows"
        )
    models = [member.model for member in ready.members]
    return choose_candidate(
        better,
        models,
        ready.spec,
        target=ready.material.target,
        rows=ready.rows,
        num_threads=ready.num_threads,
    )


def _leave(
    environment: Environment,
    ready: _Ready,
    judged: Sequence[Judged],
    unfit: Mapping[Method, str],
    candidate: Candidate | None,
) -> Fusion:
    fusion = describe_fusion(
        ready.spec,
        [member.model for member in ready.members],
        ready.scores,
        ground=ready.ground,
        judged=judged,
        unfit=unfit,
        candidate=candidate,
        rows=ready.rows,
        num_threads=ready.num_threads,
    )
    write_page(environment.output_path, fusion, ready.ground.judge)
    return fusion


def _hand_over(
    environment: Environment,
    ready: _Ready,
    candidate: Candidate,
    reporter: Reporter,
    notes: Notes,
    *,
    began: float,
) -> dict[str, float]:
    target: Target = ready.material.target
    exported = describe(
        candidate.model,
        join_signatures([member.signature for member in candidate.members]),
        ready.material,
        data=ready.data,
        card=to_card(
            candidate,
            is_cross_fitted=ready.ground.fit is None,
            dataset=environment.dataset,
            dataset_digest=environment.dataset_digest,
            seconds=time.monotonic() - began,
            notes=notes,
        ),
        expected=lambda frame: candidate.expected(frame, target),
        validation_scores=to_given(candidate.judged.answers, target),
        scorer=candidate.scorer,
    )
    handover = Handover(
        environment=environment, material=ready.material, exported=exported, reporter=reporter, notes=notes
    )
    metrics = handover.run()
    if isinstance(candidate.scorer, ApartScorer):
        graph = to_serving_graph(candidate.members, candidate.combination, candidate.judged.method.method)
        (environment.model_path / ArtifactName.FUSION).write_text(graph.model_dump_json(indent=1))
    return metrics


def _summary(ready: _Ready, candidate: Candidate) -> str:
    best = min(range(len(ready.members)), key=lambda number: to_key(ready.scores[number]))
    score = candidate.judged.score
    return (
        f"{candidate.judged.method.method} of {len(candidate.members)} models reaches {score.metric} "
        f"{score.value:.5g}, the best member, {ready.members[best].model.name}, {ready.scores[best].value:.5g}, on "
        f"{score.num_rows} rows"
    )
