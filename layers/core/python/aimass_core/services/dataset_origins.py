"""What a dataset version was made of: the versions that jobs read to make it, over any number of jobs."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from aimass_core.domain.artifacts import PinnedDataset
from aimass_core.domain.datasets import DatasetVersion
from aimass_core.domain.jobs import Job
from aimass_core.errors import NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import records

_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From a version back to one of the dataset in question: its number, and what lies between, the nearest first."""

    number: int
    through: tuple[str, ...]


@dataclass(slots=True)
class Origins:
    """Answers for many versions of a workspace; what it has read it does not read again."""

    ports: Ports
    workspace_id: str
    _versions: dict[str, dict[int, DatasetVersion]] = field(default_factory=dict)
    _channels: dict[str, tuple[PinnedDataset, ...]] = field(default_factory=dict)

    def find(self, pin: PinnedDataset, dataset_id: str) -> Way | None:
        """The shortest way to the dataset; None where nothing of it is in the version."""
        waiting: deque[tuple[PinnedDataset, tuple[str, ...]]] = deque([(pin, ())])
        seen = {(pin.dataset_id, pin.number)}
        while waiting:
            at, through = waiting.popleft()
            if at.dataset_id == dataset_id:
                return Way(number=at.number, through=through)
            for read in self._read_for(at):
                if (read.dataset_id, read.number) not in seen:
                    seen.add((read.dataset_id, read.number))
                    waiting.append((read, (*through, f"{at.dataset_name}@{at.number}")))
        return None

    def _read_for(self, pin: PinnedDataset) -> Iterator[PinnedDataset]:
        """By the jobs that made the version and those that it was appended to."""
        if pin.workspace_id is not None:
            return
        versions = self._versions_of(pin.dataset_id)
        version = versions.get(pin.number)
        while version is not None:
            if version.job_id is not None:
                yield from self._channels_of(version.job_id)
            version = None if version.base_number is None else versions.get(version.base_number)

    def _versions_of(self, dataset_id: str) -> dict[int, DatasetVersion]:
        if dataset_id not in self._versions:
            found: dict[int, DatasetVersion] = {}
            start: str | None = None
            while True:
                page, start = records.list_page(
                    self.ports, DatasetVersion, self.workspace_id, dataset_id, limit=_PAGE, start=start
                )
                found |= {version.number: version for version in page}
                if start is None:
                    break
            self._versions[dataset_id] = found
        return self._versions[dataset_id]

    def _channels_of(self, job_id: str) -> tuple[PinnedDataset, ...]:
        if job_id not in self._channels:
            try:
                job = records.get(self.ports, Job, self.workspace_id, job_id)
            except NotFoundError:
                self._channels[job_id] = ()
            else:
                self._channels[job_id] = tuple(job.channels.values())
        return self._channels[job_id]
