"""A file that has been read once: its rows on the local disk, as Arrow, and what was learnt about its columns.

Types are decided on every cell of every file of a version, so rows must wait somewhere until all are read. The disk
keeps memory bounded whatever the size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.services.ingest.column_types import Evidence

LINE = "line"


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
    """One file (or member of an archive). Its batches have the columns by position and the line of every row."""

    path: Path
    display_name: str
    kind: DatasetKind
    columns: tuple[SpooledColumn, ...]
    num_rows: int
    num_bad_rows: int
    warnings: tuple[str, ...] = ()
    image_shape: ImageShape | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows again: columns "0", "1", ... and LINE."""
        with pa.OSFile(str(self.path)) as source, pa.ipc.open_stream(source) as reader:
            yield from reader


class SpoolWriter:
    """Writes a spool; the schema is the first batch's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_rows = 0
        self._sink = pa.OSFile(str(path), "wb")
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        self._sink.close()

    def write(self, arrays: Mapping[str, pa.Array]) -> None:
        """Appends a batch of equally long columns."""
        batch = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
        if self._writer is None:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_stream(self._sink, batch.schema, options=options)
        self._writer.write_batch(batch)
        self.num_rows += batch.num_rows
