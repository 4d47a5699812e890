"""/v1/jobs through the real handlers, with those behind the registry's stream and Batch's events."""

import json
from datetime import timedelta
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.jobs import Job, JobStatus, LogLine
from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.ports import Row
from aimass_core.services import records
from functions.dispatch.app import make_handler as make_dispatch
from functions.job_events.app import make_handler as make_job_events
from functions.reconciler.app import make_handler as make_reconciler
from tests.factories.platform import TABLE, add_dataset, add_version, leave_result
from tests.functional.gateway import Api, Context, Gateway, open_api

SPEC = {"dataset": "adult", "algorithm": "xgboost"}


def owner_of(api: Api) -> Principal:
    return Principal(
        workspace_id=api.workspace.id, workspace_name=api.workspace.name, actor="key_test", role=Role.ADMIN
    )


@pytest.fixture(autouse=True)
def dataset(api: Api) -> None:
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))


def stream_event(*rows: Row, number: int = 1) -> dict[str, Any]:
    """As the event source mapping delivers it: DynamoDB's JSON."""
    records_ = [
        {
            "eventID": f"event-{index}",
            "eventName": "MODIFY",
            "eventSource": "aws:dynamodb",
            "dynamodb": {
                "SequenceNumber": str(number * 100 + index),
                "NewImage": {
                    "resource": {"S": row.resource},
                    "status": {"S": row.status},
                    "data": {"M": {"workspace_id": {"S": row.data["workspace_id"]}, "id": {"S": row.data["id"]}}},
                },
            },
        }
        for index, row in enumerate(rows)
    ]
    return {"Records": records_}


