"""Combinations as they would be served: exported, measured and held against the limits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aimass_core.domain.fusion import FuseSpec, Placement
from aimass_core.domain.model_jobs import Cost
from aimass_core.errors import InvalidDataError
from batch_jobs.algorithms.export.ensembles import join_signatures
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.fuse.answers import stack, to_given
from batch_jobs.fuse.apart import ApartScorer
from batch_jobs.fuse.choosing import Judged
from batch_jobs.fuse.costs import measure_file, measure_latency
from batch_jobs.fuse.graphs import to_lone_graph, to_one_graph
from batch_jobs.fuse.methods import Combination
from batch_jobs.fuse.methods.weighting import WeightedMean
from batch_jobs.registered.models import RegisteredModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """`members` are those that count, and `combination` is of these."""

    judged: Judged
    members: Sequence[RegisteredModel]
    combination: Combination
    placement: Placement
    model: bytes
    scorer: Scorer
    cost: Cost
    missed: Sequence[str]

    def expected(self, frame: Frame, target: Target) -> Array:
        """What it has to answer, by what its members answer."""
        scores = stack([member.scorer.answer(frame).scores for member in self.members])
        return to_given(self.combination.answer(scores), target)


def choose_candidate(
    judged: Sequence[Judged],
    models: Sequence[RegisteredModel],
    spec: FuseSpec,
    *,
    target: Target,
    rows: Frame,
    num_threads: int,
) -> Candidate:
    """The best of those that meet the limits; apart where no single graph does, unless the job says otherwise.

    Args:
        judged: What may be chosen, the best first.
        models: All members.
        spec: Says placement and limits.
        target: What is predicted.
        rows: To measure with.
        num_threads: Of the device.

    Raises:
        InvalidDataError: Nothing meets the limits; the message says what comes nearest.
    """
    reasons: list[str] = []
    nearest: Candidate | None = None
    for placement in [spec.placement] if spec.placement else list(Placement):
        for one in judged:
            try:
                found = _build(one, models, spec, placement, target=target, rows=rows, num_threads=num_threads)
            except ValueError as error:
                reasons.append(f"{one.method.method}: {error}")
                continue
            if not found.missed:
                return found
            nearest = nearest or found
            reasons.append(f"{one.method.method}, {placement.value.replace('_', ' ')}: {', '.join(found.missed)}")
    relax = "" if nearest is None else f" Nearest is {nearest.judged.method.method}: {_advise(nearest)}."
    raise InvalidDataError(
        f"no combination can be served within the limits. {'; '.join(dict.fromkeys(reasons))}.{relax} Or take fewer or "
        "smaller members"
    )


def _build(
    judged: Judged,
    models: Sequence[RegisteredModel],
    spec: FuseSpec,
    placement: Placement,
    *,
    target: Target,
    rows: Frame,
    num_threads: int,
) -> Candidate:
    members, combination = list(models), judged.combination
    scorer: Scorer
    if placement is Placement.ONE_GRAPH:
        members, combination = _keep_used(members, combination)
        model = to_one_graph(members, combination, target)
        scorer = Scorer(model, join_signatures([member.signature for member in members]))
        cost = measure_file(model, scorer, rows, num_threads=num_threads)
    else:
        model = to_lone_graph(len(members), combination, target)
        scorer = ApartScorer(
            model,
            join_signatures([member.signature for member in members]),
            members,
            combination,
            num_threads=num_threads,
        )
        num_bytes = len(model) + sum(len(member.model) for member in members)
        cost = measure_latency(scorer, rows, model_bytes=num_bytes)
    return Candidate(
        judged=judged,
        members=members,
        combination=combination,
        placement=placement,
        model=model,
        scorer=scorer,
        cost=cost,
        missed=_find_missed(cost, spec, placement),
    )


def _keep_used(members: list[RegisteredModel], combination: Combination) -> tuple[list[RegisteredModel], Combination]:
    """Members that count nothing need not be in the graph."""
    if not isinstance(combination, WeightedMean) or combination.weights.all():
        return members, combination
    kept = np.flatnonzero(combination.weights)
    return [members[index] for index in kept], replace(combination, weights=combination.weights[kept])


def _find_missed(cost: Cost, spec: FuseSpec, placement: Placement) -> list[str]:
    """A limit of bytes is one of the file: apart each member is a file that is there already."""
    missed = []
    is_file = placement is Placement.ONE_GRAPH
    if is_file and spec.max_model_bytes is not None and cost.model_bytes > spec.max_model_bytes:
        missed.append(f"model_bytes {cost.model_bytes:,} > {spec.max_model_bytes:,}")
    if spec.max_latency_ms is not None and cost.latency_p50_ms > spec.max_latency_ms:
        missed.append(f"latency_p50_ms {cost.latency_p50_ms:.3f} > {spec.max_latency_ms:g}")
    return missed


def _advise(candidate: Candidate) -> str:
    words = []
    for missed in candidate.missed:
        name = "max_model_bytes" if missed.startswith("model_bytes") else "max_latency_ms"
        value = candidate.cost.model_bytes if name == "max_model_bytes" else candidate.cost.latency_p50_ms * 1.2
        words.append(f"raise {name} to {value:,.0f}" if name == "max_model_bytes" else f"raise {name} to {value:.3g}")
    return " and ".join(words)
