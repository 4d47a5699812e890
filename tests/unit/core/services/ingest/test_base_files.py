"""Datasets that grow by small appends: their files are joined, and nothing of them is lost or doubled."""

import itertools

import pytest

from aimass_core.domain.datasets import DataFile, DatasetVersionStatus, WriteMode
from aimass_core.ports import BlobNotFoundError
from aimass_core.services import datasets
from aimass_core.services.ingest import base_files, closing
from aimass_core.services.ingest.base_files import MAX_SMALL_FILES, SMALL_FILE_BYTES, find_joined
from tests.unit.core.services.ingest.scene import Scene

BIG, SMALL = SMALL_FILE_BYTES, SMALL_FILE_BYTES - 1


def files(*sizes: int) -> list[DataFile]:
    return [DataFile(sha256=f"{index:064x}", num_bytes=size, num_rows=1) for index, size in enumerate(sizes)]


def grow(scene: Scene, num_drops: int) -> None:
    for number in range(num_drops):
        scene.drop("sales", f"{number}.csv", f"id,word\n{2 * number},a{number}\n{2 * number + 1},b\n".encode())
        scene.clock.advance(10)
        scene.work()


def test_few_small_files_are_shared() -> None:
    assert find_joined(files(*[SMALL] * (MAX_SMALL_FILES - 1), BIG)) == frozenset()


def test_small_neighbours_are_joined_and_big_ones_stay() -> None:
    found = find_joined(files(BIG, *[SMALL] * 20, BIG, *[10] * 20))
    assert found == {*range(1, 21), *range(22, 42)}


def test_a_small_file_without_a_small_neighbour_stays_as_it_is() -> None:
    assert find_joined(files(*[SMALL, BIG] * 100)) == frozenset()


def test_many_drops_leave_few_files_and_every_row_in_its_order() -> None:
    scene = Scene()
    grow(scene, 70)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    assert dataset.latest_version == 70
    for number in (1, MAX_SMALL_FILES, MAX_SMALL_FILES + 1, 50, 70):
        version = scene.version(dataset, number)
        assert version.num_files is not None
        assert version.num_files <= MAX_SMALL_FILES
        manifest = scene.manifest(version)
        assert sum(file.num_rows for file in manifest.files) == version.num_rows == 2 * number
        assert [row["id"] for row in scene.rows(version)] == list(range(2 * number))
        assert version.profile is not None
        assert (version.profile.num_rows, version.profile.num_duplicates) == (2 * number, 0)


def test_former_versions_keep_their_files() -> None:
    scene = Scene()
    grow(scene, MAX_SMALL_FILES + 1)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    before, after = (
        scene.manifest(scene.version(dataset, number)) for number in (MAX_SMALL_FILES, MAX_SMALL_FILES + 1)
    )
    assert (len(before.files), len(after.files)) == (MAX_SMALL_FILES, 2)
    assert not {file.sha256 for file in before.files} & {file.sha256 for file in after.files}
    assert len(scene.rows(scene.version(dataset, MAX_SMALL_FILES))) == 2 * MAX_SMALL_FILES


def test_files_that_are_big_enough_are_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1_200
    monkeypatch.setattr(base_files, "SMALL_FILE_BYTES", limit)
    monkeypatch.setattr(base_files, "MAX_SMALL_FILES", 4)
    scene = Scene()
    grow(scene, 60)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    manifests = [scene.manifest(scene.version(dataset, number)) for number in range(1, 61)]
    for former, following in itertools.pairwise(manifests):
        assert {file.sha256 for file in former.files if file.num_bytes >= limit} <= {f.sha256 for f in following.files}
    assert manifests[-1].files[0].num_bytes >= limit
    assert len(manifests[-1].files) < 12
    assert [row["id"] for row in scene.rows(scene.version(dataset, 60))] == list(range(120))


