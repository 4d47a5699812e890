"""`decomposition.json`: what each expert is for, how well it does there, and what every whole costs and is worth."""

from collections.abc import Sequence

import numpy as np

from aimass_core.domain.decomposition import DecomposedWhole, DecomposeSpec, Decomposition, ExpertRow
from aimass_core.domain.model_jobs import Score
from batch_jobs.data.frames import Array
from batch_jobs.decompose.contract import Ground
from batch_jobs.decompose.measuring import Tried, measure_on
from batch_jobs.decompose.parts import GATE, Expert, PartModel, Question, expert_name
from batch_jobs.decompose.wholes import Whole
from batch_jobs.evaluate.metrics import PRIMARY_METRICS


def tell(tried: Sequence[Tried], chosen: Tried | None, ground: Ground, *, unfit: dict[str, str]) -> Decomposition:
    """Of everything that was tried; of the experts of the chosen whole."""
    wholes = [
        DecomposedWhole(
            name=each.name,
            method=each.method,
            num_experts=1 if each.whole is None else len(each.whole.experts),
            score=each.score,
            cost=each.cost,
            missed=each.missed,
            is_chosen=each is chosen,
        )
        for each in tried
        if each.cost is not None
    ]
    experts: list[ExpertRow] = []
    if chosen is not None and chosen.whole is not None:
        experts = _tell_parts(chosen.whole, ground, metric=chosen.score.metric)
    return Decomposition(wholes=wholes, experts=experts, unfit=unfit)


def advise(tried: Sequence[Tried], spec: DecomposeSpec) -> str:
    """What came nearest to the limits, and which of them to relax to what."""

    def excess(each: Tried) -> float:
        assert each.cost is not None  # noqa: S101  all are measured
        limits = ((each.cost.model_bytes, spec.max_model_bytes), (each.cost.latency_p50_ms, spec.max_latency_ms))
        return max((value / limit for value, limit in limits if limit is not None), default=0.0)

    nearest = min(tried[1:], key=excess)
    assert nearest.cost is not None  # noqa: S101
    relaxed = []
    if spec.max_model_bytes is not None and nearest.cost.model_bytes > spec.max_model_bytes:
        relaxed.append(f"max_model_bytes to {nearest.cost.model_bytes:,}")
    if spec.max_latency_ms is not None and nearest.cost.latency_p50_ms > spec.max_latency_ms:
        relaxed.append(f"max_latency_ms to {nearest.cost.latency_p50_ms:g}")
    return (
        f"nearest is {nearest.name} with {nearest.score.metric} {nearest.score.value:.5g} "
        f"({'; '.join(nearest.missed)}). Set {' and '.join(relaxed)}, or compress a model instead"
    )


def _tell_parts(whole: Whole, ground: Ground, *, metric: str) -> list[ExpertRow]:
    frame, truth = ground.frame(ground.validation), ground.validation.truth
    given = whole.share(frame)
    rows = []
    if whole.gate is not None:
        score, single = None, None
        if whole.gate_question is not None:
            score, single = _answer_question(whole.gate, whole.gate_question, ground)
        rows.append(_row(GATE, whole.gate, whole.gate_purpose, share=1.0, score=score, single=single))
    for number, expert in enumerate(whole.experts):
        index = np.flatnonzero(given[:, number])
        if expert.question is not None:
            score, single = _answer_question(expert.part, expert.question, ground)
        else:
            own = _place(expert, expert.part.answer(frame.take(index)), ground) if len(index) else None
            score = None if own is None else measure_on(metric, ground.target, truth[index], own)
            single = measure_on(metric, ground.target, truth[index], ground.single_scores[index])
        share = len(index) / max(len(truth), 1)
        rows.append(_row(expert_name(number), expert.part, expert.purpose, share=share, score=score, single=single))
    return rows


def _place(expert: Expert, scores: Array, ground: Ground) -> Array:
    return expert.place(scores, ground.target.num_outputs) if ground.target.labels is not None else scores


def _answer_question(part: PartModel, question: Question, ground: Ground) -> tuple[Score | None, Score | None]:
    """A part's own question to all rows; the single model answers it by the sums of its probabilities."""
    frame, target = ground.frame(ground.validation), part.target
    metric = PRIMARY_METRICS[target.task] if target.labels is None else "accuracy"
    score = measure_on(metric, target, question.truth, part.answer(frame))
    if question.groups is None:
        return score, None
    sums = np.stack([ground.single_scores[:, list(group)].sum(axis=1) for group in question.groups], axis=1)
    return score, measure_on(metric, target, question.truth, sums)


def _row(
    name: str, part: PartModel, purpose: str, *, share: float, score: Score | None, single: Score | None
) -> ExpertRow:
    return ExpertRow(
        name=name,
        purpose=purpose,
        algorithm=part.exported.card.algorithm,
        share=share,
        num_train_rows=part.num_train_rows,
        score=score,
        single_score=single,
        model_bytes=len(part.exported.model),
    )
