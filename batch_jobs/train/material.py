"""What a training job works on: its channels as frames and targets, checked against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, ImageShape
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.data import sizes
from batch_jobs.data.channels import Channel, divide_by_split_column, read_channel
from batch_jobs.data.features import choose_features, choose_texts, has_any_texts, has_only_texts, image_column
from batch_jobs.data.frames import Array, Frame, table_frame
from batch_jobs.data.images import choose_image_shape, image_frame
from batch_jobs.data.labels import are_lists, encode_labels, read_labels, resolve_labels
from batch_jobs.data.series import choose_series, series_frame
from batch_jobs.data.stored import StoredChannel, StoredFrame, open_channel, stored_frame
from batch_jobs.data.targets import Target, drop_unlabelled, encode_target, resolve_target
from batch_jobs.runtime.environment import Environment
from batch_jobs.train.notes import Notes

TRAIN, VALIDATION, TEST = "train", "validation", "test"


AnyChannel = Channel | StoredChannel


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows of a part that are in memory; `index` says which."""

    frame: Frame
    truth: Array
    rows: Array
    index: Array | slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Labelled rows: features and targets. `numbers` are the `rows` of a frame in memory; one on disk knows them."""

    name: str
    frame: Frame | StoredFrame
    truth: Array
    numbers: Array | None

    @property
    def num_rows(self) -> int:
        """How many rows."""
        return len(self.truth)

    def take(self, index: Array, *, name: str) -> "Part":
        """The rows of these positions."""
        numbers = None if self.numbers is None else self.numbers[index]
        return Part(name=name, frame=self.frame.take(index), truth=self.truth[index], numbers=numbers)

    def append(self, other: "Part") -> "Part":
        """These rows and then the other's, both in memory; `numbers` are those of each in its own channel."""
        assert isinstance(self.frame, Frame)  # noqa: S101  as the docstring says
        assert isinstance(other.frame, Frame)  # noqa: S101
        return Part(
            name=self.name,
            frame=self.frame.append(other.frame),
            truth=np.concatenate([self.truth, other.truth]),
            numbers=np.concatenate([self.rows, other.rows]),
        )

    @property
    def rows(self) -> Array:
        """Where they stand in their channel."""
        if isinstance(self.frame, StoredFrame):
            return np.flatnonzero(self.frame.channel.is_member)
        assert self.numbers is not None  # noqa: S101  as the class says
        return self.numbers

    def sample(self, *, seed: int) -> Sample:
        """All rows where they are in memory, else some that fit."""
        if isinstance(self.frame, Frame):
            return Sample(frame=self.frame, truth=self.truth, rows=self.rows, index=slice(None))
        index = self.frame.channel.choose_sample(seed=seed, row_bytes=self.frame.row_bytes)
        frame = self.frame.take(index).load()
        return Sample(frame=frame, truth=self.truth[index], rows=self.rows[index], index=index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The channels of a job, read."""

    kind: DatasetKind
    data_kind: DataKind
    target: Target
    columns: Sequence[Column]
    image_shape: ImageShape | None
    parts: Mapping[str, Part]

    def all_rows(self) -> Part:
        """What can be trained on: the training channel, and the validation channel where there is one."""
        if VALIDATION not in self.parts:
            return self.parts[TRAIN]
        return self.parts[TRAIN].append(self.parts[VALIDATION])


def load_material(
    channels: Mapping[str, AnyChannel], environment: Environment, spec: TrainSpec, notes: Notes
) -> Material:
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
    known = _sample(channels[TRAIN], spec, notes)
    data_kind = _choose_data_kind(kinds, known, target.column, spec)
    reader = _reader(known, data_kind, target, spec, notes, num_threads=environment.num_cpus)
    parts = {
        key: Part(
            name=key,
            frame=reader.read(channel),
            truth=_encode(channel, target, notes),
            numbers=np.asarray(channel.rows.to_numpy(zero_copy_only=False)) if isinstance(channel, Channel) else None,
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
    channels: Mapping[str, AnyChannel], spec: TrainSpec, notes: Notes
) -> tuple[Mapping[str, AnyChannel], Target]:
    """The target, and the channels without the rows that have none."""
    name = spec.target or channels[TRAIN].schema.target
    if not name:
        raise InvalidDataError("the dataset has no target: name the column to predict as `target`")
    if spec.resolve_task() is Task.MULTILABEL or (spec.task is None and _holds_lists(channels[TRAIN], str(name))):
        spec.resolve_algorithm().check_task(Task.MULTILABEL)
        labelled, name = read_labels(in_memory(channels), name, separator=spec.label_separator, message=notes)
        return labelled, resolve_labels(labelled[TRAIN], name, message=notes)
    assert isinstance(name, str)  # noqa: S101  several columns are always labels
    channels = {key: drop_unlabelled(channel, name, message=notes) for key, channel in channels.items()}
    return channels, resolve_target(channels[TRAIN], name, task=spec.task, message=notes)


def _holds_lists(channel: AnyChannel, name: str) -> bool:
    """Raises InvalidRequestError where it does, and the channel is on disk."""
    if isinstance(channel, Channel):
        return are_lists(channel, name)
    if channel.schema.column(name) is not None and are_lists(next(channel.batches([name])), name):
        raise InvalidRequestError(
            f"the target {name!r} holds lists of labels, which take all rows at once, and the data is larger than the "
            "job's memory: give it more (compute.memory_mib)"
        )
    return False


def _encode(channel: AnyChannel, target: Target, notes: Notes) -> Array:
    if target.task is Task.MULTILABEL and isinstance(channel, Channel):
        return encode_labels(channel, target, message=notes)
    return encode_target(channel, target, message=notes)


def _sample(channel: AnyChannel, spec: TrainSpec, notes: Notes) -> Channel:
    """What columns are chosen by."""
    if isinstance(channel, Channel):
        return channel
    known = channel.take(channel.choose_sample(seed=spec.seed)).load()
    notes(
        f"columns are chosen, and their encodings are learned, from {known.num_rows} of {channel.num_rows} rows: "
        "some of each row group, or of 64 where there are more"
    )
    return known


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


def find_data_kind(channels: Mapping[str, AnyChannel], spec: TrainSpec, notes: Notes) -> DataKind:
    """What a dataset is by itself, where no algorithm says how it reads it."""
    train = channels[TRAIN]
    if train.schema.kind is DatasetKind.IMAGES:
        return DataKind.IMAGES
    if any(
        column.type is ColumnType.SERIES and column.name not in spec.exclude_columns for column in train.schema.columns
    ):
        return DataKind.SERIES
    target = spec.target or train.schema.target
    name = target if isinstance(target, str) else ""
    exclude = [*spec.exclude_columns, *(target if isinstance(target, list) else [])]
    return (
        DataKind.TEXT if has_only_texts(_sample(train, spec, notes), target=name, exclude=exclude) else DataKind.TABLE
    )


def read_channels(environment: Environment, spec: TrainSpec, notes: Notes) -> dict[str, AnyChannel]:
    """The channels of the job, and a test channel where the training data names one itself.

    They are in memory where they and what is made of them fit into it, else on disk.

    Raises:
        InvalidDataError, InvalidRequestError: There is no training channel, or one has no rows, or they are larger
            than memory and such a job cannot do with less of them at a time.
    """
    if TRAIN not in environment.channels:
        raise InvalidRequestError(f"a training job needs the channel {TRAIN!r}; it has {sorted(environment.channels)}")
    read = open_channel if stays_on_disk(environment, spec, notes) else read_channel
    channels: dict[str, AnyChannel] = {name: read(name, path) for name, path in environment.channels.items()}
    if TEST not in channels and (divided := divide_by_split_column(channels[TRAIN])) is not None:
        channels[TRAIN], channels[TEST] = divided
        counts = f"{channels[TRAIN].num_rows} rows are trained on, {channels[TEST].num_rows} are the test"
        notes(f"the column 'split' divides the data: {counts}")
    return channels


def stays_on_disk(environment: Environment, spec: TrainSpec, notes: Notes) -> bool:
    """Whether the data is too large to be read into memory. Raises InvalidRequestError where it has to be."""
    memory_bytes = environment.memory_bytes
    num_bytes = sizes.decoded_bytes(environment.channels.values())
    if memory_bytes is None or not sizes.is_large(num_bytes, memory_bytes):
        return False
    size, memory = f"{num_bytes / 1024**2:,.0f} MiB", f"{memory_bytes / 1024**2:,.0f} MiB"
    words = f"the data is {size} once it is decoded, and the job has {memory}"
    if reason := _why_in_memory(spec, has_validation=VALIDATION in environment.channels):
        if not sizes.is_too_large(num_bytes, memory_bytes):
            return False
        raise InvalidRequestError(
            f"{words} of memory, which is too little as {reason}. Give it {sizes.needed_mib(num_bytes)} MiB "
            f"(compute.memory_mib), or train one of {', '.join(registry.streamed())}, without folds"
        )
    notes(f"{words} of memory: it is read from disk, some rows at a time")
    return True


def _why_in_memory(spec: TrainSpec, *, has_validation: bool) -> str | None:
    """What needs all rows at once."""
    algorithm, framework = spec.resolve_algorithm(), spec.resolve_framework()
    needs = {
        "a forecast needs": spec.horizon is not None,
        "folds need": spec.folds is not None,
        "refit with a validation dataset needs": spec.refit and has_validation,
        "resample needs": spec.resample is not None,
        "several labels a row need": spec.resolve_task() is Task.MULTILABEL,
        f"{algorithm.name} ({framework}) needs": not algorithm.implementations[framework].is_streamed,
    }
    return next((f"{what} all rows at once" for what, applies in needs.items() if applies), None)


def in_memory(channels: Mapping[str, AnyChannel]) -> dict[str, Channel]:
    """Those of a job that needs all rows at once: `read_channels` has seen to it."""
    return {name: channel for name, channel in channels.items() if isinstance(channel, Channel)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    kind: DataKind
    columns: Sequence[Column]
    image_shape: ImageShape | None
    num_threads: int

    def read(self, channel: AnyChannel) -> Frame | StoredFrame:
        if isinstance(channel, Channel):
            return self.read_all(channel)
        row_bytes = prod(self.image_shape.model_dump().values()) if self.image_shape else 0
        return stored_frame(channel, self.columns, self.read_all, row_bytes=row_bytes)

    def read_all(self, channel: Channel) -> Frame:
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
