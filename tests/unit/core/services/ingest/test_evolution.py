"""Deliveries whose columns and types may change, and those that are merged with the version before."""

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus, WriteMode
from aimass_core.domain.schemas import ColumnType
from aimass_core.services.ingest import delivery
from aimass_core.services.ingest.conversion import LocalFile
from aimass_core.services.ingest.evolution import Evolution, Merge
from tests.unit.core.services.ingest.scene import Scene, types

READY, REJECTED = DatasetVersionStatus.READY, DatasetVersionStatus.REJECTED
JAN, FEB, MAR = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
_numbers = itertools.count()

Row = dict[str, Any]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def deliver(scene: Scene, dataset: Dataset, folder: Path, *files: Sequence[Row], **arguments: Any) -> DatasetVersion:
    found = []
    for rows in files:
        path = folder / f"{next(_numbers)}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        found.append(LocalFile(path=path, display_name=path.name))
    return delivery.deliver(
        scene.ports, scene.principal, dataset, found, mode=WriteMode.APPEND, key=f"{next(_numbers)}", **arguments
    )


def test_columns_may_come_and_be_lacking(scene: Scene, tmp_path: Path) -> None:
    dataset, evolution = scene.dataset(), Evolution(columns=True)
    deliver(scene, dataset, tmp_path, [{"id": 1, "a": "x"}], [{"id": 2, "b": 1.5}], evolution=evolution)
    version = deliver(scene, dataset, tmp_path, [{"id": 3, "c": True}], evolution=evolution)
    assert types(scene.version(dataset, 2)) == {"id": "integer", "a": "string", "b": "number", "c": "boolean"}
    assert scene.rows(version) == [
        {"id": 1, "a": "x", "b": None, "c": None},
        {"id": 2, "a": None, "b": 1.5, "c": None},
        {"id": 3, "a": None, "b": None, "c": True},
    ]


