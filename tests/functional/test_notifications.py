"""/v1/notification-*, /v1/reports and their commands through the real handlers."""

import json
import re
from datetime import UTC, datetime

import pytest

from aimass_core.domain import keys
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.workspace_reports import Report, ReportFigure
from aimass_core.errors import ConflictError, InvalidRequestError
from aimass_core.services import dispatch, reconciler, records
from aimass_core.services.workspace_reports import ReportSummary
from tests.factories.notifications import Carrier
from tests.factories.platform import ManualClock, tell
from tests.functional.gateway import Api
from tests.functional.terminal import Run

CANARY = "canary-5d1c"
HOOK = {"name": "hook", "target": {"type": "webhook", "url": f"https://receiver.example/in?key={CANARY}"}}


@pytest.fixture
def carrier(api: Api) -> Carrier:
    return Carrier(ports=api.ports, workspace_id=api.workspace.id)


def test_channel_is_made_changed_tried_and_deleted(api: Api, carrier: Carrier) -> None:
    made = api.post("/v1/notification-channels", HOOK)
    assert (made.status, made.json["address"]) == (201, "https://receiver.example/in?...")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made.json["secret"])
    assert api.post("/v1/notification-channels", HOOK).code == "already_exists"
    asked = api.post("/v1/notification-channels/hook/test")
    assert (asked.status, asked.json["status"]) == (202, "PENDING")
    carrier.carry()
    delivery = api.get(asked.headers["location"]).json
    assert (delivery["status"], delivery["attempts"][0]["answer"], delivery["payload"]["type"]) == (
        "DELIVERED",
        "ok",
        "test",
    )
    assert "secret" not in api.get("/v1/notification-channels/hook").json
    assert api.patch("/v1/notification-channels/hook", {"status": "PAUSED"}).status == 428
    paused = api.patch("/v1/notification-channels/hook", {"status": "PAUSED"}, revision=1)
    assert paused.json["status"] == "PAUSED"
    assert api.patch("/v1/notification-channels/hook", {"status": "ACTIVE"}, revision=1).status == 412
    other = {"target": {"type": "email", "to": ["a@example.org"]}}
    refused = api.patch("/v1/notification-channels/hook", other, revision=2)
    assert (refused.code, refused.json["errors"][0]["location"]) == ("invalid_request", "body.target.type")
    assert api.delete("/v1/notification-channels/hook").status == 204
    assert api.get("/v1/notification-channels/hook").status == 404
    assert api.ports.secrets.values == {}


def test_h17_addresses_and_secrets_are_in_no_row_answer_or_log(
    api: Api, carrier: Carrier, capsys: pytest.CaptureFixture[str]
) -> None:
    slack = {"name": "slack", "target": {"type": "slack", "url": f"https://hooks.slack.example/T/{CANARY}"}}
    secret = api.post("/v1/notification-channels", HOOK).json["secret"]
    assert api.post("/v1/notification-channels", slack).json["secret"] is None
    rotated = api.post("/v1/notification-channels/hook/secret").json["secret"]
    api.post("/v1/notification-rules", {"name": "all", "events": ["*"], "channels": ["hook", "slack"]})
    for name in ("hook", "slack"):
        api.post(f"/v1/notification-channels/{name}/test")
    carrier.carry()
    assert len(api.ports.courier.posts) == 2
    rows = api.ports.registry.query(keys.partition(api.workspace.id), "", limit=10_000).rows
    paths = ("channels", "rules", "deliveries")
    answers = [api.get(f"/v1/notification-{path}").text for path in paths] + [api.get("/v1/audit").text]
    seen = " ".join([*answers, *(json.dumps(dict(row.data)) for row in rows), capsys.readouterr().out])
    assert "hooks.slack.example" in seen
    for hidden in (CANARY, secret, rotated):
        assert hidden not in seen


def test_h14_channel_to_a_private_host_is_refused_when_it_is_made(api: Api) -> None:
    def check(url: str) -> None:
        raise InvalidRequestError(f"{url} leads to an address that is not public.")

    api.ports.courier.check = check  # type: ignore[method-assign]
    assert api.post("/v1/notification-channels", HOOK).code == "invalid_request"
    assert api.get("/v1/notification-channels").json["items"] == []
    assert api.ports.secrets.values == {}


def test_email_needs_a_sender(api: Api) -> None:
    def check() -> None:
        raise ConflictError("This deployment has no address to send e-mail from.")

    api.ports.mailer.check = check  # type: ignore[method-assign]
    asked = {"name": "mail", "target": {"type": "email", "to": ["a@example.org"]}}
    assert api.post("/v1/notification-channels", asked).code == "conflict"


def test_deliveries_are_filtered_and_paged(api: Api, carrier: Carrier) -> None:
    for name in ("hook", "other"):
        api.post("/v1/notification-channels", {**HOOK, "name": name})
        for _ in range(3):
            api.post(f"/v1/notification-channels/{name}/test")
    assert len(api.get("/v1/notification-deliveries?status=PENDING").json["items"]) == 6
    assert api.get("/v1/notification-deliveries?status=DEAD").json == {"items": [], "next_cursor": None}
    page = api.get("/v1/notification-deliveries?channel=hook&limit=2").json
    rest = api.get(f"/v1/notification-deliveries?channel=hook&limit=2&cursor={page['next_cursor']}").json
    assert [each["channel_name"] for each in page["items"] + rest["items"]] == ["hook"] * 3
    assert api.get("/v1/notification-deliveries?status=LOST").status == 422


