"""The container that reads a source, as a process of the simulation; what it reads grows all the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aimass_core.domain.collector_messages import Record
from aimass_core.domain.jobs import CollectSpec, Job
from aimass_core.domain.sources import Cursor, RunCreate, SourceCreate, SourceRecord, SourceUpdate
from aimass_core.services import records, source_leases, source_runs, source_states, sources
from batch_jobs.collect.collecting import Collection
from batch_jobs.collect.reading import Item

if TYPE_CHECKING:
    from tests.simulation.platform import Platform

STREAM = "orders"
DATASET = f"shop-{STREAM}"
_SOURCE = {
    "name": "shop",
    "collector": {"type": "feed", "urls": ["https://example.com/feed"]},
    "policy": {"cursor": {"path": "id"}, "schedule": "rate(10 minutes)"},
}


class _Reporter:
    """Nobody looks."""

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """See Reporter."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See Reporter."""

    def message(self, text: str) -> None:
        """See Reporter."""


class Collecting:
    """A source, what is in it, and runs of it."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.num_records = 0
        self.source_id: str | None = None

    @property
    def record(self) -> SourceRecord:
        assert self.source_id is not None
        return records.get(self._platform.ports, SourceRecord, self._platform.principal.workspace_id, self.source_id)

    @property
    def cursor(self) -> int:
        """Where the next run goes on: all up to it is durable."""
        if self.source_id is None:
            return 0
        state, _ = source_states.load(self._platform.ports, self.record)
        return int(state.streams.get(STREAM, {}).get("cursor") or 0)

    def make(self) -> None:
        """The source, once."""
        request = SourceCreate.model_validate(_SOURCE)
        self.source_id = sources.create(self._platform.ports, self._platform.principal, request).id

    def start(self) -> Job:
        """A run by hand."""
        assert self.source_id is not None
        return source_runs.submit(self._platform.ports, self._platform.principal, self.source_id, RunCreate())

    def stop_schedule(self) -> None:
        """So that the world can come to rest."""
        request = SourceUpdate.model_validate({"policy": {"cursor": {"path": "id"}, "schedule": None}})
        sources.update(
            self._platform.ports, self._platform.principal, self.record.id, request, revision=self.record.revision
        )

    def collect(self, job: Job, work_path: Path) -> None:
        """What the container of a run does. One whose lease is another's reads and writes nothing."""
        assert isinstance(job.spec, CollectSpec)
        try:
            source_leases.fence(self._platform.ports, job)
        except source_leases.LeaseTakenError:
            return
        Collection(
            ports=self._platform.ports,
            record=self.record,
            job=job,
            spec=job.spec,
            reporter=_Reporter(),  # type: ignore[arg-type]
            work_path=work_path,
            secret=lambda name, fresh=False: name,
            hints={STREAM: Cursor(path="id")},
            deadline=1e9,
            monotonic=lambda: 0.0,
            sleep=self._platform.wait,
        ).run(self._read())

    def _read(self) -> Iterator[Item]:
        self.num_records += self._platform.rng.randrange(3)
        for number in range(1, self.num_records + 1):
            yield Record(STREAM, {"id": number})
