"""Deleting datasets, and what a purge leaves."""

import pytest

from aimass_core.domain import keys
from aimass_core.errors import NotFoundError
from aimass_core.services import datasets
from tests.unit.core.services.ingest.scene import Scene


def test_a_purge_removes_rows_and_objects_of_the_deleted_dataset_only() -> None:
    scene = Scene()
    kept, gone = scene.dataset("kept"), scene.dataset("gone")
    kept_version = scene.upload(kept, b"a,b\n1,2\n")
    scene.upload(gone, b"a,b\n1,2\n")
    scene.drop("gone", "more.csv", b"a,b\n3,4\n")
    scene.work()
    datasets.delete(scene.ports, scene.principal, "gone")
    with pytest.raises(NotFoundError):
        datasets.get(scene.ports, scene.principal, "gone")
    assert datasets.purge_due(scene.ports) == 0

    scene.clock.advance(120)
    assert datasets.purge_due(scene.ports) == 1
    assert datasets.purge_due(scene.ports) == 0

    prefixes = [keys.dataset_prefix(gone.workspace_id, gone.id)]
    assert [blob.key for prefix in prefixes for blob in scene.ports.lake.list(prefix)] == []
    assert list(scene.ports.landing.list(keys.upload_object(gone.workspace_id, gone.id, ""))) == []
    partition = keys.partition(gone.workspace_id)
    for resource in (
        "dataset_version",
        "upload",
        "landed_files",
        "landed_object",
        "version_lease",
        "dataset_tombstone",
    ):
        page = scene.ports.registry.query(partition, keys.row_prefix(resource, gone.id), limit=10)
        assert page.rows == [], resource
    assert scene.rows(kept_version) == [{"a": 1, "b": 2}]


def test_the_name_of_a_deleted_dataset_is_free_at_once() -> None:
    scene = Scene()
    scene.dataset("data")
    datasets.delete(scene.ports, scene.principal, "data")
    assert scene.dataset("data").last_number == 0
