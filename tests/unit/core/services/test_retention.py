"""Versions that a policy has outlived, or that somebody deletes: their bytes go, and it is said how many."""

from datetime import timedelta

import pytest

from aimass_core.domain import keys
from aimass_core.domain.datasets import DataFile, Dataset, DatasetVersion, DatasetVersionStatus, Manifest
from aimass_core.domain.jobs import JobStatus
from aimass_core.domain.sources import CollectionPolicy, SourceRecord, SourceUpdate
from aimass_core.errors import ConflictError, NotFoundError
from aimass_core.services import datasets, dispatch, reconciler, records, retention, source_datasets, sources
from tests.factories.platform import TABLE, ManualClock, add_job, add_version, new_ports, new_principal, tell
from tests.factories.sources import add_source

DAY = 86_400


class World:
    """A source whose data is kept for ten days, and a dataset that it fills."""

    def __init__(self, *, retention_days: int | None = 10) -> None:
        self.clock = ManualClock()
        self.ports = new_ports(self.clock)
        self.owner = new_principal()
        self.source = add_source(self.ports, self.owner, "adult", retention_days=retention_days)
        record = records.get(self.ports, SourceRecord, self.owner.workspace_id, self.source.id)
        self.dataset: Dataset = source_datasets.ensure(self.ports, record, "adult")

    def add(self, *files: str) -> DatasetVersion:
        """The next version, of files of 100 bytes each."""
        version = add_version(self.ports, self.owner, self.dataset)
        data_files = [DataFile(sha256=name * 64, num_bytes=100, num_rows=1) for name in files]
        for file in data_files:
            self.ports.lake.put(self.file(file.sha256[0]), b"x" * 100)
        manifest = Manifest(dataset_id=self.dataset.id, number=version.number, data_schema=TABLE, files=data_files)
        self.ports.lake.put(self.object(version.number, "manifest.json"), manifest.model_dump_json().encode())
        return version

    def file(self, name: str) -> str:
        return keys.dataset_file(self.owner.workspace_id, self.dataset.id, name * 64)

    def object(self, number: int, name: str) -> str:
        return keys.dataset_version_object(self.owner.workspace_id, self.dataset.id, number, name)

    def look(self, number: int) -> DatasetVersion:
        return records.get(self.ports, DatasetVersion, self.owner.workspace_id, self.dataset.id, number)

    def left(self) -> set[str]:
        """Names of the data files that are there."""
        prefix = keys.dataset_prefix(self.owner.workspace_id, self.dataset.id)
        return {blob.key.removeprefix(f"{prefix}files/")[63] for blob in self.ports.lake.list(f"{prefix}files/")}

    def reconcile(self, *, days: float = 0) -> int:
        """Time passes, and then a round that expires and, after the grace time, one that frees."""
        self.clock.advance(days * DAY)
        freed = reconciler.run(self.ports).freed_bytes
        self.clock.advance(61)
        return freed + reconciler.run(self.ports).freed_bytes


def test_what_the_policy_has_outlived_is_freed_and_counted() -> None:
    world = World()
    world.add("a", "b")
    world.add("b", "c")
    world.clock.advance(5 * DAY)
    world.add("d")
    beside = sum(blob.num_bytes for number in (1, 2) for blob in world.ports.lake.list(world.object(number, "")))
    assert world.reconcile(days=4.9) == 0
    assert world.reconcile(days=0.2) == 300 + beside
    assert [world.look(number).status for number in (1, 2, 3)] == ["EXPIRED", "EXPIRED", "READY"]
    assert (world.look(1).freed_bytes or 0) + (world.look(2).freed_bytes or 0) == 300 + beside
    assert "10 days for which the source 'adult' keeps it" in str(world.look(1).status_reason)
    assert world.left() == {"d"}
    assert list(world.ports.lake.list(world.object(1, ""))) == []
    assert world.reconcile(days=100) == 0
    assert world.look(3).status is DatasetVersionStatus.READY, "the latest one stays"


def test_files_that_a_later_version_shares_stay() -> None:
    world = World()
    world.add("a", "b")
    world.clock.advance(11 * DAY)
    world.add("b", "c")
    world.reconcile()
    assert world.look(1).status is DatasetVersionStatus.EXPIRED
    assert world.left() == {"b", "c"}


def test_c10_version_of_a_job_stays_until_it_has_ended() -> None:
    world = World()
    world.add("a")
    world.add("b")
    job = add_job(world.ports, world.owner, dataset="adult@1")
    world.reconcile(days=11)
    assert world.look(1).status is DatasetVersionStatus.READY
    with pytest.raises(ConflictError, match=job.id):
        retention.delete_version(world.ports, world.owner, "adult", 1)
    dispatch.dispatch(world.ports, job.workspace_id, job.id)
    tell(world.ports, job, JobStatus.FAILED, exit_code=1)
    world.reconcile(days=1)
    assert world.left() == {"b"}


