"""Captured requests: a sample, without what names a person, written now and then, and never in a request's way."""

import gzip
import json
import threading
import time
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryBlobStore
from aimass_core.domain import keys
from aimass_core.domain.datasets import Dataset
from aimass_core.domain.endpoint_settings import Capture, EndpointSettings
from aimass_core.domain.jobs import PinnedDataset
from aimass_core.domain.sources import PiiAction, PiiPolicy
from aimass_core.errors import UnavailableError
from aimass_core.inference.capturing import capturing
from aimass_core.inference.capturing.capturing import Capturing
from aimass_core.ports import BlobInfo, Delete
from aimass_core.services import records
from tests.factories.platform import new_principal
from tests.factories.served_models import IMAGES, SERIES, TABLE, deploy, image_model, series_model
from tests.factories.sources import add_source
from tests.unit.predictions.bench import Bench, age, city


class Scene:
    """An endpoint that captures, and a draw that a test decides."""

    def __init__(self, *, name: str = "adult", **settings: Any) -> None:
        self.bench = Bench()
        self.drawn = 0.5
        self.bench.endpoints.capturing = Capturing(self.bench.ports, draw=lambda: self.drawn, monotonic=self.bench.time)
        self.deployed = deploy(self.bench.ports, self.bench.workspace_id, name=name, **settings)
        self.name = name

    def capture(self, percent: float = 100, **fields: Any) -> None:
        endpoint = self.deployed.endpoint
        settings = EndpointSettings(capture=Capture(percent=percent, **fields))
        records.save(self.bench.ports, endpoint, settings=settings)

    def predict(self, *rows: dict[str, Any]) -> None:
        answer = self.bench.predict(*rows, name=self.name)
        assert answer.status == 200, answer.body

    @property
    def files(self) -> list[BlobInfo]:
        endpoint = self.deployed.endpoint
        return list(self.bench.ports.lake.list(keys.captures_prefix(endpoint.workspace_id, endpoint.id)))

    @property
    def lines(self) -> list[dict[str, Any]]:
        bodies = [gzip.decompress(self.bench.ports.lake.get(info.key)) for info in self.files]
        return [json.loads(line) for body in bodies for line in body.splitlines()]


def test_nothing_is_kept_unless_somebody_asks_for_it() -> None:
    scene = Scene()
    scene.predict({"age": 1})
    assert scene.files == []


def test_rows_are_kept_as_training_has_them_with_what_was_answered() -> None:
    scene = Scene(number=3)
    scene.capture(keys=["customer"])
    scene.predict({"age": "40", "city": " Rome ", "customer": 7, "name": "Ada"}, {"age": "old"}, {"city": None})
    first, second = scene.lines
    assert first["age"] == 40
    assert isinstance(first["age"], int)
    assert (first["city"], first["customer"], first["served_by"], first["served_answer"]) == (
        *("Rome", 7, "adult@3", "yes"),
    )
    assert "name" not in first
    assert first["served_id"] == "request-1-0"
    assert first["served_scores"] == pytest.approx([0.197816, 0.802184], abs=1e-5)
    assert (second["age"], second["city"], second["served_id"]) == (None, None, "request-1-2")


def test_requests_of_the_protocol_are_kept_too_with_the_clients_id() -> None:
    scene = Scene()
    scene.capture()
    answer = scene.bench.infer(age(40.0, None), city("Rome", ""), id="order-5", outputs=[{"name": "probabilities"}])
    assert answer.status == 200
    first, second = scene.lines
    assert (first["age"], first["city"], first["served_client_id"], first["served_answer"]) == (
        *(40, "Rome", "order-5", None),
    )
    assert (second["age"], second["city"]) == (None, None)


def test_only_the_share_that_is_drawn_is_kept() -> None:
    scene = Scene()
    scene.capture(percent=30)
    for drawn in (0.29, 0.3, 0.9):
        scene.drawn = drawn
        scene.bench.time.now += 10
        scene.predict({"age": 1})
    assert len(scene.lines) == 1


def test_rows_are_written_together_every_few_seconds() -> None:
    scene = Scene()
    scene.capture()
    for _ in range(3):
        scene.predict({"age": 1})
    assert len(scene.lines) == 1
    scene.bench.time.now += capturing.FLUSH_SECONDS
    scene.predict({"age": 1})
    assert (len(scene.files), len(scene.lines)) == (2, 4)


def test_the_last_rows_are_written_though_no_request_comes_after_them() -> None:
    scene = Scene()
    scene.bench.endpoints.capturing = Capturing(scene.bench.ports, monotonic=scene.bench.time, flush_seconds=0.05)
    scene.capture()
    scene.predict({"age": 1})
    scene.predict({"age": 2})
    deadline = time.monotonic() + 120
    while len(scene.lines) < 2 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert [line["age"] for line in scene.lines] == [1, 2]


