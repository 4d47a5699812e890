"""Windows, appends, claims and commits of dataset versions."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts, MemoryRegistry
from aimass_core.domain import keys
from aimass_core.domain.common import new_id
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus, WriteMode
from aimass_core.domain.jobs import Failure, Job, JobKind, JobStatus
from aimass_core.errors import UnavailableError
from aimass_core.ports import BlobInfo, Write
from aimass_core.services import datasets, records, uploads
from aimass_core.services.ingest import closing, versions
from tests.unit.core.services.ingest.scene import MAX_BYTES, Scene, types

FIRST, SECOND = b"a,b\n1,x\n2,y\n", b"a,b\n3,z\n"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def ready(scene: Scene, dataset: Dataset, number: int) -> DatasetVersion:
    version = scene.version(dataset, number)
    assert version.status is DatasetVersionStatus.READY, version.issues
    return version


def test_files_dropped_within_a_window_become_one_version(scene: Scene) -> None:
    for name in ("one.csv", "two.csv"):
        scene.drop("sales", name, FIRST)
        scene.clock.advance(2)
    assert [delay for _, delay in scene.ports.ingest_queue.messages] == [5]

    scene.work()
    dataset = datasets.get(scene.ports, scene.principal, "sales")

    assert ready(scene, dataset, 1).num_rows == 4
    assert (dataset.latest_version, dataset.last_number) == (1, 1)


def test_a_file_that_lands_after_the_window_is_in_the_next_version(scene: Scene) -> None:
    scene.drop("sales", "one.csv", FIRST)
    scene.clock.advance(6)
    scene.drop("sales", "two.csv", SECOND)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    assert dataset.last_number == 2
    scene.work()
    assert ready(scene, dataset, 1).num_rows == 2
    assert ready(scene, dataset, 2).num_rows == 3


def test_a8_an_event_that_comes_three_times_lands_once(scene: Scene) -> None:
    landed = [scene.drop("sales", "one.csv", FIRST) for _ in range(3)]
    scene.work()
    landed.append(scene.drop("sales", "one.csv", FIRST))
    scene.work()
    assert {version.number for version in landed if version} == {1}
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    assert ready(scene, dataset, 1).num_rows == 2


def test_where_files_replace_the_same_content_may_come_back(scene: Scene) -> None:
    dataset = scene.dataset("sales", drop_mode=WriteMode.REPLACE)
    for body in (FIRST, SECOND, FIRST):
        scene.drop("sales", "one.csv", body)
        scene.work()
        scene.clock.advance(60)
    assert [ready(scene, dataset, number).num_rows for number in (1, 2, 3)] == [2, 1, 2]


@pytest.mark.parametrize(
    "key",
    [
        "drop/nobody/sales/a.csv",
        "drop/team/a.csv",
        "drop/team/Not A Name/a.csv",
        "drop/team/sales/",
        "drop/team/sales/.DS_Store",
        "elsewhere/a.csv",
        "uploads/x",
        "uploads/ws/ds/upl",
        "drop/team/sales/gone.csv",
    ],
)
def test_what_belongs_nowhere_makes_no_version(scene: Scene, key: str) -> None:
    from aimass_core.services.ingest import landing

    if "gone" not in key:
        scene.ports.landing.put(key, FIRST)
    assert landing.land(scene.ports, key) is None
    assert not scene.ports.ingest_queue.messages


def test_an_append_shares_the_files_of_its_base(scene: Scene) -> None:
    dataset = scene.dataset()
    first = scene.upload(dataset, FIRST)
    second = scene.upload(dataset, SECOND, mode=WriteMode.APPEND)
    assert second.base_number == 1
    assert scene.manifest(second).files[0] == scene.manifest(first).files[0]
    assert [row["a"] for row in scene.rows(second)] == [1, 2, 3]
    assert second.profile is not None
    assert second.profile.num_rows == 3
    assert second.profile.columns[0].max == 3


def test_an_append_of_numbers_to_whole_numbers_widens_the_column(scene: Scene) -> None:
    dataset = scene.dataset()
    scene.upload(dataset, FIRST)
    second = scene.upload(dataset, b"b,a\nz,3.5\n", mode=WriteMode.APPEND)
    assert types(second) == {"a": "number", "b": "string"}
    assert scene.rows(second) == [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}, {"a": 3.5, "b": "z"}]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"a\n1\n", "lacks 'b'"),
        (b"a,b,c\n1,x,2\n", "adds 'c'"),
        (b"a,b\nred,x\nblue,y\n", "is not of the type integer"),
    ],
)
def test_an_append_that_breaks_the_contract_leaves_the_last_good_version(
    scene: Scene, body: bytes, reason: str
) -> None:
    dataset = scene.dataset()
    scene.upload(dataset, FIRST)
    broken = scene.upload(dataset, body, mode=WriteMode.APPEND)
    assert broken.status is DatasetVersionStatus.REJECTED
    assert reason in broken.issues[0].reason
    assert datasets.get(scene.ports, scene.principal, dataset.id).latest_version == 1
    again = scene.upload(dataset, SECOND, mode=WriteMode.APPEND)
    assert (again.number, again.base_number, again.num_rows) == (3, 1, 3)


def test_of_several_files_the_bad_one_is_left_out_and_named(scene: Scene) -> None:
    scene.drop("sales", "good.csv", FIRST)
    scene.drop("sales", "bad.csv", b"<html></html>")
    scene.drop("sales", "other.csv", b"x,y\n1,2\n")
    scene.work()
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    version = ready(scene, dataset, 1)
    assert version.num_rows == 2
    assert version.status_reason == "2 of 3 files were left out; see the issues."
    assert {issue.file for issue in version.issues} == {"bad.csv", "other.csv"}


def test_a18_the_same_content_has_the_same_digest_and_the_same_files(scene: Scene) -> None:
    dataset = scene.dataset()
    one, two = scene.upload(dataset, FIRST), scene.upload(dataset, FIRST)
    assert one.digest == two.digest
    assert scene.manifest(one).files == scene.manifest(two).files
    assert one.digest != scene.upload(dataset, SECOND).digest


def test_an_append_waits_for_the_version_before_it(scene: Scene) -> None:
    dataset = scene.dataset()
    scene.upload(dataset, FIRST)
    for body in (SECOND, b"a,b\n4,w\n"):
        scene.drop("data", f"{len(body)}{body[4]}.csv", body)
        scene.clock.advance(10)
    second, third = (message for message, _ in scene.ports.ingest_queue.messages)
    scene.ports.ingest_queue.messages.clear()

    assert scene.close(third) is None
    assert scene.close(second) is not None
    scene.work()

    assert [row["a"] for row in scene.rows(ready(scene, dataset, 3))] == [1, 2, 3, 4]


def test_a8_lost_messages_are_repeated_by_the_reconciler(scene: Scene) -> None:
    scene.drop("sales", "one.csv", FIRST)
    scene.ports.ingest_queue.messages.clear()
    assert versions.close_due(scene.ports) == 0
    scene.clock.advance(60)
    assert versions.close_due(scene.ports) == 1
    scene.work()
    ready(scene, datasets.get(scene.ports, scene.principal, "sales"), 1)
    scene.clock.advance(60)
    assert versions.close_due(scene.ports) == 0


def test_a_lease_keeps_a_second_worker_out_until_it_is_over(scene: Scene) -> None:
    version = scene.drop("sales", "one.csv", FIRST)
    assert version is not None
    scene.clock.advance(6)
    address = (version.workspace_id, version.dataset_id, version.number)
    claimed = versions.claim(scene.ports, *address, lease_seconds=300)
    assert claimed is not None
    assert versions.claim(scene.ports, *address, lease_seconds=300) is None

    scene.clock.advance(301)
    taken_over = versions.claim(scene.ports, *address, lease_seconds=300)
    assert taken_over is not None
    with pytest.raises(versions.LeaseLostError):
        versions.finish(scene.ports, claimed, status=DatasetVersionStatus.REJECTED)


def test_a_conversion_that_never_finishes_is_given_up(scene: Scene) -> None:
    version = scene.drop("sales", "one.csv", FIRST)
    assert version is not None
    address = (version.workspace_id, version.dataset_id, version.number)
    for _ in range(versions.MAX_ATTEMPTS + 1):
        scene.clock.advance(600)
        versions.claim(scene.ports, *address, lease_seconds=300)
    ended = records.get(scene.ports, DatasetVersion, *address)
    assert ended.status is DatasetVersionStatus.REJECTED
    assert "tried 5 times" in str(ended.status_reason)


@pytest.mark.parametrize("is_done", [False, True], ids=["throttled", "done_without_an_answer"])
@pytest.mark.parametrize("step", ["query", "put", "write"])
def test_j1_conversion_that_meets_a_busy_service_is_tried_as_often_as_it_takes(
    scene: Scene, step: str, is_done: bool
) -> None:
    dataset = scene.dataset("sales")
    upload = scene.begin(dataset.id, FIRST, mode=WriteMode.REPLACE)
    version = uploads.complete(scene.ports, scene.principal, dataset.id, upload.id)
    (message, _), *_ = scene.ports.ingest_queue.messages
    store: Any = scene.ports.lake if step == "put" else scene.ports.registry
    act, acts = getattr(store, step), 0

    def busy(*args: Any, **options: Any) -> Any:
        nonlocal acts
        acts += 1
        # What it writes: the claim, the end of the version (or the claim given back).
        if step == "write" and acts % 3 != 2:
            return act(*args, **options)
        if is_done:
            act(*args, **options)
        raise UnavailableError("The service is throttled. Try again.")

    setattr(store, step, busy)
    for _ in range(2 * versions.MAX_ATTEMPTS):
        scene.clock.advance(60)
        with contextlib.suppress(UnavailableError):
            assert scene.close(message) is None, "only what was done without an answer has nothing left to do"
    setattr(store, step, act)
    scene.clock.advance(600)
    scene.close(message)
    assert ready(scene, dataset, version.number).num_rows == 2


def test_a_file_that_was_replaced_or_deleted_before_it_was_read_is_named(scene: Scene) -> None:
    scene.drop("sales", "one.csv", FIRST)
    scene.drop("sales", "two.csv", SECOND)
    scene.ports.landing.put("drop/team/sales/one.csv", SECOND)
    scene.ports.landing.delete("drop/team/sales/two.csv")
    scene.work()
    version = scene.version(datasets.get(scene.ports, scene.principal, "sales"), 1)
    assert version.status is DatasetVersionStatus.REJECTED
    assert ["replaced" in version.issues[0].reason, "deleted" in version.issues[1].reason] == [True, True]


def test_files_too_large_for_a_lambda_become_an_ingest_job(scene: Scene) -> None:
    scene.drop("sales", "one.csv", FIRST)
    scene.work(max_bytes=5)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    version = scene.version(dataset, 1)
    assert version.status is DatasetVersionStatus.INGESTING
    job = records.get(scene.ports, Job, dataset.workspace_id, str(version.job_id))
    assert (job.kind, job.status) == (JobKind.INGEST, JobStatus.SUBMITTED)
    assert scene.close(versions.close_message(version)) is None

    seen: list[str] = []
    closing.ingest(
        scene.ports,
        dataset.workspace_id,
        dataset.id,
        1,
        lease_seconds=60,
        on_progress=lambda phase, _step, _num: seen.append(phase),
    )
    assert ready(scene, dataset, 1).num_rows == 2
    assert seen == ["download", "read", "write", "profile"]


def test_what_unpacks_too_large_for_a_lambda_becomes_an_ingest_job(scene: Scene) -> None:
    import gzip

    dataset = scene.dataset()
    lines = b"".join(b"%d,%d\n" % (index, index * 7919 % 10_007) for index in range(20_000))
    version = scene.upload(dataset, gzip.compress(b"a,b\n" + lines), name="x.gz")
    assert version.status is DatasetVersionStatus.READY
    scene.drop("data", "y.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 20_000))
    scene.work(max_bytes=8_000)
    assert scene.version(dataset, 2).job_id is not None


_BUSY = Failure(code="unavailable", cause="The store is busy.", exit_code=75)


def test_a_version_whose_ingest_job_failed_is_rejected_with_the_cause(scene: Scene) -> None:
    scene.drop("sales", "one.csv", FIRST)
    scene.work(max_bytes=5)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    job_id = str(scene.version(dataset, 1).job_id)
    _fail(scene, dataset, job_id, Failure(code="timeout", cause="It ran into its time limit."))
    scene.clock.advance(60)
    assert versions.close_due(scene.ports) == 0
    scene.clock.advance(600)
    assert versions.close_due(scene.ports) == 1
    version = scene.version(dataset, 1)
    assert version.status is DatasetVersionStatus.REJECTED
    assert "time limit" in str(version.status_reason)


def test_a_version_whose_ingest_job_met_busy_services_alone_becomes_another_job(scene: Scene) -> None:
    scene.drop("sales", "one.csv", FIRST)
    scene.work(max_bytes=5)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    jobs_of_it = [str(scene.version(dataset, 1).job_id)]
    for _ in range(versions.MAX_ATTEMPTS + 1):
        claimed = versions.claim(scene.ports, dataset.workspace_id, dataset.id, 1, lease_seconds=60, takes_over=True)
        assert claimed is not None
        with pytest.raises(UnavailableError), versions.given_back(scene.ports, claimed):
            raise UnavailableError("SlowDown")
        _fail(scene, dataset, jobs_of_it[-1], _BUSY)
        scene.clock.advance(660)
        assert versions.close_due(scene.ports) == 1
        scene.work(max_bytes=5)
        jobs_of_it.append(str(scene.version(dataset, 1).job_id))
    assert len(set(jobs_of_it)) == versions.MAX_ATTEMPTS + 2
    closing.ingest(scene.ports, dataset.workspace_id, dataset.id, 1, lease_seconds=60, on_progress=lambda *_: None)
    assert ready(scene, dataset, 1).num_rows == 2


def test_a_version_that_met_busy_services_alone_for_a_day_is_rejected_with_the_reason(scene: Scene) -> None:
    scene.drop("sales", "one.csv", FIRST)
    scene.work(max_bytes=5)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    scene.clock.advance(86_400)
    _fail(scene, dataset, str(scene.version(dataset, 1).job_id), _BUSY)
    scene.clock.advance(660)
    assert versions.close_due(scene.ports) == 1
    version = scene.version(dataset, 1)
    assert version.status is DatasetVersionStatus.REJECTED
    assert "The store is busy." in str(version.status_reason)


def _fail(scene: Scene, dataset: Dataset, job_id: str, failure: Failure) -> None:
    records.update(
        scene.ports,
        Job,
        dataset.workspace_id,
        job_id,
        change=lambda _job: {"status": JobStatus.FAILED, "ended_at": scene.clock(), "failure": failure},
    )


class _StopError(Exception):
    pass


class _Fuse:
    """Lets a number of effects happen and stops before the next, as a kill would."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.count = 0

    def burn(self) -> None:
        self.count += 1
        if self.left is not None:
            if self.left == 0:
                raise _StopError
            self.left -= 1