def batch_event(ports: MemoryPorts, compute_job_id: str, status: str, **fields: Any) -> dict[str, Any]:
    """As EventBridge delivers it."""
    submission = ports.compute.submissions[compute_job_id]
    environment = [{"name": name, "value": value} for name, value in submission.environment.items()]
    detail = {
        "jobId": compute_job_id,
        "jobName": submission.name,
        "status": status,
        "attempts": [],
        "container": {"environment": environment, "logStreamName": "job/default/1"},
        **fields,
    }
    return {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": detail}


def run_to_end(api: Api, job: dict[str, Any]) -> dict[str, Any]:
    """Stream, submission, container, events."""
    ports = api.ports
    stored = records.get(ports, Job, api.workspace.id, job["id"])
    make_dispatch(lambda: ports)(stream_event(records.to_row(stored)), Context())  # type: ignore[arg-type]
    compute_job_id = ports.compute.find(job["id"])
    assert compute_job_id is not None
    hear = make_job_events(lambda: ports)
    hear(batch_event(ports, compute_job_id, "RUNNING"), Context())  # type: ignore[arg-type]
    leave_result(ports, stored)
    ended = [{"container": {"exitCode": 0}, "statusReason": "Essential container in task exited"}]
    hear(batch_event(ports, compute_job_id, "SUCCEEDED", attempts=ended), Context())  # type: ignore[arg-type]
    found: dict[str, Any] = api.get(f"/v1/jobs/{job['id']}").json
    return found


def test_job_goes_from_a_request_to_a_model(api: Api) -> None:
    made = api.post("/v1/jobs", {"spec": SPEC})
    assert (made.status, made.json["status"]) == (202, "SUBMITTED")
    assert made.headers["location"] == f"/v1/jobs/{made.json['id']}"
    ended = run_to_end(api, made.json)
    assert ended["status"] == "SUCCEEDED"
    assert ended["model_version"]["model_name"] == "adult"
    events = api.get(f"/v1/jobs/{ended['id']}/events").json
    assert [event["data"]["status"] for event in events["events"]] == ["SUBMITTED", "QUEUED", "RUNNING", "SUCCEEDED"]
    assert events["job"]["status"] == "SUCCEEDED"
    rest = api.get(f"/v1/jobs/{ended['id']}/events?after={events['last']}&wait=10").json
    assert (rest["events"], rest["last"]) == ([], events["last"]), "a job that has ended is not waited for"
    artifacts = api.get(f"/v1/jobs/{ended['id']}/artifacts").json["artifacts"]
    assert {"model/model.onnx", "output/validation_predictions.parquet"} <= {item["name"] for item in artifacts}


def test_event_files_are_listed_while_the_job_runs(api: Api) -> None:
    job = api.post("/v1/jobs", {"spec": SPEC}).json
    assert api.get(f"/v1/jobs/{job['id']}/tensorboard").json == {"files": []}
    key = keys.job_tensorboard(api.workspace.id, job["id"]) + "0001/fit/events.out.tfevents.1"
    api.ports.lake.put(key, b"12345")
    (file,) = api.get(f"/v1/jobs/{job['id']}/tensorboard").json["files"]
    assert (file["name"], file["num_bytes"]) == ("0001/fit/events.out.tfevents.1", 5)
    assert file["url"].endswith(key)


def test_c12_job_that_cannot_start_says_why_until_it_can(api: Api) -> None:
    ports = api.ports
    job = api.post("/v1/jobs", {"spec": SPEC}).json
    stored = records.get(ports, Job, api.workspace.id, job["id"])
    make_dispatch(lambda: ports)(stream_event(records.to_row(stored)), Context())  # type: ignore[arg-type]
    compute_job_id = ports.compute.find(job["id"])
    assert compute_job_id is not None
    hear = make_job_events(lambda: ports)
    reason = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement is too high."
    blocked = batch_event(ports, compute_job_id, "RUNNABLE", statusReason=reason)
    hear({**blocked, "detail-type": "Batch Job Queue Blocked"}, Context())  # type: ignore[arg-type]
    found = api.get(f"/v1/jobs/{job['id']}").json
    assert (found["status"], found["status_reason"]) == ("QUEUED", reason)
    hear(batch_event(ports, compute_job_id, "STARTING"), Context())  # type: ignore[arg-type]
    found = api.get(f"/v1/jobs/{job['id']}").json
    assert (found["status"], found["status_reason"]) == ("STARTING", None)


def test_c1_create_with_the_same_key_makes_one_job(api: Api) -> None:
    answers = [api.post("/v1/jobs", {"spec": SPEC}, idempotency_key="once") for _ in range(3)]
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len(api.get("/v1/jobs").json["items"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"spec": {**SPEC, "target": "incom"}}, 422, "Did you mean"),
        ({"spec": {**SPEC, "algorithm": "magic"}}, 422, "xgboost"),
        ({"spec": {**SPEC, "algorithm": "lightgbm", "task": "multilabel"}}, 422, "lightgbm does not do multilabel"),
        ({"spec": {**SPEC, "target": ["income", "absent"]}}, 422, "no column 'absent'"),
        ({"spec": {**SPEC, "target": ["income"]}}, 422, "two at least"),
        ({"spec": {**SPEC, "target": ["income", "income"]}}, 422, "different labels"),
        ({"spec": {**SPEC, "target": ["income", "age"], "task": "binary"}}, 422, "multi-label task, not binary"),
        ({"spec": {**SPEC, "target": ["income", "age"], "horizon": 3}}, 422, "not multilabel"),
        ({"spec": {**SPEC, "target": ["income", "age"], "exclude_columns": ["age"]}}, 422, "'age' is among"),
        ({"spec": {**SPEC, "hyperparameters": {"max_depth": 99}}}, 422, "max_depth"),
        ({"spec": {**SPEC, "hyperparameters": {"max_dept": 3}}}, 422, "max_dept"),
        ({"spec": {**SPEC, "algorithm": "cnn", "hyperparameters": {"augmentation": "much"}}}, 422, "randaugment"),
        (
            {
                "spec": {
                    **SPEC,
                    "algorithm": "mlp",
                    "framework": "tensorflow",
                    "hyperparameters": {"augmentation": "light"},
                }
            },
            422,
            "in torch alone",
        ),
        (
            {
                "spec": {
                    **SPEC,
                    "algorithm": "cnn",
                    "framework": "tensorflow",
                    "hyperparameters": {"sharding": "full"},
                }
            },
            422,
            "sharding in torch alone",
        ),
        (
            {"spec": {**SPEC, "algorithm": "fcn", "hyperparameters": {"augmentation": [{"name": "flip"}]}}},
            422,
            "jitter",
        ),
        ({"spec": {**SPEC, "algorithm": "fcn", "resample": "smote"}}, 422, "rows of tables"),
        ({"spec": {**SPEC, "resample": "smot"}}, 422, "smote"),
        ({"spec": {**SPEC, "dataset": "../../etc"}}, 422, "pattern"),
        ({"spec": {"kind": "ingest", "dataset_id": "ds_1", "number": 1}}, 422, "kind"),
        ({"spec": {**SPEC, "dataset": "nothing"}}, 404, "nothing"),
        ({"spec": SPEC, "depends_on": ["job_" + "0" * 27]}, 404, "job_0"),
    ],
)
def test_bad_requests_are_refused_with_the_field(api: Api, body: dict[str, Any], status: int, words: str) -> None:
    refused = api.post("/v1/jobs", body)
    assert (refused.status, words in refused.text) == (status, True), refused.text
    assert api.get("/v1/jobs").json["items"] == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"spec": SPEC, "surprise": 1}, 422, "surprise"),
        ({"spec": SPEC, "__proto__": {"role": "admin"}}, 422, "__proto__"),
        ({"spec": {**SPEC, "hyperparameters": {"m\u00e4x_depth": 3}}}, 422, "m\u00e4x_depth"),
        ({"spec": {**SPEC, "hyperparameters": {"\u202emax_depth": 3}}}, 422, "hyperparameters"),
        ({"spec": {**SPEC, "hyperparameters": {"max_depth": {"deep": [1]}}}}, 422, "max_depth"),
        ({"spec": {**SPEC, "seed": -1}}, 422, "seed"),
        ({"spec": {**SPEC, "seed": 1.5}}, 422, "seed"),
        ({"spec": {**SPEC, "seed": "1"}}, 422, "seed"),
        ({"spec": {**SPEC, "seed": True}}, 422, "seed"),
        ({"spec": {**SPEC, "validation_fraction": "0.2"}}, 422, "validation_fraction"),
        ({"spec": {**SPEC, "hyperparameters": {"max_depth": "3"}}}, 422, "max_depth"),
        ({"spec": {**SPEC, "hyperparameters": {"learning_rate": "0.1"}}}, 422, "learning_rate"),
        ({"spec": SPEC, "max_seconds": "600"}, 422, "max_seconds"),
        ({"spec": {**SPEC, "validation_fraction": "half"}}, 422, "validation_fraction"),
        ({"spec": {**SPEC, "exclude_columns": ["x" * 1_100_000]}}, 413, "bytes"),
    ],
)
def test_c7_parameters_that_do_not_fit_their_schema_are_refused(
    api: Api, body: dict[str, Any], status: int, words: str
) -> None:
    refused = api.post("/v1/jobs", body)
    assert (refused.status, words in json.loads(refused.body)["detail"]) == (status, True), refused.text
    assert api.get("/v1/jobs").json["items"] == []


