"""Reads a channel: the folder with `schema.json` and the Parquet files of one dataset version."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from aimass_core.domain.schemas import ColumnType, Schema
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Rows of one channel. `rows` numbers them as they stand in the dataset, also after a part was taken."""

    name: str
    schema: Schema
    table: pa.Table
    rows: pa.Array

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return int(self.table.num_rows)

    def filter(self, mask: pa.Array, *, name: str | None = None) -> "Channel":
        """Only the rows where the mask is true."""
        return Channel(
            name=name or self.name, schema=self.schema, table=self.table.filter(mask), rows=self.rows.filter(mask)
        )


def read_channel(name: str, path: Path) -> Channel:
    """The files are read in the order of their names.

    Raises:
        InvalidDataError: The channel has no rows, or a file holds another type than the schema says.
    """
    schema = Schema.model_validate_json((path / "schema.json").read_bytes())
    try:
        tables = [_read_file(file, schema) for file in sorted(path.glob("*.parquet"))]
    except pa.ArrowException as error:
        raise InvalidDataError(f"channel {name}: its files do not fit its schema: {error}") from error
    table = pa.concat_tables(tables) if tables else None
    if table is None or table.num_rows == 0:
        raise InvalidDataError(f"channel {name} has no rows: upload a dataset version with data")
    return Channel(name=name, schema=schema, table=table, rows=pa.array(range(table.num_rows), pa.int64()))


def _read_file(path: Path, schema: Schema) -> pa.Table:
    """One file in the types of the schema. Files of earlier versions may lack columns that came later."""
    present = set(pq.read_schema(path).names)
    table = pq.read_table(path, columns=[column.name for column in schema.columns if column.name in present])
    arrays = [
        table.column(column.name).cast(ARROW_TYPES[column.type])
        if column.name in present
        else pa.chunked_array([pa.nulls(table.num_rows, ARROW_TYPES[column.type])])
        for column in schema.columns
    ]
    return pa.table(arrays, names=[column.name for column in schema.columns])


def divide_by_split_column(channel: Channel) -> tuple[Channel, Channel] | None:
    """Image sets that were packed as train/ and test/ folders name each row's part in the column `split`.

    Returns:
        The train part and the test part, or None where the column is absent or says something else.
    """
    if channel.schema.column(SPLIT_COLUMN) is None:
        return None
    words = [str(value).strip().lower() for value in channel.table.column(SPLIT_COLUMN).to_pylist()]
    found = set(words)
    if not (found & _TRAIN_WORDS and found & _TEST_WORDS):
        return None
    is_test = pa.array([word in _TEST_WORDS for word in words])
    # NOTE: rows of any third part (validation, say) stay with the training rows, from which the hold-out is taken.
    is_train = pa.array([word not in _TEST_WORDS for word in words])
    return channel.filter(is_train), channel.filter(is_test, name="test")