class _FusedRegistry(MemoryRegistry):
    def __init__(self, fuse: _Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    def write(self, *writes: Write) -> None:
        self._fuse.burn()
        super().write(*writes)


def _fused_scene(fuse: _Fuse) -> Scene:
    ports = MemoryPorts(registry=_FusedRegistry(fuse))
    scene = Scene(ports=ports)
    ports.clock = scene.clock
    lake_put, send = ports.lake.put, ports.ingest_queue.send

    def put(key: str, body: bytes, *, content_type: str = "") -> BlobInfo:
        fuse.burn()
        return lake_put(key, body, content_type=content_type)

    def upload(path: Path, key: str, *, content_type: str = "") -> BlobInfo:
        fuse.burn()
        return lake_put(key, path.read_bytes(), content_type=content_type)

    def send_message(message: Mapping[str, Any], *, delay_seconds: int = 0) -> None:
        fuse.burn()
        send(message, delay_seconds=delay_seconds)

    ports.lake.put, ports.lake.upload = put, upload  # type: ignore[method-assign]
    ports.ingest_queue.send = send_message  # type: ignore[method-assign]
    return scene


def _run_to_the_end(scene: Scene) -> DatasetVersion:
    """What redelivery and the reconciler do after a kill."""
    for _ in range(4):
        scene.drop("sales", "one.csv", FIRST)
        scene.clock.advance(400)
        versions.close_due(scene.ports)
        scene.work()
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    assert (dataset.last_number, dataset.latest_version) == (1, 1)
    return ready(scene, dataset, 1)


def test_a_kill_between_any_two_effects_loses_nothing_and_doubles_nothing() -> None:
    fuse = _Fuse()
    expected = _run_to_the_end(_fused_scene(fuse))
    num_effects = fuse.count
    assert num_effects > 8
    for stop in range(num_effects):
        fuse = _Fuse()
        scene = _fused_scene(fuse)
        fuse.left = stop
        try:
            scene.drop("sales", "one.csv", FIRST)
            scene.work()
        except _StopError:
            pass
        fuse.left = None
        version = _run_to_the_end(scene)
        assert (version.digest, version.num_rows) == (expected.digest, 2), stop
        for file in scene.manifest(version).files:
            assert scene.ports.lake.head(keys.dataset_file(version.workspace_id, version.dataset_id, file.sha256))


def test_messages_about_a_deleted_dataset_are_harmless(scene: Scene) -> None:
    scene.drop("sales", "one.csv", FIRST)
    message = scene.ports.ingest_queue.messages[0][0]
    scene.clock.advance(10)
    datasets.delete(scene.ports, scene.principal, "sales")
    assert scene.close(message) is None
    scene.clock.advance(100)
    datasets.purge_due(scene.ports)
    assert scene.close(message) is None
    message = {**message, "dataset_id": new_id("ds")}
    assert scene.close(message, max_bytes=MAX_BYTES) is None


def test_later_files_are_read_as_the_first_was_written(scene: Scene) -> None:
    dataset = scene.dataset()
    first = scene.upload(dataset, b'day,price\n31/12/2025,"$1,200"\n01/02/2026,$7\n')
    assert [column.written for column in first.data_schema.columns] == ["%d/%m/%Y", "$1,234.5"]
    then = scene.upload(dataset, b"day,price\n03/02/2026,$8\n", mode=WriteMode.APPEND)
    assert [(row["day"].month, row["price"]) for row in scene.rows(then)] == [(12, 1200), (2, 7), (2, 8)]
    assert any("day first was taken, as before" in warning for warning in then.profile.warnings)


def test_what_is_evidently_written_is_no_part_of_a_digest(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), b"day,price\n2026-12-31,1.5\n")
    assert [set(column.model_dump()) for column in version.data_schema.columns] == [{"name", "type"}] * 2