def test_c10_job_that_was_submitted_in_the_moment_of_the_expiry_keeps_the_bytes() -> None:
    """The other order, where the job comes second, is a conflict of its transaction."""
    world = World()
    world.add("a")
    world.add("b")
    list_active = retention.jobs.list_active
    world.clock.advance(11 * DAY)
    registry, write = world.ports.registry, world.ports.registry.write

    def write_after_a_job(*writes: object) -> None:
        registry.write = write  # type: ignore[method-assign]
        add_job(world.ports, world.owner, dataset="adult@1")
        write(*writes)  # type: ignore[arg-type]

    registry.write = write_after_a_job  # type: ignore[assignment]
    assert world.reconcile() == 0
    assert len(list_active(world.ports, world.owner.workspace_id)) == 1
    assert world.look(1).status is DatasetVersionStatus.EXPIRED
    assert world.left() == {"a", "b"}
    with pytest.raises(ConflictError, match="EXPIRED"):
        add_job(world.ports, world.owner, dataset="adult@1")


def test_nothing_is_freed_while_a_version_is_being_made() -> None:
    world = World()
    world.add("a")
    world.add("b")
    retention.delete_version(world.ports, world.owner, "adult", 1)
    making = add_version(world.ports, world.owner, world.dataset, status=DatasetVersionStatus.INGESTING)
    world.clock.advance(61)
    assert retention.run(world.ports) == 0
    assert world.left() == {"a", "b"}
    records.save(
        world.ports, world.look(making.number), world.dataset.id, making.number, status=DatasetVersionStatus.REJECTED
    )
    assert retention.run(world.ports) > 0
    assert world.left() == {"b"}


def test_j6_a_crash_between_any_two_deletions_is_made_good() -> None:
    for crash_at in range(6):
        world = World()
        world.add("a", "b")
        world.add("c")
        retention.delete_version(world.ports, world.owner, "adult", 1)
        world.clock.advance(61)
        lake, delete, num_deleted = world.ports.lake, world.ports.lake.delete, 0

        def die(key: str, crash_at: int = crash_at, delete=delete) -> None:  # type: ignore[no-untyped-def]
            nonlocal num_deleted
            if num_deleted == crash_at:
                raise KeyboardInterrupt
            num_deleted += 1
            delete(key)

        lake.delete = die  # type: ignore[method-assign]
        try:
            retention.run(world.ports)
        except KeyboardInterrupt:
            lake.delete = delete  # type: ignore[method-assign]
            retention.run(world.ports)
        assert world.left() == {"c"}
        assert world.look(1).freed_bytes is not None
        assert list(lake.list(world.object(1, ""))) == []


def test_version_is_deleted_by_hand_but_not_the_latest() -> None:
    world = World(retention_days=None)
    world.add("a")
    world.add("b")
    with pytest.raises(ConflictError, match="is the latest"):
        retention.delete_version(world.ports, world.owner, "adult", 2)
    expired = retention.delete_version(world.ports, world.owner, "adult", 1)
    assert (expired.status, expired.freed_bytes) == ("EXPIRED", None)
    assert retention.delete_version(world.ports, world.owner, "adult", 1).status == "EXPIRED"
    with pytest.raises(NotFoundError):
        retention.delete_version(world.ports, world.owner, "adult", 9)
    world.reconcile()
    assert (world.look(1).freed_bytes or 0) > 100
    assert world.left() == {"b"}
    datasets.delete(world.ports, world.owner, "adult")
    world.reconcile(days=1)
    rows = world.ports.registry.query(keys.partition(world.owner.workspace_id), "", limit=1_000).rows
    assert not [row for row in rows if world.dataset.id in row.key.sort]


def test_retention_follows_the_policy() -> None:
    world = World(retention_days=None)
    world.add("a")
    world.add("b")
    world.reconcile(days=1_000)
    assert world.look(1).status is DatasetVersionStatus.READY
    policy = CollectionPolicy(retention_days=10)
    changed = sources.update(world.ports, world.owner, "adult", SourceUpdate(policy=policy), revision=1)
    world.clock.advance(retention.EVERY / timedelta(seconds=1))
    world.reconcile()
    assert world.look(1).status is DatasetVersionStatus.EXPIRED
    world.add("c")
    sources.update(
        world.ports, world.owner, "adult", SourceUpdate(policy=CollectionPolicy()), revision=changed.revision
    )
    world.reconcile(days=1_000)
    assert world.look(2).status is DatasetVersionStatus.READY
