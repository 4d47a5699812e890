"""Which rows no member was trained on: only those can say how to combine members, and how good that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.signatures import Task
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.data.labels import rarest_labels
from batch_jobs.data.splits import hold_out
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.material import TRAIN, VALIDATION, Material, Part
from batch_jobs.train.notes import Notes

MIN_ROWS = 50
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A member, and what is known of the data that it was trained with; `data` is None where nothing is."""

    model: RegisteredModel
    data: LearningSpec | None


def split_unseen(
    material: Material, data: LearningSpec, members: Sequence[Trained], notes: Notes, *, is_required: bool = True
) -> Material:
    """The same rows, of which those are the part `validation` that no member was trained on.

    Members that were trained on the same dataset have seen what their own splits trained on, and all of it where they
    were fitted on all rows. To data that none of them was trained on all rows are new. Of a member that no job of ours
    has trained nothing is known: the rows that are held out are taken to be new to it.

    Args:
        material: As `registered.material` reads it.
        data: How it was read.
        members: In the order of the job.
        notes: Told what was found.
        is_required: Whether too few of them are an error.

    Raises:
        InvalidDataError: There are too few such rows.
        InvalidRequestError: What members were trained on cannot be told from these rows.
    """
    _require_same_data(data, members)
    parts = {name: material.parts[name] for name in (TRAIN, VALIDATION)}
    is_new = {name: np.ones(part.num_rows, dtype=bool) for name, part in parts.items()}
    counts: list[str] = []
    for member in members:
        seen = _find_seen(material, data, member)
        for name, flags in seen.items():
            is_new[name] &= ~flags
        num_new = sum(int((~flags).sum()) for flags in seen.values())
        counts.append(f"{member.model.name} {num_new:,}{_why(member)}")
    num_new = sum(int(flags.sum()) for flags in is_new.values())
    if num_new < MIN_ROWS and is_required:
        raise InvalidDataError(
            f"{num_new} rows of the data are new to all members, and combining them takes {MIN_ROWS} at least. New to "
            f"each alone: {'; '.join(counts)}. Give `data` with rows that none of them was trained on, or take members "
            "that were trained with one split and not fitted again on all rows"
        )
    if num_new < MIN_ROWS:
        return material
    if unknown := [member.model.name for member in members if member.data is None]:
        notes(
            f"what {', '.join(unknown)} was trained on is not known: rows that are held out are taken to be new to it"
        )
    notes(f"{num_new} rows that no member was trained on fit and judge the combination")
    if not is_new[TRAIN].any() and is_new[VALIDATION].all():
        return material
    new = [part.take(np.flatnonzero(is_new[name]), name=VALIDATION) for name, part in parts.items()]
    old = [part.take(np.flatnonzero(~is_new[name]), name=TRAIN) for name, part in parts.items()]
    joined = {VALIDATION: _join(new), TRAIN: _join(old)}
    if not joined[TRAIN].num_rows:
        joined[TRAIN] = material.parts[TRAIN]  # nothing is fitted to it, but it says what a deviation is
    return Material(
        kind=material.kind,
        data_kind=material.data_kind,
        target=material.target,
        columns=material.columns,
        image_shape=material.image_shape,
        parts={**material.parts, **joined},
    )


def _join(parts: Sequence[Part]) -> Part:
    first, second = parts
    if not second.num_rows or not first.num_rows:
        return first if first.num_rows else second
    return first.append(second)


def _require_same_data(data: LearningSpec, members: Sequence[Trained]) -> None:
    """Where some were trained on this dataset, those of another may have seen any row of it."""
    own = [member.model.name for member in members if member.data is not None and member.data.dataset == data.dataset]
    others = {
        member.model.name: member.data.dataset
        for member in members
        if member.data is not None and member.data.dataset != data.dataset
    }
    if own and others:
        words = ", ".join(f"{name} on {dataset}" for name, dataset in others.items())
        raise InvalidRequestError(
            f"{', '.join(own)} were trained on {data.dataset}, but {words}: which of its rows those have seen is not "
            "known. Give `data` with rows that none of them was trained on"
        )


def _find_seen(material: Material, data: LearningSpec, member: Trained) -> Mapping[str, Flags]:
    """Of the parts `train` and `validation`, which rows a member was trained on."""
    train, validation = material.parts[TRAIN], material.parts[VALIDATION]
    own, is_refitted = member.data, member.model.card.is_refitted
    if own is None:
        return {TRAIN: _all(train), VALIDATION: _none(validation)}
    is_fitted_to_both = is_refitted and own.validation is not None and own.validation == data.validation
    if own.dataset != data.dataset:
        is_seen = is_fitted_to_both or own.dataset == data.validation
        return {TRAIN: _none(train), VALIDATION: _all(validation) if is_seen else _none(validation)}
    if data.validation is not None:
        train_seen = _all(train)
        if own.validation is None and not is_refitted:
            train_seen = ~_held_out(material.target.task, train.truth, own, member.model.name)
        return {TRAIN: train_seen, VALIDATION: _all(validation) if is_fitted_to_both else _none(validation)}
    if is_refitted or own.validation is not None:
        return {TRAIN: _all(train), VALIDATION: _all(validation)}
    if _has_same_split(own, data):
        return {TRAIN: _all(train), VALIDATION: _none(validation)}
    # The whole as the member's own job had it before it was divided.
    order = np.argsort(np.concatenate([train.rows, validation.rows]), kind="stable")
    truth = np.concatenate([train.truth, validation.truth])[order]
    seen = np.empty(len(order), dtype=bool)
    seen[order] = ~_held_out(material.target.task, truth, own, member.model.name)
    return {TRAIN: seen[: train.num_rows], VALIDATION: seen[train.num_rows :]}


def _all(part: Part) -> Flags:
    return np.ones(part.num_rows, dtype=bool)


def _none(part: Part) -> Flags:
    return np.zeros(part.num_rows, dtype=bool)


def _has_same_split(one: LearningSpec, other: LearningSpec) -> bool:
    return (one.held_out_fraction, one.seed) == (other.held_out_fraction, other.seed) or (
        one.horizon is not None and one.held_out_fraction == other.held_out_fraction
    )


def _held_out(task: Task, truth: np.ndarray, data: LearningSpec, name: str) -> Flags:
    """As `train.fitting.hold_out_rows` has it."""
    if task is Task.FORECASTING:
        raise InvalidRequestError(
            f"{name} held out {data.held_out_fraction:g} of the rows, and other members another part: of forecasts "
            "with different splits it cannot be told which windows all of them have not seen. Give `data` with rows "
            "that none of them was trained on"
        )
    classes = rarest_labels(truth) if task is Task.MULTILABEL else truth if task.is_classification else None
    split = hold_out(len(truth), classes=classes, fraction=data.held_out_fraction, seed=data.seed)
    flags = np.zeros(len(truth), dtype=bool)
    flags[split.validation] = True
    return flags


def _why(member: Trained) -> str:
    return " (it was fitted on all rows)" if member.model.card.is_refitted and member.data is not None else ""
