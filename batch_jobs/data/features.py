"""Which columns become features, and why the others do not."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import Channel

MAX_TEXT_VALUES = 50
MAX_TEXT_FRACTION = 0.05
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
    known = {column.name for column in channel.schema.columns}
    if absent := [name for name in exclude if name not in known]:
        raise InvalidDataError(
            f"exclude_columns names {absent}, and the dataset has no such columns: {sorted(known)[:20]}"
        )
    kept: list[Column] = []
    dropped: list[Dropped] = []
    for column in channel.schema.columns:
        if column.name == target or column.name in exclude:
            continue
        reason = _why_not(column, channel.table.column(column.name))
        if reason and column.name not in wanted:
            dropped.append(Dropped(column=column.name, reason=reason))
        else:
            kept.append(column)
    for item in dropped:
        message(f"column {item.column!r} is left out: {item.reason}")
    if not kept:
        raise InvalidDataError(
            f"no usable feature column beside the target {target!r}: every other column is excluded, constant, empty "
            "or unlike any other row. Add columns that say something about the target"
        )
    return kept


def image_column(channel: Channel) -> Column:
    """The one image column of an image set."""
    columns = [column for column in channel.schema.columns if column.type is ColumnType.IMAGE]
    if len(columns) != 1:
        raise InvalidDataError(
            f"channel {channel.name} has {len(columns)} image columns; exactly one can be learned from"
        )
    return columns[0]


def _why_not(column: Column, values: pa.ChunkedArray) -> str | None:
    if column.type is ColumnType.IMAGE:
        return "images are learned from in image sets only"
    num_missing = values.null_count
    if num_missing == len(values):
        return "it has no values"
    num_distinct = len(pc.unique(values.drop_null()))
    if num_distinct == 1 and num_missing == 0:
        return f"it always is {values[0].as_py()!r}"
    if column.type is ColumnType.STRING:
        return _why_not_text(values, num_distinct)
    is_unique = num_distinct == len(values)
    if column.type is ColumnType.INTEGER and is_unique and _ROW_ID.search(column.name):
        return "it numbers the rows, a different value in each"
    return None


def _why_not_text(values: pa.ChunkedArray, num_distinct: int) -> str | None:
    num_present = len(values) - values.null_count
    if num_distinct > max(MAX_TEXT_VALUES, MAX_TEXT_FRACTION * num_present) or (num_distinct == num_present > 2):
        return f"it is free text or an id: {num_distinct} different values in {num_present} rows"
    return None
