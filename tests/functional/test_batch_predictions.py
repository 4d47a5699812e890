"""Predict jobs, through the real handlers of the API and the command line."""

import json
from typing import Any

import pytest

from aimass_core.domain.batch_predictions import BatchPrediction, RowError
from aimass_core.domain.jobs import Job
from aimass_core.services import dispatch
from tests.factories.platform import add_dataset, add_version, make_model
from tests.functional import study_jobs
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.test_datasets import upload
from tests.functional.test_jobs import owner_of

CSV = b"id,age,label,city\n" + b"".join(f"{index},{20 + index},x,Bonn\n".encode() for index in range(20))
MADE = BatchPrediction(
    model="adult@1",
    dataset="people@1",
    output="answers@1",
    columns=["row", "id", "label", "error"],
    num_rows=20,
    num_errors=1,
    num_parts=1,
    errors=[RowError(row=3, error="age: 'much' is not a number")],
)


@pytest.fixture(autouse=True)
def people(api: Api) -> dict[str, Any]:
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))
    make_model(api.ports, owner_of(api))
    api.post("/v1/datasets", {"name": "people"})
    return upload(api, CSV, dataset="people", name="people.csv")


def submit(api: Api, **fields: Any) -> Any:
    return api.post("/v1/jobs", {"spec": {"kind": "predict", "model": "adult", "dataset": "people", **fields}})


def test_a_predict_job_pins_model_and_data_and_names_its_output(api: Api) -> None:
    made = submit(api, keys=["id"], num_workers=4)
    assert made.status == 202, made.text
    spec = made.json["spec"]
    assert (spec["model"], spec["dataset"], spec["output"]) == ("adult@1", "people@1", "people-predictions")
    assert made.json["models"]["predictor"]["number"] == 1
    assert made.json["channels"]["data"]["number"] == 1
    job = dispatch.dispatch(api.ports, owner_of(api).workspace_id, made.json["id"])
    submission = api.ports.compute.submissions[str(job.compute_job_id)]
    assert (submission.kind, submission.num_workers) == ("predict", 4)
    held = api.delete("/v1/models/adult")
    assert (held.status, job.id in held.text) == (409, True)


@pytest.mark.parametrize(
    ("fields", "words", "location"),
    [
        ({"model": "nobody"}, "no model named 'nobody'", "body.spec.model"),
        ({"keys": ["name"]}, "people has no column 'name'. It has: 'id', 'age', 'label', 'city'", "body.spec.keys.0"),
        ({"keys": ["id", "label"]}, "The answers have a column 'label' of their own", "body.spec.keys.1"),
        ({"keys": ["id", "id"]}, "named twice", "body.spec.keys.1"),
        ({"output": "people"}, "would replace 'people'", "body.spec.output"),
        ({"num_workers": 0}, "", "body.spec.predict.num_workers"),
        ({"compute": 1}, "", "body.spec.predict.compute"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(api: Api, fields: Any, words: str, location: str) -> None:
    refused = submit(api, **fields)
    assert refused.status in (404, 422), refused.text
    assert words in refused.json["detail"]
    assert location in [each["location"] for each in refused.json["errors"]]


def test_data_that_the_model_cannot_read_are_refused(api: Api) -> None:
    api.post("/v1/datasets", {"name": "cities"})
    upload(api, b"age,city\n2020-01-01,Bonn\n2020-01-02,Ulm\n", dataset="cities", name="cities.csv")
    refused = submit(api, dataset="cities")
    assert (refused.status, refused.code) == (422, "invalid_data")
    assert "adult@1 cannot read cities@1: column 'age' is datetime, not integer" in refused.json["detail"]


def test_a_predict_job_on_the_command_line(run: Run, api: Api) -> None:
    ran = run("predict-batch", "adult@1", "--dataset", "people", "--key", "id", "--to", "answers", "-d", "-o", "json")
    assert ran.code == 0, ran.err
    (body,) = json.loads(ran.out)
    job = Job.model_validate(body)
    study_jobs.succeed_with(
        api, study_jobs.start(api, job.id), {"output/predictions.json": MADE.model_dump_json().encode()}
    )
    ran = run("jobs", "watch", job.id)
    assert ran.code == 0, ran.err
    assert "'much' is not a number" in ran.out
    assert "aimass datasets get answers@1" in ran.err
    assert json.loads(run("jobs", "table", job.id, "-o", "json").out) == MADE.model_dump(mode="json")
    assert "adult@1 on people@1 to answers" in run("jobs", "get", job.id).out
