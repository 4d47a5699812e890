"""A workspace in memory with an ingest queue that a test works off, as the function does."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aimass_core.adapters.memory import MemoryBlobStore, MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Role, new_id
from aimass_core.domain.datasets import (
    Dataset,
    DatasetCreate,
    DatasetPolicy,
    DatasetVersion,
    DatasetVersionDetail,
    Manifest,
    Upload,
    UploadCreate,
    WriteMode,
)
from aimass_core.ports import Put, Row
from aimass_core.services import datasets, uploads
from aimass_core.services.ingest import closing, landing

MAX_BYTES = 50 * 1024**2


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Scene:
    """Ports, a principal and shortcuts through the services."""

    def __init__(self, *, workspace_name: str = "team", ports: MemoryPorts | None = None) -> None:
        self.clock = Clock()
        landed = MemoryBlobStore("landing", clock=self.clock)
        self.ports = ports or MemoryPorts(clock=self.clock, landing=landed)
        self.principal = Principal(
            workspace_id=new_id("ws"), workspace_name=workspace_name, actor="key", role=Role.ADMIN
        )
        reservation = keys.workspace_name_row(workspace_name)
        data = {"id": self.principal.workspace_id}
        self.ports.registry.write(Put(row=Row(key=reservation, data=data, revision=1)))

    def dataset(self, name: str = "data", *, target: str | None = None, **policy: Any) -> Dataset:
        request = DatasetCreate(name=name, target=target, policy=DatasetPolicy(**policy))
        return datasets.create(self.ports, self.principal, request)

    def dataset_named(self, name: str) -> Dataset:
        return datasets.get(self.ports, self.principal, name)

    def upload(
        self, dataset: Dataset, body: bytes, *, name: str = "file.csv", mode: WriteMode = WriteMode.REPLACE
    ) -> DatasetVersionDetail:
        """Uploads, completes and works the queue off; the version as it is then."""
        upload = self.begin(dataset.id, body, name=name, mode=mode)
        version = uploads.complete(self.ports, self.principal, dataset.id, upload.id)
        self.work()
        return self.version(dataset, version.number)

    def begin(self, dataset_id: str, body: bytes, *, name: str = "file.csv", mode: WriteMode) -> Upload:
        """An upload whose bytes have arrived."""
        request = UploadCreate(file_name=name, num_bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), mode=mode)
        upload = uploads.create(self.ports, self.principal, dataset_id, request)
        self.ports.landing.put(keys.upload_object(upload.workspace_id, dataset_id, upload.id), body)
        return upload

    def drop(self, dataset_name: str, file_name: str, body: bytes) -> DatasetVersion | None:
        key = f"{keys.drop_prefix(self.principal.workspace_name, dataset_name)}{file_name}"
        self.ports.landing.put(key, body)
        return landing.land(self.ports, key)

    def work(self, *, max_bytes: int = MAX_BYTES) -> None:
        """Works off all messages whose delay is over, also those that this causes."""
        while self.ports.ingest_queue.messages:
            message, delay = self.ports.ingest_queue.messages.pop(0)
            self.clock.advance(delay)
            self.close(message, max_bytes=max_bytes)

    def close(self, message: Any, *, max_bytes: int = MAX_BYTES) -> DatasetVersion | None:
        return closing.close(
            self.ports,
            message["workspace_id"],
            message["dataset_id"],
            message["number"],
            max_bytes=max_bytes,
            lease_seconds=300,
        )

    def version(self, dataset: Dataset, number: int) -> DatasetVersionDetail:
        return datasets.get_version(self.ports, self.principal, dataset.id, number)

    def manifest(self, version: DatasetVersion) -> Manifest:
        key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "manifest.json")
        return Manifest.model_validate_json(self.ports.lake.get(key))

    def table(self, version: DatasetVersion) -> pa.Table:
        """All rows of a version, as a job reads them."""
        assert version.digest == self.manifest(version).digest()
        tables = [
            pq.read_table(
                io.BytesIO(
                    self.ports.lake.get(keys.dataset_file(version.workspace_id, version.dataset_id, file.sha256))
                )
            )
            for file in self.manifest(version).files
        ]
        return pa.concat_tables(tables)

    def rows(self, version: DatasetVersion) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.table(version).to_pylist()
        return rows


def to_csv(header: Sequence[str], rows: Iterable[Sequence[Any]], *, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def types(version: DatasetVersionDetail) -> dict[str, str]:
    assert version.data_schema is not None, version.issues
    return {column.name: column.type.value for column in version.data_schema.columns}


def write(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path