def test_images_are_not_kept_but_their_answers_are() -> None:
    scene = Scene(name="light", model=image_model(), signature=IMAGES)
    scene.capture()
    scene.predict({"image": [[[0]] * 6] * 4})
    (line,) = scene.lines
    assert "image" not in line
    assert line["served_answer"] == 0


def test_series_are_lists_with_null_where_a_value_is_missing() -> None:
    scene = Scene(name="sums", model=series_model(), signature=SERIES)
    scene.capture()
    scene.predict({"left": [1, None, 0.1], "right": [0, 0, 0]})
    (line,) = scene.lines
    assert line["left"] == [1, None, 0.1]
    assert line["served_answer"] == 1.1


# --- persons ---------------------------------------------------------------------------------------------------------


def test_hidden_columns_are_never_kept_also_as_keys() -> None:
    scene = Scene()
    scene.capture(hidden=["city", "customer"], keys=["customer"])
    scene.predict({"age": 1, "city": "Rome", "customer": 5})
    assert set(scene.lines[0]) == {"age", "served_at", "served_id", "served_by", "served_answer", "served_scores"}


@pytest.mark.parametrize("action", PiiAction)
def test_columns_that_the_source_hides_are_not_kept(action: PiiAction) -> None:
    scene = Scene()
    fill_from_source(scene, PiiPolicy(columns={"city": action}))
    scene.capture(keys=["city"])
    scene.predict({"age": 1, "city": "Rome"})
    assert "city" not in scene.lines[0]
    assert scene.lines[0]["age"] == 1


def test_where_the_source_looks_for_persons_in_texts_none_is_kept() -> None:
    free = TABLE.inputs[1].model_copy(update={"categories": None})
    scene = Scene(signature=TABLE.model_copy(update={"inputs": [TABLE.inputs[0], free]}))
    fill_from_source(scene, PiiPolicy(detected=PiiAction.MASK))
    scene.capture()
    scene.predict({"age": 1, "city": "I am Ada Lovelace"})
    assert "city" not in scene.lines[0]


def test_nothing_is_kept_while_the_rules_cannot_be_read() -> None:
    scene = Scene()
    scene.capture()
    scene.predict({"age": 1})
    scene.bench.time.now += 100
    version = scene.deployed.version
    key = keys.row(version.workspace_id, version.resource, version.model_id, version.number)
    scene.bench.ports.registry.write(Delete(key=key, expected=version.revision))
    scene.predict({"age": 2})
    assert scene.bench.endpoints.capturing.num_dropped == 1
    assert [line["age"] for line in scene.lines] == [1]


def fill_from_source(scene: Scene, pii: PiiPolicy) -> None:
    """The model was trained on a dataset that a source with this policy fills."""
    ports, version = scene.bench.ports, scene.deployed.version
    principal = new_principal().model_copy(update={"workspace_id": version.workspace_id})
    source = add_source(ports, principal, pii=pii.model_dump(mode="json"))
    dataset = Dataset(**records.new_fields(ports, principal, Dataset), name="people", source_id=source.id)
    records.create(ports, principal, dataset)
    pinned = PinnedDataset(dataset_id=dataset.id, dataset_name="people", number=1, digest="0" * 64)
    records.save(ports, version, version.model_id, version.number, datasets={"train": pinned})


# --- faults ----------------------------------------------------------------------------------------------------------


class BrokenLake(MemoryBlobStore):
    """Cannot be written to while it is `broken`."""

    broken = False

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> BlobInfo:
        """See BlobStore."""
        if self.broken:
            raise UnavailableError("The lake does not answer.")
        return super().put(key, body, content_type=content_type)


def test_a_lake_that_cannot_be_written_to_fails_no_request_and_loses_nothing() -> None:
    scene = Scene()
    lake = BrokenLake("lake")
    for info in scene.bench.ports.lake.list(""):
        lake.put(info.key, scene.bench.ports.lake.get(info.key))
    scene.bench.ports.lake = lake
    scene.capture()
    lake.broken = True
    for number in range(3):
        scene.bench.time.now += 10
        scene.predict({"age": number})
    assert scene.files == []
    lake.broken = False
    scene.bench.endpoints.capturing.flush(now=True)
    assert [line["age"] for line in scene.lines] == [0, 1, 2]


def test_what_does_not_fit_into_memory_is_dropped_and_counted() -> None:
    scene = Scene()
    scene.bench.endpoints.capturing = Capturing(scene.bench.ports, monotonic=scene.bench.time, max_bytes=300)
    scene.capture()
    for _ in range(5):
        scene.predict({"age": 1})
    scene.bench.endpoints.capturing.flush(now=True)
    kept = len(scene.lines)
    assert 0 < kept < 5
    assert scene.bench.endpoints.capturing.num_dropped == 5 - kept
