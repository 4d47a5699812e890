"""What a decompose job begins with: its data, the single model, and what its parts are trained as."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.decomposition import DecomposeSpec, PartSpec
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import DatasetKind, Schema
from aimass_core.domain.signatures import Card, Signature, Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.data.frames import Array, Frame
from batch_jobs.decompose.training import Trainer, fit_shared_encoder, to_train_spec
from batch_jobs.evaluate.metrics import metric_names
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.fitting import hold_out_rows
from batch_jobs.train.forecasting import load_forecast
from batch_jobs.train.material import (
    TRAIN,
    VALIDATION,
    AnyChannel,
    Material,
    find_data_kind,
    in_memory,
    load_material,
    read_channels,
)
from batch_jobs.train.notes import Notes

SINGLE = "single"
_ALGORITHMS = {
    DataKind.TABLE: "xgboost",
    DataKind.IMAGES: "cnn",
    DataKind.TEXT: "linear",
    DataKind.SERIES: "fcn",
}
_OF_FORECASTS = "nlinear"
_SHARE_OF_SINGLE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """The model to compare with."""

    name: str
    model: bytes
    signature: Signature
    card: Card
    scores: Array
    """Its answers to the rows of validation."""
    seconds: float
    """What training it took; 0 where nobody knows."""


def read_data(environment: Environment, spec: DecomposeSpec, notes: Notes) -> tuple[Material, PartSpec]:
    """The rows, divided into those that train and those that validate, and what experts are trained as at full size.

    Raises:
        InvalidDataError, InvalidRequestError: as a training raises them.
    """
    given = _load_single(environment, spec)
    schema_path = environment.channels.get(TRAIN)
    if schema_path is None:
        raise InvalidRequestError(f"the job needs the channel {TRAIN!r}; it has {sorted(environment.channels)}")
    schema = Schema.model_validate(json.loads((schema_path / "schema.json").read_bytes()))
    first = "cnn" if schema.kind is DatasetKind.IMAGES else _OF_FORECASTS if spec.horizon else "xgboost"
    # What is read is the same whatever the algorithm is; how depends on what it turns out to be.
    provisional = to_train_spec(spec, PartSpec(algorithm=first))
    channels = read_channels(environment, provisional, notes)
    part = _choose_part(spec, given, channels, provisional, notes)
    train_spec = to_train_spec(spec, part)
    train_spec.check()
    if spec.horizon:
        material = load_forecast(in_memory(channels), train_spec, notes)
    else:
        material = load_material(channels, environment, train_spec, notes)
    if any(not isinstance(found.frame, Frame) for found in material.parts.values()):
        raise InvalidRequestError(
            "the data is larger than the job's memory, and a task is split by rows that are in it: give it more "
            "(compute.memory_mib), or a part of the data"
        )
    known = metric_names(material.target)
    if spec.metric is not None and spec.metric not in known:
        raise InvalidRequestError(
            f"metric {spec.metric!r} is none of a {material.target.task} task: choose one of {', '.join(known)}"
        )
    train, validation = hold_out_rows(material, train_spec)
    return replace(material, parts={**material.parts, TRAIN: train, VALIDATION: validation}), part


def open_trainer(
    environment: Environment,
    spec: DecomposeSpec,
    material: Material,
    part: PartSpec,
    *,
    reporter: Reporter,
    notes: Notes,
) -> Trainer:
    """Who trains all parts."""
    gate = spec.gate or part
    kinds = registry.find(gate.algorithm).kinds
    if spec.gate is not None:
        to_train_spec(spec, gate).model_copy(update={"task": Task.MULTICLASS}).check()
    if material.data_kind not in kinds:
        raise InvalidRequestError(
            f"gate: {gate.algorithm} learns from {' or '.join(kinds)}, and the experts from {material.data_kind}: "
            "choose an algorithm of the same kind of data"
        )
    return Trainer(
        environment=environment,
        spec=spec,
        material=material,
        expert=part,
        gate=gate,
        encoder=fit_shared_encoder(material, to_train_spec(spec, part)),
        reporter=reporter,
        notes=notes,
    )


def find_single(
    environment: Environment, spec: DecomposeSpec, trainer: Trainer, *, deadline: float | None, notes: Notes
) -> Single:
    """The registered model that the job names, else one that is trained now, for a third of the time at most.

    Raises:
        InvalidRequestError: The registered one answers another question.
    """
    material, began = trainer.material, time.monotonic()
    validation = material.parts[VALIDATION]
    given = _load_single(environment, spec)
    if given is None:
        trainer.begin(SINGLE, num_fits=_SHARE_OF_SINGLE, deadline=deadline)
        part = trainer.train("model", material.target, material.parts[TRAIN], validation)
        made = part.exported
        return Single(
            name=SINGLE,
            model=made.model,
            signature=made.signature,
            card=made.card,
            scores=made.scorer.answer(_frame(validation.frame)).scores,
            seconds=time.monotonic() - began,
        )
    _check_single(given, material)
    if given.card.dataset_digest != environment.dataset_digest or given.card.seed != spec.seed:
        notes(
            f"{given.name} was trained on other data, or with another seed: it may have seen rows that validate, and "
            "look better than it is"
        )
    elif given.card.is_refitted:
        notes(f"{given.name} was fitted on the rows that validate, too: it looks better than it is")
    return Single(
        name=given.name,
        model=given.model,
        signature=given.signature,
        card=given.card,
        scores=given.scorer.answer(_frame(validation.frame)).scores,
        seconds=given.card.training_seconds,
    )


def _choose_part(
    spec: DecomposeSpec,
    given: RegisteredModel | None,
    channels: Mapping[str, AnyChannel],
    provisional: TrainSpec,
    notes: Notes,
) -> PartSpec:
    """What the job says, else what the single model is, else what is usual for such data."""
    if spec.expert is not None:
        return spec.expert
    if given is not None and given.card.algorithm in registry.load_all():
        known = given.card
        return PartSpec(algorithm=known.algorithm, framework=known.framework, hyperparameters=known.hyperparameters)
    name = _OF_FORECASTS if spec.horizon else _ALGORITHMS[find_data_kind(channels, provisional, notes)]
    why = "no algorithm is named" if given is None else f"{given.name} is no model of one algorithm"
    notes(f"experts are {name} models, as {why}")
    return PartSpec(algorithm=name)


def _load_single(environment: Environment, spec: DecomposeSpec) -> RegisteredModel | None:
    if SINGLE not in environment.models:
        return None
    return RegisteredModel.load(environment.models[SINGLE], name=str(spec.single or SINGLE))


def _check_single(given: RegisteredModel, material: Material) -> None:
    signature, target = given.signature, material.target
    labels = None if target.labels is None else list(target.labels)
    if signature.task is not target.task or signature.labels != labels:
        raise InvalidRequestError(
            f"{given.name} is a {signature.task} model with the labels {_short(signature.labels)}, and the task is "
            f"{target.task} with {_short(labels)}: give the data that it was trained with, or leave `single` out"
        )
    known = {column.name for column in material.columns}
    lacking = [spec.column for spec in signature.inputs if spec.column not in known]
    if lacking:
        raise InvalidDataError(
            f"{given.name} reads the columns {lacking[:10]}, which the experts do not have: choose an algorithm for "
            "the experts that reads the same columns, or leave `single` out"
        )


def _frame(frame: object) -> Frame:
    assert isinstance(frame, Frame)  # noqa: S101  see read_data
    return frame


def _short(value: object) -> str:
    return str(value)[:80]
