"""An ensemble as one model, exported, checked and described as any other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from aimass_core.domain.schemas import Column
from aimass_core.domain.signatures import Card, Evaluation, ExportCheck
from batch_jobs.algorithms.export.ensembles import Member, join_signatures, merge, weighted_mean
from batch_jobs.data.channels import Channel
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.stored import StoredFrame
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.export_check import check_export, join_checks
from batch_jobs.evaluate.latency import measure_latency_ms
from batch_jobs.evaluate.metrics import evaluate, primary_metric
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.search.ensembles import average, raise_to
from batch_jobs.train.exporting import Exported, to_scale
from batch_jobs.train.fitting import judge_by_folds
from batch_jobs.train.interface import build_golden, choose_golden_rows, make_hard_rows
from batch_jobs.train.material import TRAIN, VALIDATION, Material, Part

ENSEMBLE = "ensemble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A member of an ensemble: the model of a trial, what it counts, and what its probabilities are raised to."""

    trial: int
    weight: float
    exported: Exported
    material: Material
    power: float = 1.0


def export_ensemble(chosen: Sequence[Chosen]) -> tuple[Exported, Material]:
    """One model out of several, with the material that it is judged by: the columns of all.

    `handover.Handover` finishes it. Its validation scores are the means of the members', so that with folds no row
    was seen by what judges it.

    Raises:
        ValueError: Members conflict: see `algorithms.export.ensembles.find_conflict`.
        InternalError: The one graph does not repeat the members' own.
    """
    weights = [member.weight for member in chosen]
    members = [
        Member(model=onnx.load_from_string(one.exported.model), signature=one.exported.signature) for one in chosen
    ]
    material, first = join_materials([one.material for one in chosen]), chosen[0].exported
    target = material.target
    mean = weighted_mean(weights, [one.power for one in chosen])
    model = bytes(merge(members, mean, target).SerializeToString(deterministic=True))
    signature = join_signatures([member.signature for member in members])
    scorer, scale = Scorer(model, signature), to_scale(target, material.parts[TRAIN].truth)
    validated = join_parts([one.exported.validated for one in chosen])
    check = _check(scorer, chosen, validated, target, scale=scale)
    rows = choose_golden_rows(validated.sample(seed=first.spec.seed).frame, make_hard_rows)
    golden = build_golden(rows, _answer(chosen, rows), scorer, signature, scale=scale)
    evaluation, scores = judge(chosen)
    name = primary_metric(target, evaluation.metrics)
    known: dict[str, Any] = {
        "evaluations": [evaluation],
        "primary_metric": name,
        "primary_value": evaluation.metrics[name],
        "export_check": check,
        "model_bytes": len(model),
        "latency_ms": measure_latency_ms(scorer, validated.frame),
    }
    exported = Exported(
        spec=first.spec,
        model=model,
        signature=signature,
        scorer=scorer,
        golden=golden,
        card=_describe(chosen).model_copy(update=known),
        validated=validated,
        validation_scores=scores,
    )
    return exported, material


def judge(chosen: Sequence[Chosen]) -> tuple[Evaluation, Array]:
    """What they are worth together on the rows that judged each of them, and their answers to these."""
    first, target = chosen[0].exported, chosen[0].material.target
    scores = _average(chosen, [one.exported.validation_scores for one in chosen])
    evaluation = evaluate(VALIDATION, target, first.validated.truth, scores)
    if first.spec.folds is not None:
        means = judge_by_folds(chosen[0].material, first.spec, scores)
        evaluation = evaluation.model_copy(update={"metrics": means})
    return evaluation, scores


def join_materials(materials: Sequence[Material]) -> Material:
    """The same rows with the columns of all: algorithms for texts read other columns than those for tables."""
    first, *others = materials
    if all(other is first for other in others):
        return first
    columns: dict[str, Column] = {column.name: column for material in materials for column in material.columns}
    parts = {name: join_parts([material.parts[name] for material in materials]) for name in first.parts}
    return replace(first, columns=list(columns.values()), parts=parts)


def join_parts(parts: Sequence[Part]) -> Part:
    """The same rows with the columns of all; on disk where all of them are."""
    first, frames = parts[0], [part.frame for part in parts]
    if all(frame is frames[0] for frame in frames):
        return first
    if any(part.num_rows != first.num_rows for part in parts):
        raise ValueError(f"members have {[part.num_rows for part in parts]} rows of the channel {first.name}")
    on_disk = [frame for frame in frames if isinstance(frame, StoredFrame)]
    if len(on_disk) == len(frames):
        return replace(first, frame=_join_stored(on_disk))
    columns: dict[str, Array] = {}
    for frame in frames:
        columns |= (frame if isinstance(frame, Frame) else frame.load()).columns
    return replace(first, frame=Frame(columns=columns, num_rows=first.num_rows), numbers=first.rows)


def _join_stored(frames: Sequence[StoredFrame]) -> StoredFrame:
    def read(channel: Channel) -> Frame:
        columns: dict[str, Array] = {}
        for frame in frames:
            columns |= frame.read(channel).columns
        return Frame(columns=columns, num_rows=channel.num_rows)

    names = dict.fromkeys(name for frame in frames for name in frame.names)
    return replace(frames[0], names=tuple(names), read=read, row_bytes=max(frame.row_bytes for frame in frames))


def _answer(chosen: Sequence[Chosen], frame: Frame) -> NDArray[np.float32]:
    """By the members' own graphs."""
    return _average(chosen, [one.exported.scorer.answer(frame).scores for one in chosen])


def _average(chosen: Sequence[Chosen], scores: Sequence[Array]) -> NDArray[np.float32]:
    raised = [raise_to(own, one.power) for own, one in zip(scores, chosen, strict=True)]
    return average(raised, [one.weight for one in chosen])


def _check(scorer: Scorer, chosen: Sequence[Chosen], part: Part, target: Target, *, scale: float) -> ExportCheck:
    return join_checks(
        [
            check_export(
                part.name, framework=_answer(chosen, batch), exported=scorer.answer(batch), target=target, scale=scale
            )
            for batch in part.frame.batches()
        ]
    )


def _describe(chosen: Sequence[Chosen]) -> Card:
    """The card, as far as the members' cards say it."""
    cards = [one.exported.card for one in chosen]
    versions: dict[str, str] = {}
    warnings: dict[str, None] = {}
    for card in cards:
        versions |= card.versions
        warnings |= dict.fromkeys(card.warnings)
    found: Mapping[str, Any] = {
        "algorithm": ENSEMBLE,
        "framework": "onnx",
        "hyperparameters": {
            f"trial {one.trial}": {
                "weight": round(one.weight, 6),
                **({} if one.power == 1 else {"power": one.power}),
                "algorithm": card.algorithm,
                "framework": card.framework,
                "hyperparameters": card.hyperparameters,
                "features": card.features,
            }
            for one, card in zip(chosen, cards, strict=True)
        },
        "features": None,
        "is_refitted": any(card.is_refitted for card in cards),
        "importances": [],
        "training_seconds": round(sum(card.training_seconds for card in cards), 3),
        "warnings": list(warnings),
        "versions": versions,
    }
    return cards[0].model_copy(update=found)
