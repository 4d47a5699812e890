"""Rows that were kept apart come once, corrected, and are deleted when their time is over."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryRegistry
from aimass_core.domain import keys
from aimass_core.domain.datasets import Dataset, DatasetVersionDetail, DatasetVersionStatus, WriteMode
from aimass_core.domain.quarantine import Quarantine, QuarantineReplay, QuarantineStatus
from aimass_core.errors import ConflictError, InvalidRequestError, NotFoundError
from aimass_core.ports import Put, Write
from aimass_core.services import quarantine, reconciler, records
from tests.unit.core.services.ingest.scene import Scene

GOOD = "".join(f"{index},Bonn\n" for index in range(60))
BODY = f"age,city\n{GOOD}x,Ulm\n7,Köln,more\n-,=cmd\n".encode()


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def dataset(scene: Scene) -> Dataset:
    """Its second version left out rows 0, 1 and 2."""
    dataset = scene.dataset(quarantine_days=30)
    scene.upload(dataset, b"age,city\n1,Bonn\n")
    version = scene.upload(dataset, BODY, mode=WriteMode.APPEND)
    assert (version.num_rows, version.num_quarantined) == (61, 3)
    return dataset


def rows(scene: Scene, number: int = 2) -> list[dict[str, Any]]:
    items, _ = quarantine.list_rows(scene.ports, scene.principal, "data", number, limit=100)
    return [item.model_dump() for item in items]


def replay(scene: Scene, corrected: Mapping[int, Mapping[str, Any]], *, number: int = 2) -> DatasetVersionDetail:
    body = {"rows": [{"position": position, "values": values} for position, values in corrected.items()]}
    version = quarantine.replay(scene.ports, scene.principal, "data", number, QuarantineReplay.model_validate(body))
    scene.work()
    return scene.version(Dataset.model_validate({**DATASET, "id": version.dataset_id}), version.number)


DATASET = {
    "workspace_id": "ws",
    "name": "data",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "created_by": "key",
}


def test_rows_are_listed_with_their_cells_page_by_page(scene: Scene, dataset: Dataset) -> None:
    # What cannot even be split is found while reading, types are checked after that.
    found = {row["position"]: (row["text"], row["values"]) for row in rows(scene)}
    assert found == {
        0: ("7,Köln,more", None),
        1: ("x,Ulm", {"age": "x", "city": "Ulm"}),
        2: ("-,=cmd", {"age": "-", "city": "=cmd"}),
    }
    first, start = quarantine.list_rows(scene.ports, scene.principal, "data", 2, limit=2)
    second, end = quarantine.list_rows(scene.ports, scene.principal, "data", 2, limit=2, start=start)
    assert [item.position for item in (*first, *second)] == [0, 1, 2]
    assert end is None


def test_corrected_rows_are_appended_and_marked(scene: Scene, dataset: Dataset) -> None:
    version = replay(scene, {0: {"age": "7", "city": "Köln"}, 1: {"age": 8}})
    assert (version.status, version.num_rows, version.base_number) == (DatasetVersionStatus.READY, 63, 2)
    assert scene.rows(version)[-2:] == [{"age": 7, "city": "Köln"}, {"age": 8, "city": None}]
    assert [row["replayed_as"] for row in rows(scene)] == [3, 3, None]
    ((kept,), _) = quarantine.list_page(scene.ports, scene.principal, "data", limit=10)
    assert (kept.num_rows, kept.replays[0].positions, kept.replays[0].number) == (3, [(0, 1)], 3)


def test_a_row_comes_once(scene: Scene, dataset: Dataset) -> None:
    replay(scene, {1: {"age": 8, "city": "Ulm"}})
    with pytest.raises(ConflictError, match="row 1, were replayed as version 3"):
        replay(scene, {1: {"age": 8, "city": "Ulm"}, 2: {"age": 1}})
    assert replay(scene, {2: {"age": 1}}).num_rows == 63


class Racing(MemoryRegistry):
    """Somebody else replays the same row between our reading and our writing."""

    def __init__(self, rival: Any) -> None:
        super().__init__()
        self.rival = rival

    def write(self, *writes: Write) -> None:
        """See Registry."""
        is_replay = any(isinstance(write, Put) and write.row.resource == "quarantine" for write in writes)
        if is_replay and self.rival is not None:
            rival, self.rival = self.rival, None
            rival()
        super().write(*writes)


def test_a_row_comes_once_though_two_replay_it_in_the_same_moment(scene: Scene, dataset: Dataset) -> None:
    racing = Racing(None)
    racing._rows = scene.ports.registry._rows
    scene.ports.registry = racing
    racing.rival = lambda: replay(scene, {1: {"age": 8}})
    with pytest.raises(ConflictError, match="replayed as version 3"):
        replay(scene, {1: {"age": 9}})
    assert scene.version(dataset, 3).num_rows == 62
    with pytest.raises(NotFoundError):
        scene.version(dataset, 4)


def test_b5_rows_wait_again_where_their_version_was_rejected(scene: Scene, dataset: Dataset) -> None:
    rejected = replay(scene, {1: {"age": "still wrong"}})
    assert rejected.status is DatasetVersionStatus.REJECTED
    assert [row["replayed_as"] for row in rows(scene)] == [None] * 3
    assert replay(scene, {1: {"age": 8}}).status is DatasetVersionStatus.READY
    assert [row["replayed_as"] for row in rows(scene)] == [None, 4, None]


@pytest.mark.parametrize(
    ("corrected", "words"),
    [
        ({3: {"age": 1}}, "no row 3: the quarantine of data@2 has 3"),
        ({1: {"town": "x"}}, "column 'town', and the dataset has not. Its columns are: age, city"),
    ],
)
def test_what_cannot_be_replayed_says_why(
    scene: Scene, dataset: Dataset, corrected: dict[int, dict[str, Any]], words: str
) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        replay(scene, corrected)


def test_a_position_that_is_there_twice_is_refused(scene: Scene, dataset: Dataset) -> None:
    request = QuarantineReplay.model_validate({"rows": [{"position": 1, "values": {"age": 1}}] * 2})
    with pytest.raises(InvalidRequestError, match="position 1 is there twice"):
        quarantine.replay(scene.ports, scene.principal, "data", 2, request)


def test_a_version_that_left_nothing_out_has_no_quarantine(scene: Scene) -> None:
    scene.upload(scene.dataset(), b"age\n1\n")
    assert rows(scene, 1) == []
    with pytest.raises(NotFoundError, match="left no rows out"):
        replay(scene, {0: {"age": 1}}, number=1)


def test_rows_that_a_job_refused_as_json_have_cells(scene: Scene, dataset: Dataset) -> None:
    key = keys.dataset_version_object(scene.principal.workspace_id, dataset.id, 2, "quarantine.jsonl")
    text = json.dumps({"age": 5, "city": "Ulm", "tags": ["a"]})
    scene.ports.lake.put(key, json.dumps({"file": "orders", "reason": "drift", "text": text}).encode() + b"\n")
    assert rows(scene)[0]["values"] == {"age": "5", "city": "Ulm", "tags": '["a"]'}


def test_rows_are_deleted_when_their_time_is_over(scene: Scene, dataset: Dataset) -> None:
    key = keys.dataset_version_object(scene.principal.workspace_id, dataset.id, 2, "quarantine.jsonl")
    scene.clock.advance(29 * 86_400)
    assert reconciler.run(scene.ports).expired == 0
    scene.clock.advance(86_400)
    assert rows(scene) == [], "also before the reconciler comes"
    assert reconciler.run(scene.ports).expired == 1
    assert scene.ports.lake.head(key) is None
    assert reconciler.run(scene.ports).expired == 0
    stored = records.get(scene.ports, Quarantine, scene.principal.workspace_id, dataset.id, 2)
    assert stored.status is QuarantineStatus.DISCARDED
    with pytest.raises(ConflictError, match="have been discarded"):
        replay(scene, {1: {"age": 8}})


def test_rows_can_be_discarded_now(scene: Scene, dataset: Dataset) -> None:
    quarantine.discard(scene.ports, scene.principal, "data", 2)
    quarantine.discard(scene.ports, scene.principal, "data", 2)
    assert rows(scene) == []
    assert reconciler.run(scene.ports).expired == 1