@pytest.mark.parametrize(
    "hyperparameters",
    [b'{"learning_rate": NaN}', b'{"learning_rate": 1e999}', b'{"x": ' + b"[" * 200 + b"]" * 200 + b"}"],
)
def test_c7_parameters_that_no_json_reader_agrees_on_are_refused(api: Api, hyperparameters: bytes) -> None:
    body = b'{"spec": {"dataset": "adult", "algorithm": "xgboost", "hyperparameters": ' + hyperparameters + b"}}"
    refused = api.request("POST", "/v1/jobs", body=body, headers={"Content-Type": "application/json"})
    assert (refused.status, refused.code) == (400, "malformed_request")


@pytest.mark.parametrize("field", ["image", "command", "environment", "env", "entrypoint"])
def test_c8_nobody_chooses_image_command_or_environment(api: Api, field: str) -> None:
    asked = {field: ["sh"]}
    for body in ({"spec": SPEC, **asked}, {"spec": {**SPEC, **asked}}, {"spec": SPEC, "compute": asked}):
        refused = api.post("/v1/jobs", body)
        assert (refused.status, field in refused.text) == (422, True)


def test_c8_text_of_users_reaches_neither_command_nor_environment(api: Api) -> None:
    words = "$(touch /tmp/x); `id` && ${HOME} \u0000 | sh"
    schema = TABLE.model_copy(update={"columns": [*TABLE.columns, Column(name=words, type=ColumnType.STRING)]})
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api), name="odd"), schema=schema)
    job = api.post("/v1/jobs", {"spec": {**SPEC, "dataset": "odd", "exclude_columns": [words]}})
    assert job.status == 202, job.text
    run_to_end(api, job.json)
    (submission,) = api.ports.compute.submissions.values()
    own = {"AIMASS_WORKSPACE_ID": api.workspace.id, "AIMASS_JOB_ID": job.json["id"]}
    assert submission.environment == {**own, "AIMASS_LOG_LEVEL": "info"}
    assert (submission.kind, submission.name) == ("train", job.json["id"])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_seconds": 0}, "60"),
        ({"max_seconds": -60}, "60"),
        ({"max_seconds": 10 * 365 * 86_400}, "1209600"),
        ({"compute": {"gpus": 9999}}, "16"),
        ({"compute": {"gpus": -1}}, "0"),
        ({"compute": {"memory_mib": "1e3"}}, "memory_mib"),
        ({"compute": {"memory_mib": 1}}, "512"),
        ({"compute": {"vcpus": 0}}, "1"),
        ({"compute": {"vcpus": 1e30}}, "vcpus"),
        ({"depends_on": ["job_" + "0" * 27] * 21}, "20"),
    ],
)
def test_c9_figures_out_of_range_are_refused_with_the_limit(api: Api, fields: dict[str, Any], words: str) -> None:
    refused = api.post("/v1/jobs", {"spec": SPEC, **fields})
    assert (refused.status, refused.code) == (422, "invalid_request")
    assert words in refused.json["detail"]


