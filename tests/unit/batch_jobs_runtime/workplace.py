"""A dispatched job on memory ports: config and data lie in the lake as dispatch and ingest leave them."""

import contextlib
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.batch_predictions import PredictSpec
from aimass_core.domain.common import new_id, utc_now
from aimass_core.domain.datasets import DataFile, Manifest
from aimass_core.domain.jobs import (
    EventType,
    Job,
    JobEvent,
    JobStatus,
    PinnedDataset,
    TrainSpec,
    to_hyperparameters,
)
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from aimass_core.domain.study_specs import SearchSpec
from aimass_core.errors import StaleRevisionError
from aimass_core.ports import Put
from aimass_core.services import jobs, records
from batch_jobs.runtime.fence import Fence
from batch_jobs.runtime.hosts import BatchHost
from batch_jobs.runtime.storage.folders import Folders

SCHEMA = Schema(
    kind=DatasetKind.TABLE,
    columns=[Column(name="age", type=ColumnType.INTEGER), Column(name="income", type=ColumnType.STRING)],
    target="income",
)


@dataclass
class Workplace:
    """The job, its ports and its folders."""

    ports: MemoryPorts
    job: Job
    folders: Folders

    def host(self, attempt: int = 1) -> BatchHost:
        """The host of one attempt."""
        return BatchHost(self.fence(attempt), self.folders, {"OMP_NUM_THREADS": "1"})

    def fence(self, attempt: int = 1) -> Fence:
        """The right of one attempt."""
        return Fence(ports=self.ports, workspace_id=self.job.workspace_id, job_id=self.job.id, attempt=attempt)

    def stored(self) -> Job:
        """The job as it is now."""
        return records.get(self.ports, Job, self.job.workspace_id, self.job.id)

    def change(self, **changes: Any) -> Job:
        """What another part of the platform writes, which reads once more where the container was faster."""
        while True:
            with contextlib.suppress(StaleRevisionError):
                return records.save(self.ports, self.stored(), self.job.id, **changes)

    def events(self) -> list[JobEvent]:
        """What the container told, in the order of the numbers; changes of status are the platform's own."""
        prefix = keys.row_prefix("job_event", self.job.id)
        page = self.ports.registry.query(keys.partition(self.job.workspace_id), prefix, limit=10_000)
        events = [JobEvent.model_validate(row.data) for row in page.rows]
        return [event for event in events if event.type is not EventType.STATUS]

    def left(self, name: str, attempt: int = 1) -> bytes:
        """What an attempt left in the lake."""
        return self.ports.lake.get(keys.job_attempt(self.job.workspace_id, self.job.id, attempt, name))

    def names_left(self, attempt: int = 1) -> list[str]:
        """The names of all that."""
        prefix = keys.job_attempt(self.job.workspace_id, self.job.id, attempt, "")
        return [info.key.removeprefix(prefix) for info in self.ports.lake.list(prefix)]


def new_workplace(
    path: Path,
    *,
    num_files: int = 2,
    spec: TrainSpec | SearchSpec | PredictSpec | None = None,
    study_id: str | None = None,
) -> Workplace:
    """A training job that is QUEUED, or one of a study."""
    spec = spec or TrainSpec(dataset="adult", algorithm="linear", target="income")
    ports, workspace_id, dataset_id = MemoryPorts(), new_id("ws"), new_id("ds")
    manifest = add_files(ports, workspace_id, dataset_id, num_files)
    now = utc_now()
    pin = PinnedDataset(dataset_id=dataset_id, dataset_name="adult", number=1, digest=manifest.digest())
    job = Job(
        id=new_id("job"),
        workspace_id=workspace_id,
        created_at=now,
        updated_at=now,
        created_by="key",
        kind=spec.kind,
        spec=spec,
        study_id=study_id,
        max_seconds=600,
        status=JobStatus.QUEUED,
        channels={"train": pin},
    )
    ports.registry.write(Put(row=records.to_row(job)))
    config = {
        "hyperparameters.json": to_hyperparameters(job.spec),
        "inputdataconfig.json": jobs.to_input_data_config(workspace_id, job.channels),
        "resourceconfig.json": {"current_host": "algo-1", "hosts": ["algo-1"]},
    }
    for name, content in config.items():
        ports.lake.put(keys.job_config(workspace_id, job.id, name), json.dumps(content).encode())
    return Workplace(ports, job, Folders(path / "ml"))


def add_files(ports: MemoryPorts, workspace_id: str, dataset_id: str, num_files: int) -> Manifest:
    """Version 1 of a dataset, with one row in each file."""
    files = []
    for index in range(num_files):
        buffer = io.BytesIO()
        pq.write_table(pa.table({"age": [index], "income": ["yes"]}), buffer)
        body = buffer.getvalue()
        sha256 = hashlib.sha256(body).hexdigest()
        ports.lake.put(keys.dataset_file(workspace_id, dataset_id, sha256), body)
        files.append(DataFile(sha256=sha256, num_bytes=len(body), num_rows=1))
    manifest = Manifest(dataset_id=dataset_id, number=1, data_schema=SCHEMA, files=files)
    key = keys.dataset_version_object(workspace_id, dataset_id, 1, "manifest.json")
    ports.lake.put(key, manifest.model_dump_json().encode())
    return manifest
