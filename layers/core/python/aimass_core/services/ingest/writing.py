"""Writes typed rows as Parquet files in the lake, each named by the SHA-256 of its bytes."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aimass_core.domain import keys
from aimass_core.domain.datasets import DataFile
from aimass_core.domain.schemas import ColumnType, Schema
from aimass_core.ports import BlobStore
from aimass_core.services.ingest.column_types import ARROW_TYPES

ROW_GROUP_ROWS = 131_072
ROW_GROUP_BYTES = 32 * 1024**2
FILE_BYTES = 256 * 1024**2
_PROBED_VALUES = 10_000
PARQUET_TYPE = "application/vnd.apache.parquet"


def to_arrow_schema(schema: Schema) -> pa.Schema:
    """The physical schema of every Parquet file of a version."""
    return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in schema.columns])


class DatasetWriter:
    """Collects batches into row groups, row groups into files, and uploads each file when it is full.

    The same rows always give the same bytes, so repeated work meets its own files and versions share them. A row group
    is encoded by a thread while the next is read; there is never more than one, which bounds memory.
    """

    def __init__(self, *, lake: BlobStore, workspace_id: str, dataset_id: str, schema: Schema, work_path: Path) -> None:
        self.files: list[DataFile] = []
        self.num_rows = 0
        self._lake, self._workspace_id, self._dataset_id = lake, workspace_id, dataset_id
        self.arrow_schema, self._path = to_arrow_schema(schema), work_path / "part.parquet"
        self._plain = [
            column.name for column in schema.columns if column.type not in (ColumnType.IMAGE, ColumnType.SERIES)
        ]
        self._whole = [
            column.name for column in schema.columns if column.type in (ColumnType.INTEGER, ColumnType.DATETIME)
        ]
        self._writer: pq.ParquetWriter | None = None
        self._batches: list[pa.RecordBatch] = []
        self._num_pending = self._pending_bytes = 0
        self._num_file_rows = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dataset-writer")
        self._encoding: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._thread:
            if error is None:
                self._close_file()
        if self._writer is not None:
            self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends rows of exactly the writer's schema."""
        if not batch.num_rows:
            return
        self._batches.append(batch)
        self.num_rows += batch.num_rows
        self._num_pending += batch.num_rows
        self._pending_bytes += batch.nbytes
        if self._num_pending >= ROW_GROUP_ROWS or self._pending_bytes >= ROW_GROUP_BYTES:
            self._write_row_group()

    def share(self, file: DataFile) -> None:
        """Puts a file that lies in the lake already after the rows so far."""
        self._close_file()
        self.files.append(file)

    def _write_row_group(self) -> None:
        if not self._batches:
            return
        self._wait()
        if self._writer is not None and self._path.stat().st_size >= FILE_BYTES:
            self._finish_file()
        if self._writer is None:
            repetitive = [name for name in self._plain if _is_repetitive(self._batches[0].column(name))]
            self._writer = pq.ParquetWriter(
                self._path,
                self.arrow_schema,
                compression="zstd",
                use_dictionary=repetitive,
                column_encoding={name: "DELTA_BINARY_PACKED" for name in self._whole if name not in repetitive},
                write_statistics=self._plain,
                store_schema=True,
            )
        self._encoding = self._thread.submit(_encode, self._writer, self._batches)
        self._num_file_rows += self._num_pending
        self._batches, self._num_pending, self._pending_bytes = [], 0, 0

    def _wait(self) -> None:
        """Until the row group in hand lies in the file. Raises what went wrong with it."""
        encoding, self._encoding = self._encoding, None
        if encoding is not None:
            encoding.result()

    def _close_file(self) -> None:
        self._write_row_group()
        self._wait()
        self._finish_file()

    def _finish_file(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        sha256 = hash_file(self._path)
        key = keys.dataset_file(self._workspace_id, self._dataset_id, sha256)
        num_bytes = self._path.stat().st_size
        stored = self._lake.head(key)
        if stored is None or stored.num_bytes != num_bytes:
            self._lake.upload(self._path, key, content_type=PARQUET_TYPE)
        self.files.append(DataFile(sha256=sha256, num_bytes=num_bytes, num_rows=self._num_file_rows))
        self._num_file_rows = 0
        self._path.unlink()


def _encode(writer: pq.ParquetWriter, batches: Sequence[pa.RecordBatch]) -> None:
    table = pa.Table.from_batches(batches, schema=writer.schema)
    writer.write_table(table, row_group_size=table.num_rows)


def _is_repetitive(values: pa.Array) -> bool:
    """Whether a dictionary saves something. NOTE: it is given up by itself where texts are too many."""
    if pa.types.is_floating(values.type) or pa.types.is_string(values.type):
        return bool(pa.types.is_string(values.type))
    num_distinct: int = pc.count_distinct(values[:_PROBED_VALUES]).as_py()
    return 2 * num_distinct < _PROBED_VALUES


def hash_file(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
