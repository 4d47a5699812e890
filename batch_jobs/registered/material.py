"""The rows that judge registered models, read as the models read them: columns and labels are those of signatures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, ImageShape
from aimass_core.domain.signatures import Signature, Task
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.data import sizes
from batch_jobs.data.channels import Channel, divide_by_split_column, read_channel
from batch_jobs.data.frames import Frame, table_frame
from batch_jobs.data.images import image_frame
from batch_jobs.data.labels import encode_labels, read_labels
from batch_jobs.data.series import series_frame
from batch_jobs.data.targets import Target, drop_unlabelled, encode_target
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.runtime.environment import Environment
from batch_jobs.train.fitting import hold_out_rows
from batch_jobs.train.forecasting import load_forecast
from batch_jobs.train.material import TEST, TRAIN, VALIDATION, Material, Part
from batch_jobs.train.notes import Notes

_DATA_KINDS = {ColumnType.IMAGE: DataKind.IMAGES, ColumnType.SERIES: DataKind.SERIES}


def read_material(
    environment: Environment, data: LearningSpec, models: Sequence[RegisteredModel], notes: Notes
) -> Material:
    """What models are judged by: the parts `train`, `validation`, and `test` where there is one.

    Rows are held out as a training with the same `data` holds them out: those that validate are those that a model was
    not trained on, unless it was fitted again on all rows, or with folds (its card says `is_refitted`).

    Args:
        environment: Of the job; its channels are all read into memory.
        data: Which target and rows, and how they are split.
        models: Of one task, target and labels; the material has the columns of all.
        notes: Told what is left out.

    Raises:
        InvalidDataError: The data lacks a column or a label of the models, or has it otherwise.
        InvalidRequestError: The data is larger than memory.
    """
    channels: Mapping[str, Channel] = _read_channels(environment, notes)
    signature = models[0].signature
    if signature.task is Task.FORECASTING:
        return _hold_out(_only_columns(load_forecast(channels, data, notes), models), data)
    columns = _join_columns(models)
    _require_columns(channels, columns, models)
    channels, target = _resolve_target(channels, data, signature, notes)
    reader = _Reader(columns=columns, image_shape=signature.image_shape, num_threads=environment.num_cpus)
    parts = {
        name: Part(
            name=name,
            frame=reader.read(channel),
            truth=_encode(channel, target, notes),
            numbers=np.asarray(channel.rows.to_numpy(zero_copy_only=False)),
        )
        for name, channel in channels.items()
    }
    material = Material(
        kind=signature.kind,
        data_kind=_find_data_kind(signature, columns),
        target=target,
        columns=columns,
        image_shape=signature.image_shape,
        parts=parts,
    )
    return _hold_out(material, data)


def _read_channels(environment: Environment, notes: Notes) -> dict[str, Channel]:
    if TRAIN not in environment.channels:
        raise InvalidRequestError(f"the job needs the channel {TRAIN!r}; it has {sorted(environment.channels)}")
    num_bytes = sizes.decoded_bytes(environment.channels.values())
    if sizes.is_too_large(num_bytes, environment.memory_bytes):
        raise InvalidRequestError(
            f"the data is {num_bytes / 1024**2:,.0f} MiB once it is decoded, and models are judged by rows in memory: "
            f"give the job {sizes.needed_mib(num_bytes)} MiB (compute.memory_mib), or a part of the data"
        )
    channels = {name: read_channel(name, path) for name, path in environment.channels.items()}
    if TEST not in channels and (divided := divide_by_split_column(channels[TRAIN])) is not None:
        channels[TRAIN], channels[TEST] = divided
        notes(
            f"the column 'split' divides the data: {channels[TRAIN].num_rows} rows are those of training, "
            f"{channels[TEST].num_rows} are the test"
        )
    return channels


def _hold_out(material: Material, data: LearningSpec) -> Material:
    train, validation = hold_out_rows(material, data)
    return replace(material, parts={**material.parts, TRAIN: train, VALIDATION: validation})


def _join_columns(models: Sequence[RegisteredModel]) -> list[Column]:
    """Those that any of the models reads."""
    found: dict[str, Column] = {}
    for model in models:
        for spec in model.signature.inputs:
            if spec.column is None or spec.column_type is None:
                raise InvalidRequestError(
                    f"{model.name} does not say which column its input {spec.name!r} reads: it is a model whose inputs "
                    "are tensors, and no data set can judge it"
                )
            column = Column(name=spec.column, type=spec.column_type)
            known = found.setdefault(column.name, column)
            if known.type != column.type:
                raise InvalidRequestError(
                    f"{model.name} reads the column {column.name!r} as {column.type}, and another of the models as "
                    f"{known.type}: they were trained on different data"
                )
    return list(found.values())


def _require_columns(
    channels: Mapping[str, Channel], columns: Sequence[Column], models: Sequence[RegisteredModel]
) -> None:
    for channel in channels.values():
        lacking = [column.name for column in columns if channel.schema.column(column.name) is None]
        if lacking:
            readers = [model.name for model in models if any(spec.column in lacking for spec in model.signature.inputs)]
            raise InvalidDataError(
                f"channel {channel.name} lacks the columns {lacking[:10]} that {', '.join(readers)} reads: give the "
                "data that the models were trained with, or such as has these columns"
            )


def _resolve_target(
    channels: Mapping[str, Channel], data: LearningSpec, signature: Signature, notes: Notes
) -> tuple[Mapping[str, Channel], Target]:
    """The models' target and labels, and the channels without the rows that have none."""
    name = data.target or channels[TRAIN].schema.target or signature.target
    labels = tuple(signature.labels) if signature.labels is not None else None
    if signature.task is Task.MULTILABEL:
        channels, name = read_labels(channels, name, separator=data.label_separator, message=notes)
        return channels, Target(column=name, task=signature.task, labels=labels)
    if isinstance(name, list):
        raise InvalidRequestError(f"the targets {name} are labels of one row, and the model's task is {signature.task}")
    channels = {key: drop_unlabelled(channel, name, message=notes) for key, channel in channels.items()}
    return channels, Target(column=name, task=signature.task, labels=labels)


def _encode(channel: Channel, target: Target, notes: Notes) -> np.ndarray:
    if target.task is Task.MULTILABEL:
        return encode_labels(channel, target, message=notes)
    return encode_target(channel, target, message=notes)


def _find_data_kind(signature: Signature, columns: Sequence[Column]) -> DataKind:
    if signature.kind is DatasetKind.IMAGES:
        return DataKind.IMAGES
    return _DATA_KINDS.get(columns[0].type, DataKind.TABLE)


def _only_columns(material: Material, models: Sequence[RegisteredModel]) -> Material:
    """A forecast's windows without the columns that no model reads."""
    names = [column.name for column in _join_columns(models)]
    known = {column.name: column for column in material.columns}
    if lacking := [name for name in names if name not in known]:
        raise InvalidDataError(f"the data lacks the numeric columns {lacking[:10]} that the models forecast from")
    return replace(material, columns=[known[name] for name in names])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    columns: Sequence[Column]
    image_shape: ImageShape | None
    num_threads: int

    def read(self, channel: Channel) -> Frame:
        if self.image_shape is not None:
            return image_frame(channel, self.columns[0].name, shape=self.image_shape, num_threads=self.num_threads)
        if self.columns[0].type is ColumnType.SERIES:
            return series_frame(channel, self.columns)
        return table_frame(channel, self.columns)