def test_without_evolution_columns_may_not_change(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    deliver(scene, dataset, tmp_path, [{"id": 1}])
    assert deliver(scene, dataset, tmp_path, [{"id": 2, "a": 1}]).status is REJECTED


@pytest.mark.parametrize(("may_change", "expected"), [(True, "string"), (False, "integer")])
def test_a_column_becomes_text_where_types_may_change(
    scene: Scene, tmp_path: Path, may_change: bool, expected: str
) -> None:
    dataset, evolution = scene.dataset(max_bad_fraction=0.5), Evolution(types=may_change)
    deliver(scene, dataset, tmp_path, [{"id": 1}], evolution=evolution)
    version = deliver(scene, dataset, tmp_path, [{"id": "two"}, {"id": 3}], evolution=evolution)
    assert types(scene.version(dataset, 2)) == {"id": expected}
    ids = [row["id"] for row in scene.rows(version)]
    assert ids == (["1", "two", "3"] if may_change else [1, 3])
    assert version.num_quarantined == (0 if may_change else 1)


def test_declared_types_hold_for_the_first_version(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    declared = {"day": ColumnType.STRING, "x": ColumnType.NUMBER}
    deliver(scene, dataset, tmp_path, [{"day": "2026-01-01", "x": 1}], evolution=Evolution(declared=declared))
    assert types(scene.version(dataset, 1)) == {"day": "string", "x": "number"}


def test_rows_with_the_same_key_are_replaced_and_the_last_one_holds(scene: Scene, tmp_path: Path) -> None:
    dataset, merge = scene.dataset(), Merge(key=["a", "b"])
    rows = [{"a": 1, "b": "x", "n": 1}, {"a": 1, "b": "y", "n": 2}, {"a": 1, "b": "x", "n": 3}]
    version = deliver(scene, dataset, tmp_path, rows, merge=merge)
    assert [row["n"] for row in scene.rows(version)] == [2, 3]
    version = deliver(scene, dataset, tmp_path, [{"a": 1, "b": "y", "n": 4}, {"a": 2, "b": None, "n": 5}], merge=merge)
    assert [row["n"] for row in scene.rows(version)] == [3, 4, 5]
    version = deliver(scene, dataset, tmp_path, [{"a": 2, "b": None, "n": 6}], merge=merge)
    assert [row["n"] for row in scene.rows(version)] == [3, 4, 6]
    profile = scene.version(dataset, 3).profile
    assert profile is not None
    assert (profile.num_rows, version.num_rows) == (3, 3)


def test_files_without_a_replaced_row_stay_as_they_are(scene: Scene, tmp_path: Path) -> None:
    dataset, merge = scene.dataset(), Merge(key=["id"])
    first = deliver(scene, dataset, tmp_path, [{"id": 1, "n": 1}], merge=merge)
    deliver(scene, dataset, tmp_path, [{"id": 2, "n": 1}], merge=merge)
    third = deliver(scene, dataset, tmp_path, [{"id": 2, "n": 2.5}], merge=merge)
    assert scene.manifest(third).files[0].num_rows == scene.manifest(first).files[0].num_rows == 1
    assert [(row["id"], row["n"]) for row in scene.rows(third)] == [(1, 1), (2, 2.5)]
    fourth = deliver(scene, dataset, tmp_path, [{"id": 3, "n": 0}], merge=merge)
    assert scene.manifest(fourth).files[:2] == scene.manifest(third).files


def test_keys_with_separators_in_them_stay_apart(scene: Scene, tmp_path: Path) -> None:
    keys = [{"a": "x\x1f|\x1fvy", "b": "z"}, {"a": "x", "b": "y\x1f|\x1fvz"}, {"a": "n", "b": None}]
    version = deliver(scene, scene.dataset(), tmp_path, keys, merge=Merge(key=["a", "b"]))
    assert version.num_rows == 3


def test_a_key_that_is_not_in_the_data_is_named(scene: Scene, tmp_path: Path) -> None:
    version = deliver(scene, scene.dataset(), tmp_path, [{"a": 1}], merge=Merge(key=["id"]))
    assert version.status is REJECTED
    assert "['id'] are not in the data, which has ['a']" in str(version.status_reason)


def test_a_history_keeps_every_state_of_a_key(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    rows = [{"id": 1, "city": "Bonn", "tags": [1, 2]}, {"id": 2, "city": None, "tags": None}]
    deliver(scene, dataset, tmp_path, rows, merge=Merge(key=["id"], at=JAN))
    # One is as it was, one has changed, one is new.
    rows = [{"id": 2, "city": None, "tags": None}, {"id": 1, "city": "Köln", "tags": [1, 2]}, {"id": 3, "city": "Ulm"}]
    version = deliver(scene, dataset, tmp_path, rows, merge=Merge(key=["id"], at=FEB))
    states = [(row["id"], row["city"], row["_valid_from"], row["_valid_to"]) for row in scene.rows(version)]
    assert states == [(1, "Bonn", JAN, FEB), (2, None, JAN, None), (1, "Köln", FEB, None), (3, "Ulm", FEB, None)]
    # What it was before is a new state too.
    version = deliver(
        scene, dataset, tmp_path, [{"id": 1, "city": "Bonn", "tags": [1, 2]}], merge=Merge(key=["id"], at=MAR)
    )
    states = [(row["city"], row["_valid_from"], row["_valid_to"]) for row in scene.rows(version) if row["id"] == 1]
    assert states == [("Bonn", JAN, FEB), ("Köln", FEB, MAR), ("Bonn", MAR, None)]


def test_a_history_without_a_change_is_the_same_content(scene: Scene, tmp_path: Path) -> None:
    dataset = scene.dataset()
    first = deliver(scene, dataset, tmp_path, [{"id": 1, "x": 1.5}], merge=Merge(key=["id"], at=JAN))
    second = deliver(scene, dataset, tmp_path, [{"id": 1, "x": 1.5}], merge=Merge(key=["id"], at=FEB))
    assert (second.status, second.digest) == (READY, first.digest)
