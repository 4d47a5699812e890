"""Feature columns as the model's own input tensors: what serving sends is exactly what training saw."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import Channel

Array = NDArray[Any]
MISSING_TEXT = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Columns by name, each with `num_rows` entries, in the datatypes that `signatures.Signature` fixes.

    Integer and number: float32 with NaN; boolean and string: str with "" for missing; datetime: float64 seconds
    with NaN; image: uint8 of shape [rows, height, width, channels].
    """

    columns: Mapping[str, Array]
    num_rows: int

    def take(self, index: Array) -> "Frame":
        """The rows of these positions."""
        return Frame(columns={name: values[index] for name, values in self.columns.items()}, num_rows=len(index))

    def batches(self) -> Iterator["Frame"]:
        """All rows in order; as `stored.StoredFrame` has them."""
        yield self

    def append(self, other: "Frame") -> "Frame":
        """These rows and then those of another frame with the same columns. Shorter series are filled up with NaN."""
        columns = {name: _append(values, other.columns[name]) for name, values in self.columns.items()}
        return Frame(columns=columns, num_rows=self.num_rows + other.num_rows)

    def with_column(self, name: str, values: Array) -> "Frame":
        """The same rows with one column replaced."""
        return Frame(columns={**self.columns, name: values}, num_rows=self.num_rows)


def _append(first: Array, second: Array) -> Array:
    if first.ndim == 2:
        length = max(first.shape[1], second.shape[1])
        first, second = (
            np.pad(values, ((0, 0), (0, length - values.shape[1])), constant_values=np.nan)
            for values in (first, second)
        )
    return np.concatenate([first, second])


def table_frame(channel: Channel, columns: Sequence[Column]) -> Frame:
    """The named columns of a table channel, read as the types that training settled.

    Raises:
        InvalidDataError: The channel lacks a column, or has it with a type that cannot be read as the wanted one.
    """
    for column in columns:
        found = channel.schema.column(column.name)
        if found is None:
            raise InvalidDataError(
                f"channel {channel.name} lacks the column {column.name!r} that the model learns from: add it, or name "
                "it in exclude_columns"
            )
        if found.type != column.type and (found.type, column.type) not in READABLE_AS:
            raise InvalidDataError(
                f"channel {channel.name}: column {column.name!r} is {found.type}, and in the training channel it is "
                f"{column.type}: make both the same, or name it in exclude_columns"
            )
    tensors = {column.name: to_tensor(channel.table.column(column.name), column.type) for column in columns}
    return Frame(columns=tensors, num_rows=channel.num_rows)


READABLE_AS = {
    (ColumnType.INTEGER, ColumnType.NUMBER),
    (ColumnType.NUMBER, ColumnType.INTEGER),
    (ColumnType.INTEGER, ColumnType.STRING),
    (ColumnType.BOOLEAN, ColumnType.STRING),
}


def to_tensor(values: pa.ChunkedArray, column_type: ColumnType) -> Array:
    """One column in its datatype; see `Frame`."""
    match column_type:
        case ColumnType.INTEGER | ColumnType.NUMBER:
            return _to_float32(values)
        case ColumnType.BOOLEAN:
            # NOTE: Arrow's own cast writes "true" and "false", which is also what the signature says.
            return _to_text(values.cast(pa.string()))
        case ColumnType.STRING:
            return _to_text(values)
        case ColumnType.DATETIME:
            return _to_seconds(values)
        case ColumnType.IMAGE:
            raise ValueError("an image column is decoded by batch_jobs.data.images")
        case ColumnType.SERIES:
            raise ValueError("a series column is read by batch_jobs.data.series")


def _to_float32(values: pa.ChunkedArray) -> Array:
    doubles = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        floats = doubles.astype(np.float32)
    # A number that float32 cannot hold is as good as missing; the graph does the same (`encoding.table_graph`).
    floats[~np.isfinite(floats)] = np.nan
    return np.asarray(floats)


def _to_text(values: pa.ChunkedArray) -> Array:
    filled = pc.fill_null(values.cast(pa.string()), MISSING_TEXT)
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=object)


def _to_seconds(values: pa.ChunkedArray) -> Array:
    microseconds = values.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return np.asarray(pc.divide(microseconds.cast(pa.float64(), safe=False), 1e6).to_numpy(zero_copy_only=False))
