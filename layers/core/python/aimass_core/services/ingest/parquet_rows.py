"""The rows of a Parquet file in pieces of bounded memory, however far the file unpacks.

Its encodings can make much of little: a dictionary holds a long text once for a million rows, a run-length says one
value a billion times, and a delta repeats the beginning of the text before it.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.limits import Limits

_PIECE_BYTES, _PIECE_VALUES = 32 * 1024**2, 4 * 1024**2
_BYTES = "BYTE_ARRAY"
_DELTA, _DELTA_BYTES, _MIN_DELTA_ROWS, _MAX_ROWS = "DELTA_BYTE_ARRAY", 512 * 1024**2, 64, 1_000_000


class ParquetRows:
    """An opened file whose size has been checked. `schema` has the types of the file, `num_rows` is what it says."""

    def __init__(self, path: Path, *, limits: Limits) -> None:
        self._limits, self._num_file_bytes, self._num_text_bytes = limits, path.stat().st_size, 0
        with pq.ParquetFile(path) as file:
            self.schema: pa.Schema = file.schema_arrow
            self.num_rows: int = file.metadata.num_rows
            num_values = self._check(file.metadata)
            deltas = _find_deltas(file.metadata)
            leaves = [name for field in self.schema for name in _text_leaves(field.name, field.type, file.metadata)]
        # None of these texts is longer than all bytes of its column.
        self._max_rows = max(_MIN_DELTA_ROWS, _DELTA_BYTES // max(1, *deltas.values())) if deltas else _MAX_ROWS
        if any(pa.types.is_nested(field.type) for field in self.schema):
            # A row of lists is as long as it likes.
            self._max_rows = min(self._max_rows, max(_PIECE_VALUES * self.num_rows // max(num_values, 1), 1))
        texts = [name for name in leaves if name not in deltas]
        self._file = pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=texts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def batches(self, num_rows: int) -> Iterator[pa.RecordBatch]:
        """At most so many rows each; texts are in dictionaries. Raises FileRejectedError for a bomb."""
        for batch in self._file.iter_batches(batch_size=min(num_rows, self._max_rows)):
            yield from self._cut(batch)

    def _check(self, metadata: Any) -> int:
        """How many values there are, in all columns together."""
        if not metadata.num_rows:
            raise FileRejectedError("The Parquet file has no rows. Upload one with at least one.")
        if metadata.num_columns > self._limits.max_columns:
            raise FileRejectedError(
                f"The file has {metadata.num_columns:,} columns; at most {self._limits.max_columns:,} are read."
            )
        num_bytes = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
        self._limits.check_expanded(num_bytes, from_bytes=self._num_file_bytes)
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        num_values = sum(group.column(index).num_values for group in groups for index in range(group.num_columns))
        self._check_size(num_values)
        return int(num_values)

    def _check_size(self, num_bytes: int) -> None:
        ratio = self._limits.max_columnar_ratio
        self._limits.check_expanded(num_bytes, from_bytes=self._num_file_bytes, ratio=ratio)

    def _cut(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        sizes = np.zeros(batch.num_rows, dtype=np.int64)
        for column in batch.columns:
            sizes += _text_sizes(column)
        ends = np.cumsum(sizes)
        self._num_text_bytes += int(ends[-1]) if len(ends) else 0
        self._check_size(self._num_text_bytes)
        start = 0
        while start < batch.num_rows:
            before = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + _PIECE_BYTES, side="right")))
            yield batch.slice(start, stop - start)
            start = stop


def _find_deltas(metadata: Any) -> dict[str, int]:
    """The columns whose texts may repeat the beginning of the text before them, and their most bytes in a row group."""
    found: dict[str, int] = {}
    for group in (metadata.row_group(index) for index in range(metadata.num_row_groups)):
        for column in (group.column(index) for index in range(group.num_columns)):
            if _DELTA in column.encodings:
                name = column.path_in_schema
                found[name] = max(found.get(name, 0), column.total_uncompressed_size)
    return found


def _text_leaves(name: str, found: pa.DataType, metadata: Any) -> Iterator[str]:
    if pa.types.is_struct(found):
        for field in found:
            yield from _text_leaves(f"{name}.{field.name}", field.type, metadata)
    elif is_list_of_texts(found):
        # Writers differ in what they call the inside of a list.
        leaves = (metadata.schema.column(index) for index in range(metadata.num_columns))
        yield from (leaf.path for leaf in leaves if leaf.path.startswith(f"{name}.") and leaf.physical_type == _BYTES)
    elif found in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
        yield name


def is_list(found: pa.DataType) -> bool:
    """Of whatever, in any of Arrow's layouts."""
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_list_view)
    return any(matches(found) for matches in kinds)


def is_list_of_texts(found: pa.DataType) -> bool:
    """Whether each row has any number of texts."""
    if not is_list(found):
        return False
    value = found.value_type.value_type if pa.types.is_dictionary(found.value_type) else found.value_type
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value))


def _text_sizes(column: pa.Array) -> npt.NDArray[np.int64]:
    """How many bytes the texts of every row have."""
    if pa.types.is_struct(column.type):
        return sum((_text_sizes(field) for field in column.flatten()), np.zeros(len(column), dtype=np.int64))
    if is_list_of_texts(column.type):
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        # As JSON a text has quotes and a comma.
        sums = np.concatenate([[0], np.cumsum(_text_sizes(column.flatten()) + 3)])
        ends = np.cumsum(lengths, dtype=np.int64)
        of_rows: npt.NDArray[np.int64] = sums[ends] - sums[ends - lengths]
        return of_rows
    is_dictionary = pa.types.is_dictionary(column.type)
    texts = column.dictionary if is_dictionary else column
    if not _has_bytes(texts.type):
        return np.zeros(len(column), dtype=np.int64)
    lengths = pc.fill_null(pc.binary_length(texts), 0).cast(pa.int64())
    if is_dictionary:
        lengths = pc.fill_null(lengths.take(column.indices), 0)
    sizes: npt.NDArray[np.int64] = lengths.to_numpy(zero_copy_only=False)
    return sizes


def _has_bytes(found: pa.DataType) -> bool:
    return any(
        check(found)
        for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )
