"""Multi-label targets: a row carries any number of labels, none included.

They come as a list of texts (JSON, or text between separators), or as one column of 0 and 1 for each label.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aimass_core.domain.schemas import Column, ColumnType, Schema
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import Channel
from batch_jobs.data.targets import MAX_CLASSES, MIN_ROWS, Target, sort_labels

Message = Callable[[str], None]
_LISTS = pa.list_(pa.string())
_MAX_NAMES = 10
_MAX_NAME_LENGTH = 500
_MIN_GROUP = 5


def are_lists(channel: Channel, column: str) -> bool:
    """Whether a column of text holds JSON lists of texts: a target like that is multi-label without a word."""
    values = channel.table.column(column)
    if not pa.types.is_string(values.type):
        return False
    present = values.drop_null()
    is_list = pc.and_(pc.starts_with(present, "["), pc.ends_with(present, "]"))
    return len(present) > 0 and bool(pc.all(is_list).as_py()) and _first_texts(present) is not None


def _first_texts(values: pa.ChunkedArray) -> list[str] | None:
    try:
        return _from_json(values[0].as_py())
    except ValueError:
        return None


def read_labels(
    channels: Mapping[str, Channel], target: str | list[str], *, separator: str, message: Message
) -> tuple[Mapping[str, Channel], str]:
    """The channels with one column of lists of labels, and its name. Rows that nobody has labelled are left out.

    Raises:
        InvalidDataError: A column is absent, or holds no labels.
    """
    if isinstance(target, str):
        found = {key: _to_lists(each, target, separator=separator, message=message) for key, each in channels.items()}
        return found, target
    name = ", ".join(target)[:_MAX_NAME_LENGTH]
    return {key: _merge_columns(each, target, name, message=message) for key, each in channels.items()}, name


def _merge_columns(channel: Channel, columns: Sequence[str], merged: str, *, message: Message) -> Channel:
    """One column of labels in the place of a column of 0 and 1 for each label.

    A row in which one of them is missing is left out: nobody knows whether it has the label.
    """
    flags = [_to_flags(channel, name) for name in columns]
    matrix = np.stack([np.asarray(found.to_numpy(zero_copy_only=False)) for found in flags], axis=1)
    is_known = np.all([np.asarray(found.is_valid().to_numpy(zero_copy_only=False)) for found in flags], axis=0)
    names = np.array(columns, dtype=object)
    lists = [names[row.astype(bool)].tolist() if known else None for row, known in zip(matrix, is_known, strict=True)]
    table = channel.table.drop_columns(list(columns)).append_column(merged, pa.array(lists, _LISTS))
    kept = [column for column in channel.schema.columns if column.name not in set(columns)]
    schema = channel.schema.model_copy(
        update={"columns": [*kept, Column(name=merged, type=ColumnType.STRING)], "target": merged}
    )
    return _only_known(_with(channel, table, schema), merged, message)


def _to_flags(channel: Channel, name: str) -> pa.ChunkedArray:
    found = channel.schema.column(name)
    if found is None:
        raise InvalidDataError(f"channel {channel.name} has no target column {name!r}: every label needs its column")
    values = channel.table.column(name)
    if found.type in (ColumnType.BOOLEAN, ColumnType.INTEGER, ColumnType.NUMBER):
        numbers = values.cast(pa.float64())
        strange = numbers.filter(pc.invert(pc.is_in(numbers, value_set=pa.array([0.0, 1.0, None]))))
        if not len(strange):
            return numbers
        shown = f"{strange[0].as_py():g}"
    else:
        shown = f"{found.type} values"
    raise InvalidDataError(
        f"channel {channel.name}: target column {name!r} has {shown}; where several columns are the target, each is a "
        "label and holds 0 or 1 (true or false)"
    )


def _to_lists(channel: Channel, column: str, *, separator: str, message: Message) -> Channel:
    """The channel with its target column as lists of texts, each label once.

    Where cells are JSON lists, `[]` is a row of no label, and a missing cell a row that nobody has looked at: it is
    left out. Text with separators has no other way to say "none" than an empty cell.
    """
    found = channel.schema.column(column)
    if found is None:
        names = ", ".join(repr(known.name) for known in channel.schema.columns[:20])
        raise InvalidDataError(
            f"channel {channel.name} has no target column {column!r}; it has {names}. Name one of them as the target"
        )
    if found.type not in (ColumnType.STRING, ColumnType.SERIES, ColumnType.INTEGER):
        raise InvalidDataError(
            f"target {column!r} is a {found.type} column, and task=multilabel needs lists of labels, such as "
            f'["a", "b"] or a{separator}b; or name one column of 0 and 1 for each label as the target'
        )
    cells = channel.table.column(column).to_pylist()
    is_json = any(isinstance(cell, list) or (cell or "").lstrip().startswith("[") for cell in _texts(cells))
    lists, num_repeated = [], 0
    for row, cell in zip(channel.rows.to_pylist(), cells, strict=True):
        labels = _read(cell, is_json=is_json, separator=separator, where=f"channel {channel.name}, row {row}")
        once = None if labels is None else list(dict.fromkeys(labels))
        num_repeated += 0 if labels is None or once is None else len(labels) > len(once)
        lists.append(once)
    if num_repeated:
        message(f"channel {channel.name}: {num_repeated} rows name a label twice; it counts once")
    num_empty = sum(cell is None for cell in cells)
    if num_empty and not is_json:
        message(
            f"channel {channel.name}: {num_empty} rows have an empty target {column!r} and are rows of no label. "
            "Take them out where nobody has looked for labels"
        )
    position = channel.table.schema.get_field_index(column)
    table = channel.table.set_column(position, column, pa.array(lists, _LISTS))
    return _only_known(_with(channel, table, channel.schema), column, message)


def _texts(cells: Iterable[Any]) -> Iterator[Any]:
    return (cell for cell in cells if isinstance(cell, str | list))


def _read(cell: Any, *, is_json: bool, separator: str, where: str) -> list[str] | None:
    if cell is None:
        return None if is_json else []
    if isinstance(cell, list):
        return [f"{number:g}" for number in cell if number is not None]
    if not is_json:
        return [label for part in str(cell).split(separator) if (label := part.strip())]
    try:
        return _from_json(cell)
    except ValueError as error:
        raise InvalidDataError(
            f'{where}: the target {str(cell)[:100]!r} is no list of labels such as ["a", "b"], and others are: write '
            "all of them as lists"
        ) from error


def _from_json(cell: str) -> list[str]:
    """Raises ValueError where it is something else than a list of texts and whole numbers."""
    found = json.loads(cell)
    if not isinstance(found, list) or any(isinstance(label, bool | float | list | dict) for label in found):
        raise ValueError("no list of texts")
    return [text for label in found if label is not None and (text := str(label).strip())]


def _with(channel: Channel, table: pa.Table, schema: Schema) -> Channel:
    return Channel(name=channel.name, schema=schema, table=table, rows=channel.rows)


def _only_known(channel: Channel, column: str, message: Message) -> Channel:
    kept = channel.filter(pc.is_valid(channel.table.column(column)).combine_chunks())
    if num_missing := channel.num_rows - kept.num_rows:
        message(f"channel {channel.name}: {num_missing} rows without a value in the target {column!r} are left out")
    if not kept.num_rows:
        raise InvalidDataError(f"target {column!r} has no value in channel {channel.name}: all rows are missing it")
    return kept


def resolve_labels(channel: Channel, column: str, *, message: Message) -> Target:
    """The labels that occur in the training channel, once `read_labels` has been there.

    Raises:
        InvalidDataError: There are too few rows or labels, or too many labels.
    """
    lists = channel.table.column(column)
    counts = Counter(pc.list_flatten(lists).to_pylist())
    if channel.num_rows < MIN_ROWS:
        raise InvalidDataError(
            f"channel {channel.name} has {channel.num_rows} rows with a target: training needs at least {MIN_ROWS}"
        )
    if not counts:
        raise InvalidDataError(f"target {column!r}: no row of channel {channel.name} has a label")
    if len(counts) == 1:
        raise InvalidDataError(
            f"target {column!r} has the one label {next(iter(counts))!r}: that is a binary task. Make it a column that "
            "says yes or no"
        )
    if len(counts) > MAX_CLASSES:
        raise InvalidDataError(
            f"target {column!r} has {len(counts):,} labels; at most {MAX_CLASSES:,} can be learned. Is it free text, "
            "or is label_separator another one?"
        )
    labels = tuple(sort_labels(list(counts)))
    num_none = int(pc.sum(pc.equal(pc.list_value_length(lists), 0)).as_py())
    mean = sum(counts.values()) / channel.num_rows
    message(f"task: {len(labels)} labels ({_names(labels)}), {mean:.3g} a row; {num_none} rows have none")
    if always := [label for label in labels if counts[label] == channel.num_rows]:
        message(f"every row has the label {_names(always)}: there is nothing to learn about it")
    if rare := [label for label in labels if counts[label] == 1]:
        message(f"{len(rare)} labels occur once ({_names(rare)}): nothing can say how well they are recognised")
    return Target(column=column, task=Task.MULTILABEL, labels=labels)


def encode_labels(channel: Channel, target: Target, *, message: Message) -> NDArray[np.uint8]:
    """1 where a row has a label: [rows, labels]. Labels that the training channel does not have are left out.

    Raises:
        InvalidDataError: It has none of the known labels.
    """
    lists = channel.table.column(target.column).combine_chunks()
    texts = np.asarray(pc.list_flatten(lists).to_numpy(zero_copy_only=False), dtype=object)
    rows = np.asarray(pc.list_parent_indices(lists).to_numpy(zero_copy_only=False))
    index = {label: position for position, label in enumerate(target.labels or ())}
    positions = np.array([index.get(text, -1) for text in texts.tolist()], dtype=np.int64)
    unknown = sorted(set(texts[positions < 0].tolist()))
    if unknown and not (positions >= 0).any():
        raise InvalidDataError(
            f"channel {channel.name}: none of its labels {_names(unknown)} is one of the training channel, which has "
            f"{_names(target.labels or ())}"
        )
    if unknown:
        message(
            f"channel {channel.name} has {len(unknown)} labels that the training channel does not have "
            f"({_names(unknown)}): the model cannot answer them, and no figure counts them"
        )
    matrix = np.zeros((channel.num_rows, len(index)), dtype=np.uint8)
    matrix[rows[positions >= 0], positions[positions >= 0]] = 1
    return matrix


def rarest_labels(truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Groups of rows by the rarest of their labels: parts that share each evenly share the labels about evenly.

    -1 is the group of no label, and of the rows that would make a group of less than five.
    """
    order = np.argsort(truth.sum(axis=0, dtype=np.int64), kind="stable")
    ordered = truth[:, order]
    rarest = np.where(ordered.any(axis=1), order[ordered.argmax(axis=1)], -1)
    found, counts = np.unique(rarest, return_counts=True)
    return np.where(np.isin(rarest, found[counts < _MIN_GROUP]), -1, rarest)


def _names(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MAX_NAMES} more" if len(labels) > _MAX_NAMES else ""
    return ", ".join(repr(label) for label in labels[:_MAX_NAMES]) + more
