"""The target column: which task it is, its labels, and how other channels' labels are brought in line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import AnySource, Source

Array = NDArray[Any]
MIN_ROWS = 20
MAX_CLASSES = 1000
MAX_VALUE = 1e15
MAX_INTEGER_CLASSES = 20
_MANY_VALUES = 1_000_000
_LABEL_SEPARATORS = ("|", ";", ",")
_LABEL_TYPES = (ColumnType.STRING, ColumnType.BOOLEAN, ColumnType.INTEGER, ColumnType.NUMBER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is predicted. `labels` is None where values are; a binary task's positive class is labels[1].

    A forecast has a `horizon` above 0, the scale of all training rows, and is made from columns of which the one at
    `position` is the target itself.
    """

    column: str
    task: Task
    labels: tuple[str, ...] | None
    horizon: int = 0
    scale: "TargetScale | None" = None
    position: int = 0

    @property
    def num_outputs(self) -> int:
        """Classes, steps to come, or 1."""
        return len(self.labels) if self.labels else self.horizon or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetScale:
    """Mean and deviation of a regression's training values: every algorithm learns (value - mean) / deviation.

    Trees need it as well as networks: float32 sums on top of a large mean lose what lies between the values.
    """

    mean: float = 0.0
    deviation: float = 1.0

    def to_standard(self, values: Array) -> Array:
        """Standardised values."""
        return (values - self.mean) / self.deviation

    def to_values(self, standard: Array) -> NDArray[np.float32]:
        """The reverse, in float64 and then rounded; the exported graph does the same."""
        return np.asarray(standard.astype(np.float64) * self.deviation + self.mean, dtype=np.float32)


def fit_scale(target: "Target", truth: Array) -> TargetScale:
    """Of training rows; classes are left as they are."""
    if target.labels is not None:
        return TargetScale()
    return target.scale or TargetScale(mean=float(truth.mean()), deviation=float(truth.std()) or 1.0)


def drop_unlabelled(channel: AnySource, column: str, *, message: Callable[[str], None]) -> AnySource:
    """Without the rows whose target is missing.

    Raises:
        InvalidDataError: The column is absent, or has no value at all.
    """
    if channel.schema.column(column) is None:
        names = ", ".join(repr(known.name) for known in channel.schema.columns[:20])
        raise InvalidDataError(
            f"channel {channel.name} has no target column {column!r}; it has {names}. Name one of them as the target"
        )
    values = channel.column(column)
    is_present = pc.is_valid(values).combine_chunks()
    if pa.types.is_floating(values.type):
        is_present = pc.and_(is_present, pc.fill_null(pc.is_finite(values), False).combine_chunks())
    elif pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        is_present = pc.and_(is_present, pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(values), ""), False))
    kept = channel.filter(is_present)
    num_missing = channel.num_rows - kept.num_rows
    if kept.num_rows == 0:
        raise InvalidDataError(
            f"target {column!r} has no value in channel {channel.name}: all {num_missing} are missing"
        )
    if num_missing:
        message(f"channel {channel.name}: {num_missing} rows without a value in the target {column!r} are left out")
    return kept


def resolve_target(channel: Source, column: str, *, task: Task | None, message: Callable[[str], None]) -> Target:
    """Settles the task and the labels by the training channel.

    A text or boolean target is a classification; whole numbers are one where they have at most 20 values and fewer
    values than 5 % of the rows; all else is a regression.

    Raises:
        InvalidDataError: The target cannot be learned; the message says why and what to do.
    """
    declared = channel.schema.column(column)
    assert declared is not None  # noqa: S101  drop_unlabelled has looked
    if declared.type not in _LABEL_TYPES:
        raise InvalidDataError(
            f"target {column!r} is a {declared.type} column: choose a text, number or boolean column"
        )
    if channel.num_rows < MIN_ROWS:
        raise InvalidDataError(
            f"channel {channel.name} has {channel.num_rows} rows with a target: training needs at least {MIN_ROWS}"
        )
    values = channel.column(column)
    num_distinct = count_distinct(values)
    if num_distinct == 1:
        raise InvalidDataError(f"target {column!r} is constant ({values[0].as_py()!r}): there is nothing to learn")
    chosen = task or _infer_task(declared.type, values, num_distinct)
    if chosen is Task.REGRESSION:
        return _regression_target(column, declared.type, num_distinct, is_inferred=task is None, message=message)
    return _classification_target(column, values, task=task, message=message)


