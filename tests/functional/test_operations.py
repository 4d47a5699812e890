"""Logs, system status and dead letters from the API, the SDK and the command line."""

import json
from datetime import timedelta
from typing import Any

import pytest

from aimass_core.ports import FoundLine, FunctionFigures, Letter
from aimass_core.services import reconciler
from tests.functional.gateway import Api
from tests.functional.terminal import Run


def put_line(api: Api, message: str, **fields: Any) -> None:
    said = {"level": "INFO", "message": message, "workspace_id": api.workspace.id, **fields}
    at = api.ports.clock() - timedelta(seconds=30)
    text = json.dumps(said, separators=(",", ":"))
    api.ports.log_search.lines.append(FoundLine(at=at, source="api", stream="s", text=text))


def put_letter(api: Api, workspace_id: str) -> str:
    body = json.dumps({"type": "close_version", "workspace_id": workspace_id, "token": "canary"})
    letter = Letter(id=f"letter-of-{workspace_id}", receipt="r", body=body, sent_at=api.ports.clock(), attributes={})
    api.ports.dead_letters.letters.setdefault("ingest", []).append(letter)
    return letter.id


def test_logs_are_read_page_by_page(api: Api) -> None:
    for number in range(3):
        put_line(api, f"line {number}", request_id=f"r-{number}")
    first = api.get("/v1/logs?limit=2").json
    rest = api.get(f"/v1/logs?limit=2&cursor={first['next_cursor']}").json
    assert [entry["message"] for entry in (*first["items"], *rest["items"])] == ["line 2", "line 1", "line 0"]
    assert rest["next_cursor"] is None
    assert [entry["message"] for entry in api.get("/v1/logs?request_id=r-1").json["items"]] == ["line 1"]
    stranger = api.as_stranger()
    assert stranger.get("/v1/logs").json["items"] == []
    assert stranger.get(f"/v1/logs?limit=2&cursor={first['next_cursor']}").code == "invalid_request"


@pytest.mark.parametrize(
    "query",
    ["request_id=a%20b", "text=a%0Ab", "text=", "source=UPPER", "level=LOUD", "since=now", "limit=1001", "job_id=x"],
)
def test_a_wrong_search_of_logs_is_refused(api: Api, query: str) -> None:
    assert api.get(f"/v1/logs?{query}").code == "invalid_request"


def test_a_workspace_learns_nothing_of_another_ones_dead_letters(api: Api) -> None:
    stranger = api.as_stranger()
    own, theirs = put_letter(api, api.workspace.id), put_letter(api, stranger.workspace.id)
    path = "/v1/system/dead-letters/ingest"
    found = stranger.get(path).json
    assert [item["id"] for item in found["items"]] == [theirs]
    assert "canary" not in json.dumps(found)
    assert stranger.post(f"{path}/redrive", {"ids": [own]}).code == "not_found"
    assert stranger.post(f"{path}/purge", {"ids": [own]}).code == "not_found"
    assert stranger.post(f"{path}/redrive", {}).json["num_done"] == 1
    assert [item["id"] for item in api.get(path).json["items"]] == [own]
    assert api.as_role("developer").get(path).status == 403
    assert api.get("/v1/system/dead-letters/nothing").code == "not_found"


def test_viewers_see_how_the_platform_does(api: Api) -> None:
    api.ports.watch.figures = {"api": FunctionFigures(num_invocations=10, num_errors=9)}
    reconciler.run(api.ports)
    status = api.as_role("viewer").get("/v1/system/status").json
    health = {centre["name"]: centre["health"] for centre in status["centres"]}
    assert health == {"collection": "OK", "training": "OK", "inference": "OK", "management": "DOWN"}
    assert api.workspace.id not in json.dumps(status)


def test_the_command_line_shows_logs_status_and_dead_letters(run: Run, api: Api) -> None:
    put_line(api, "request", request_id="r-1", path="/v1/x")
    assert "path=/v1/x" in run("logs", "--request-id", "r-1").out
    assert "No line matches" in run("logs", "--text", "absent").err
    reconciler.run(api.ports)
    status = run("system", "status")
    assert "predictions" in status.out
    assert "OK training" in status.err
    assert json.loads(run("system", "status", "-o", "json").out)["compute"]["queue_state"] == "ENABLED"
    letter = put_letter(api, api.workspace.id)
    assert letter in run("system", "dead-letters", "ingest").out
    assert "1 sent again, 0 left" in run("system", "redrive", "ingest", "--id", letter).err
    put_letter(api, api.workspace.id)
    assert "1 thrown away" in run("system", "purge", "ingest", "--yes").err
    assert run("system", "redrive", "nothing").code == 2