def test_commands_make_a_channel_and_a_rule(run: Run, api: Api, carrier: Carrier) -> None:
    made = run("notifications", "channels", "create", "ops", "--webhook", "https://receiver.example/in")
    assert made.code == 0, made.err
    assert "whsec_" in made.out
    assert run("notifications", "channels", "create", "x", "--slack", "a", "--webhook", "b").code == 2
    wrong = run("notifications", "rules", "create", "bad", "--on", "jobs.*", "--to", "ops")
    assert (wrong.code, "names no event" in wrong.err) == (3, True)
    assert run("notifications", "rules", "create", "failures", "--on", "job.failed", "--to", "ops").code == 0
    assert "failures" in run("notifications", "rules", "list").out
    assert run("notifications", "channels", "test", "ops").code == 0
    carrier.carry()
    listed = run("notifications", "deliveries", "-o", "json")
    (delivery,) = json.loads(listed.out)
    assert run("notifications", "retry", delivery["id"]).code == 0
    carrier.carry()
    assert len(api.ports.courier.posts) == 2
    assert "job.failed" in run("notifications", "types").out
    assert run("notifications", "channels", "pause", "ops").code == 0
    assert "PAUSED" in run("notifications", "channels", "list").out
    assert run("notifications", "channels", "delete", "ops", "--yes").code == 0


# --- reports ---------------------------------------------------------------------------------------------------------


def finish(api: Api, report_id: str, *, with_files: bool = True) -> Job:
    """What the container and Batch do."""
    report = records.get(api.ports, Report, api.workspace.id, report_id)
    job = records.get(api.ports, Job, api.workspace.id, report.job_id)
    dispatch.dispatch(api.ports, job.workspace_id, job.id)
    if with_files:
        summary = ReportSummary(figures=[ReportFigure(name="jobs", value="3", before="2")])
        files = {"report.json": summary.model_dump_json().encode(), "report.html": b"<html>", "report.pdf": b"%PDF"}
        for name, content in files.items():
            api.ports.lake.put(keys.job_attempt(job.workspace_id, job.id, 1, f"output/{name}"), content)
        result = {"job_id": job.id, "attempt": 1, "artifacts": []}
        api.ports.lake.put(keys.job_attempt(job.workspace_id, job.id, 1, "result.json"), json.dumps(result).encode())
    return tell(api.ports, job, JobStatus.SUCCEEDED if with_files else JobStatus.FAILED, exit_code=1)


def test_report_is_made_by_a_job_and_mailed(api: Api, carrier: Carrier) -> None:
    mail = {"name": "mail", "target": {"type": "email", "to": ["a@example.org"]}}
    assert api.post("/v1/notification-channels", mail).status == 201
    assert api.post("/v1/reports", {"channels": ["nobody"]}).code == "invalid_request"
    assert api.post("/v1/reports", {"model": "absent"}).code == "not_found"
    made = api.post("/v1/reports", {"days": 30, "channels": ["mail"]})
    assert (made.status, made.json["status"]) == (202, "PENDING")
    job = finish(api, made.json["id"])
    assert job.status is JobStatus.SUCCEEDED
    found = api.get(made.headers["location"]).json
    assert (found["status"], found["figures"][0]["value"], found["pdf_bytes"]) == ("READY", "3", 4)
    assert found["html_url"]
    carrier.carry()
    (sent,) = api.ports.mailer.mails
    assert sent.attachments[0].content == b"%PDF"
    assert "jobs: 3 (before: 2)" in sent.text
    assert api.delete(made.headers["location"]).status == 204
    assert api.get(made.headers["location"]).status == 404


def test_report_whose_job_failed_says_so_and_its_job_is_not_retried(api: Api) -> None:
    made = api.post("/v1/reports", {}).json
    assert api.delete(f"/v1/reports/{made['id']}").code == "conflict"
    finish(api, made["id"], with_files=False)
    found = api.get(f"/v1/reports/{made['id']}").json
    assert (found["status"], found["html_url"]) == ("FAILED", None)
    assert f"aimass jobs logs {made['job_id']}" in found["status_reason"]
    assert api.post(f"/v1/jobs/{made['job_id']}/retry").code == "conflict"
    told = [each["type"] for each in api.get("/v1/notifications").json["items"]]
    assert told == ["report.failed"]


def test_plan_makes_a_report_every_week_and_no_more(api: Api) -> None:
    clock = ManualClock(datetime(2026, 11, 23, 5, 59, tzinfo=UTC))
    api.ports.clock = clock
    plan = api.post("/v1/report-plans", {"name": "weekly", "weekday": "monday", "hour": 6}).json
    assert plan["next_at"] == "2026-11-23T06:00:00Z"
    made = []
    for _ in range(16 * 24):
        made += [clock.now] * reconciler.run(api.ports).reports
        clock.advance(3_600)
    assert [f"{each:%m-%d %H}" for each in made] == ["11-23 06", "11-30 06", "12-07 06"]
    assert {each["plan_id"] for each in api.get("/v1/reports").json["items"]} == {plan["id"]}
    found = api.get("/v1/report-plans/weekly").json
    paused = api.patch("/v1/report-plans/weekly", {"status": "PAUSED"}, revision=found["revision"])
    assert paused.json["status"] == "PAUSED"
    clock.advance(14 * 86_400)
    assert reconciler.run(api.ports).reports == 0


def test_commands_make_reports_and_plans(run: Run, api: Api) -> None:
    assert run("reports", "create", "--weekly", "--weekday", "friday").code == 0
    assert "friday 06:00 UTC" in run("reports", "plans").out
    assert run("reports", "create", "--weekly", "--save", "x.pdf").code == 2
    made = run("reports", "create", "--days", "30", "-o", "json")
    report = json.loads(made.out)
    finish(api, report["id"])
    shown = run("reports", "get", report["id"])
    assert "3 (before: 2)" in shown.out
    assert "READY" in run("reports", "list").out
    assert run("reports", "unplan", "weekly").code == 0
