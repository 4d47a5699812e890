"""/v1/jobs through the real handlers, with those behind the registry's stream and Batch's events."""

from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.jobs import Job, JobStatus, LogLine
from aimass_core.ports import Row
from aimass_core.services import records
from functions.dispatch.app import make_handler as make_dispatch
from functions.job_events.app import make_handler as make_job_events
from functions.reconciler.app import make_handler as make_reconciler
from tests.factories.platform import add_dataset, add_version, leave_result
from tests.functional.gateway import Api, Context

SPEC = {"dataset": "adult", "algorithm": "xgboost"}


@pytest.fixture(autouse=True)
def dataset(api: Api) -> None:
    owner = Principal(
        workspace_id=api.workspace.id, workspace_name=api.workspace.name, actor="key_test", role=Role.ADMIN
    )
    add_version(api.ports, owner, add_dataset(api.ports, owner))


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


def test_create_with_the_same_key_makes_one_job(api: Api) -> None:
    answers = [api.post("/v1/jobs", {"spec": SPEC}, idempotency_key="once") for _ in range(3)]
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len(api.get("/v1/jobs").json["items"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"spec": {**SPEC, "target": "incom"}}, 422, "Did you mean"),
        ({"spec": {**SPEC, "algorithm": "magic"}}, 422, "xgboost"),
        ({"spec": {**SPEC, "hyperparameters": {"max_depth": 99}}}, 422, "max_depth"),
        ({"spec": {**SPEC, "hyperparameters": {"max_dept": 3}}}, 422, "max_dept"),
        ({"spec": SPEC, "max_seconds": 0}, 422, "60"),
        ({"spec": SPEC, "compute": {"gpus": 9999}}, 422, "16"),
        ({"spec": SPEC, "surprise": 1}, 422, "surprise"),
        ({"spec": {**SPEC, "dataset": "../../etc"}}, 422, "pattern"),
        ({"spec": {"kind": "prepare", "dataset_id": "ds_1", "number": 1}}, 422, "kind"),
        ({"spec": {**SPEC, "dataset": "nothing"}}, 404, "nothing"),
        ({"spec": SPEC, "depends_on": ["job_" + "0" * 27]}, 404, "job_0"),
    ],
)
def test_bad_requests_are_refused_with_the_field(api: Api, body: dict[str, Any], status: int, words: str) -> None:
    refused = api.post("/v1/jobs", body)
    assert (refused.status, words in refused.text) == (status, True), refused.text
    assert api.get("/v1/jobs").json["items"] == []


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


def test_other_workspaces_and_lesser_roles_are_kept_out(api: Api) -> None:
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
    make_job_events(lambda: api.ports)({"detail": detail}, Context())  # type: ignore[arg-type]


def test_reconciler_answers_what_it_healed(api: Api) -> None:
    healed = make_reconciler(lambda: api.ports)({}, Context())  # type: ignore[arg-type]
    assert healed["faults"] == 0
