"""Rows of another dataset that occur in this one: a test set that was trained on."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aimass_core.domain import keys
from aimass_core.domain.common import split_ref
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus, Manifest
from aimass_core.domain.quality import LeakageExpected
from aimass_core.domain.schemas import ColumnType, Schema
from aimass_core.errors import NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import records
from aimass_core.services.ingest.row_hashes import hash_rows
from aimass_core.services.quality.findings import Check, Facts, Finding, of_share, skipped
from aimass_core.services.quality.row_checks import Refused

_NUMBERS = (ColumnType.INTEGER, ColumnType.NUMBER)


class Leakage:
    """Hashes the rows of this version, then those of the other, over the columns that both have."""

    def __init__(self, ports: Ports, version: DatasetVersion, columns: list[str], expected: LeakageExpected) -> None:
        self._ports, self._version, self._columns, self._expected = ports, version, columns, expected
        self._hashes: list[npt.NDArray[np.uint64]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """See Check."""
        self._hashes.append(hash_rows(_comparable(batch, self._columns).columns))

    def finish(self, _facts: Facts, /) -> Finding:
        """See Check."""
        mine = np.unique(np.concatenate(self._hashes)) if self._hashes else np.empty(0, dtype=np.uint64)
        num_leaked = num_all = 0
        for batch in read_rows(self._ports, self._version, self._columns):
            theirs = hash_rows(_comparable(batch, self._columns).columns)
            num_leaked += int(np.isin(theirs, mine).sum())
            num_all += len(theirs)
        of = f"{self._version.dataset_name}@{self._version.number}"
        return of_share(num_leaked, num_all, self._expected.max_share, what=f"of {of} here too")


class NothingToCompare:
    """The other dataset has no version yet."""

    def __init__(self, message: str) -> None:
        self._message = message

    def add(self, batch: pa.RecordBatch) -> None:
        """See Check."""

    def finish(self, _facts: Facts, /) -> Finding:
        """See Check."""
        return skipped(self._message)


def build(ports: Ports, workspace_id: str, expected: LeakageExpected, schema: Schema) -> Check:
    """Against the version that the reference means now."""
    name, number = split_ref(expected.against)
    try:
        other = records.find(ports, Dataset, workspace_id, name)
        chosen = number or other.latest_version
        if chosen is None:
            return NothingToCompare(f"The dataset {name!r} has no version that is READY.")
        version = records.get(ports, DatasetVersion, workspace_id, other.id, chosen)
    except NotFoundError:
        return Refused(f"There is no dataset version {expected.against!r} in this workspace.")
    if version.status is not DatasetVersionStatus.READY:
        return NothingToCompare(f"{expected.against} is {version.status}.")
    theirs = _load_manifest(ports, version).data_schema
    shared = [column.name for column in schema.columns if _is_comparable(schema, theirs, column.name)]
    columns = shared if expected.columns is None else expected.columns
    absent = [column for column in columns if column not in shared]
    if absent or not columns:
        what = f"the column {absent[0]!r}" if absent else "any column"
        return Refused(f"The two datasets do not both have {what} with values of the same type.")
    return Leakage(ports, version, columns, expected)


def read_rows(ports: Ports, version: DatasetVersion, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a version, a file of it on the disk at a time."""
    manifest = _load_manifest(ports, version)
    with tempfile.TemporaryDirectory(prefix="aimass-quality-") as folder:
        path = Path(folder) / "part.parquet"
        for file in manifest.files:
            ports.lake.download(keys.dataset_file(version.workspace_id, version.dataset_id, file.sha256), path)
            with pq.ParquetFile(path) as parquet:
                yield from parquet.iter_batches(columns=columns)


def _load_manifest(ports: Ports, version: DatasetVersion) -> Manifest:
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "manifest.json")
    return Manifest.model_validate_json(ports.lake.get(key))


def _is_comparable(mine: Schema, theirs: Schema, name: str) -> bool:
    first, second = mine.column(name), theirs.column(name)
    if first is None or second is None:
        return False
    return first.type is second.type or (first.type in _NUMBERS and second.type in _NUMBERS)


def _comparable(batch: pa.RecordBatch, columns: list[str]) -> pa.RecordBatch:
    """In the same order, and whole numbers as the numbers that they may be in the other dataset."""
    arrays = [batch.column(name) for name in columns]
    arrays = [pc.cast(array, pa.float64(), safe=False) if array.type == pa.int64() else array for array in arrays]
    return pa.RecordBatch.from_arrays(arrays, names=columns)
