"""Series as tensors: columns of lists, one for each channel, or the numeric columns of a wide table as one channel."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import Channel
from batch_jobs.data.frames import Array, Frame, table_frame

NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)
MAX_BYTES = 16 * 1024**3


def choose_series(
    channel: Channel, *, target: str, exclude: Collection[str], message: Callable[[str], None]
) -> list[Column]:
    """The columns of series; where there are none, the numeric ones, which are then the steps of one series in order.

    Raises:
        InvalidDataError: There are neither.
    """
    others = [column for column in channel.schema.columns if column.name not in {target, *exclude}]
    series = [column for column in others if column.type is ColumnType.SERIES]
    chosen = series or [column for column in others if column.type in NUMERIC]
    for column in others:
        if column not in chosen:
            message(f"column {column.name!r} is left out: series alone are learned from here, and it is {column.type}")
    if series:
        return series
    if len(chosen) < 2:
        raise InvalidDataError(
            f"channel {channel.name} has no series to learn from beside the target {target!r}: it takes columns of "
            "lists, one for each channel, or at least two numeric columns, which are the steps of one series"
        )
    message(
        f"{len(chosen)} numeric columns, {chosen[0].name!r} to {chosen[-1].name!r}, are read in order as one series"
    )
    return chosen


def series_frame(channel: Channel, columns: Sequence[Column]) -> Frame:
    """Columns of lists as float32 [rows, steps], all of one length, filled up with NaN; numeric columns as in tables.

    Raises:
        InvalidDataError: A column is absent or no series; the series of a row differ in length; they are too large.
    """
    if columns[0].type is not ColumnType.SERIES:
        return table_frame(channel, columns)
    lists = {column.name: _lists(channel, column) for column in columns}
    lengths = _lengths(channel, lists)
    num_steps = max(int(lengths.max(initial=0)), 1)
    num_bytes = channel.num_rows * num_steps * len(columns) * np.dtype(np.float32).itemsize
    if num_bytes > MAX_BYTES:
        raise InvalidDataError(
            f"channel {channel.name}: {channel.num_rows} rows of {len(columns)} series, all filled up to the longest "
            f"with {num_steps} values, are {num_bytes / 1024**3:.0f} GiB: cut long series into windows, or sample them "
            "more coarsely"
        )
    return Frame(
        columns={name: fill_up(values, num_steps) for name, values in lists.items()}, num_rows=channel.num_rows
    )


def _lists(channel: Channel, column: Column) -> pa.Array:
    found = channel.schema.column(column.name)
    if found is None or found.type is not ColumnType.SERIES:
        what = "lacks the column" if found is None else f"has as {found.type} the column"
        raise InvalidDataError(
            f"channel {channel.name} {what} {column.name!r}, which is a series in the training channel: give both the "
            "same, or name it in exclude_columns"
        )
    combined = channel.table.column(column.name).combine_chunks()
    return combined.combine_chunks() if isinstance(combined, pa.ChunkedArray) else combined


def _lengths(channel: Channel, lists: dict[str, pa.Array]) -> Array:
    """Of each row, 0 where every series is missing."""
    found = np.stack([pc.fill_null(pc.list_value_length(values), 0).to_numpy() for values in lists.values()])
    longest = found.max(axis=0)
    ragged = np.flatnonzero(((found != longest) & (found > 0)).any(axis=0))
    if len(ragged):
        row = int(ragged[0])
        words = ", ".join(f"{name} {length}" for name, length in zip(lists, found[:, row].tolist(), strict=True))
        raise InvalidDataError(
            f"channel {channel.name}: in {len(ragged)} rows the series, which are the channels of one, differ in "
            f"length; in row {channel.rows[row].as_py()}: {words}. Give them one length, with null where a value is "
            "missing, or name those of another clock in exclude_columns"
        )
    return np.asarray(longest)


def fill_up(lists: pa.Array, num_steps: int) -> Array:
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    with np.errstate(over="ignore"):
        values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    # A number that float32 cannot hold is as good as missing; the graph does the same (`encoding.series`).
    values[~np.isfinite(values)] = np.nan
    tensor = np.full((len(lists), num_steps), np.nan, dtype=np.float32)
    tensor[np.arange(num_steps) < lengths[:, None]] = values
    return tensor
