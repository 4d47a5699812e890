"""Rows that a job has written on this disk just now, for a dataset: none is looked at before it is wanted.

A stream of Arrow's is not encoded, so to leave rows in it and to read them again costs next to nothing. No upload is
read here: whoever writes these knows that no row is damaged.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from aimass_core.domain.schemas import DatasetKind
from aimass_core.services.ingest import parquet_files
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import LINE, SpooledColumn, SpooledFile

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
# Each batch costs something whatever its size.
_BATCH_ROWS, _BATCH_BYTES = 65_536, 32 * 1024**2


def write(path: Path, tables: Iterable[pa.Table]) -> None:
    """All rows; there is one table at least."""
    with ExitStack() as stack:
        sink, writer = stack.enter_context(pa.OSFile(str(path), "wb")), None
        for table in _joined(tables):
            writer = writer or stack.enter_context(pa.ipc.new_stream(sink, table.schema))
            writer.write_table(table)


def read(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows, where they lie."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        yield from reader


def spool(path: Path, reading: Reading) -> SpooledFile:
    """Raises FileRejectedError where a table cannot hold a column."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        schema = reader.schema
    parquet_files.check_names(schema.names, limits=reading.limits)
    return SpooledFile(
        parts=(partial(_numbered, path),),
        display_name=reading.display_name,
        kind=DatasetKind.TABLE,
        columns=tuple(SpooledColumn(name=field.name, fixed=parquet_files.to_type(field)) for field in schema),
        num_rows=sum(batch.num_rows for batch in read(path)),
        num_bad_rows=0,
    )


def _joined(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= _BATCH_ROWS or sum(each.nbytes for each in waiting) >= _BATCH_BYTES:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _numbered(path: Path) -> Iterator[pa.RecordBatch]:
    """With the columns by position, and the line of each row."""
    first = 1
    for batch in read(path):
        lines = pa.array(np.arange(first, first + batch.num_rows))
        first += batch.num_rows
        yield pa.RecordBatch.from_arrays([lines, *batch.columns], [LINE, *map(str, range(batch.num_columns))])
