"""/v1/studies through the real handlers: searched by jobs, whose array tells by its first child."""

from pathlib import Path
from typing import Any

import pytest

import aimass
from aimass_core.domain.jobs import Job
from aimass_core.errors import NotFoundError
from aimass_core.services import records
from functions.dispatch.app import make_handler as make_dispatch
from functions.job_events.app import make_handler as make_job_events
from tests.contracts.trials import new_trial
from tests.factories.platform import add_dataset, add_version, leave_best, leave_result
from tests.functional.gateway import Api, Context
from tests.functional.test_jobs import batch_event, owner_of, stream_event
from tests.functional.transport import InProcessTransport

SPEC: dict[str, Any] = {
    "kind": "search",
    "dataset": "adult",
    "study": "mine",
    "num_workers": 3,
    "candidates": [{"algorithm": "xgboost", "space": {"max_depth": {"type": "int", "low": 2, "high": 8}}}],
}


@pytest.fixture(autouse=True)
def dataset(api: Api) -> None:
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))


def submit(api: Api, **spec: Any) -> Job:
    """A job of a study that compute has taken."""
    made = api.post("/v1/jobs", {"spec": {**SPEC, **spec}})
    assert made.status == 202, made.text
    job = stored(api, made.json["id"])
    make_dispatch(lambda: api.ports)(stream_event(records.to_row(job)), Context())  # type: ignore[arg-type]
    return stored(api, job.id)


def stored(api: Api, job_id: str) -> Job:
    return records.get(api.ports, Job, api.workspace.id, job_id)


def hear(api: Api, job: Job, status: str, *, child: int | None, exit_code: int | None = None) -> Job:
    """An event of the array (None), or of one of its children."""
    array = str(job.compute_job_id)
    of_child = {"jobId": f"{array}:{child}", "arrayProperties": {"index": child}}
    ended = [] if exit_code is None else [{"container": {"exitCode": exit_code}}]
    fields = {"arrayProperties": {"size": 3}} if child is None else {**of_child, "attempts": ended}
    event = batch_event(api.ports, array, status, **fields)
    make_job_events(lambda: api.ports)(event, Context())  # type: ignore[arg-type]
    return stored(api, job.id)


def test_a_search_makes_a_study_that_is_read_while_it_runs(api: Api) -> None:
    job = submit(api)
    study = api.get("/v1/studies/mine")
    assert study.status == 200
    assert (study.json["job_ids"], study.json["status"]) == ([job.id], "QUEUED")
    assert study.headers["etag"]
    assert api.get(f"/v1/studies/{study.json['id']}").json == study.json
    assert [item["name"] for item in api.get("/v1/studies").json["items"]] == ["mine"]
    api.ports.trials.trials[job.workspace_id, str(job.study_id)] = [new_trial(number) for number in range(5)]
    first = api.get("/v1/studies/mine/trials?limit=3").json
    rest = api.get(f"/v1/studies/mine/trials?limit=3&cursor={first['next_cursor']}").json
    assert [trial["number"] for trial in [*first["items"], *rest["items"]]] == [0, 1, 2, 3, 4]
    assert rest["next_cursor"] is None
    assert first["items"][0]["hyperparameters"]["max_depth"] == 7
    assert api.get("/v1/studies/mine/best").status == 404
    leave_best(api.ports, job, trial=4)
    best = api.get("/v1/studies/mine/best").json
    assert (best["trial"], "model/model.onnx" in best["links"]) == (4, True)
    assert api.get("/v1/studies/mine/figures").json == {"figures": {}, "page": None, "leaderboard": None}


def test_only_the_first_child_of_the_array_moves_the_job(api: Api) -> None:
    job = submit(api)
    assert hear(api, job, "RUNNING", child=1).status == "QUEUED"
    assert hear(api, job, "RUNNING", child=0).status == "RUNNING"
    for child, status in ((1, "FAILED"), (2, "SUCCEEDED"), (None, "PENDING")):
        assert hear(api, job, status, child=child).status == "RUNNING"
    leave_result(api.ports, job)
    ended = hear(api, job, "SUCCEEDED", child=0, exit_code=0)
    assert ended.status == "SUCCEEDED"
    assert ended.model_version is not None
    assert hear(api, job, "FAILED", child=None) == ended, "that another worker failed does not matter"


