"""Whether a job's data fits into its memory, by what the Parquet files say of themselves."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from aimass_core.domain.schemas import ColumnType, DatasetKind, Schema
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import read_schema
from batch_jobs.data.images import DEFAULT_MAX_SIZE

# What a text takes as an object of Python, beside its letters.
_TEXT_BYTES = 60
_NUMBER_BYTES = 8
# There is the data as Arrow has it, as columns, as a matrix, and as the framework's own copy of that.
_NUM_COPIES = 4
# Below so many it cannot work at all.
_MIN_COPIES = 2


def is_large(num_bytes: int, memory_bytes: int | None) -> bool:
    """Whether data that takes so much once it is decoded had better stay on disk."""
    return memory_bytes is not None and num_bytes * _NUM_COPIES > memory_bytes


def is_too_large(num_bytes: int, memory_bytes: int | None) -> bool:
    """Whether it cannot be in memory."""
    return memory_bytes is not None and num_bytes * _MIN_COPIES > memory_bytes


def needed_mib(num_bytes: int) -> int:
    """Of memory, for data of so many bytes to be in it."""
    return -(-num_bytes * _NUM_COPIES // 1024**2)


def decoded_bytes(paths: Iterable[Path]) -> int:
    """Of channels, once they are read.

    Raises:
        InvalidDataError: A file is not Parquet.
    """
    return sum(_channel_bytes(path) for path in paths)


def _channel_bytes(path: Path) -> int:
    schema = read_schema(path)
    num_bytes = 0
    for file in sorted(path.glob("*.parquet")):
        try:
            metadata = pq.read_metadata(file)
        except (OSError, ValueError) as error:
            raise InvalidDataError(f"channel {path.name}: {file.name} cannot be read as Parquet: {error}") from error
        wide = {column.name for column in schema.columns if column.type in _OF_MANY_BYTES}
        num_bytes += metadata.num_rows * row_bytes(schema)
        num_bytes += sum(_uncompressed(metadata.row_group(number), wide) for number in range(metadata.num_row_groups))
    return num_bytes


_OF_MANY_BYTES = (ColumnType.STRING, ColumnType.SERIES, ColumnType.IMAGE)


def row_bytes(schema: Schema) -> int:
    """What a row takes in memory, without texts' letters, series and files of images."""
    if schema.kind is DatasetKind.IMAGES:
        shape = schema.image_shape
        height, width = (shape.height, shape.width) if shape else (DEFAULT_MAX_SIZE, DEFAULT_MAX_SIZE)
        return min(height, DEFAULT_MAX_SIZE) * min(width, DEFAULT_MAX_SIZE) * (shape.channels if shape else 3)
    return sum(_TEXT_BYTES if column.type is ColumnType.STRING else _NUMBER_BYTES for column in schema.columns)


def _uncompressed(group: pq.RowGroupMetaData, names: set[str]) -> int:
    columns = (group.column(index) for index in range(group.num_columns))
    return sum(c.total_uncompressed_size for c in columns if c.path_in_schema.partition(".")[0] in names)
