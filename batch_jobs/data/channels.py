"""Reads a channel: the folder with `schema.json` and the Parquet files of one dataset version."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aimass_core.domain.schemas import Column, ColumnType, Schema
from aimass_core.errors import InvalidDataError

SPLIT_COLUMN = "split"
ARROW_TYPES = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.DATETIME: pa.timestamp("us", tz="UTC"),
    ColumnType.STRING: pa.string(),
    ColumnType.IMAGE: pa.binary(),
    ColumnType.SERIES: pa.list_(pa.float64()),
}
_TRAIN_WORDS = frozenset({"train", "training"})
_TEST_WORDS = frozenset({"test", "testing"})


class Source(Protocol):
    """Rows of one channel, in memory (`Channel`) or on disk (`stored.StoredChannel`)."""

    @property
    def name(self) -> str:
        """Of the channel."""

    @property
    def schema(self) -> Schema:
        """Of all columns."""

    @property
    def num_rows(self) -> int:
        """How many rows there are."""

    @property
    def rows(self) -> pa.Array:
        """Where each stands in the dataset, also after a part was taken."""

    def column(self, name: str) -> pa.ChunkedArray:
        """All values of one column."""

    def filter(self, mask: pa.Array, *, name: str | None = None) -> Self:
        """Only the rows where the mask is true."""


AnySource = TypeVar("AnySource", bound=Source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Satisfies `Source`."""

    name: str
    schema: Schema
    table: pa.Table
    rows: pa.Array

    @property
    def num_rows(self) -> int:
        """See Source."""
        return int(self.table.num_rows)

    def column(self, name: str) -> pa.ChunkedArray:
        """See Source."""
        return self.table.column(name)

    def filter(self, mask: pa.Array, *, name: str | None = None) -> "Channel":
        """See Source."""
        return Channel(
            name=name or self.name, schema=self.schema, table=self.table.filter(mask), rows=self.rows.filter(mask)
        )


def read_channel(name: str, path: Path) -> Channel:
    """The files are read in the order of their names.

    Raises:
        InvalidDataError: The channel has no rows, or a file holds another type than the schema says.
    """
    schema = read_schema(path)
    try:
        tables = [_read_file(file, schema) for file in sorted(path.glob("*.parquet"))]
    except pa.ArrowException as error:
        raise misfit(name, error) from error
    table = pa.concat_tables(tables) if tables else None
    if table is None or table.num_rows == 0:
        raise empty(name)
    return Channel(name=name, schema=schema, table=table, rows=pa.array(range(table.num_rows), pa.int64()))


def read_schema(path: Path) -> Schema:
    """Of a channel's folder."""
    return Schema.model_validate_json((path / "schema.json").read_bytes())


def misfit(name: str, error: pa.ArrowException) -> InvalidDataError:
    """A file of the channel holds something else than its schema says."""
    return InvalidDataError(f"channel {name}: its files do not fit its schema: {error}")


def empty(name: str) -> InvalidDataError:
    """There is nothing in the channel."""
    return InvalidDataError(f"channel {name} has no rows: upload a dataset version with data")


def _read_file(path: Path, schema: Schema) -> pa.Table:
    present = set(pq.read_schema(path).names)
    table = pq.read_table(path, columns=[column.name for column in schema.columns if column.name in present])
    return to_types(table, schema.columns)


def to_types(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """In the types of the schema. Files of earlier versions may lack columns that came later."""
    present = set(table.column_names)
    arrays = [
        table.column(column.name).cast(ARROW_TYPES[column.type])
        if column.name in present
        else pa.chunked_array([pa.nulls(table.num_rows, ARROW_TYPES[column.type])])
        for column in columns
    ]
    return pa.table(arrays, names=[column.name for column in columns])


def divide_by_split_column(channel: AnySource) -> tuple[AnySource, AnySource] | None:
    """Image sets that were packed as train/ and test/ folders name each row's part in the column `split`.

    Returns:
        The train part and the test part, or None where the column is absent or says something else.
    """
    if channel.schema.column(SPLIT_COLUMN) is None:
        return None
    values = channel.column(SPLIT_COLUMN)
    known = pc.unique(values)
    words = {value: str(value.as_py()).strip().lower() for value in known}
    found = set(words.values())
    if not (found & _TRAIN_WORDS and found & _TEST_WORDS):
        return None
    tests = pa.array([value.as_py() for value in known if words[value] in _TEST_WORDS], known.type)
    is_test = pc.is_in(values, value_set=tests).combine_chunks()
    # NOTE: rows of any third part (validation, say) stay with the training rows, from which the hold-out is taken.
    return channel.filter(pc.invert(is_test)), channel.filter(is_test, name="test")
