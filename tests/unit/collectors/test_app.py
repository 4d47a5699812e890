"""The Chalice app, through Chalice's own test client, on memory ports."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from chalice.test import Client, HTTPResponse

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal, Role, new_id
from aimass_core.domain.datasets import DatasetVersionStatus
from aimass_core.domain.sources import SecretValue, Source, SourceUpdate
from aimass_core.services import datasets, sources, webhooks
from aimass_core.services.ingest import closing, landing
from functions.collectors.app import MAX_BODY_BYTES, build_app
from tests.factories.platform import ManualClock, new_ports
from tests.factories.sources import add_source, add_workspace

WEBHOOK = {"type": "webhook"}
ROW = b'{"id": 1, "email": "a@b.example"}'


class World:
    """A webhook source, and whoever sends to it."""

    def __init__(self, **policy: Any) -> None:
        self.clock = ManualClock()
        self.ports: MemoryPorts = new_ports(self.clock)
        self.owner: Principal = add_workspace(self.ports, "team").model_copy(update={"role": Role.ADMIN})
        self.source: Source = add_source(self.ports, self.owner, "signups", collector=WEBHOOK, **policy)
        address = webhooks.create_address(self.ports, self.owner, "signups")
        self.path, self.secret = address.path, address.secret
        self.app = build_app(lambda: self.ports, lambda: self.ports)

    def send(
        self,
        body: bytes = ROW,
        *,
        message_id: str = "msg_1",
        age: float = 0,
        secret: str | None = None,
        path: str | None = None,
        signed: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        """A delivery that is signed as standardwebhooks.com says, by code of its own."""
        sent_at = str(int(self.clock().timestamp() - age))
        key = base64.b64decode((secret or self.secret).removeprefix("whsec_"))
        mac = hmac.new(key, f"{message_id}.{sent_at}.".encode() + (body if signed is None else signed), hashlib.sha256)
        given = {
            "Content-Type": "application/json",
            "Webhook-Id": message_id,
            "Webhook-Timestamp": sent_at,
            "Webhook-Signature": f"v1,AAAA v1,{base64.b64encode(mac.digest()).decode()}",
            **(headers or {}),
        }
        with Client(self.app) as client:
            return client.http.post(path or self.path, headers=given, body=body)

    def landed(self) -> dict[str, list[Any]]:
        """Key to rows of what lies in the drop folder."""
        blobs = self.ports.landing.list("drop/")
        return {
            blob.key: [json.loads(line) for line in self.ports.landing.get(blob.key).splitlines()] for blob in blobs
        }

    def rows(self) -> list[Any]:
        return [row for rows in self.landed().values() for row in rows]


@pytest.fixture
def world() -> World:
    return World()


def test_delivery_is_durable_before_it_is_answered(world: World) -> None:
    answer = world.send()
    assert (answer.status_code, json.loads(answer.body)) == (202, {"accepted": 1})
    ((key, rows),) = world.landed().items()
    assert key.startswith(f"drop/team/signups/webhooks/{world.source.id}/")
    assert rows == [json.loads(ROW)]
    version = landing.land(world.ports, key)
    assert version is not None
    assert (version.dataset_name, version.number) == ("signups", 1)
    assert datasets.get(world.ports, world.owner, "signups").source_id == world.source.id


@pytest.mark.parametrize(
    ("body", "media_type", "num_rows"),
    [
        (b'[{"id": 1}, {"id": 2}]', "application/json; charset=utf-8", 2),
        (b'{"id": 1}\n\n{"id": 2}\n', "application/x-ndjson", 2),
        ('{"name": "Zoë ünïcode"}'.encode(), "application/json", 1),
    ],
)
def test_one_object_an_array_or_lines_are_taken(world: World, body: bytes, media_type: str, num_rows: int) -> None:
    assert world.send(body, headers={"Content-Type": media_type}).status_code == 202
    assert len(world.rows()) == num_rows


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"", {}, 400, "not JSON"),
        (b"[]", {}, 422, "no record"),
        (b"[1]", {}, 422, "Record 0 is no JSON object"),
        (b'{"a": NaN}', {}, 400, "NaN"),
        (b'{"a": 1, "a": 2}', {}, 400, "comes twice"),
        (b"\xff\xfe", {}, 400, "UTF-8"),
        (b"a,b", {"Content-Type": "text/csv"}, 415, "application/x-ndjson"),
        (ROW, {"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
        (b'{"a": "' + b"x" * MAX_BODY_BYTES + b'"}', {}, 413, "at most"),
        (b"[" + b"[" * 100 + b"]" * 101, {}, 400, "nested"),
    ],
)
def test_bad_bodies_are_refused_with_the_reason(
    world: World, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    answer = world.send(body, headers=headers)
    problem = json.loads(answer.body)
    assert (answer.status_code, problem["status"]) == (status, status)
    assert words in problem["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert world.landed() == {}


@contextmanager
def _refused(world: World) -> Iterator[list[HTTPResponse]]:
    answers: list[HTTPResponse] = []
    yield answers
    assert {answer.status_code for answer in answers} == {401}
    # The same words for all, so that nobody learns what there is.
    assert len({json.loads(answer.body)["detail"] for answer in answers}) == 1
    assert world.landed() == {}


def test_h14_what_is_not_signed_for_this_address_is_refused(world: World) -> None:
    other = add_source(world.ports, world.owner, "other", collector=WEBHOOK)
    secret = webhooks.create_address(world.ports, world.owner, "other").secret
    read = add_source(world.ports, world.owner, "read")
    with _refused(world) as answers:
        answers += [
            world.send(signed=b"another body"),
            world.send(secret=secret),
            world.send(age=301),
            world.send(age=-301),
            world.send(headers={"Webhook-Id": "another"}),
            world.send(headers={"Webhook-Id": ""}, message_id=""),
            world.send(headers={"Webhook-Timestamp": "now"}),
            world.send(headers={"Webhook-Signature": ""}),
            world.send(headers={"Webhook-Signature": "v2,AAAA"}),
            world.send(headers={"Webhook-Signature": "v1,!!!"}),
            world.send(path=f"/v1/webhooks/{world.owner.workspace_id}/{other.id}"),
            world.send(path=f"/v1/webhooks/{world.owner.workspace_id}/{read.id}"),
            world.send(path=f"/v1/webhooks/{world.owner.workspace_id}/{new_id('src')}"),
            world.send(path=f"/v1/webhooks/{new_id('ws')}/{world.source.id}"),
            world.send(path="/v1/webhooks/%2e%2e/etc"),
        ]


def test_h14_replayed_delivery_is_taken_once(world: World) -> None:
    assert [world.send().status_code for _ in range(3)] == [202] * 3
    ((key, _),) = world.landed().items()
    versions = {version.number for _ in range(3) if (version := landing.land(world.ports, key)) is not None}
    assert versions == {1}
    world.send(message_id="msg_2")
    assert len(world.landed()) == 2


def test_new_secret_ends_the_former_one_at_once(world: World) -> None:
    former = world.secret
    assert world.send().status_code == 202
    world.secret = webhooks.create_address(world.ports, world.owner, "signups").secret
    assert world.send(secret=former, message_id="msg_2").status_code == 401
    assert world.send(message_id="msg_3").status_code == 202


def test_paused_and_deleted_sources_take_nothing(world: World) -> None:
    sources.pause(world.ports, world.owner, "signups")
    answer = world.send()
    assert (answer.status_code, json.loads(answer.body)["code"]) == (409, "conflict")
    sources.resume(world.ports, world.owner, "signups")
    sources.delete(world.ports, world.owner, "signups")
    assert world.ports.secrets.values == {}
    assert world.send().status_code == 401
    assert world.landed() == {}


def test_policy_says_which_fields_are_kept() -> None:
    world = World(
        allowed_fields=["id", "email", "city"],
        pii={"columns": {"email": "drop"}},
        streams={"signups": {"dataset": "people"}},
    )
    world.send(b'{"id": 1, "email": "a@b.example", "phone": "1", "city": null}')
    assert world.rows() == [{"id": 1, "city": None}]
    assert next(iter(world.landed())).startswith("drop/team/people/")


def test_what_names_a_person_is_hidden_before_anything_is_written() -> None:
    world = World(pii={"columns": {"email": "hash", "user.name": "mask"}, "detected": "drop"})
    row = {"id": 1, "email": "a@b.example", "user": {"name": "Ann"}, "note": "ask c@d.example", "tags": ["e@f.example"]}
    body = json.dumps(row).encode()
    answer = world.send(body)
    assert (answer.status_code, json.loads(answer.body)["code"]) == (409, "conflict")
    assert "aimass sources secrets set signups PII_KEY" in json.loads(answer.body)["detail"]
    assert world.landed() == {}
    sources.set_secret(world.ports, world.owner, "signups", "PII_KEY", SecretValue(value="k" * 16))
    assert world.send(body).status_code == 202
    assert world.send(body, message_id="msg_2").status_code == 202
    first, second = world.rows()
    assert first == second, "the same value has the same hash, so that rows can be joined"
    assert re.fullmatch("[0-9a-f]{32}", first.pop("email"))
    assert first == {"id": 1, "user.name": "xxx", "note": "ask [email]", "tags": ["[email]"]}


def _converted(world: World) -> list[dict[str, Any]]:
    """The rows of the newest version, once what has landed is in it."""
    for key in world.landed():
        landing.land(world.ports, key)
    dataset = datasets.get(world.ports, world.owner, "signups")
    world.clock.advance(60)
    number = dataset.last_number
    closed = closing.close(
        world.ports, dataset.workspace_id, dataset.id, number, max_bytes=1_000_000, lease_seconds=300
    )
    assert closed is not None
    assert closed.status is DatasetVersionStatus.READY, closed.status_reason
    found = datasets.load_rows(world.ports, world.owner, dataset.id, number, limit=100)
    return found.rows


@pytest.mark.parametrize("mode", ["merge", "history"])
def test_records_of_the_same_key_replace_each_other(mode: str) -> None:
    world = World(mode=mode, primary_key=["id"])
    refused = world.send(b'[{"id": 1, "city": "Bern"}, {"city": "Genf"}]')
    assert (refused.status_code, world.landed()) == (422, {})
    assert "Record 1 has no value for 'id'" in json.loads(refused.body)["detail"]
    world.send(b'[{"id": 1, "city": "Bern"}, {"id": 2, "city": "Chur"}]')
    assert [row["city"] for row in _converted(world)] == ["Bern", "Chur"]
    world.clock.advance(60)
    world.send(b'[{"id": 1, "city": "Basel"}]', message_id="msg_2")
    rows = _converted(world)
    present = [row for row in rows if row.get("_valid_to") is None]
    assert sorted((row["id"], row["city"]) for row in present) == [(1, "Basel"), (2, "Chur")]
    assert len(rows) == (2 if mode == "merge" else 3)


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_records_with_other_fields_than_those_before_are_taken(mode: str) -> None:
    world = World(mode=mode, primary_key=["id"] if mode == "merge" else [])
    world.send(b'{"id": 1, "city": "Bern"}')
    world.send(b'{"id": 2, "plan": 3}', message_id="msg_2")
    assert [(row["id"], row["city"], row["plan"]) for row in _converted(world)] == [(1, "Bern", None), (2, None, 3)]
    world.clock.advance(60)
    world.send(b'{"id": 3, "plan": "free", "new": true}', message_id="msg_3")
    assert [(row["id"], row["plan"], row["new"]) for row in _converted(world)] == [
        (1, None, None),
        (2, "3", None),
        (3, "free", True),
    ]


def test_source_that_becomes_another_kind_has_no_webhook_any_more(world: World) -> None:
    update = SourceUpdate.model_validate({"collector": {"type": "files", "urls": ["https://a.example/b.csv"]}})
    sources.update(world.ports, world.owner, "signups", update, revision=world.source.revision)
    assert world.send().status_code == 401


def test_h17_secret_and_records_are_not_logged(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.send()
    world.send(signed=b"x")
    logged = capsys.readouterr().out
    assert '"status":202' in logged
    for secret in ("a@b.example", world.secret, world.secret.removeprefix("whsec_")):
        assert secret not in logged


def test_b6_schedule_begins_what_is_due() -> None:
    world = World()
    add_source(world.ports, world.owner, "hourly", schedule="rate(1 hour)")
    with Client(world.app) as client:
        event = client.events.generate_cw_event("aws.scheduler", "Scheduled Event", {}, [])
        assert client.lambda_.invoke("tick", event).payload == {"started": 0, "skipped": 0, "faults": 0}
        world.clock.advance(3_600)
        assert client.lambda_.invoke("tick", event).payload == {"started": 1, "skipped": 0, "faults": 0}
        assert client.lambda_.invoke("tick", event).payload == {"started": 0, "skipped": 0, "faults": 0}


def test_other_methods_are_not_taken(world: World) -> None:
    with Client(world.app) as client:
        assert client.http.get(world.path).status_code == 405
