"""A source in a workspace in memory, and runs of it in this process."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.collector_messages import Record
from aimass_core.domain.datasets import Dataset, DatasetPolicy, DatasetUpdate, DatasetVersion
from aimass_core.domain.jobs import CollectSpec, Failure, Job, JobStatus
from aimass_core.domain.sources import Cursor, RunCreate, SourceCreate, SourceRecord, SourceState, SourceUpdate
from aimass_core.ports import BlobStore
from aimass_core.services import datasets, records, source_runs, source_states, sources
from aimass_core.settings import CollectSettings
from batch_jobs.collect.collecting import Collection
from batch_jobs.collect.network import Timing
from batch_jobs.collect.reading import Item
from batch_jobs.collect.workflow import collect
from tests.unit.core.services.ingest.scene import Scene

FEED = {"type": "feed", "urls": ["https://example.com/feed"]}


class Reports:
    """What a run told. `killed_at` is a phase and its message, at which the container is killed."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.killed_at: tuple[str, str] | None = None

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        if (phase, message) == self.killed_at:
            raise KeyboardInterrupt

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        pass

    def message(self, text: str) -> None:
        self.messages.append(text)


class SourceScene(Scene):
    """One source, `shop`, and what its runs made."""

    def __init__(self, work_path: Path, collector: Mapping[str, Any] = FEED, **policy: Any) -> None:
        super().__init__()
        self._work_path, self._numbers = work_path, itertools.count(1)
        self.reports = Reports()
        request = SourceCreate.model_validate({"name": "shop", "collector": collector, "policy": policy})
        self.source_id = sources.create(self.ports, self.principal, request).id

    @property
    def record(self) -> SourceRecord:
        return records.get(self.ports, SourceRecord, self.principal.workspace_id, self.source_id)

    @property
    def state(self) -> SourceState:
        return source_states.load(self.ports, self.record)[0]

    def change(self, **policy: Any) -> None:
        request = SourceUpdate.model_validate({"policy": policy})
        revision = self.record.revision
        sources.update(self.ports, self.principal, self.source_id, request, revision=revision)

    def put_secret(self, name: str, value: str) -> None:
        self.ports.secrets.put(keys.source_secret(self.principal.workspace_id, self.source_id, name), value)

    def begin(self, **request: Any) -> Job:
        self.clock.advance(60)
        run = RunCreate.model_validate(request)
        return source_runs.submit(self.ports, self.principal, self.source_id, run)

    def end(self, job: Job, failure: Failure | None = None) -> None:
        status = JobStatus.FAILED if failure else JobStatus.SUCCEEDED
        changes = {"status": status, "ended_at": self.clock(), "failure": failure}
        ended = records.update(self.ports, Job, job.workspace_id, job.id, change=lambda _job: changes)
        source_runs.settle(self.ports, ended)

    def run(
        self,
        items: Iterable[Item],
        *,
        job: Job | None = None,
        hints: Mapping[str, Cursor] | None = None,
        **request: Any,
    ) -> dict[str, float]:
        """A run of what a reader would say; the job has ended afterwards, unless it was given."""
        given, job = job, job or self.begin(**request)
        try:
            metrics = self.collection(job, hints=hints).run(_generate(items))
        except Exception:
            if given is None:
                self.end(job, Failure(code="x", cause="x"))
            raise
        if given is None:
            self.end(job)
        return metrics

    def collection(self, job: Job, *, hints: Mapping[str, Cursor] | None = None, **changes: Any) -> Collection:
        assert isinstance(job.spec, CollectSpec)
        given: dict[str, Any] = {
            "secret": lambda name, fresh=False: self.ports.secrets.get(
                keys.source_secret(self.principal.workspace_id, self.source_id, name)
            ),
            "deadline": 1e9,
            "monotonic": lambda: 0.0,
        }
        return Collection(
            ports=self.ports,
            record=self.record,
            job=job,
            spec=job.spec,
            reporter=self.reports,
            work_path=self.folder(),
            hints=hints or {},
            **{**given, **changes},
        )

    def collect(
        self,
        *,
        job: Job | None = None,
        buckets: Mapping[str, BlobStore] | None = None,
        allowed_hosts: str = "127.0.0.1",
        timing: Timing | None = None,
        **request: Any,
    ) -> dict[str, float]:
        """The whole of a run, as the container does it."""
        given, job = job, job or self.begin(**request)
        buckets = buckets or {}
        settings = CollectSettings(
            registry_table="r",
            studies_table="s",
            landing_bucket="l",
            lake_bucket="k",
            workspace_id=self.principal.workspace_id,
            job_id=job.id,
            collect_allowed_hosts=allowed_hosts,
            collect_buckets=",".join(buckets),
        )
        assert isinstance(job.spec, CollectSpec)
        try:
            metrics = collect(
                self.ports,
                settings,
                job.spec,
                self.reports,
                work_path=self.folder(),
                open_bucket=lambda name: buckets[name],
                timing=timing,
            )
        except Exception as error:
            if given is None:
                self.end(job, Failure(code=getattr(error, "code", "x"), cause=str(error)))
            raise
        if given is None:
            self.end(job)
        return metrics

    def folder(self) -> Path:
        path = self._work_path / f"run-{next(self._numbers)}"
        path.mkdir()
        return path

    def dataset_named(self, name: str) -> Dataset:
        return datasets.get(self.ports, self.principal, name)

    def last(self, name: str) -> DatasetVersion:
        dataset = self.dataset_named(name)
        return self.version(dataset, dataset.last_number)

    def data(self, name: str, *, number: int | None = None) -> list[dict[str, Any]]:
        """The rows of the last version that is READY."""
        dataset = self.dataset_named(name)
        return self.rows(self.version(dataset, number or dataset.latest_version or 0))

    def allow_bad_rows(self, name: str) -> None:
        """Whatever share of rows is refused, the others come in."""
        dataset = datasets.ensure(self.ports, self.principal, name)
        request = DatasetUpdate(policy=DatasetPolicy(max_bad_fraction=1.0))
        datasets.update(self.ports, self.principal, name, request, revision=dataset.revision)


def rows_of(stream: str, rows: Iterable[dict[str, Any]]) -> list[Item]:
    return [Record(stream, row) for row in rows]


def _generate(items: Iterable[Item]) -> Iterator[Item]:
    yield from items
