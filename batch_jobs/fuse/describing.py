"""What is said about a fusion: its card, and the table of members and methods."""

from collections.abc import Mapping, Sequence

import numpy as np

from aimass_core.domain.fusion import FusedMember, FusedMethod, FuseSpec, Fusion
from aimass_core.domain.model_jobs import Score
from aimass_core.domain.signatures import Card
from batch_jobs.data.frames import Frame
from batch_jobs.fuse.answers import Answered, Doubles, to_hot
from batch_jobs.fuse.candidates import Candidate
from batch_jobs.fuse.choosing import Ground, Judged, to_key
from batch_jobs.fuse.costs import measure_member
from batch_jobs.fuse.methods import Method
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.notes import Notes

ALGORITHM = "fusion"


def describe_fusion(
    spec: FuseSpec,
    models: Sequence[RegisteredModel],
    scores: Sequence[Score],
    *,
    ground: Ground,
    judged: Sequence[Judged],
    unfit: Mapping[Method, str],
    candidate: Candidate | None,
    rows: Frame,
    num_threads: int,
) -> Fusion:
    """`output/fusion.json`; without a candidate nothing came of it."""
    best = min(range(len(models)), key=lambda number: to_key(scores[number]))
    weights = _weights_of(models, candidate)
    chosen = None if candidate is None else candidate.judged
    return Fusion(
        members=[
            FusedMember(
                name=model.name,
                algorithm=model.card.algorithm,
                weight=None if weights is None else round(weights[model.name], 6),
                score=score,
                cost=measure_member(model, rows, num_threads=num_threads),
                correlation=correlation,
            )
            for model, score, correlation in zip(models, scores, correlate_errors(ground.judge), strict=True)
        ],
        methods=[
            *(FusedMethod(method=one.method.method, score=one.score, is_chosen=one is chosen) for one in judged),
            *(FusedMethod(method=method.method, reason=reason) for method, reason in unfit.items()),
        ],
        best_member=models[best].name,
        method=None if chosen is None else chosen.method.method,
        placement=None if candidate is None else candidate.placement,
        device=spec.device,
        num_fit_rows=(ground.fit or ground.judge).num_rows,
        is_cross_fitted=ground.fit is None,
        score=None if chosen is None else chosen.score,
        cost=None if candidate is None else candidate.cost,
    )


def to_card(
    candidate: Candidate,
    *,
    is_cross_fitted: bool,
    dataset: str,
    dataset_digest: str | None,
    seconds: float,
    notes: Notes,
) -> Card:
    """As far as it is known before the graph is judged."""
    first = candidate.members[0].card
    weights = _weights_of(candidate.members, candidate)
    versions: dict[str, str] = {}
    warnings: dict[str, None] = {}
    for member in candidate.members:
        versions |= member.card.versions
        warnings |= dict.fromkeys(member.card.warnings)
    members = {
        member.name: {
            "weight": None if weights is None else round(weights[member.name], 6),
            "algorithm": member.card.algorithm,
            "framework": member.card.framework,
        }
        for member in candidate.members
    }
    method = candidate.judged.method.method
    return Card(
        algorithm=ALGORITHM,
        framework="onnx",
        task=first.task,
        target=first.target,
        hyperparameters={"method": method, "placement": candidate.placement, "members": members},
        seed=first.seed,
        dataset=dataset,
        dataset_digest=dataset_digest,
        num_train_rows=max((member.card.num_train_rows or 0 for member in candidate.members), default=None) or None,
        # What fits a combination has been seen by it, so that no other can be fitted to these rows on top of it.
        is_refitted=is_cross_fitted,
        evaluations=[],
        model_bytes=len(candidate.model),
        training_seconds=round(seconds, 3),
        warnings=[*warnings, *notes.texts],
        versions=versions,
    )


def correlate_errors(answered: Answered) -> list[float | None]:
    """Of each member's errors with the mean of the others'; None where one has none."""
    errors = to_errors(answered)
    found: list[float | None] = []
    for number, own in enumerate(errors):
        others = np.delete(errors, number, axis=0).mean(axis=0)
        has_both = own.std() > 0 and others.std() > 0
        found.append(round(float(np.corrcoef(own, others)[0, 1]), 4) if has_both else None)
    return found


def to_errors(answered: Answered) -> Doubles:
    """[members, rows x outputs]: what each is away from the truth."""
    truth = answered.truth.astype(np.float64).reshape(answered.num_rows, -1)
    wanted = to_hot(answered.truth, answered.target) if answered.target.labels else truth
    return np.asarray((answered.scores - wanted).reshape(answered.num_members, -1))


def _weights_of(models: Sequence[RegisteredModel], candidate: Candidate | None) -> dict[str, float] | None:
    if candidate is None or candidate.combination.weights is None:
        return None
    known = {
        member.name: float(weight)
        for member, weight in zip(candidate.members, candidate.combination.weights, strict=True)
    }
    return {model.name: known.get(model.name, 0.0) for model in models}
