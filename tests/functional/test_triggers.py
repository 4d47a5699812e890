"""Triggers through the API and the command line, with the real functions behind the stream and Batch's events."""

from typing import Any

import pytest

from aimass_core.domain.datasets import Dataset
from aimass_core.domain.jobs import Job
from aimass_core.services import records
from functions.dispatch.app import make_handler as make_dispatch
from tests.factories.platform import add_dataset, add_version
from tests.functional.gateway import Api, Context
from tests.functional.terminal import Run
from tests.functional.test_jobs import owner_of, run_to_end, stream_event

JOB = {"spec": {"kind": "train", "dataset": "adult", "algorithm": "xgboost"}}
BODY = {"name": "nightly", "dataset": "adult", "job": JOB}


@pytest.fixture(autouse=True)
def dataset(api: Api) -> Dataset:
    dataset = add_dataset(api.ports, owner_of(api))
    add_version(api.ports, owner_of(api), dataset)
    return dataset


def bring(api: Api, dataset: Dataset) -> None:
    """A new version, as the stream tells of it."""
    version = add_version(api.ports, owner_of(api), dataset)
    event = stream_event(records.to_row(version, dataset.id, version.number))
    event["Records"][0]["dynamodb"]["NewImage"]["data"]["M"]["dataset_id"] = {"S": dataset.id}
    assert make_dispatch(lambda: api.ports)(event, Context()) == {"batchItemFailures": []}  # type: ignore[arg-type]


def end(api: Api, job_id: str) -> None:
    """Its job runs to its end, as the stream tells of it."""
    run_to_end(api, api.get(f"/v1/jobs/{job_id}").json)
    ended = stream_event(records.to_row(records.get(api.ports, Job, api.workspace.id, job_id)))
    assert make_dispatch(lambda: api.ports)(ended, Context()) == {"batchItemFailures": []}  # type: ignore[arg-type]


def test_a_trigger_trains_and_deploys_at_a_new_version(api: Api, dataset: Dataset) -> None:
    made = api.post("/v1/triggers", {**BODY, "deploy": {"gate": {"worst": 0.9}}})
    assert (made.status, made.headers["location"]) == (201, f"/v1/triggers/{made.json['id']}")
    bring(api, dataset)
    (run,) = api.get("/v1/triggers/nightly/runs").json["items"]
    assert (run["status"], run["dataset_version"]) == ("RUNNING", 2)
    end(api, run["job_id"])
    (run,) = api.get("/v1/triggers/nightly/runs").json["items"]
    assert (run["status"], run["model_version"]["number"]) == ("PROMOTED", 1)
    assert api.get("/v1/endpoints/adult").json["candidate"]["number"] == 1
    assert api.get(f"/v1/jobs/{run['job_id']}").json["trigger_id"] == made.json["id"]


def test_triggers_are_listed_changed_and_deleted(api: Api) -> None:
    made = api.post("/v1/triggers", BODY).json
    assert api.get("/v1/triggers").json["items"] == [api.get("/v1/triggers/nightly").json]
    assert api.post("/v1/triggers", BODY).status == 409
    assert api.patch("/v1/triggers/nightly", {"status": "PAUSED"}).status == 428
    paused = api.patch("/v1/triggers/nightly", {"status": "PAUSED"}, revision=made["revision"])
    assert paused.json["status"] == "PAUSED"
    wrong = {"job": {"spec": {**JOB["spec"], "dataset": "other"}}}
    assert api.patch("/v1/triggers/nightly", wrong, revision=2).status == 422
    assert api.as_role("viewer").delete("/v1/triggers/nightly").status == 403
    assert api.delete("/v1/triggers/nightly").status == 204
    assert api.get("/v1/triggers/nightly").status == 404


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"every_seconds": 10}, "300"),
        ({"cron": "0 25 * * *"}, "0 25 * * *"),
        ({"cron": "0 0 31 2 *"}, "cannot be followed"),
        ({"cron": "soon"}, "cron"),
        ({"cron": "0 6 * * *", "every_seconds": 3600}, "not both"),
        ({"job": {"spec": {**JOB["spec"], "dataset": "adult@1"}}}, "leave the version out"),
        ({"job": {"spec": {"kind": "prepare"}}}, "prepare"),
        ({"job": {"spec": {**JOB["spec"], "algorithm": "nothing"}}}, "nothing"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_wrong_trigger_is_refused(api: Api, changes: dict[str, Any], words: str) -> None:
    answer = api.post("/v1/triggers", {**BODY, **changes})
    assert (answer.status, words in answer.text) == (422, True), answer.text


def test_the_command_line_makes_watches_and_pauses_them(run: Run, api: Api, dataset: Dataset) -> None:
    assert "aimass triggers create" in run("triggers", "list").err
    made = run("triggers", "create", "nightly", "adult", "-a", "xgboost", "--deploy", "--worst", "0.8")
    assert (made.code, "at each new version" in made.out) == (0, True), made.err
    assert "has not fired yet" in run("triggers", "runs", "nightly").err
    bring(api, dataset)
    assert "RUNNING" in run("triggers", "runs", "nightly").out
    assert run("triggers", "pause", "nightly").code == 0
    assert "PAUSED" in run("triggers", "list").out
    assert run("triggers", "resume", "nightly").code == 0
    assert "{'worst': 0.8, 'min_gain': 0.0}" in run("triggers", "show", "nightly").out
    refused = run("triggers", "create", "other", "adult", "-a", "xgboost", "--worst", "0.8")
    assert (refused.code, "add it" in refused.err) == (2, True), refused.err
    weekly = run("triggers", "create", "weekly", "adult", "--budget", "5m", "--every", "7d")
    assert (weekly.code, "every 604,800 s" in weekly.out) == (0, True), weekly.err
    assert api.get("/v1/triggers/weekly").json["job"]["max_seconds"] == 300
    assert run("triggers", "delete", "weekly", "--yes").code == 0
    canary = ("--deploy", "--canary", "10", "--step", "20", "--step-every", "10m", "--guard", "p95-ms=50")
    daily = run("triggers", "create", "daily", "adult", "-a", "xgboost", "--cron", "0 6 * * MON-FRI", *canary)
    assert (daily.code, "at 0 6 * * MON-FRI (UTC)" in daily.out) == (0, True), daily.err
    plan = api.get("/v1/triggers/daily").json["deploy"]["rollout"]
    assert (plan["percent"], plan["step_percent"], plan["every_seconds"]) == (10, 20, 600)