def test_c6_submits_above_the_rate_are_refused_and_others_go_on() -> None:
    api = open_api(Gateway(deployment_settings={"quotas": {"max_jobs_active": 100, "max_jobs_per_10_seconds": 20}}))
    stranger = api.as_stranger()
    now = api.ports.clock()
    api.ports.clock = lambda: now
    for caller in (api, stranger):
        add_version(api.ports, owner_of(caller), add_dataset(api.ports, owner_of(caller)))
    answers = [api.post("/v1/jobs", {"spec": SPEC}, idempotency_key=f"key-{number}") for number in range(100)]
    taken = [answer for answer in answers if answer.status == 202]
    refused = [answer for answer in answers if answer.status != 202]
    assert len(taken) == len(api.get("/v1/jobs?limit=100").json["items"])
    assert len(taken) == 20
    assert {answer.code for answer in refused} == {"quota_exceeded"}
    assert all(1 <= int(answer.headers["retry-after"]) <= 10 for answer in refused)
    assert stranger.post("/v1/jobs", {"spec": SPEC}).status == 202
    assert api.post("/v1/jobs", {"spec": SPEC}, idempotency_key="key-0").json == answers[0].json, (
        "a repeat is no submit"
    )
    later = now + timedelta(seconds=11)
    api.ports.clock = lambda: later
    assert api.post("/v1/jobs", {"spec": SPEC}, idempotency_key="key-99").status == 202, "a refusal is not remembered"


def test_stop_and_retry(api: Api) -> None:
    job = api.post("/v1/jobs", {"spec": SPEC}).json
    assert api.post(f"/v1/jobs/{job['id']}/retry").code == "conflict"
    assert api.post(f"/v1/jobs/{job['id']}/stop").json["status"] == "STOPPED"
    again = api.post(f"/v1/jobs/{job['id']}/retry")
    assert (again.status, again.json["retry_of"]) == (202, job["id"])
    assert [item["id"] for item in api.get("/v1/jobs?status=STOPPED").json["items"]] == [job["id"]]
    assert api.get("/v1/jobs?status=nonsense").status == 422


