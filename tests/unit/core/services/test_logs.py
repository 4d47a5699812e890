"""Searching logs: one's own lines, page by page."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.logs import LogEntry, LogFilter, LogSeverity
from aimass_core.domain.workspaces import WorkspaceCreate
from aimass_core.errors import InvalidRequestError, NotFoundError
from aimass_core.ports import FoundLine
from aimass_core.services import api_keys, jobs, logs, records, workspaces
from tests.factories.platform import LIMITS, add_dataset, add_version, train_request

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
EVERYTHING = LogFilter(since=NOW - timedelta(hours=1), until=NOW)


@pytest.fixture
def ports() -> MemoryPorts:
    return MemoryPorts(clock=lambda: NOW)


@pytest.fixture
def first(ports: MemoryPorts) -> Principal:
    _, token = workspaces.create_first(ports, name="team")
    return api_keys.authenticate(ports, token)


@pytest.fixture
def second(ports: MemoryPorts, first: Principal) -> Principal:
    made = workspaces.create(ports, first, WorkspaceCreate(name="others"))
    return api_keys.authenticate(ports, made.secret)


def log(ports: MemoryPorts, source: str, text: Any, *, seconds_ago: float = 60, stream: str = "s") -> None:
    at = NOW - timedelta(seconds=seconds_ago)
    line = text if isinstance(text, str) else json.dumps(text, separators=(",", ":"))
    ports.log_search.lines.append(FoundLine(at=at, source=source, stream=stream, text=line))


def line(principal: Principal, message: str = "request", **fields: Any) -> dict[str, Any]:
    return {"level": "INFO", "message": message, "workspace_id": principal.workspace_id, **fields}


def search(ports: MemoryPorts, principal: Principal, **wanted: Any) -> list[LogEntry]:
    asked = EVERYTHING.model_copy(update=wanted)
    return logs.list_page(ports, principal, asked, limit=100, start=None)[0]


def test_lines_of_others_and_of_nobody_are_not_shown(ports: MemoryPorts, first: Principal, second: Principal) -> None:
    log(ports, "api", line(first, "mine"))
    log(ports, "api", line(second, "theirs"))
    log(ports, "api", {"level": "INFO", "message": "nobody's"})
    log(ports, "api", f"START {first.workspace_id} REPORT")
    # A line of theirs in which somebody has made mine appear.
    log(ports, "api", line(second, "theirs", path=f'/v1/"workspace_id":"{first.workspace_id}"'))
    log(ports, "api", f'{{"message":"x","workspace_id":"{second.workspace_id}","nested":{json.dumps(line(first))}}}')
    assert [entry.message for entry in search(ports, first)] == ["mine"]


def test_a_line_is_taken_apart(ports: MemoryPorts, first: Principal) -> None:
    log(
        ports,
        "api",
        line(first, level="WARNING", request_id="r-1", job_id="job_1", status=404, location="x", service="a"),
    )
    (entry,) = search(ports, first)
    assert (entry.source, entry.level, entry.request_id, entry.job_id) == ("api", "WARNING", "r-1", "job_1")
    assert entry.details == {"status": 404}
    assert entry.at == NOW - timedelta(seconds=60)


def test_lines_are_found_by_request_job_text_level_and_source(ports: MemoryPorts, first: Principal) -> None:
    log(ports, "api", line(first, "a", request_id="r-1"), seconds_ago=4)
    log(ports, "predictions", line(first, "b", level="ERROR"), seconds_ago=3)
    log(ports, "dispatch", line(first, "c", job_id="job_" + "0" * 27), seconds_ago=2)
    log(ports, "api", line(first, "Needle", level="DEBUG"), seconds_ago=1)

    def found(**wanted: Any) -> str:
        return "".join(entry.message for entry in search(ports, first, **wanted))

    assert found() == "Needlecba"
    assert found(request_id="r-1") == "a"
    assert found(text="needle") == "Needle"
    assert found(level=LogSeverity.INFO) == "cba"
    assert found(level=LogSeverity.WARNING) == "b"
    assert found(source="predictions") == "b"
    assert found(since=NOW - timedelta(seconds=2)) == "Needlec"
    assert found(until=NOW - timedelta(seconds=4)) == "a"


def test_what_a_job_printed_is_its_workspaces(ports: MemoryPorts, first: Principal, second: Principal) -> None:
    for principal in (first, second):
        add_version(ports, principal, add_dataset(ports, principal, name="adult"))
    mine, theirs = (jobs.create(ports, each, train_request("adult"), limits=LIMITS) for each in (first, second))
    for job, stream in ((mine, "jobs/mine"), (theirs, "jobs/theirs")):
        records.save(ports, records.get(ports, type(job), job.workspace_id, job.id), log_stream=stream)
        log(ports, "job", f"2026-11-26 11:59:00,123 WARNING printed by {stream}", stream=stream)
    log(ports, "dispatch", line(first, "submitted", job_id=mine.id), seconds_ago=90)
    log(ports, "dispatch", line(first, "of another", job_id=theirs.id), seconds_ago=90)
    entries = search(ports, first, job_id=mine.id)
    assert [(entry.source, entry.level, entry.message) for entry in entries] == [
        ("job", "WARNING", "printed by jobs/mine"),
        ("dispatch", "INFO", "submitted"),
    ]
    assert {entry.job_id for entry in entries} == {mine.id}
    assert [entry.message for entry in search(ports, first, source="job")] == ["printed by jobs/mine"]
    assert [entry.message for entry in search(ports, first, text="PRINTED")] == ["printed by jobs/mine"]
    with pytest.raises(NotFoundError):
        search(ports, first, job_id=theirs.id)


@pytest.mark.parametrize(("who", "shown"), [("first", True), ("developer", False), ("second", False)])
def test_h18_stacks_are_for_those_who_look_after_the_installation(
    ports: MemoryPorts, first: Principal, second: Principal, who: str, shown: bool
) -> None:
    principal = {"first": first, "second": second}.get(who, first.model_copy(update={"role": Role.DEVELOPER}))
    log(ports, "api", line(principal, level="ERROR", exception="Traceback: /var/task/app.py", stack_trace={"a": 1}))
    (entry,) = search(ports, principal)
    assert ("exception" in entry.details) is shown
    assert ("/var/task" in entry.model_dump_json()) is shown


def test_pages_hold_every_line_once_also_within_a_millisecond(ports: MemoryPorts, first: Principal) -> None:
    for number in range(9):
        log(ports, "api", line(first, str(number)), seconds_ago=60 - number // 4)
    found: list[str] = []
    start: str | None = None
    while True:
        page, start = logs.list_page(ports, first, EVERYTHING, limit=2, start=start)
        found += [entry.message for entry in page]
        if start is None:
            break
    assert sorted(found) == [str(number) for number in range(9)]
    assert found[0] == "8"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"since": NOW, "until": NOW}, "must be before until"),
        ({"since": NOW - timedelta(days=60)}, "31 days"),
        ({"source": "kernel"}, "one of api, authorizer"),
    ],
)
def test_a_wrong_search_says_what_to_write(
    ports: MemoryPorts, first: Principal, wanted: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        search(ports, first, **wanted)


def test_another_workspaces_endpoint_is_not_found(ports: MemoryPorts, first: Principal) -> None:
    with pytest.raises(NotFoundError):
        search(ports, first, endpoint="shop")
