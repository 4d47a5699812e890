"""What an append takes over from its base: its files as they are, or their rows written anew.

Versions share files, so a dataset that grows by small drops would end with hundreds of tiny ones, and each job lists
and reads them all. An append whose base has many small files side by side writes their rows into one file; the former
versions keep theirs. The files that result grow until they are no longer small, so a row is written a bounded number
of times, and the order of the rows never changes. No file is read for this that the profile does not need anyway.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from aimass_core.domain import keys
from aimass_core.domain.datasets import DataFile, Manifest
from aimass_core.ports import BlobStore
from aimass_core.services.ingest.writing import DatasetWriter, to_arrow_schema

SMALL_FILE_BYTES = 8 * 1024**2
MAX_SMALL_FILES = 32

OnFile = Callable[[int, int], None]
Change = Callable[[pa.RecordBatch], pa.RecordBatch]


def carry_over(
    base: Manifest,
    writer: DatasetWriter,
    *,
    workspace_id: str,
    lake: BlobStore,
    work_path: Path,
    on_file: OnFile,
    change: Change | None = None,
) -> Iterator[pa.RecordBatch]:
    """Brings every row of the base into the writer's files, in order; yields the rows in the writer's schema.

    `change` answers what shall be in the place of a batch; the same batch where nothing changes.
    """
    is_same = writer.arrow_schema.equals(to_arrow_schema(base.data_schema))
    joined = find_joined(base.files) if is_same else frozenset(range(len(base.files)))
    for index, file in enumerate(base.files):
        on_file(index, len(base.files))
        path = work_path / "base.parquet"
        lake.download(keys.dataset_file(workspace_id, base.dataset_id, file.sha256), path)
        is_shared = index not in joined and not _is_changed(path, change)
        if is_shared:
            writer.share(file)
        with pq.ParquetFile(path) as parquet:
            for batch in parquet.iter_batches():
                cast = batch if is_same else _cast(batch, writer.arrow_schema)
                if change is not None and not is_shared:
                    cast = change(cast)
                if not is_shared:
                    writer.write(cast)
                yield cast
        path.unlink()


def _is_changed(path: Path, change: Change | None) -> bool:
    if change is None:
        return False
    with pq.ParquetFile(path) as parquet:
        return any(change(batch) is not batch for batch in parquet.iter_batches())


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """In wider types, and with columns that it did not have."""
    names = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type) if field.name in names else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def find_joined(files: Sequence[DataFile]) -> frozenset[int]:
    """Which files are joined with their neighbours: none while only few are small."""
    is_small = [False, *(file.num_bytes < SMALL_FILE_BYTES for file in files), False]
    found = frozenset(
        index for index in range(len(files)) if is_small[index + 1] and (is_small[index] or is_small[index + 2])
    )
    return found if len(found) >= MAX_SMALL_FILES else frozenset()