def count_distinct(values: pa.ChunkedArray) -> int:
    """How many values there are; from a million on it is not counted further, as it takes a multiple of the memory."""
    found = pc.unique(values.slice(0, 0))
    for chunk in values.chunks:
        found = pc.unique(pa.chunked_array([found, pc.unique(chunk)], found.type))
        if len(found) > _MANY_VALUES:
            break
    return len(found)


def _infer_task(column_type: ColumnType, values: pa.ChunkedArray, num_distinct: int) -> Task:
    if column_type in (ColumnType.STRING, ColumnType.BOOLEAN):
        return Task.BINARY if num_distinct == 2 else Task.MULTICLASS
    is_whole = column_type is ColumnType.INTEGER or bool(pc.all(pc.equal(values, pc.floor(values))).as_py())
    if is_whole and num_distinct <= MAX_INTEGER_CLASSES and num_distinct < max(0.05 * len(values), 3):
        return Task.BINARY if num_distinct == 2 else Task.MULTICLASS
    return Task.REGRESSION


def _regression_target(
    column: str, column_type: ColumnType, num_distinct: int, *, is_inferred: bool, message: Callable[[str], None]
) -> Target:
    if column_type not in (ColumnType.INTEGER, ColumnType.NUMBER):
        raise InvalidDataError(
            f"target {column!r} is a {column_type} column and a regression needs numbers: "
            "leave `task` out, or choose a numeric target"
        )
    if is_inferred:
        count = f"more than {_MANY_VALUES:,}" if num_distinct > _MANY_VALUES else num_distinct
        message(f"task: regression, because target {column!r} is a {column_type} column with {count} values")
    return Target(column=column, task=Task.REGRESSION, labels=None)


def _classification_target(
    column: str, values: pa.ChunkedArray, *, task: Task | None, message: Callable[[str], None]
) -> Target:
    labels, codes = _to_codes(values)
    names, inverse = np.unique(labels, return_inverse=True)
    counts = np.bincount(inverse, weights=np.bincount(codes, minlength=len(labels))).astype(int)
    num_rows, num_classes = len(values), len(names)
    if num_classes > num_rows / 2:
        raise InvalidDataError(
            f"target {column!r} has {num_classes} different values in {num_rows} rows, nearly one for each row: "
            "it looks like an id or free text. Choose another target, or task=regression where it is a number"
        )
    if num_classes > MAX_CLASSES:
        raise InvalidDataError(f"target {column!r} has {num_classes} classes; at most {MAX_CLASSES} can be learned")
    if task is Task.BINARY and num_classes != 2:
        raise InvalidDataError(f"task=binary, but target {column!r} has {num_classes} values: use task=multiclass")
    ordered = tuple(sort_labels(names.tolist()))
    _check_rare_classes(column, names, counts, message=message)
    resolved = Task.BINARY if num_classes == 2 else Task.MULTICLASS
    shown = ", ".join(repr(name) for name in ordered[:10]) + (", ..." if num_classes > 10 else "")
    if task is None:
        message(f"task: {resolved} classification of {column!r} into {num_classes} classes ({shown})")
        _tell_other_tasks(values, ordered, message)
    if resolved is Task.BINARY:
        message(f"the positive class is {ordered[1]!r}")
    return Target(column=column, task=resolved, labels=ordered)


