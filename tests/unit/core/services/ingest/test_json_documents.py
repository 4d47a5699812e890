"""JSON in one piece gives the rows that it gives as one object a line."""

import codecs
import json

import pytest

from aimass_core.domain.datasets import DatasetVersionStatus
from aimass_core.services.ingest import json_documents
from tests.unit.core.services.ingest.scene import Scene, types

OBJECTS = [{"id": 2**53 + 1, "name": 'a "b"\n[{', "in": {"x": 1.5}}, {"id": 2, "name": None, "in": {"x": 2}}]
ROWS = [{"id": 2**53 + 1, "name": 'a "b"\n[{', "in.x": 1.5}, {"id": 2, "name": None, "in.x": 2.0}]
DOCUMENTS = [
    json.dumps(OBJECTS),
    json.dumps(OBJECTS, indent=2),
    "\n".join(json.dumps(each, indent=2) for each in OBJECTS),
    "\n".join(map(json.dumps, OBJECTS)),
]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize(
    ("mark", "encoding"), [(b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le")]
)
def test_arrays_and_objects_over_lines(scene: Scene, document: str, mark: bytes, encoding: str) -> None:
    version = scene.upload(scene.dataset(), mark + document.encode(encoding), name="file.json")
    assert types(version) == {"id": "integer", "name": "string", "in.x": "number"}, version.issues
    assert scene.rows(version) == ROWS


def test_objects_may_be_cut_anywhere_between_two_reads(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, size in enumerate(range(1, 60)):
        monkeypatch.setattr(json_documents, "_CHUNK_CHARACTERS", size)
        version = scene.upload(scene.dataset(f"data-{number}"), DOCUMENTS[1].encode())
        assert scene.rows(version) == ROWS


def test_a_row_is_named_by_the_number_of_its_object(scene: Scene) -> None:
    body = b'[{"a": 1},\n{"a": 2, "a": 3},\n{"a": 4}]'
    version = scene.upload(scene.dataset(max_bad_fraction=0.5), body)
    assert [(issue.line, "twice" in issue.reason) for issue in version.issues] == [(2, True)]


def test_an_array_that_is_too_deep_is_refused(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), b'[{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]")
    assert version.status is DatasetVersionStatus.REJECTED
    assert "nested too deeply" in version.issues[0].reason


def test_rows_within_one_object_are_pointed_at(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), b'{"count": 2, "data": {"items": [{"a": 1}, {"a": 2}]}}')
    assert version.num_rows == 1
    assert version.profile is not None
    assert [warning for warning in version.profile.warnings if "jq '.data.items'" in warning]
    more = scene.upload(scene.dataset("more"), b'{"items": [{"a": 1}]}\n{"items": []}')
    assert more.profile is not None
    assert not more.profile.warnings
