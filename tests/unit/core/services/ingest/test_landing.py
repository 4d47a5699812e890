"""Files that are dropped together."""

from datetime import timedelta

import pytest

from aimass_core.domain import keys
from aimass_core.domain.datasets import DatasetVersionStatus, WriteMode
from aimass_core.domain.settings.contract import SettingsUpdate, Subsystem
from aimass_core.errors import UnavailableError
from aimass_core.services import settings, uploads
from aimass_core.services.ingest import landing, versions
from aimass_core.services.ingest.landing import NewObject
from tests.unit.core.services.ingest.scene import Scene

NUM_FILES = 90


@pytest.fixture
def scene() -> Scene:
    return Scene()


def put(scene: Scene, dataset: str, name: str, body: bytes) -> NewObject:
    key = f"{keys.drop_prefix(scene.principal.workspace_name, dataset)}{name}"
    info = scene.ports.landing.put(key, body)
    return NewObject(key=key, etag=info.etag, num_bytes=info.num_bytes, at=info.modified_at)


def test_many_files_of_several_datasets_land_at_once_and_once(scene: Scene) -> None:
    objects = [put(scene, name, f"{n:03d}.csv", f"n\n{n}\n".encode()) for n in range(NUM_FILES) for name in ("a", "b")]
    belongs_nowhere = [
        put(scene, "a", "_SUCCESS", b""),
        put(scene, "Bad Name", "x.csv", b"n\n1\n"),
        NewObject(key="drop/nobody/a/x.csv", etag="e", num_bytes=1, at=scene.clock()),
    ]
    landing.land_all(scene.ports, [*objects, *belongs_nowhere])
    landing.land_all(scene.ports, objects[:30])
    landing.land_all(scene.ports, [objects[0], objects[0]])
    assert landing.land(scene.ports, objects[1].key) is not None
    scene.work()
    for name in ("a", "b"):
        version = scene.version(scene.dataset_named(name), 1)
        assert (version.status, version.num_rows) == (DatasetVersionStatus.READY, NUM_FILES)
        assert sorted(row["n"] for row in scene.rows(version)) == list(range(NUM_FILES))
    scene.clock.advance(180)
    assert landing.land_missed(scene.ports) == 0, "the reconciler knows them too"


def test_a_file_that_was_missed_is_found_among_thousands_that_were_not(scene: Scene) -> None:
    landing.land_all(scene.ports, [put(scene, "a", f"{n:04d}.csv", b"n\n1\n") for n in range(2_000)])
    put(scene, "a", "9999.csv", b"n\n2\n")
    scene.clock.advance(180)
    assert landing.land_missed(scene.ports) == 1
    assert landing.land_missed(scene.ports) == 0


def test_files_of_a_window_that_has_closed_open_the_next(scene: Scene) -> None:
    landing.land_all(scene.ports, [put(scene, "a", "1.csv", b"n\n1\n"), put(scene, "a", "2.csv", b"n\n2\n")])
    scene.clock.advance(60)
    landing.land_all(scene.ports, [put(scene, "a", "3.csv", b"n\n3\n"), put(scene, "a", "2b.csv", b"n\n2\n")])
    scene.work()
    dataset = scene.dataset_named("a")
    assert [scene.version(dataset, number).num_rows for number in (1, 2)] == [2, 4]


def test_files_that_replace_each_other_are_taken_by_the_time_at_which_they_were_written(scene: Scene) -> None:
    dataset = scene.dataset("a", drop_mode=WriteMode.REPLACE)
    first = put(scene, "a", "x.csv", b"n\n1\n")
    landing.land_all(scene.ports, [first])
    scene.work()
    scene.clock.advance(60)
    again = put(scene, "a", "x.csv", b"n\n1\n")
    landing.land_all(scene.ports, [again, again])
    scene.work()
    assert scene.version(dataset, 2).num_rows == 1
    assert len(versions.load_files(scene.ports, scene.version(dataset, 2))) == 1
    assert again.at - first.at >= timedelta(seconds=60)


def test_files_that_come_while_the_version_before_is_converted_become_one_version(scene: Scene) -> None:
    landing.land_all(scene.ports, [put(scene, "a", "1.csv", b"n\n1\n")])
    dataset = scene.dataset_named("a")
    scene.clock.advance(10)
    claimed = versions.claim(scene.ports, dataset.workspace_id, dataset.id, 1, lease_seconds=300)
    assert claimed is not None
    for name in ("2", "3", "4"):
        landing.land_all(scene.ports, [put(scene, "a", f"{name}.csv", f"n\n{name}\n".encode())])
        scene.clock.advance(30)
    with pytest.raises(UnavailableError), versions.given_back(scene.ports, claimed):
        raise UnavailableError("The blob store is busy.")
    scene.clock.advance(1)
    scene.work()
    dataset = scene.dataset_named("a")
    assert (dataset.latest_version, dataset.last_number) == (2, 2)
    assert scene.version(dataset, 2).num_rows == 4


def test_a_file_does_not_join_an_upload_that_waits(scene: Scene) -> None:
    landing.land_all(scene.ports, [put(scene, "a", "1.csv", b"n\n1\n")])
    dataset = scene.dataset_named("a")
    upload = scene.begin(dataset.id, b"n\n2\n", mode=WriteMode.APPEND)
    waiting = uploads.complete(scene.ports, scene.principal, dataset.id, upload.id)
    scene.clock.advance(10)
    landing.land_all(scene.ports, [put(scene, "a", "3.csv", b"n\n3\n")])
    assert waiting.number == 2
    assert len(versions.load_files(scene.ports, waiting)) == 1
    scene.work()
    assert scene.version(dataset, 3).num_rows == 3


def test_dropped_files_above_the_workspaces_bytes_are_refused(scene: Scene) -> None:
    kept = scene.upload(scene.dataset("kept"), b"n\n1\n")
    assert kept.num_bytes is not None
    request = SettingsUpdate(values={"max_stored_bytes": max(kept.num_bytes, 1_024) + 10})
    settings.update(scene.ports, scene.principal, Subsystem.QUOTAS, request, revision=1)
    landing.land_all(scene.ports, [put(scene, "a", "small.csv", b"n\n1\n")])
    landing.land_all(scene.ports, [put(scene, "b", "large.csv", b"n\n" + b"1\n" * 2_000)])
    scene.work()
    refused = scene.version(scene.dataset_named("b"), 1)
    assert refused.status is DatasetVersionStatus.REJECTED
    assert "4,002 more are too many" in (refused.status_reason or "")
    assert scene.version(scene.dataset_named("a"), 1).status is DatasetVersionStatus.READY