def test_list_is_read_page_by_page(api: Api) -> None:
    made = [api.post("/v1/jobs", {"spec": SPEC}).json["id"] for _ in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/v1/jobs?limit=2{f'&cursor={cursor}' if cursor else ''}").json
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(found) == sorted(made)


def test_log_goes_on_where_it_was_left(api: Api) -> None:
    job = api.post("/v1/jobs", {"spec": SPEC}).json
    path = f"/v1/jobs/{job['id']}/logs"
    assert api.get(path).json == {"lines": [], "next_cursor": None}
    stored = records.get(api.ports, Job, api.workspace.id, job["id"])
    records.save(api.ports, stored, stored.id, log_stream="stream", status=JobStatus.RUNNING)
    lines = [LogLine(at=api.ports.clock(), message=f"line {number}") for number in range(5)]
    api.ports.logs.lines["stream"] = lines
    first = api.get(f"{path}?limit=3").json
    rest = api.get(f"{path}?cursor={first['next_cursor']}").json
    assert [line["message"] for line in first["lines"] + rest["lines"]] == [line.message for line in lines]
    assert api.get(f"{path}?cursor=forged").status == 422


def test_h2_other_workspaces_and_lesser_roles_are_kept_out(api: Api) -> None:
    job = api.post("/v1/jobs", {"spec": SPEC}).json
    stranger, viewer = api.as_stranger(), api.as_role("viewer")
    for suffix in ("", "/events", "/logs", "/artifacts", "/tensorboard"):
        assert stranger.get(f"/v1/jobs/{job['id']}{suffix}").status == 404
        assert viewer.get(f"/v1/jobs/{job['id']}{suffix}").status == 200
    for suffix in ("/stop", "/retry"):
        assert stranger.post(f"/v1/jobs/{job['id']}{suffix}").status == 404
        assert viewer.post(f"/v1/jobs/{job['id']}{suffix}").status == 403
    assert viewer.post("/v1/jobs", {"spec": SPEC}).status == 403
    assert stranger.post("/v1/jobs", {"spec": SPEC}).status == 404, "the dataset is not theirs"
    assert stranger.get("/v1/jobs").json["items"] == []


def test_dispatch_reports_the_record_that_failed_and_does_the_others(api: Api) -> None:
    jobs = [api.post("/v1/jobs", {"spec": SPEC}).json for _ in range(2)]
    rows = [records.to_row(records.get(api.ports, Job, api.workspace.id, job["id"])) for job in jobs]
    gone = dict(rows[0].data) | {"id": "job_" + "0" * 27}
    broken = Row(key=rows[0].key, data=gone, revision=1, resource="job", status="SUBMITTED")
    answer = make_dispatch(lambda: api.ports)(stream_event(rows[0], broken, rows[1]), Context())  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "101"}]}
    assert all(api.ports.compute.find(job["id"]) for job in jobs)


def test_events_of_jobs_that_are_not_ours_are_ignored(api: Api) -> None:
    detail = {"jobId": "x", "jobName": "foreign", "status": "FAILED", "container": {}}
    foreign = {"TrainingJobName": "foreign", "TrainingJobStatus": "Failed", "SecondaryStatus": "Failed"}
    for event in ({"source": "aws.batch", "detail": detail}, {"source": "aws.sagemaker", "detail": foreign}):
        make_job_events(lambda: api.ports)(event, Context())  # type: ignore[arg-type]


def test_reconciler_answers_what_it_healed(api: Api) -> None:
    healed = make_reconciler(lambda: api.ports)({}, Context())  # type: ignore[arg-type]
    assert healed["faults"] == 0


