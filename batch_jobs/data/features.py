"""Which columns become features, and why the others do not."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import Channel
from batch_jobs.data.words import find_words, is_free

MIN_WORDS = 1.5
_FIRST_ROWS = 1000
_ROWS_OF_WORDS = 20_000
_NO_FEATURES = {
    ColumnType.IMAGE: "images are learned from in image sets only",
    ColumnType.SERIES: "a table is learned from here; series are for the algorithms that learn from series",
}
_ROW_ID = re.compile(r"(?i:(^|[^a-z])(id|index|rownum|uuid)$)|[a-z](Id|ID)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A column that is no feature."""

    column: str
    reason: str


def choose_features(
    channel: Channel,
    *,
    target: str,
    exclude: Collection[str],
    wanted: Collection[str] = (),
    message: Callable[[str], None],
) -> list[Column]:
    """The columns of a table that a model can learn from; `wanted` are taken whatever they look like.

    Raises:
        InvalidDataError: An excluded column does not exist, or no column is left.
    """
    kept, dropped = _divide(channel, _candidates(channel, target, exclude), wanted=wanted)
    _tell(dropped, message)
    if worded := [column for column in kept if column.name not in wanted and _has_words(column, channel)]:
        message(f"free text: which common words a row has in {_names(worded)} is learned from")
    if not kept:
        raise InvalidDataError(
            f"no usable feature column beside the target {target!r}: every other column is excluded, constant, empty "
            "or unlike any other row. Add columns that say something about the target"
        )
    return kept


def choose_texts(
    channel: Channel, *, target: str, exclude: Collection[str], message: Callable[[str], None]
) -> list[Column]:
    """The columns of free text in a table.

    Raises:
        InvalidDataError: An excluded column does not exist, or no column is free text.
    """
    candidates = _candidates(channel, target, exclude)
    texts = [column for column in candidates if _is_text(column, channel.table.column(column.name))]
    if not texts:
        raise InvalidDataError(
            f"no column beside the target {target!r} holds free text: the others are {_names(candidates)}. Choose an "
            "algorithm for tables, such as xgboost"
        )
    left_out = [column for column in candidates if column not in texts]
    _tell([Dropped(column=column.name, reason="the algorithm learns from texts") for column in left_out], message)
    message(f"free text is read from {_names(texts)}")
    return texts


def has_any_texts(channel: Channel, *, target: str, exclude: Collection[str]) -> bool:
    """Whether a column of a table holds free text."""
    candidates = _candidates(channel, target, exclude)
    return any(_is_text(column, channel.table.column(column.name)) for column in candidates)


def has_only_texts(channel: Channel, *, target: str, exclude: Collection[str]) -> bool:
    """Whether the texts of a table are all that can be learned from."""
    candidates = _candidates(channel, target, exclude)
    kept, _ = _divide(channel, candidates)
    others = [column for column in kept if not _is_text(column, channel.table.column(column.name))]
    return not others and has_any_texts(channel, target=target, exclude=exclude)


def _candidates(channel: Channel, target: str, exclude: Collection[str]) -> list[Column]:
    known = {column.name for column in channel.schema.columns}
    if absent := [name for name in exclude if name not in known]:
        raise InvalidDataError(
            f"exclude_columns names {absent}, and the dataset has no such columns: {sorted(known)[:20]}"
        )
    return [column for column in channel.schema.columns if column.name != target and column.name not in exclude]


def _divide(
    channel: Channel, columns: Iterable[Column], *, wanted: Collection[str] = ()
) -> tuple[list[Column], list[Dropped]]:
    kept: list[Column] = []
    dropped: list[Dropped] = []
    for column in columns:
        reason = _why_not(column, channel.table.column(column.name))
        if reason and column.name not in wanted:
            dropped.append(Dropped(column=column.name, reason=reason))
        else:
            kept.append(column)
    return kept, dropped


def _tell(dropped: Iterable[Dropped], message: Callable[[str], None]) -> None:
    for item in dropped:
        message(f"column {item.column!r} is left out: {item.reason}")


def _names(columns: Iterable[Column]) -> str:
    names = [repr(column.name) for column in columns]
    return ", ".join(names[:20]) or "none"


def image_column(channel: Channel) -> Column:
    """The one image column of an image set."""
    columns = [column for column in channel.schema.columns if column.type is ColumnType.IMAGE]
    if len(columns) != 1:
        raise InvalidDataError(
            f"channel {channel.name} has {len(columns)} image columns; exactly one can be learned from"
        )
    return columns[0]


def _why_not(column: Column, values: pa.ChunkedArray) -> str | None:
    if column.type in _NO_FEATURES:
        return _NO_FEATURES[column.type]
    if values.null_count == len(values):
        return "it has no values"
    if values.null_count == 0 and _is_constant(values):
        return f"it always is {values[0].as_py()!r}"
    if column.type is ColumnType.STRING:
        return _why_not_text(values, _count_distinct(values))
    may_be_id = column.type is ColumnType.INTEGER and _ROW_ID.search(column.name)
    if may_be_id and _count_distinct(values) == len(values):
        return "it numbers the rows, a different value in each"
    return None


def _is_constant(values: pa.ChunkedArray) -> bool:
    """To tell all values of a long column apart takes a while, and the first few say enough."""
    return all(_count_distinct(part) == 1 for part in (values.slice(0, _FIRST_ROWS), values))


def _count_distinct(values: pa.ChunkedArray) -> int:
    return len(pc.unique(values.drop_null()))


def _why_not_text(values: pa.ChunkedArray, num_distinct: int) -> str | None:
    num_present = len(values) - values.null_count
    if not is_free(num_distinct, num_present) or find_words(_first_present(values)):
        return None
    return f"it is an id, or free text without common words: {num_distinct} different values in {num_present} rows"


def _has_words(column: Column, channel: Channel) -> bool:
    if column.type is not ColumnType.STRING:
        return False
    values = channel.table.column(column.name)
    return is_free(_count_distinct(values), len(values) - values.null_count)


def _first_present(values: pa.ChunkedArray) -> list[str]:
    found: list[str] = values.drop_null().slice(0, _ROWS_OF_WORDS).to_pylist()
    return found


def _is_text(column: Column, values: pa.ChunkedArray) -> bool:
    """Free text has many values of several words each: names of one word, ids and addresses of pages are none."""
    if column.type is not ColumnType.STRING or values.null_count == len(values):
        return False
    present = values.drop_null()
    num_words = pc.add(pc.count_substring_regex(present, r"\S\s+\S"), 1)
    return is_free(_count_distinct(present), len(present)) and bool(pc.mean(num_words).as_py() >= MIN_WORDS)
