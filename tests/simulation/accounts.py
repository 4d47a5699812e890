"""What must be so once the simulated platform has come to rest: nothing that was acknowledged is lost or doubled."""

import io
from collections import Counter

import pyarrow.parquet as pq

from aimass_core.domain import keys
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus, Manifest
from aimass_core.domain.jobs import Job, JobKind
from aimass_core.domain.notification_channels import Delivery
from aimass_core.domain.notifications import Notification
from aimass_core.domain.settings.contract import Subsystem
from aimass_core.domain.workspaces import DeletionStatus, WorkspaceDeletionCreate
from aimass_core.services import settings, workspace_deletions, workspace_purge
from aimass_core.services.ingest.versions import MAX_ATTEMPTS, load_files
from tests.simulation import containers
from tests.simulation.platform import Platform
from tests.simulation.users import Users


def check(world: Platform, users: Users) -> None:
    """Of a world at rest."""
    _check_jobs(world, users)
    _check_rows(world, users)
    _check_collected(world)
    _check_notified(world)
    _check_settings(world, users)
    _check_walls(world)


def replay(world: Platform) -> None:
    """All that the stream has ever carried, once more: it changes nothing."""
    before = {row.key: row for row in world.registry.rows() if row.resource in _REPLAYED}
    for row in list(world.registry.rows()):
        world._announce(row)
    world.settle()
    after = {row.key: row for row in world.registry.rows() if row.resource in _REPLAYED}
    changed = [str(key.sort) for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    assert not changed, f"a replay of the events changed {changed}"


_REPLAYED = {"job", "dataset", "dataset_version", "endpoint", "model", "model_version", "notification", "source"}


def delete_workspace(world: Platform) -> None:
    """In the end nothing of it is left, whatever goes wrong in between."""
    world.faults.is_armed, world.loses, world.is_deleted = False, False, True
    workspace_id = world.principal.workspace_id
    request = WorkspaceDeletionCreate(confirm=world.principal.workspace_name, grace_hours=0)
    workspace_deletions.schedule(world.ports, world.principal, workspace_id, request)
    world.loses = world.faults.is_armed = True
    for _ in range(10):
        world.minute()
        world.deliver()
        world.work_containers()
        world.clock.advance(61)
    world.faults.is_armed, world.loses = False, False
    for _ in range(60):
        while world.deliver() or world.work_containers():
            pass
        row = world.registry.get(keys.workspace_deletion_row(workspace_id))
        assert row is not None
        if row.data["status"] == DeletionStatus.DONE:
            break
        world.clock.advance(61)
        world.minute()
    assert row.data["status"] == DeletionStatus.DONE, row.data
    deletion = workspace_deletions.get(world.ports, world.principal, workspace_id)
    remaining = workspace_purge.list_remaining(world.ports, deletion)
    assert not any(remaining.values()), f"left of a deleted workspace: {remaining}"


def _check_jobs(world: Platform, users: Users) -> None:
    found = {job.id: job for job in world.jobs()}
    for job_id in users.ledger.jobs:
        assert job_id in found, f"the acknowledged job {job_id} is lost"
    assert all(job.status.is_terminal for job in found.values())
    trained = Counter(_request_of(job) for job in found.values() if job.kind is JobKind.TRAIN and job.retry_of is None)
    doubled = {request: number for request, number in trained.items() if number > 1}
    assert not doubled, f"requests that made more than one job: {doubled}"


def _request_of(job: Job) -> object:
    return getattr(job.spec, "seed", None)


def _check_rows(world: Platform, users: Users) -> None:
    by_name = {dataset.name: dataset for dataset in world.registry.all(Dataset)}
    given_up = _rows_given_up(world, users)
    for name, numbers in users.ledger.rows.items():
        found = _rows_of(world, by_name[name])
        lost, doubled = Counter(numbers - given_up) - found, found - Counter(numbers - given_up)
        assert not lost, f"lost rows of {name}: {lost}"
        assert not doubled, f"doubled rows of {name}: {doubled}"
    versions = {(each.dataset_id, each.number): each for each in world.registry.all(DatasetVersion)}
    for key, numbers in users.ledger.uploads.items():
        if key[0] in users.ledger.deleted:
            continue
        version = versions[key]
        if _is_given_up(version):
            continue
        assert version.status is DatasetVersionStatus.READY, version.status_reason
        assert _rows_in(world, version) == Counter(numbers), f"rows of {version.dataset_name} are lost or doubled"


def _is_given_up(version: DatasetVersion) -> bool:
    """A conversion that died five times is not tried again: the version says so, and what to do."""
    reason = version.status_reason or ""
    return version.status is DatasetVersionStatus.REJECTED and f"tried {MAX_ATTEMPTS} times" in reason


def _rows_given_up(world: Platform, users: Users) -> set[int]:
    """Of dropped files whose owner was told that they are in no version; the files are still where they were put."""
    found: set[int] = set()
    for version in filter(_is_given_up, world.registry.all(DatasetVersion)):
        files = load_files(world.ports, version)
        users.ledger.num_given_up += len(files)
        for file in files:
            found.update(map(int, world.landing.get(file.key).split()[1:]))
    return found


def _check_collected(world: Platform) -> None:
    found = [dataset for dataset in world.registry.all(Dataset) if dataset.name == containers.DATASET]
    cursor = world.collecting.cursor
    if not found:
        assert cursor == 0
        return
    assert _rows_of(world, found[0]) == Counter(range(1, cursor + 1)), "the cursor stands where the data ends"


def check_cursor(world: Platform) -> None:
    """At any moment: the cursor is never ahead of durable data."""
    found = [dataset for dataset in world.registry.all(Dataset) if dataset.name == containers.DATASET]
    cursor = world.collecting.cursor
    latest = found[0].latest_version if found else None
    if cursor == 0 and latest is None:
        return
    assert found
    versions = {each.number: each for each in world.registry.all(DatasetVersion) if each.dataset_id == found[0].id}
    num_rows = versions[latest].num_rows if latest is not None else 0
    assert num_rows == cursor, f"the cursor is at {cursor}, and {num_rows} rows are durable"


def _rows_of(world: Platform, dataset: Dataset) -> Counter[int]:
    if dataset.latest_version is None:
        return Counter()
    (version,) = [
        each
        for each in world.registry.all(DatasetVersion)
        if (each.dataset_id, each.number) == (dataset.id, dataset.latest_version)
    ]
    return _rows_in(world, version)


def _rows_in(world: Platform, version: DatasetVersion) -> Counter[int]:
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "manifest.json")
    manifest = Manifest.model_validate_json(world.lake.get(key))
    assert manifest.digest() == version.digest
    found: Counter[int] = Counter()
    for file in manifest.files:
        body = world.lake.get(keys.dataset_file(version.workspace_id, version.dataset_id, file.sha256))
        found.update(pq.read_table(io.BytesIO(body)).column("id").to_pylist())
    return found


def _check_notified(world: Platform) -> None:
    """Of each job that has ended somebody was told once, and the delivery has arrived or was given up."""
    told = Counter(note.subject.id for note in world.registry.all(Notification) if note.subject.resource == "job")
    assert all(number == 1 for number in told.values()), f"told more than once: {told}"
    meant = Counter(each.notification_id for each in world.registry.all(Delivery))
    assert all(number == 1 for number in meant.values()), "one delivery for each notification and channel"


def _check_settings(world: Platform, users: Users) -> None:
    if users.ledger.levels:
        value = settings.get(world.ports, world.principal, Subsystem.COLLECTION).values["preview_rows"]
        assert value in users.ledger.levels or users.ledger.level == 0, "an acknowledged setting is lost"


def _check_walls(world: Platform) -> None:
    """Rows and objects of a workspace lie in its own places."""
    for row in world.registry.rows():
        workspace_id = row.data.get("workspace_id") if isinstance(row.data, dict) else None
        if workspace_id is not None and row.key.partition.startswith("WS#") and row.resource:
            assert row.key.partition == keys.partition(str(workspace_id)), f"{row.key} is in another workspace"