def test_a_base_above_the_lambdas_limit_is_joined_by_an_ingest_job() -> None:
    scene = Scene()
    grow(scene, MAX_SMALL_FILES)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    scene.drop("sales", "last.csv", b"id,word\n64,a\n65,b\n")
    scene.work(max_bytes=(scene.version(dataset, MAX_SMALL_FILES).num_bytes or 0) - 1)
    number = MAX_SMALL_FILES + 1
    assert scene.version(dataset, number).job_id is not None
    closing.ingest(scene.ports, dataset.workspace_id, dataset.id, number, lease_seconds=60, on_progress=lambda *_: None)
    version = scene.version(dataset, number)
    assert (version.num_files, version.num_rows) == (2, 2 * number)


class _KilledError(Exception):
    pass


def test_a_kill_between_any_two_effects_leaves_the_former_version_good() -> None:
    scene = Scene()
    grow(scene, MAX_SMALL_FILES)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    registry_write, lake_put, lake_upload = scene.ports.registry.write, scene.ports.lake.put, scene.ports.lake.upload
    left = 0

    def burn() -> None:
        nonlocal left
        if left == 0:
            raise _KilledError
        left -= 1

    scene.ports.registry.write = lambda *writes: (burn(), registry_write(*writes))[1]  # type: ignore[method-assign]
    scene.ports.lake.put = lambda *a, **k: (burn(), lake_put(*a, **k))[1]  # type: ignore[method-assign]
    scene.ports.lake.upload = lambda *a, **k: (burn(), lake_upload(*a, **k))[1]  # type: ignore[method-assign]

    num_kills = 0
    for stop in range(100):
        body = f"id,word\n{2 * (MAX_SMALL_FILES + stop)},a\n{2 * (MAX_SMALL_FILES + stop) + 1},b\n".encode()
        left = 1_000
        latest = datasets.get(scene.ports, scene.principal, dataset.id).latest_version or 0
        scene.drop("sales", f"more-{stop}.csv", body)
        scene.clock.advance(10)
        message = scene.ports.ingest_queue.messages[-1][0]
        left = stop
        try:
            scene.close(message)
        except _KilledError:
            num_kills += 1
            assert datasets.get(scene.ports, scene.principal, dataset.id).latest_version == latest
            former = scene.version(dataset, latest)
            assert [row["id"] for row in scene.rows(former)] == list(range(2 * latest))
        else:
            break
        finally:
            left = 1_000
        scene.clock.advance(400)
        scene.work()
        healed = scene.version(dataset, latest + 1)
        assert healed.status is DatasetVersionStatus.READY
        assert [row["id"] for row in scene.rows(healed)] == list(range(2 * (latest + 1)))
    assert num_kills > 5


def test_a_wider_column_rewrites_every_file_once() -> None:
    scene = Scene()
    grow(scene, 3)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    version = scene.upload(dataset, b"id,word\n0.5,x\n", mode=WriteMode.APPEND)
    assert [file.num_rows for file in scene.manifest(version).files] == [6, 1]
    assert [row["id"] for row in scene.rows(version)] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.5]


def test_a_file_of_the_base_that_is_gone_is_an_error_and_never_a_shorter_version() -> None:
    scene = Scene()
    grow(scene, MAX_SMALL_FILES)
    dataset = datasets.get(scene.ports, scene.principal, "sales")
    manifest = scene.manifest(scene.version(dataset, MAX_SMALL_FILES))
    key = f"datasets/{dataset.workspace_id}/{dataset.id}/files/{manifest.files[3].sha256}/part.parquet"
    scene.ports.lake.delete(key)
    scene.drop("sales", "last.csv", b"id,word\n64,a\n")
    scene.clock.advance(10)
    with pytest.raises(BlobNotFoundError):
        scene.close(scene.ports.ingest_queue.messages[-1][0])
    assert datasets.get(scene.ports, scene.principal, dataset.id).latest_version == MAX_SMALL_FILES
