"""Rows that a job made: one version for each key, whole with the rows that go with it or not at all."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aimass_core.domain import keys
from aimass_core.domain.datasets import (
    Dataset,
    DatasetVersion,
    DatasetVersionStatus,
    QuarantinedRow,
    WriteMode,
)
from aimass_core.errors import ConflictError, UnavailableError
from aimass_core.ports import Put, Row
from aimass_core.services import datasets, quarantine, records
from aimass_core.services.ingest import delivery, own_files, versions
from aimass_core.services.ingest.conversion import LocalFile
from tests.unit.core.services.ingest.scene import Scene, types

READY, REJECTED = DatasetVersionStatus.READY, DatasetVersionStatus.REJECTED


@pytest.fixture
def scene() -> Scene:
    return Scene()


def to_lines(path: Path, rows: Iterable[Any]) -> LocalFile:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return LocalFile(path=path, display_name=path.name)


def refused(path: Path, num_rows: int) -> Path:
    row = QuarantinedRow(file="orders", line=1, column="id", reason="'x' is no integer.", text='{"id": "x"}')
    path.write_text(f"{row.model_dump_json()}\n" * num_rows)
    return path


def state(scene: Scene, revision: int = 1) -> Put:
    key = keys.row(scene.principal.workspace_id, "state", "one")
    return Put(row=Row(key=key, data={"cursor": revision}, revision=revision), expected=revision - 1 or None)


def deliver(scene: Scene, dataset: Dataset, files: list[LocalFile], **arguments: Any) -> DatasetVersion:
    given = {"mode": WriteMode.APPEND, "key": "job/1", "patience_seconds": 0} | arguments
    return delivery.deliver(scene.ports, scene.principal, dataset, files, **given)


def test_files_of_a_job_become_a_version_with_the_rows_that_go_with_it(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    first = to_lines(tmp_path / "a.jsonl", [{"id": 1, "at": "2026-01-02"}, {"id": 2}])
    pq.write_table(pa.table({"id": [3], "at": pa.array([None], pa.timestamp("us"))}), tmp_path / "b.parquet")
    second = LocalFile(path=tmp_path / "b.parquet", display_name="b.parquet")
    version = deliver(scene, dataset, [first, second], also=[state(scene)], job_id="job_1")
    assert (version.status, version.num_rows, version.job_id, version.mode) == (READY, 3, "job_1", WriteMode.APPEND)
    assert types(scene.version(dataset, 1)) == {"id": "integer", "at": "datetime"}
    assert [row["id"] for row in scene.rows(version)] == [1, 2, 3]
    stored = scene.ports.registry.get(state(scene).row.key)
    assert stored is not None
    assert stored.data == {"cursor": 1}
    assert datasets.get(scene.ports, scene.principal, "data").latest_version == 1
    assert not first.path.exists()


def test_files_that_the_caller_keeps_become_the_same_version(scene: Scene, tmp_path: Path) -> None:
    columns = {"row": [0, 1], "value": [0.5, float("inf")], "error": pa.array([None, "no answer"], pa.string())}
    rows = [pa.table(columns), pa.table({"row": [2], "value": [-0.0], "error": pa.nulls(1, pa.string())})]
    versions_of = {}
    for is_own in (False, True):
        files = []
        for index, table in enumerate(rows):
            path = tmp_path / f"{index}.rows"
            if is_own:
                own_files.write(path, [table.slice(0, 1), table.slice(1)])
            else:
                pq.write_table(table, path)
            files.append(LocalFile(path=path, display_name=path.name, is_own=is_own))
        dataset = scene.dataset(f"own-{is_own}".lower())
        versions_of[is_own] = deliver(scene, dataset, files)
        assert [file.path.exists() for file in files] == [is_own, is_own]
        assert scene.rows(versions_of[is_own])[1:] == [
            {"row": 1, "value": None, "error": "no answer"},
            {"row": 2, "value": 0.0, "error": None},
        ]
    profiles = [
        datasets.get_version(scene.ports, scene.principal, f"own-{each}", 1).profile for each in ("false", "true")
    ]
    assert profiles[0] == profiles[1]
    assert "infinite" in profiles[0].warnings[0]


def test_an_append_shares_the_files_of_the_version_before(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    deliver(scene, dataset, [to_lines(tmp_path / "a", [{"id": 1}])])
    version = deliver(scene, dataset, [to_lines(tmp_path / "b", [{"id": 2}])], key="job/2")
    assert (version.number, version.base_number, version.num_rows) == (2, 1, 2)


def test_the_same_key_again_is_the_same_version(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    assert delivery.find(scene.ports, dataset, "job/1") is None
    first = deliver(scene, dataset, [to_lines(tmp_path / "a", [{"id": 1}])])
    again = deliver(scene, dataset, [to_lines(tmp_path / "b", [{"id": 2}])])
    assert again == first == delivery.find(scene.ports, dataset, "job/1")


def test_b2_a_later_attempt_finishes_with_its_own_files_and_nothing_is_doubled(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    key = {"mode": WriteMode.APPEND, "job_id": "job_1", "lease_seconds": 100}
    # The first attempt is killed after it has opened the version.
    with pytest.raises(IsADirectoryError):
        deliver(scene, dataset, [LocalFile(path=tmp_path, display_name="broken")], **key)
    assert scene.version(dataset, 1).status is DatasetVersionStatus.INGESTING
    version = deliver(scene, dataset, [to_lines(tmp_path / "a", [{"id": 1}])], also=[state(scene)], **key)
    assert (version.number, version.status, version.num_rows) == (1, READY, 1)


def test_b3_what_goes_with_a_version_is_not_written_where_it_is_rejected(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    version = deliver(scene, dataset, [], quarantined=refused(tmp_path / "q", 3), also=[state(scene)])
    assert version.status is REJECTED
    assert "All 3 rows were refused. The first: 'x' is no integer." in str(version.status_reason)
    assert scene.ports.registry.get(state(scene).row.key) is None
    rows, _ = quarantine.list_rows(scene.ports, scene.principal, "data", 1, limit=10)
    assert [row.text for row in rows] == ['{"id": "x"}'] * 3


def test_b3_a_state_that_somebody_else_moved_stops_the_version(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    scene.ports.registry.write(state(scene))
    files = [to_lines(tmp_path / "a", [{"id": 1}])]
    with pytest.raises(ConflictError, match="at revision 1, not None"):
        deliver(scene, dataset, files, also=[Put(row=Row(key=state(scene).row.key, data={"cursor": 9}, revision=1))])
    assert scene.version(dataset, 1).status is DatasetVersionStatus.INGESTING
    version = deliver(scene, dataset, [to_lines(tmp_path / "b", [{"id": 1}])], also=[state(scene, 2)])
    assert (version.number, version.status) == (1, READY)


def test_refused_rows_are_counted_and_the_policy_judges_them(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset(max_bad_fraction=0.5)
    rows = [{"id": index} for index in range(3)]
    version = deliver(scene, dataset, [to_lines(tmp_path / "a", rows)], quarantined=refused(tmp_path / "q", 3))
    assert (version.status, version.num_rows, version.num_quarantined) == (READY, 3, 3)
    assert version.issues[0].reason == "'x' is no integer."
    profile = scene.version(dataset, 1).profile
    assert profile is not None
    assert profile.num_quarantined == 3
    version = deliver(
        scene, dataset, [to_lines(tmp_path / "a", rows)], quarantined=refused(tmp_path / "q", 4), key="job/2"
    )
    assert version.status is REJECTED
    assert "4 of 7 rows were refused, more than the 50%" in str(version.status_reason)
    assert datasets.get(scene.ports, scene.principal, "data").latest_version == 1


def test_a_delivery_waits_for_older_versions(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    scene.drop("data", "a.csv", b"id\n1\n")
    files = [to_lines(tmp_path / "a", [{"id": 2}])]
    with pytest.raises(UnavailableError, match="not finished yet"):
        deliver(scene, dataset, files)
    assert records.get(scene.ports, Dataset, dataset.workspace_id, dataset.id).last_number == 1
    version = deliver(scene, dataset, files, patience_seconds=1, sleep=lambda _seconds: scene.work())
    assert (version.number, version.num_rows) == (2, 2)


def test_what_nobody_finishes_is_rejected_and_the_next_goes_on(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    with pytest.raises(IsADirectoryError):
        deliver(scene, dataset, [LocalFile(path=tmp_path, display_name="broken")])
    scene.clock.advance(100)
    versions.close_due(scene.ports)
    scene.work()
    version = scene.version(dataset, 1)
    assert version.status is REJECTED
    assert "did not finish" in str(version.status_reason)
    assert deliver(scene, dataset, [to_lines(tmp_path / "a", [{"id": 2}])], key="job/2").status is READY
