"""Dead letters: each workspace sees its own, and the first one also what belongs to nobody."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import compute_states, hosts
from aimass_core.domain.audit import AuditFilter
from aimass_core.domain.common import Principal, new_id
from aimass_core.domain.system import DeadLetterQueue, DeadLetterSelection
from aimass_core.domain.workspaces import WorkspaceCreate
from aimass_core.errors import NotFoundError
from aimass_core.ports import Letter
from aimass_core.services import api_keys, audit, dead_letters, workspaces

ALL = DeadLetterSelection()
QUEUE = DeadLetterQueue.INGEST


@pytest.fixture
def ports() -> MemoryPorts:
    return MemoryPorts()


@pytest.fixture
def first(ports: MemoryPorts) -> Principal:
    _, token = workspaces.create_first(ports, name="team")
    return api_keys.authenticate(ports, token)


@pytest.fixture
def second(ports: MemoryPorts, first: Principal) -> Principal:
    made = workspaces.create(ports, first, WorkspaceCreate(name="others"))
    return api_keys.authenticate(ports, made.secret)


def put(ports: MemoryPorts, body: Any, queue: DeadLetterQueue = QUEUE, **attributes: str) -> str:
    letter = Letter(
        id=new_id("m"),
        receipt=new_id("r"),
        body=body if isinstance(body, str) else json.dumps(body),
        sent_at=datetime(2026, 11, 26, tzinfo=UTC),
        attributes=attributes,
    )
    ports.dead_letters.letters.setdefault(queue, []).append(letter)
    return letter.id


def s3(*object_keys: str) -> dict[str, Any]:
    return {"Records": [{"s3": {"object": {"key": key}}} for key in object_keys]}


def seen(ports: MemoryPorts, principal: Principal) -> list[str]:
    return [item.id for item in dead_letters.list_all(ports, principal, QUEUE).items]


def bodies_of(principal: Principal) -> list[dict[str, Any]]:
    """Every kind of message about a workspace."""
    job_id, endpoint_id = new_id("job"), new_id("ep")
    environment = [
        {"name": compute_states.WORKSPACE_VARIABLE, "value": principal.workspace_id},
        {"name": compute_states.JOB_VARIABLE, "value": job_id},
    ]
    training_job = compute_states.to_training_job_name(principal.workspace_id, job_id)
    host = hosts.to_host_name(principal.workspace_id, endpoint_id, new_id("n"))
    return [
        {"type": "close_version", "workspace_id": principal.workspace_id, "dataset_id": new_id("ds"), "number": 1},
        s3(f"uploads/{principal.workspace_id}/ds/upl"),
        s3(f"drop/{principal.workspace_name}/adult/x.csv"),
        {"source": "aws.batch", "detail": {"jobId": "1", "container": {"environment": environment}}},
        {"source": "aws.sagemaker", "detail": {"TrainingJobName": training_job}},
        {"source": "aws.sagemaker", "detail": {"EndpointName": host}},
    ]


def test_each_workspace_sees_its_own(ports: MemoryPorts, first: Principal, second: Principal) -> None:
    mine, theirs = ([put(ports, body) for body in bodies_of(each)] for each in (first, second))
    assert sorted(seen(ports, first)) == sorted(mine)
    assert sorted(seen(ports, second)) == sorted(theirs)
    found = dead_letters.list_all(ports, second, QUEUE)
    assert all(item.is_own for item in found.items)
    assert found.num_messages == len(mine) + len(theirs)


@pytest.mark.parametrize(
    "body",
    [
        "no JSON \x00",
        "[]",
        "null",
        '"text"',
        {"DDBStreamBatchInfo": {"shardId": "s"}, "requestContext": {}},
        s3("drop/nobody/adult/x.csv"),
        s3("elsewhere/x"),
        {"Records": []},
        {"Records": [{}]},
        {"source": "aws.batch", "detail": {}},
        {"detail": {"TrainingJobName": "somebody-elses"}},
    ],
)
def test_what_belongs_to_nobody_is_the_first_workspaces(
    ports: MemoryPorts, first: Principal, second: Principal, body: Any
) -> None:
    letter = put(ports, body)
    assert seen(ports, second) == []
    assert seen(ports, first) == [letter]
    assert not dead_letters.list_all(ports, first, QUEUE).items[0].is_own


@pytest.mark.parametrize("who", ["first", "second"])
def test_what_is_about_two_workspaces_is_shown_to_neither(
    ports: MemoryPorts, first: Principal, second: Principal, who: str
) -> None:
    put(ports, s3(f"uploads/{first.workspace_id}/ds/u", f"uploads/{second.workspace_id}/ds/u"))
    assert seen(ports, first if who == "first" else second) == []


def test_a_name_within_a_key_makes_nobody_the_owner(ports: MemoryPorts, first: Principal, second: Principal) -> None:
    letter = put(ports, s3(f"drop/others/adult/{first.workspace_id}.csv"))
    assert seen(ports, second) == [letter]
    assert seen(ports, first) == []


def test_looking_takes_nothing_away(ports: MemoryPorts, first: Principal) -> None:
    letter = put(ports, bodies_of(first)[0])
    assert seen(ports, first) == seen(ports, first) == [letter]
    assert ports.dead_letters.measure(QUEUE).num_waiting == 1


def test_own_letters_are_sent_again_and_others_stay(ports: MemoryPorts, first: Principal, second: Principal) -> None:
    put(ports, bodies_of(first)[0])
    mine = put(ports, bodies_of(second)[0])
    done = dead_letters.redrive(ports, second, QUEUE, ALL)
    assert (done.num_done, done.num_messages) == (1, 1)
    assert [(queue, letter.id) for queue, letter in ports.dead_letters.sent_again] == [(QUEUE, mine)]
    assert len(seen(ports, first)) == 1


def test_the_first_workspace_sends_everything_again_but_throws_away_only_what_it_sees(
    ports: MemoryPorts, first: Principal, second: Principal
) -> None:
    for body in (bodies_of(first)[0], bodies_of(second)[0], "nobody's"):
        put(ports, body)
    assert dead_letters.purge(ports, first, QUEUE, ALL).num_done == 2
    assert len(seen(ports, second)) == 1
    assert dead_letters.redrive(ports, first, QUEUE, ALL).num_done == 1
    assert ports.dead_letters.measure(QUEUE).num_waiting == 0


def test_more_letters_than_one_look_shows_are_sent_again(ports: MemoryPorts, first: Principal) -> None:
    for _ in range(dead_letters.MAX_LETTERS + 5):
        put(ports, bodies_of(first)[0])
    found = dead_letters.list_all(ports, first, QUEUE)
    assert (len(found.items), found.num_messages) == (dead_letters.MAX_LETTERS, dead_letters.MAX_LETTERS + 5)
    assert dead_letters.redrive(ports, first, QUEUE, ALL).num_done == dead_letters.MAX_LETTERS + 5


def test_only_those_that_are_named(ports: MemoryPorts, first: Principal, second: Principal) -> None:
    one, other = put(ports, bodies_of(first)[0]), put(ports, bodies_of(first)[0])
    theirs = put(ports, bodies_of(second)[0])
    assert dead_letters.redrive(ports, first, QUEUE, DeadLetterSelection(ids=[one])).num_done == 1
    assert seen(ports, first) == [other]
    # An id that somebody has learned opens nothing.
    for act in (dead_letters.redrive, dead_letters.purge):
        with pytest.raises(NotFoundError, match="None of these messages"):
            act(ports, first, QUEUE, DeadLetterSelection(ids=[theirs]))
    assert seen(ports, second) == [theirs]


def test_a_way_back_that_fails_keeps_the_letter(ports: MemoryPorts, first: Principal) -> None:
    letter = put(ports, bodies_of(first)[0])

    class Broken(type(ports.dead_letters)):  # type: ignore[misc]
        """The queue is away."""

        def send_again(self, queue: str, letter: Letter) -> None:
            raise NotFoundError(queue)

    broken = Broken()
    broken.letters = ports.dead_letters.letters
    ports.dead_letters = broken
    with pytest.raises(NotFoundError):
        dead_letters.redrive(ports, first, QUEUE, ALL)
    assert seen(ports, first) == [letter]


def test_what_is_done_is_in_the_audit_trail(ports: MemoryPorts, first: Principal) -> None:
    letter = put(ports, bodies_of(first)[0])
    dead_letters.purge(ports, first, QUEUE, DeadLetterSelection(ids=[letter]))
    (entry,), _ = audit.list_page(ports, first, AuditFilter(action="dead_letters.purge"), limit=5, start=None)
    assert entry.details == {"queue": "ingest", "ids": [letter]}


def test_h17_letters_are_shown_without_secrets(ports: MemoryPorts, first: Principal) -> None:
    key = f"aim_{'0' * 27}_{'1' * 27}_{'k' * 43}"
    body = {
        "workspace_id": first.workspace_id,
        "password": "canary",
        "nested": {"api_key": "canary", "url": "https://u:canary@h/?X-Amz-Signature=canary"},
        "environment": [{"name": "DB_PASSWORD", "value": "canary"}, {"name": "MODE", "value": "fast"}],
        "text": key,
    }
    put(ports, body, ERROR_MESSAGE=f"Refused: Authorization: Bearer {key}")
    (item,) = dead_letters.list_all(ports, first, QUEUE).items
    assert "canary" not in item.body
    assert "fast" in item.body
    assert "k" * 43 not in item.body + (item.reason or "")
    assert (item.reason or "").startswith("Refused: ")


def test_a_long_letter_is_cut(ports: MemoryPorts, first: Principal) -> None:
    put(ports, "x" * 100_000)
    (item,) = dead_letters.list_all(ports, first, QUEUE).items
    assert len(item.body) < 5_000
    assert item.body.endswith("(100,000 characters)")
