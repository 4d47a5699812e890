"""Data under faults: every crash point between a client's bytes and a version, and of a deletion that meets a job."""

import hashlib
import random
from dataclasses import dataclass

import pytest

from aimass_core.domain import keys
from aimass_core.domain.datasets import (
    Dataset,
    DatasetCreate,
    DatasetVersion,
    DatasetVersionStatus,
    Manifest,
    Upload,
    UploadCreate,
    WriteMode,
)
from aimass_core.domain.jobs import JobStatus
from aimass_core.errors import AimassError, NotFoundError
from aimass_core.ports import WriteConflictError
from aimass_core.services import datasets, jobs, uploads
from aimass_core.services.ingest.versions import MAX_ATTEMPTS
from tests.factories import platform
from tests.simulation.faults import Faults, Plan, When
from tests.simulation.world import LEASE_SECONDS, World, settle

BODY = b"age,income\n1,no\n2,yes\n3,no\n"


def _upload(world: World) -> None:
    """A client that dies with the first crash, a moment after its bytes are there."""
    dataset = datasets.create(world.ports, world.principal, DatasetCreate(name="data"))
    digest = hashlib.sha256(BODY).hexdigest()
    request = UploadCreate(file_name="data.csv", num_bytes=len(BODY), sha256=digest, mode=WriteMode.REPLACE)
    upload = uploads.create(world.ports, world.principal, dataset.id, request)
    world.landing.put(keys.upload_object(dataset.workspace_id, dataset.id, upload.id), BODY)
    world.faults.is_armed = True
    world.run_safely(lambda: uploads.complete(world.ports, world.principal, dataset.id, upload.id))


def _work(world: World) -> None:
    """SQS delivers again what was not worked off, after the function's lease has run out."""
    while world.deliveries:
        delivery = world.deliveries.pop(0)
        if not world.run_safely(delivery):
            world.clock.advance(LEASE_SECONDS + 1)
            world.deliveries.append(delivery)


def _reconcile(world: World) -> None:
    for _ in range(6):
        world.reconcile()
        _work(world)


def _ingest(plan: Plan) -> World:
    world = World(faults=Faults(plan=plan))
    _upload(world)
    _work(world)
    _reconcile(world)
    return world


def _objects(world: World) -> list[str]:
    return [blob.key for store in (world.lake, world.landing) for blob in store.list("")]


@pytest.mark.parametrize("when", list(When))
def test_j6_no_crash_or_repetition_loses_or_doubles_uploaded_bytes(when: When) -> None:
    num_effects = _ingest({}).faults.num_effects
    assert num_effects > 8
    for number in range(1, num_effects + 1):
        world = _ingest({number: when})
        assert world.faults.num_effects >= number, "the effect was reached"
        (version,) = world.registry.all(DatasetVersion)
        assert version.status is DatasetVersionStatus.READY, f"{when} effect {number}: {version.status_reason}"
        assert version.num_rows == 3
        key = keys.dataset_version_object(version.workspace_id, version.dataset_id, 1, "manifest.json")
        manifest = Manifest.model_validate_json(world.lake.get(key))
        assert manifest.digest() == version.digest
        for file in manifest.files:
            assert world.lake.head(keys.dataset_file(version.workspace_id, version.dataset_id, file.sha256))
        assert [dataset.latest_version for dataset in world.registry.all(Dataset)] == [1]


@dataclass(frozen=True)
class _Busy:
    """Services that do not take every fifth request, or do not answer it."""

    rng: random.Random

    def get(self, number: int, /) -> When | None:
        return self.rng.choice([When.THROTTLED, When.UNANSWERED]) if self.rng.random() < 0.2 else None


def test_j1_no_version_is_given_up_while_services_are_busy() -> None:
    num_tries = []
    for seed in range(60):
        world = _ingest(_Busy(random.Random(seed)))
        (version,) = world.registry.all(DatasetVersion)
        assert version.status is DatasetVersionStatus.READY, f"seed {seed}: {version.status_reason}"
        assert version.num_rows == 3
        num_tries.append(world.faults.num_faults)
    assert max(num_tries) > 2 * MAX_ATTEMPTS


@pytest.mark.parametrize("when", list(When))
def test_j6_no_crash_or_repetition_keeps_what_was_deleted(when: When) -> None:
    def run(plan: dict[int, When]) -> World:
        world = _ingest({})
        world.faults.plan, world.faults.num_effects = plan, 0
        world.faults.is_armed = True
        while not world.run_safely(lambda: _delete(world)):
            world.clock.advance(1)
        _reconcile(world)
        return world

    num_effects = run({}).faults.num_effects
    assert num_effects > 5
    for number in range(1, num_effects + 1):
        world = run({number: when})
        assert _objects(world) == [], f"{when} effect {number}"
        for cls in (Dataset, DatasetVersion, Upload):
            assert world.registry.all(cls) == [], f"{when} effect {number}"
        assert world.registry.count("DATASET_TOMBSTONE#") == 0


def _delete(world: World) -> None:
    try:
        datasets.delete(world.ports, world.principal, "data")
    except NotFoundError:
        return


@pytest.mark.parametrize("first", ["delete", "submit", "retry"])
def test_c10_data_of_a_job_whose_submission_met_a_deletion_is_kept_until_it_ends(first: str) -> None:
    world = World(faults=Faults(plan={1: When.MEANWHILE}))
    platform.add_version(world.ports, world.principal, platform.add_dataset(world.ports, world.principal))
    former = jobs.stop(world.ports, world.principal, platform.add_job(world.ports, world.principal).id)
    steps = {
        "delete": lambda: datasets.delete(world.ports, world.principal, "adult"),
        "submit": lambda: platform.add_job(world.ports, world.principal),
        "retry": lambda: jobs.retry(world.ports, world.principal, former.id, limits=platform.LIMITS),
    }

    def attempt(name: str) -> None:
        try:
            steps[name]()
        except (AimassError, WriteConflictError):
            return

    world.faults.is_armed = True
    world.intruder = lambda: attempt("submit" if first == "delete" else "delete")
    world.run_safely(lambda: attempt(first))
    world.faults.is_armed = False
    assert world.registry.all(Dataset) == [], "the deletion was done"
    active = [job for job in world.jobs() if not job.status.is_terminal]
    assert len(active) == 1, "and so was the submission"
    pin = active[0].channels["train"]
    data = keys.dataset_prefix(active[0].workspace_id, pin.dataset_id)
    for _ in range(5):
        world.reconcile()
    assert list(world.lake.list(data)), "its data is there while it may run"
    settle(world)
    assert {job.status for job in world.jobs()} == {JobStatus.STOPPED, JobStatus.SUCCEEDED}
    _reconcile(world)
    assert list(world.lake.list(data)) == []


def test_c10_job_of_a_deleted_dataset_is_not_retried() -> None:
    world = World()
    platform.add_version(world.ports, world.principal, platform.add_dataset(world.ports, world.principal))
    job = jobs.stop(world.ports, world.principal, platform.add_job(world.ports, world.principal).id)
    datasets.delete(world.ports, world.principal, "adult")
    with pytest.raises(AimassError, match="was deleted"):
        jobs.retry(world.ports, world.principal, job.id, limits=platform.LIMITS)
