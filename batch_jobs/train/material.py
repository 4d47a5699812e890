"""What a training job works on: its channels as frames and targets, checked against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, ImageShape
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.data.channels import Channel, divide_by_split_column, read_channel
from batch_jobs.data.features import choose_features, choose_texts, has_any_texts, has_only_texts, image_column
from batch_jobs.data.frames import Array, Frame, table_frame
from batch_jobs.data.images import choose_image_shape, image_frame
from batch_jobs.data.labels import are_lists, encode_labels, read_labels, resolve_labels
from batch_jobs.data.series import choose_series, series_frame
from batch_jobs.data.targets import Target, drop_unlabelled, encode_target, resolve_target
from batch_jobs.runtime.environment import Environment
from batch_jobs.train.notes import Notes

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Labelled rows: features, targets, and where the rows stand in their channel."""

    name: str
    frame: Frame
    truth: Array
    rows: Array

    @property
    def num_rows(self) -> int:
        """How many rows."""
        return len(self.truth)

    def take(self, index: Array, *, name: str) -> "Part":
        """The rows of these positions."""
        return Part(name=name, frame=self.frame.take(index), truth=self.truth[index], rows=self.rows[index])


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The channels of a job, read."""

    kind: DatasetKind
    data_kind: DataKind
    target: Target
    columns: Sequence[Column]
    image_shape: ImageShape | None
    parts: Mapping[str, Part]


def load_material(channels: Mapping[str, Channel], environment: Environment, spec: TrainSpec, notes: Notes) -> Material:
    """Checks all channels and turns them into features and targets.

    Raises:
        InvalidDataError: The data cannot be trained on; the message says why.
        InvalidRequestError: The algorithm is for another kind of data, or options exclude each other.
    """
    kind = channels[TRAIN].schema.kind
    kinds = _fitting_kinds(spec, kind)
    if spec.folds and VALIDATION in channels:
        raise InvalidRequestError("folds and a validation dataset exclude each other: leave one of them out")
    channels, target = _resolve_target(channels, spec, notes)
    encode = encode_labels if target.task is Task.MULTILABEL else encode_target
    data_kind = _choose_data_kind(kinds, channels[TRAIN], target.column, spec)
    reader = _reader(channels[TRAIN], data_kind, target, spec, notes, num_threads=environment.num_cpus)
    parts = {
        key: Part(
            name=key,
            frame=reader.read(channel),
            truth=encode(channel, target, message=notes),
            rows=np.asarray(channel.rows.to_numpy(zero_copy_only=False)),
        )
        for key, channel in channels.items()
    }
    return Material(
        kind=kind,
        data_kind=data_kind,
        target=target,
        columns=reader.columns,
        image_shape=reader.image_shape,
        parts=parts,
    )


def _resolve_target(
    channels: Mapping[str, Channel], spec: TrainSpec, notes: Notes
) -> tuple[Mapping[str, Channel], Target]:
    """The target, and the channels without the rows that have none."""
    name = spec.target or channels[TRAIN].schema.target
    if not name:
        raise InvalidDataError("the dataset has no target: name the column to predict as `target`")
    if spec.resolve_task() is Task.MULTILABEL or (spec.task is None and are_lists(channels[TRAIN], str(name))):
        spec.resolve_algorithm().check_task(Task.MULTILABEL)
        channels, name = read_labels(channels, name, separator=spec.label_separator, message=notes)
        return channels, resolve_labels(channels[TRAIN], name, message=notes)
    assert isinstance(name, str)  # noqa: S101  several columns are always labels
    channels = {key: drop_unlabelled(channel, name, message=notes) for key, channel in channels.items()}
    return channels, resolve_target(channels[TRAIN], name, task=spec.task, message=notes)


def _fitting_kinds(spec: TrainSpec, kind: DatasetKind) -> list[DataKind]:
    """Those of the algorithm's kinds that such a dataset can be read as."""
    algorithm = spec.resolve_algorithm()
    kinds = [own for own in algorithm.kinds if own.dataset_kind is kind]
    if not kinds:
        raise InvalidRequestError(
            f"algorithm {algorithm.name} is not for {kind} datasets: choose one of {', '.join(registry.fitting(kind))}"
        )
    return kinds


def _choose_data_kind(kinds: list[DataKind], channel: Channel, target: str, spec: TrainSpec) -> DataKind:
    """Series where there are any. Texts where an algorithm for tables could learn from nothing else, or where an
    algorithm for series finds some; else the first of the kinds."""
    used = {column.type for column in channel.schema.columns if column.name not in spec.exclude_columns}
    if DataKind.SERIES in kinds and ColumnType.SERIES in used:
        return DataKind.SERIES
    if DataKind.TEXT in kinds and len(kinds) > 1:
        is_of_tables = DataKind.TABLE in kinds
        has_texts = has_only_texts if is_of_tables else has_any_texts
        if has_texts(channel, target=target, exclude=spec.exclude_columns):
            return DataKind.TEXT
        return DataKind.TABLE if is_of_tables else DataKind.SERIES
    return kinds[0]


def read_channels(environment: Environment, notes: Notes) -> dict[str, Channel]:
    """The channels of the job, and a test channel where the training data names one itself.

    Raises:
        InvalidDataError, InvalidRequestError: There is no training channel, or one has no rows.
    """
    if TRAIN not in environment.channels:
        raise InvalidRequestError(f"a training job needs the channel {TRAIN!r}; it has {sorted(environment.channels)}")
    channels = {name: read_channel(name, path) for name, path in environment.channels.items()}
    if TEST not in channels and (divided := divide_by_split_column(channels[TRAIN])) is not None:
        channels[TRAIN], channels[TEST] = divided
        counts = f"{channels[TRAIN].num_rows} rows are trained on, {channels[TEST].num_rows} are the test"
        notes(f"the column 'split' divides the data: {counts}")
    return channels


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    kind: DataKind
    columns: Sequence[Column]
    image_shape: ImageShape | None
    num_threads: int

    def read(self, channel: Channel) -> Frame:
        if self.kind is DataKind.SERIES:
            return series_frame(channel, self.columns)
        if self.image_shape is None:
            return table_frame(channel, self.columns)
        return image_frame(channel, self.columns[0].name, shape=self.image_shape, num_threads=self.num_threads)


def _reader(
    channel: Channel, kind: DataKind, target: Target, spec: TrainSpec, notes: Notes, *, num_threads: int
) -> _Reader:
    if channel.schema.kind is DatasetKind.TABLE:
        if kind is DataKind.TABLE:
            wanted = spec.features.columns if spec.features is not None else {}
            columns = choose_features(
                channel, target=target.column, exclude=spec.exclude_columns, wanted=wanted, message=notes
            )
        else:
            choose = choose_texts if kind is DataKind.TEXT else choose_series
            columns = choose(channel, target=target.column, exclude=spec.exclude_columns, message=notes)
        return _Reader(kind=kind, columns=columns, image_shape=None, num_threads=num_threads)
    column = image_column(channel)
    image_size = getattr(spec.resolve_hyperparameters(), "image_size", None)
    shape = choose_image_shape(channel, column.name, image_size=image_size, message=notes)
    return _Reader(kind=kind, columns=[column], image_shape=shape, num_threads=num_threads)