def _tell_other_tasks(values: pa.ChunkedArray, labels: Sequence[str], message: Callable[[str], None]) -> None:
    """What the target might be meant as, too."""
    if len(labels) <= 2:
        return
    if not pa.types.is_string(values.type):
        message("if these are quantities or counts, and no kinds: task=regression learns how far apart they are")
        return
    for separator in _LABEL_SEPARATORS:
        lists = [label.split(separator) for label in labels if separator in label]
        parts = {part.strip() for each in lists for part in each}
        if len(lists) > len(labels) / 2 and len(parts) < len(lists):
            how = "" if separator == "|" else f" with label_separator={separator!r}"
            message(f"if these are lists of {len(parts)} labels: task=multilabel{how} learns each for itself")
            return


def _check_rare_classes(column: str, names: Array, counts: Array, *, message: Callable[[str], None]) -> None:
    single = [str(name) for name in names[counts == 1]]
    if not single:
        return
    if len(names) - len(single) < 2:
        raise InvalidDataError(
            f"target {column!r}: class {single[0]!r} has one example, and it takes two of each class to train on one "
            "and test on the other: remove that row, or add examples"
        )
    message(
        f"target {column!r}: {len(single)} classes have one example each ({', '.join(map(repr, single[:5]))}): "
        "they are trained on, but nothing can say how well they are recognised"
    )


def _to_codes(values: pa.ChunkedArray) -> tuple[Array, Array]:
    """The labels of the different values, and of each row which of them it has; two values may have one label."""
    encoded = values.dictionary_encode().combine_chunks()
    return to_labels(encoded.dictionary), np.asarray(encoded.indices.to_numpy(zero_copy_only=False))


def to_labels(values: pa.Array | pa.ChunkedArray) -> Array:
    """A target column as texts: "3" for 3 and 3.0, "true" and "false", texts trimmed."""
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False)
        texts = [str(int(number)) if number.is_integer() else repr(number) for number in numbers.tolist()]
        return np.asarray(texts, dtype=object)
    texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return np.asarray(texts.to_numpy(zero_copy_only=False), dtype=object)


def sort_labels(labels: Sequence[str]) -> list[str]:
    """By value where all are numbers, else alphabetically."""
    try:
        return sorted(labels, key=float)
    except ValueError:
        return sorted(labels)


def encode_target(channel: Source, target: Target, *, message: Callable[[str], None]) -> Array:
    """Class indices (int64) or values (float64) of a channel's target column.

    Raises:
        InvalidDataError: A label was not in the training channel, or a value is not a number.
    """
    values = channel.column(target.column)
    if target.labels is None:
        if pa.types.is_string(values.type) or pa.types.is_boolean(values.type):
            raise InvalidDataError(
                f"channel {channel.name}: target {target.column!r} must be numeric as in the training channel"
            )
        numbers = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        if np.abs(numbers).max() > MAX_VALUE:
            raise InvalidDataError(
                f"channel {channel.name}: target {target.column!r} has values beyond {MAX_VALUE:.0e}, which float32 "
                "arithmetic cannot hold: use a larger unit, or the logarithm"
            )
        return numbers
    index = {label: position for position, label in enumerate(target.labels)}
    labels, codes = _to_codes(values)
    unknown = sorted({label for label in labels.tolist() if label not in index})
    renamed = {label: label[:-1] for label in unknown if label[:-1] in index and not label[-1].isalnum()}
    if strange := [label for label in unknown if label not in renamed]:
        raise InvalidDataError(
            f"channel {channel.name}: target {target.column!r} has labels that the training channel does not have: "
            f"{', '.join(map(repr, strange[:10]))}; known are {', '.join(map(repr, target.labels[:10]))}"
        )
    if renamed:
        pairs = ", ".join(f"{old!r} as {new!r}" for old, new in renamed.items())
        message(f"channel {channel.name}: labels that differ by a trailing mark are read as the known ones: {pairs}")
    numbers = np.asarray([index[renamed.get(label, label)] for label in labels.tolist()], dtype=np.int64)
    return numbers[codes]
