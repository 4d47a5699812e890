"""A file that has been read once: its rows on the local disk, as Arrow, and what was learnt about its columns.

Types are decided on every cell of every file of a version, so rows must wait somewhere until all are read. The disk
keeps memory bounded whatever the size.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import pyarrow as pa

from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.services.ingest.column_types import Evidence

LINE = "line"
Part: TypeAlias = Path | pa.RecordBatch | Callable[[], Iterator[pa.RecordBatch]]
"""Rows in a file of Arrow's, in memory, or wherever they are read from when they are wanted."""
_COMPRESSED_FROM_BYTES = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledColumn:
    """A column as it was read: text with evidence of its type, or values of a type that the file fixed."""

    name: str
    evidence: Evidence | None = None
    fixed: ColumnType | None = None

    def resolve(self) -> ColumnType | None:
        """The column's type; None where it has no value at all, so that any type fits."""
        if self.evidence is None:
            return self.fixed
        return self.evidence.resolve() if self.evidence.num_cells else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledFile:
    """One file (or member of an archive). Its batches have the columns by position and the line of every row; they lie
    in files, those of a small file in memory, those of a file of our own in itself."""

    parts: tuple[Part, ...]
    display_name: str
    kind: DatasetKind
    columns: tuple[SpooledColumn, ...]
    num_rows: int
    num_bad_rows: int
    warnings: tuple[str, ...] = ()
    image_shape: ImageShape | None = None
    target: str | None = None
    """Where the format itself says which column is to be predicted."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows again: columns "0", "1", ... and LINE."""
        for part in self.parts:
            if isinstance(part, pa.RecordBatch):
                yield self._complete(part)
                continue
            if callable(part):
                yield from part()
                continue
            with pa.OSFile(str(part)) as source, pa.ipc.open_stream(source) as reader:
                for batch in reader:
                    yield self._complete(batch)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that must stay until it is removed."""
        return tuple(part for part in self.parts if isinstance(part, Path))

    def _complete(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Adds the columns that had not been met when the batch was written."""
        for index in range(batch.num_columns - 1, len(self.columns)):
            batch = batch.append_column(str(index), pa.nulls(batch.num_rows, type=pa.string()))
        return batch

    def remove(self) -> None:
        """Frees the disk."""
        for path in self.paths:
            path.unlink()


class SpoolWriter:
    """Writes a spool; when columns are added, it goes on in another file. What is made of a large
    file (`num_bytes`) is compressed; for a small one that costs more than it saves.

    `is_in_memory`: the rows are so few that a file would cost more than they do.
    """

    def __init__(self, path: Path, *, num_bytes: int = _COMPRESSED_FROM_BYTES, is_in_memory: bool = False) -> None:
        self.parts: list[Part] = []
        self._is_in_memory = is_in_memory
        self.num_rows = 0
        self._path = path
        self._compression = "lz4" if num_bytes >= _COMPRESSED_FROM_BYTES else None
        self._sink: pa.OSFile | None = None
        self._writer: Any = None
        self._schema: pa.Schema | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def write(self, arrays: Mapping[str, pa.Array]) -> None:
        """Appends a batch of equally long columns."""
        batch = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
        self.num_rows += batch.num_rows
        if self._is_in_memory:
            self.parts.append(batch)
            return
        if self._writer is None or batch.schema != self._schema:
            self.close()
            self._writer = self._open(batch.schema)
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Ends the present file."""
        if self._writer is not None and self._sink is not None:
            self._writer.close()
            self._sink.close()
        self._writer = self._sink = None

    def _open(self, schema: pa.Schema) -> Any:
        path = self._path.with_suffix(f".{len(self.parts)}")
        self._schema, self._sink = schema, pa.OSFile(str(path), "wb")
        self.parts.append(path)
        return pa.ipc.new_stream(self._sink, schema, options=pa.ipc.IpcWriteOptions(compression=self._compression))