@pytest.mark.parametrize(
    ("spec", "compute", "words"),
    [
        ({"algorithm": "linear"}, {"num_nodes": 2}, "linear (sklearn) trains on one machine, and 2 are asked for."),
        ({"algorithm": "lightgbm"}, {"num_nodes": 2}, "xgboost (xgboost), mlp (torch), mlp (tensorflow), cnn"),
        (
            {"algorithm": "linear"},
            {"backend": "sagemaker", "instance_type": "ml.m5.large", "instance_count": 2},
            "linear (sklearn) trains on one machine",
        ),
        ({"features": {"default": "auto"}}, {"num_nodes": 2}, "auto tries features on one machine"),
    ],
)
def test_what_one_machine_trains_alone_is_refused_on_several(
    api: Api, spec: dict[str, Any], compute: dict[str, Any], words: str
) -> None:
    answer = api.post("/v1/jobs", {"spec": {**SPEC, **spec}, "compute": compute})
    assert answer.status == 422
    assert words in answer.json["detail"]


def test_what_several_machines_can_train_is_taken(api: Api) -> None:
    assert api.post("/v1/jobs", {"spec": SPEC, "compute": {"num_nodes": 2}}).status == 202
    algorithms = {item["name"]: item["distributed"] for item in api.get("/v1/algorithms").json["items"]}
    assert algorithms["mlp"] == ["torch", "tensorflow"]
    assert algorithms["linear"] == []


# --- scripts and estimates -------------------------------------------------------------------------------------------

SOURCE = {"sha256": "1" * 64, "num_bytes": 100}
SCRIPT = {"kind": "script", "source": "1" * 64, "entry_point": "train.py", "channels": {"train": "adult"}}


def test_source_is_signed_for_exactly_its_bytes(api: Api) -> None:
    answer = api.post("/v1/jobs/sources", SOURCE)
    assert answer.status == 200
    signed = answer.json["request"]
    assert (signed["method"], signed["headers"]["content-length"]) == ("PUT", "100")
    assert f"sources/{api.workspace.id}/" in signed["url"]
    for wrong in ({"num_bytes": 0}, {"num_bytes": 10**9}, {"sha256": "x"}, {"key": "../models/x"}):
        assert api.post("/v1/jobs/sources", {**SOURCE, **wrong}).status == 422


def test_script_goes_from_a_request_to_a_model(api: Api) -> None:
    refused = api.post("/v1/jobs", {"spec": SCRIPT})
    assert (refused.status, "/v1/jobs/sources" in refused.text) == (409, True)
    api.ports.lake.put(keys.job_source(api.workspace.id, "1" * 64), b"packed")
    made = api.post("/v1/jobs", {"spec": SCRIPT})
    assert (made.status, made.json["kind"]) == (202, "script")
    ended = run_to_end(api, made.json)
    assert (ended["status"], ended["model_version"]["model_name"]) == ("SUCCEEDED", "adult")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"entry_point": "../../bin/sh"}, "entry_point"),
        ({"command": ["sh"]}, "command"),
        ({"algorithm": "xgboost"}, "algorithm"),
        ({"source": "s3://elsewhere/code.tar.gz"}, "source"),
        ({"hyperparameters": {"a b": 1}}, "hyperparameters"),
        ({"kind": "magic"}, "kind"),
    ],
)
def test_script_that_does_not_fit_its_schema_is_refused(api: Api, change: dict[str, Any], words: str) -> None:
    refused = api.post("/v1/jobs", {"spec": {**SCRIPT, **change}})
    assert (refused.status, words in refused.text) == (422, True), refused.text


def test_estimate_answers_figures_and_submits_nothing(api: Api) -> None:
    answer = api.post("/v1/jobs/estimate", {"spec": SPEC, "max_cost_usd": 0.05})
    assert answer.status == 200
    assert answer.json["seconds"]["low"] < answer.json["seconds"]["high"]
    assert answer.json["max_seconds"] == answer.json["budget"]["seconds"] < 3600
    assert api.get("/v1/jobs").json["items"] == []
    assert api.post("/v1/jobs/estimate", {"spec": {**SPEC, "target": "incom"}}).status == 422


def test_budget_is_the_jobs_limit_and_says_so(api: Api) -> None:
    made = api.post("/v1/jobs", {"spec": SPEC, "max_cost_usd": 0.05}).json
    assert made["max_seconds"] == made["budget"]["seconds"] < 3600
    assert "so it is the limit" in made["budget"]["explanation"]