def test_the_model_of_a_stopped_study_has_no_report_and_the_sdk_says_so(
    api: Api, transport: InProcessTransport, tmp_path: Path
) -> None:
    job = submit(api)
    leave_best(api.ports, job)
    hear(api, job, "FAILED", child=0, exit_code=1)
    with aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test") as client:
        version = client.models.get_version("adult", 1)
        assert set(version.links) == {"model.onnx", "signature.json", "card.json", "golden.json"}
        with pytest.raises(NotFoundError, match=r"adult@1 has no report\.html: it has card\.json"):
            version.download("report.html", tmp_path / "report.html")


def test_e7_a_stopped_study_keeps_its_model_and_can_go_on(api: Api) -> None:
    job = submit(api)
    hear(api, job, "RUNNING", child=0)
    leave_best(api.ports, job)
    assert api.post(f"/v1/jobs/{job.id}/stop").json["status"] == "STOPPING"
    ended = hear(api, job, "FAILED", child=0, exit_code=143)
    assert (ended.status, ended.model_version is not None) == ("STOPPED", True)
    assert api.get("/v1/models/adult").json["latest_version"] == 1
    again = submit(api, max_trials=100)
    assert api.get("/v1/studies/mine").json["job_ids"] == [job.id, again.id]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"candidates": []}, "candidates"),
        ({"candidates": [{"algorithm": "xgbost"}]}, "candidates.0.algorithm"),
        ({"candidates": [{"algorithm": "xgboost", "space": {"eta": {"type": "float", "low": 2, "high": 1}}}]}, "eta"),
        (
            {
                "candidates": [
                    {"algorithm": "xgboost", "space": {"eta": {"type": "float", "low": 0, "high": 1, "log": True}}}
                ]
            },
            "eta",
        ),
        ({"candidates": [{"algorithm": "xgboost", "space": {"eta": {"type": "gamma"}}}]}, "eta"),
        ({"num_workers": 0}, "num_workers"),
        ({"num_workers": 101}, "num_workers"),
        ({"max_trials": 0}, "max_trials"),
        ({"objectives": []}, "objectives"),
        ({"sampler": "oracle"}, "sampler"),
        ({"study": "Not A Name"}, "study"),
        ({"kind": "autotrain", "algorithms": ["magic"]}, "algorithms"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_e5_a_search_that_cannot_be_is_refused_with_its_field(api: Api, spec: dict[str, Any], field: str) -> None:
    body = {**SPEC, **spec}
    if body["kind"] == "autotrain":
        body.pop("candidates")
    refused = api.post("/v1/jobs", {"spec": body})
    assert refused.status == 422, refused.text
    assert any(field in error["location"] for error in refused.json["errors"]), refused.text
    assert api.get("/v1/jobs").json["items"] == []
    assert api.get("/v1/studies").json["items"] == []


def test_e6_another_search_under_the_same_name_is_told_the_difference(api: Api) -> None:
    job = submit(api)
    busy = api.post("/v1/jobs", {"spec": SPEC})
    assert (busy.status, job.id in busy.json["detail"]) == (409, True)
    api.post(f"/v1/jobs/{job.id}/stop")
    hear(api, job, "FAILED", child=0, exit_code=143)
    other = {"candidates": [{"algorithm": "xgboost", "space": {"max_depth": {"type": "int", "low": 2, "high": 9}}}]}
    refused = api.post("/v1/jobs", {"spec": {**SPEC, **other}})
    assert (refused.status, refused.code) == (409, "conflict")
    assert "candidates.0.space.max_depth.high was 8, and now it is 9" in refused.json["detail"]


def test_a_study_is_deleted_between_its_jobs(api: Api) -> None:
    job = submit(api)
    refused = api.delete("/v1/studies/mine")
    assert (refused.status, refused.code) == (409, "conflict")
    api.post(f"/v1/jobs/{job.id}/stop")
    hear(api, job, "FAILED", child=0, exit_code=143)
    assert api.as_role("viewer").delete("/v1/studies/mine").status == 403
    assert api.delete("/v1/studies/mine").status == 204
    assert api.get("/v1/studies/mine").status == 404
    assert api.get(f"/v1/jobs/{job.id}").status == 200


def test_a_study_is_estimated_without_being_made(api: Api) -> None:
    found = api.post("/v1/jobs/estimate", {"spec": SPEC, "max_seconds": 600}).json
    assert found["seconds"]["expected"] == 600
    assert found["max_seconds"] == 600
    autotrain = {"kind": "autotrain", "dataset": "adult"}
    assert api.post("/v1/jobs/estimate", {"spec": autotrain}).json["memory_mib"]["expected"] > 0
    assert api.get("/v1/studies").json["items"] == []
