"""The audit trail: who changed what and read which data, from where; searched, exported, verified."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPreviewer
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.datasets import Dataset
from aimass_core.ports import Put
from aimass_core.services import audit, audit_seals, records
from functions.api.app import OPERATIONS
from functions.previews.app import make_handler as make_previews
from tests.factories.sql import DuckDbQueryEngine
from tests.functional.gateway import Api, Context
from tests.functional.terminal import Run
from tests.functional.test_datasets import upload
from tests.functional.test_jobs import run_to_end

CANARY = "canary-7f3a9c51e2"
BODY = b"age,city\n" + b"".join(b"%d,Bonn\n" % index for index in range(60)) + b"x,Ulm\n"


@pytest.fixture
def dataset(api: Api) -> dict[str, Any]:
    """The second version of `adult` left a row out."""
    made: dict[str, Any] = api.post("/v1/datasets", {"name": "adult", "target": "city"}).json
    upload(api, b"age,city\n1,Bonn\n")
    upload(api, BODY, mode="append")
    return made


def entries(api: Api, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(f"/v1/audit?limit=100{query}{cursor and f'&cursor={cursor}'}").json
        found, cursor = found + page["items"], page["next_cursor"]
    return found


def exported(api: Api, made: dict[str, Any]) -> str:
    key = made["url"].partition("://lake/")[2].partition("?")[0]
    return api.ports.lake.get(key).decode()


def test_a_change_says_what_was_before_and_after(api: Api, dataset: dict[str, Any]) -> None:
    revision = api.get("/v1/datasets/adult").json["revision"]
    api.patch("/v1/datasets/adult", {"description": "people", "policy": {"bad_rows": "reject"}}, revision=revision)
    (entry,) = entries(api, "&action=dataset.update")
    assert entry["changes"]["description"] == {"before": "", "after": "people"}
    assert entry["changes"]["policy.bad_rows"] == {"before": "quarantine", "after": "reject"}
    assert {"created_at", "updated_at", "revision", "id"}.isdisjoint(entry["changes"])
    assert (entry["target_id"], entry["target_name"], entry["kind"]) == (dataset["id"], "adult", "change")
    (made,) = entries(api, "&action=dataset.create")
    assert made["changes"]["target"] == {"before": None, "after": "city"}


def test_an_entry_says_who_and_from_where(api: Api) -> None:
    answer = api.request("POST", "/v1/datasets", json={"name": "adult"}, headers={"User-Agent": "aimass-cli/1.0"})
    (entry,) = entries(api, "&action=dataset.create")
    assert (entry["created_by"], entry["actor_name"]) == (api.get("/v1/me").json["actor"], "first admin key")
    assert entry["origin"] == {
        "channel": "cli",
        "source_ip": "127.0.0.1",
        "user_agent": "aimass-cli/1.0",
        "request_id": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    ("headers", "channel"),
    [
        ({"User-Agent": "aimass-python/0.1.0"}, "sdk"),
        ({"User-Agent": "aimass-cli/0.1.0"}, "cli"),
        ({"User-Agent": "Mozilla/5.0", "Sec-Fetch-Site": "same-origin"}, "console"),
        ({"User-Agent": "Mozilla/5.0", "Sec-Fetch-Site": "cross-site"}, "http"),
        ({"User-Agent": "curl/8"}, "http"),
        ({}, "http"),
    ],
)
def test_channels_are_told_apart(api: Api, headers: dict[str, str | list[str]], channel: str) -> None:
    api.request("POST", "/v1/datasets", json={"name": "adult"}, headers=headers)
    assert entries(api, "&action=dataset.create")[0]["origin"]["channel"] == channel


def test_every_read_of_data_is_recorded(api: Api, dataset: dict[str, Any]) -> None:
    handle = make_previews(lambda: api.ports.lake)
    api.ports.previewer = MemoryPreviewer(lambda payload: handle(payload, Context()))  # type: ignore[arg-type]
    api.ports.query_engine = DuckDbQueryEngine(api.ports)
    viewer = api.as_role("viewer")
    job = run_to_end(api, api.post("/v1/jobs", {"spec": {"dataset": "adult", "algorithm": "xgboost"}}).json)
    query = viewer.post("/v1/query", {"sql": "select age from adult"}).json["id"]
    version = f"/v1/datasets/{dataset['id']}/versions/2"
    reads = {
        "dataset.rows.read": [viewer.get(f"{version}/rows"), viewer.get(f"{version}/rows.csv")],
        "quarantine.rows.read": [viewer.get(f"{version}/quarantine")],
        "query.rows.read": [viewer.get(f"/v1/queries/{query}/rows")],
        "query.export": [viewer.get(f"/v1/queries/{query}/result?format=csv")],
        "job.artifacts.read": [viewer.get(f"/v1/jobs/{job['id']}/artifacts")],
        "model_version.artifacts.read": [viewer.get("/v1/models/adult/versions/1")],
        "dataset.preview": [api.post("/v1/datasets/adult/preview", {"recipe": {"steps": [{"do": "trim"}]}})],
        "audit.export": [api.get("/v1/audit/export")],
    }
    found = entries(api, "&kind=read")
    for action, answers in reads.items():
        assert [answer.status for answer in answers] == [200] * len(answers), action
        mine = [entry for entry in found if entry["action"] == action]
        assert len(mine) == len(answers), action
        asked = {answer.headers["x-request-id"] for answer in answers}
        assert {entry["origin"]["request_id"] for entry in mine} == asked
    assert {entry["action"] for entry in found} == set(reads)
    (read,) = entries(api, "&action=query.rows.read")
    assert (read["actor_name"], read["details"]["datasets"]) == ("viewer", ["adult@2"])


def test_a_refused_read_is_none(api: Api, dataset: dict[str, Any]) -> None:
    assert api.get("/v1/datasets/adult/versions/9/rows").status == 404
    assert entries(api, "&kind=read") == []


def test_the_trail_is_searched_by_who_what_and_when(api: Api, dataset: dict[str, Any]) -> None:
    viewer = api.as_role("viewer")
    viewer.get("/v1/datasets/adult/versions/1/rows")
    by_name, by_id = (entries(api, f"&actor={actor}") for actor in ("viewer", viewer.get("/v1/me").json["actor"]))
    assert [entry["action"] for entry in by_name] == ["dataset.rows.read"]
    assert by_name == by_id
    of_adult = {entry["action"] for entry in entries(api, "&target=adult")}
    assert {"dataset.create", "dataset_version.ready", "dataset.rows.read"} <= of_adult
    assert {entry["action"] for entry in entries(api, "&target=adult@1")} < of_adult
    assert {entry["action"].partition(".")[0] for entry in entries(api, "&action=dataset.*")} == {"dataset"}
    whole = entries(api)
    middle = whole[len(whole) // 2]["created_at"]
    later, earlier = entries(api, f"&since={middle}"), entries(api, f"&until={middle}")
    assert {entry["id"] for entry in later} | {entry["id"] for entry in earlier} == {entry["id"] for entry in whole}
    assert all(entry["created_at"] >= middle for entry in later)
    assert all(entry["created_at"] <= middle for entry in earlier)
    assert len(later) < len(whole) > len(earlier)
    assert entries(api, f"&kind=read&since={middle}") == by_name


def test_pages_of_a_search_hold_every_match_once(api: Api) -> None:
    for number in range(7):
        api.post("/v1/datasets", {"name": f"d{number}"})
        api.post("/v1/sources", {"name": f"s{number}", "collector": {"type": "webhook"}})
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(f"/v1/audit?action=dataset.create&limit=2{cursor and f'&cursor={cursor}'}").json
        assert len(page["items"]) <= 2
        names, cursor = names + [entry["target_name"] for entry in page["items"]], page["next_cursor"]
    assert names == [f"d{number}" for number in reversed(range(7))]
    first = api.get("/v1/audit?action=dataset.create&limit=2").json["next_cursor"]
    assert api.get(f"/v1/audit?action=source.create&limit=2&cursor={first}").code == "invalid_request"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=2026-11-02T00:00:00Z&until=2026-11-01T00:00:00Z", "must be before until"),
        ("since=yesterday", "such as 2026-11-26T17:30:00Z"),
        ("since=1700000000", "such as 2026-11-26T17:30:00Z"),
        ("until=9999-12-31T23:59:59Z", "2000 to 2199"),
        ("action=DATASET", "query.action"),
        ("kind=everything", "query.kind"),
    ],
)
def test_a_wrong_search_says_what_to_write(api: Api, query: str, words: str) -> None:
    answer = api.get(f"/v1/audit?{query}")
    assert (answer.status, answer.code) == (422, "invalid_request")
    assert words in answer.text


def test_the_trail_is_exported_as_lines_and_as_a_table(api: Api) -> None:
    api.post("/v1/datasets", {"name": "adult", "description": "=1+1"})
    made = api.get("/v1/audit/export?action=dataset.*").json
    lines = [json.loads(line) for line in exported(api, made).splitlines()]
    assert (made["num_entries"], made["is_complete"], made["until"]) == (1, True, None)
    assert lines == entries(api, "&action=dataset.*")
    table = api.get("/v1/audit/export?format=csv&action=dataset.*").json
    rows = list(csv.DictReader(io.StringIO(exported(api, table))))
    assert [(row["action"], row["target_name"], row["actor_name"]) for row in rows] == [
        ("dataset.create", "adult", "first admin key")
    ]
    assert len(entries(api, "&action=audit.export")) == 2


def test_nobody_can_change_the_trail() -> None:
    assert {operation.method for operation in OPERATIONS if operation.path.startswith("/v1/audit")} == {"GET"}


def test_what_another_workspace_was_granted_is_in_both_trails(api: Api, dataset: dict[str, Any]) -> None:
    stranger = api.as_stranger()
    reader = Principal(
        workspace_id=stranger.workspace.id, workspace_name="s", actor="key_1", actor_name="theirs", role=Role.ADMIN
    )
    target = records.get(api.ports, Dataset, api.workspace.id, dataset["id"])
    audit.record_read(api.ports, reader, "dataset.rows.read", target)
    for trail in (api, stranger):
        (entry,) = entries(trail, "&kind=read")
        assert (entry["actor_name"], entry["target_id"]) == ("theirs", dataset["id"])


def test_h17_no_secret_is_in_the_trail_or_the_logs(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """A canary goes in wherever a secret may: it must come out nowhere."""
    config = {"type": "webhook"}
    source = api.post("/v1/sources", {"name": "shop", "collector": config, "owner": "a"}).json
    assert api.put(f"/v1/sources/{source['id']}/secrets/token", {"value": CANARY}).status == 200
    webhook = api.post(f"/v1/sources/{source['id']}/webhook").json["secret"]
    key = api.as_role("admin")
    assert key.token is not None
    address = f"postgres://user:{CANARY}@db/shop?X-Amz-Signature={CANARY}"
    api.post("/v1/datasets", {"name": "adult", "description": f'{address} {{"password":"{CANARY}"}}'})
    api.request("GET", f"/v1/audit?actor={key.token}", headers={"User-Agent": f"curl {key.token}"})
    api.request("POST", "/v1/datasets", json={"name": "b"}, headers={"User-Agent": f"Bearer {CANARY}"})
    api.get(f"/v1/audit/export?target={key.token}")
    api.get(f"/v1/datasets/x?token={CANARY}&X-Amz-Signature={CANARY}")
    made = api.get("/v1/audit/export").json
    shown = [capsys.readouterr().out, exported(api, made), json.dumps(entries(api))]
    rows = api.ports.registry.query(f"WS#{api.workspace.id}", "AUDIT#", limit=1_000).rows
    shown.append(repr([row.data for row in rows]))
    for text in shown:
        assert webhook not in text
        for secret in (CANARY, key.token[-43:]):
            assert secret not in text


def test_the_command_line_searches_exports_and_verifies(run: Run, api: Api, tmp_path: Path) -> None:
    api.post("/v1/datasets", {"name": "adult"})
    found = run("audit", "--action", "dataset.*", "--since", "1h", "--output", "json")
    assert [entry["target_name"] for entry in json.loads(found.out)] == ["adult"]
    assert "first admin key" in run("audit", "--target", "adult").out
    assert run("audit", "--since", "soon").code == 2
    assert run("audit", "export", "trail.csv").code == 0
    assert "dataset.create" in (tmp_path / "trail.csv").read_text()
    verified = run("audit", "verify")
    assert verified.code == 0
    assert "as it was sealed" in verified.err


def test_the_command_line_says_that_the_trail_was_changed(run: Run, api: Api) -> None:
    api.post("/v1/datasets", {"name": "adult"})
    now = api.ports.clock()
    api.ports.clock = lambda: now + timedelta(hours=1)
    assert audit_seals.seal_due(api.ports) > 0
    row = api.ports.registry.query(f"WS#{api.workspace.id}", "AUDIT#", limit=1).rows[0]
    forged = replace(row, data={**row.data, "created_by": "somebody else"}, revision=2)
    api.ports.registry.write(Put(row=forged, expected=1))
    verified = run("audit", "verify")
    assert verified.code == 1
    assert "Seal 1: Entries were changed after they were sealed." in verified.err
