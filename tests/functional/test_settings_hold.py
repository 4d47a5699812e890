"""Settings are read where they say that they hold: through the API, as users see it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPreviewer
from aimass_core.domain.jobs import JobStatus
from aimass_core.domain.schemas import ColumnType
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from aimass_core.services import dispatch
from functions.predictions.app import make_handler
from tests.factories.platform import add_dataset, add_version, make_model, tell
from tests.factories.served_models import deploy, endless_model, signature_of
from tests.functional.gateway import Answer, Api, Gateway
from tests.functional.terminal import Run
from tests.functional.test_jobs import owner_of
from tests.functional.test_settings import change

PREDICT = "/v1/endpoints/adult/predict"
ROW = {"age": 39, "city": "Paris"}
SHA256 = "0" * 64


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    made = Gateway(deployment_settings={"quotas": {"max_jobs_active": 1_000}})
    endpoints = ServingEndpoints(made.ports, ModelStore(made.ports, tmp_path))
    made.predictions = make_handler(lambda: endpoints)
    return made


@pytest.fixture
def served(api: Api) -> Api:
    deploy(api.ports, api.workspace.id)
    return api


def predict(api: Api, *rows: dict[str, Any]) -> Answer:
    return api.post(PREDICT, {"rows": list(rows or [ROW])})


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [line for line in lines if line["message"] in ("request", "allowed")]


def test_inference_bounds_rows_and_bytes_of_a_request(served: Api) -> None:
    assert predict(served, ROW, ROW, ROW).status == 200
    assert change(served, "inference", max_rows=2).status == 200
    assert predict(served, ROW, ROW).status == 200
    refused = predict(served, ROW, ROW, ROW)
    assert (refused.status, refused.code) == (413, "payload_too_large")
    assert "at most 2" in refused.text
    tensors = [
        {"name": "age", "shape": [3, 1], "datatype": "FP32", "data": [1, 2, 3]},
        {"name": "city", "shape": [3, 1], "datatype": "BYTES", "data": ["a", "b", "c"]},
    ]
    assert served.post("/v2/models/adult/infer", {"inputs": tensors}).status == 413
    change(served, "inference", max_rows=None, max_body_bytes=1_024)
    assert predict(served, ROW).status == 200
    assert predict(served, *[ROW] * 100).status == 413


def test_inference_ends_a_request_after_its_time(api: Api) -> None:
    deploy(api.ports, api.workspace.id, model=endless_model(), signature=signature_of(ColumnType.NUMBER))
    change(api, "inference", timeout_seconds=0.1)
    answer = predict(api, {"number": 7})
    assert (answer.status, answer.code) == (504, "deadline_exceeded")


def test_new_endpoints_begin_as_the_workspace_wants(api: Api) -> None:
    owner = owner_of(api)
    add_version(api.ports, owner, add_dataset(api.ports, owner))
    make_model(api.ports, owner)
    change(api, "inference", capture_percent=50, log_level="debug", threads=2)
    created = api.post("/v1/endpoints", {"model": "adult", "name": "second"})
    assert created.status == 202, created.text
    made = created.json
    assert (made["settings"]["capture"]["percent"], made["settings"]["log_level"]) == (50, "debug")
    assert made["settings"]["threads"] == 2
    on_machines = api.post("/v1/endpoints", {"model": "adult", "name": "third", "engine": {"kind": "container"}}).json
    assert on_machines["settings"]["threads"] == 1
    changed = api.patch("/v1/endpoints/second", {"settings": {"threads": 3}}, revision=made["revision"])
    assert changed.json["settings"]["version"] == 2
    assert api.post("/v1/endpoints/second/revert", {}).json["settings"]["threads"] == 2


def test_quotas_bound_the_predictions_of_keys_that_have_no_limit_of_their_own(served: Api) -> None:
    change(served, "quotas", key_requests_per_day=2)
    viewer = served.as_role("viewer")
    assert [predict(viewer).status for _ in range(3)] == [200, 200, 429]
    made = served.post("/v1/api-keys", {"name": "own", "role": "viewer", "max_requests_per_day": 4}).json
    own = Api(gateway=served.gateway, workspace=served.workspace, token=made["secret"])
    assert [predict(own).status for _ in range(5)] == [200, 200, 200, 200, 429]


def test_quotas_bound_queries(api: Api) -> None:
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))
    change(api, "quotas", max_queries_active=1, query_max_seconds=7, query_max_bytes=20 * 1024**2)
    body = {"sql": "select count(*) from adult"}
    first = api.post("/v1/query", body).json
    assert (first["max_seconds"], first["max_bytes"]) == (7, 20 * 1024**2)
    assert api.post("/v1/query", body).code == "quota_exceeded"
    change(api, "quotas", max_queries_active=None)
    more = {**body, "max_seconds": 60, "max_bytes": 2**40}
    second = api.post("/v1/query", more).json
    assert (second["max_seconds"], second["max_bytes"]) == (60, 20 * 1024**2), "nobody may read more"


def test_quotas_bound_uploads(api: Api) -> None:
    dataset = add_dataset(api.ports, owner_of(api))
    path = f"/v1/datasets/{dataset.id}/uploads"

    def upload(num_bytes: int) -> Answer:
        return api.post(path, {"file_name": "a.csv", "num_bytes": num_bytes, "sha256": SHA256})

    change(api, "quotas", max_upload_bytes=2_000)
    assert upload(2_000).status == 201
    assert upload(2_001).code == "payload_too_large"
    change(api, "quotas", max_stored_bytes=1_500)
    refused = upload(1_501)
    assert (refused.status, refused.code) == (409, "conflict")
    assert "may keep 1,500" in refused.text


def test_quotas_bound_jobs(api: Api) -> None:
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))
    change(api, "quotas", max_jobs_active=1)
    body = {"spec": {"dataset": "adult", "algorithm": "xgboost"}}
    assert [api.post("/v1/jobs", body).status for _ in range(2)] == [202, 429]
    change(api, "quotas", max_jobs_active=5, max_jobs_per_10_seconds=2)
    assert [api.post("/v1/jobs", body).status for _ in range(2)] == [202, 429]


def test_a_spent_budget_is_402(api: Api) -> None:
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))
    change(api, "quotas", monthly_budget_usd=0.01)
    body = {"spec": {"dataset": "adult", "algorithm": "xgboost"}}
    job = api.post("/v1/jobs", body)
    assert job.status == 202
    assert api.get("/v1/budget").json["status"] == "OK"
    running = tell(api.ports, dispatch.dispatch(api.ports, api.workspace.id, job.json["id"]), JobStatus.RUNNING)
    later = running.updated_at + timedelta(hours=2)
    api.ports.clock = lambda: later
    refused = api.post("/v1/jobs", body)
    assert (refused.status, refused.code) == (402, "budget_spent")
    assert int(refused.headers["retry-after"]) > 0
    assert api.get("/v1/budget").json["status"] == "SPENT"


def test_new_sources_have_the_policy_that_the_workspace_wants(api: Api) -> None:
    change(
        api,
        "collection",
        run_max_seconds=60,
        on_violation="null",
        new_columns="freeze",
        detected_pii="hash",
        retention_days=30,
        max_requests_per_second=5,
    )
    body = {"name": "orders", "collector": {"type": "files", "urls": ["https://data.example/orders.csv"]}}
    policy = api.post("/v1/sources", body).json["policy"]
    assert (policy["max_seconds"], policy["on_violation"], policy["contract"]["columns"]) == (60, "null", "freeze")
    assert (policy["pii"]["detected"], policy["retention_days"], policy["max_requests_per_second"]) == ("hash", 30, 5)
    said = {"max_seconds": 90, "contract": {"columns": "evolve"}, "pii": {"columns": {"name": "drop"}}}
    own = api.post("/v1/sources", {**body, "name": "others", "policy": said}).json["policy"]
    assert (own["max_seconds"], own["contract"]["columns"], own["pii"]["columns"]) == (90, "evolve", {"name": "drop"})


def test_previews_sample_as_many_rows_as_the_workspace_wants(api: Api) -> None:
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))
    asked: list[int] = []

    def answer(payload: Any) -> Any:
        asked.append(payload["num_sampled"])
        return {"preview": {"num_rows": 1, "num_sampled": 1, "steps": [], "columns": [], "rows": []}}

    api.ports.previewer = MemoryPreviewer(answer)
    change(api, "collection", preview_rows=77)
    body = {"recipe": {"steps": [{"do": "trim"}]}}
    assert api.post("/v1/datasets/adult/preview", body).status == 200
    assert api.post("/v1/datasets/adult/preview", {**body, "num_sampled": 5}).status == 200
    assert asked == [77, 5]


@pytest.mark.parametrize(("level", "num_lines"), [("warning", 0), ("info", 2), ("debug", 4)])
def test_logging_tells_as_much_as_the_workspace_wants(
    served: Api, capsys: pytest.CaptureFixture[str], level: str, num_lines: int
) -> None:
    change(served, "logging", level=level)
    capsys.readouterr()
    assert served.get("/v1/jobs?limit=7").status == 200
    assert predict(served).status == 200
    lines = logged(capsys)
    assert len(lines) == num_lines
    told = [line for line in lines if line["message"] == "request"]
    assert all(("num_answer_characters" in line) == (level == "debug") for line in told)
    if level == "debug":
        assert told[0]["query"] == {"limit": ["7"]}
        assert told[1]["model"] == "adult@1"
    assert served.get("/v1/jobs/job_1").status == 404
    assert "request" in [line["message"] for line in logged(capsys)], "what fails is always told"


def test_logging_of_one_workspace_is_not_that_of_another(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = api.as_stranger()
    change(api, "logging", level="debug")
    capsys.readouterr()
    stranger.get("/v1/jobs")
    assert [set(line) & {"num_answer_characters", "query"} for line in logged(capsys)] == [set()]


def test_settings_are_set_and_brought_back_on_the_command_line(run: Run, api: Api) -> None:
    assert "Everything is as it is by default" not in run("settings", "list").out
    ran = run("settings", "set", "training", "checkpoint_seconds=30", "backend=batch", "--reason", "spot")
    assert ran.code == 0, ran.err
    assert "checkpoint_seconds" in ran.out
    assert "Version 2." in ran.err
    shown = json.loads(run("settings", "get", "training", "-o", "json").out)
    assert shown["values"]["checkpoint_seconds"] == 30
    assert "checkpoint_seconds: default -> 30" in run("settings", "history", "training").out
    assert run("settings", "set", "training", "checkpoint_seconds=null").code == 0
    assert api.get("/v1/settings/training").json["fields"]["checkpoint_seconds"]["source"] == "default"
    assert run("settings", "revert", "training", "--version", "2").code == 0
    assert api.get("/v1/settings/training").json["values"]["checkpoint_seconds"] == 30
    wrong = run("settings", "set", "training", "checkpoint_seconds=soon")
    assert (wrong.code, "checkpoint_seconds" in wrong.err) == (3, True)
    assert run("settings", "set", "training", "checkpoint_seconds").code == 2


def test_costs_and_the_budget_are_shown_on_the_command_line(run: Run, api: Api) -> None:
    ran = run("costs", "--by", "day")
    assert ran.code == 0, ran.err
    assert "USD" in ran.out
    assert json.loads(run("costs", "-o", "json").out)["usd"] == 0
    assert "There is no budget" in run("budget").err
    assert run("settings", "set", "quotas", "monthly_budget_usd=100").code == 0
    assert "100" in run("budget").out
    assert run("costs", "--since", "yesterday").code == 3


def test_jobs_that_say_nothing_are_as_the_workspace_wants(run: Run, api: Api) -> None:
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))
    change(api, "training", max_seconds=300, checkpoint_seconds=20)
    made = api.post("/v1/jobs", {"spec": {"dataset": "adult", "algorithm": "xgboost"}}).json
    assert (made["max_seconds"], made["spec"]["checkpoint_seconds"]) == (300, 20)
    for command in (("train", "adult", "-a", "xgboost"), ("search", "adult", "-a", "xgboost"), ("autotrain", "adult")):
        ran = run(*command, "--detach", "-o", "json")
        assert ran.code == 0, ran.err
        (job,) = json.loads(ran.out)
        assert job["max_seconds"] == 300, command
        assert job["spec"].get("checkpoint_seconds", 20) == 20
    ran = run("train", "adult", "-a", "xgboost", "--max-seconds", "90", "--checkpoint-seconds", "5", "-d", "-o", "json")
    (job,) = json.loads(ran.out)
    assert (job["max_seconds"], job["spec"]["checkpoint_seconds"]) == (90, 5)
