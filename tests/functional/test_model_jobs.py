"""Models of models over HTTP: compressed, fused and decomposed ones, their lineage, and what keeps them."""

from typing import Any

import pytest

from aimass_core.domain.jobs import Job
from aimass_core.services import records
from functions.dispatch.app import make_handler as make_dispatch
from functions.job_events.app import make_handler as make_job_events
from tests.factories.platform import add_dataset, add_version, leave_result
from tests.functional.gateway import Answer, Api, Context
from tests.functional.test_jobs import SPEC, batch_event, owner_of, run_to_end, stream_event


@pytest.fixture(autouse=True)
def models(api: Api) -> None:
    """Two versions of one model."""
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))
    for _ in range(2):
        run_to_end(api, api.post("/v1/jobs", {"spec": SPEC}).json)


def submit(api: Api, **spec: Any) -> Answer:
    return api.post("/v1/jobs", {"spec": spec})


def test_compressed_model_names_its_parent(api: Api) -> None:
    made = submit(api, kind="compress", parent="adult@1", max_model_bytes=50_000)
    assert made.status == 202
    assert made.json["spec"]["data"]["dataset"] == "adult@1"
    assert made.json["models"]["parent"]["number"] == 1
    ended = run_to_end(api, made.json)
    assert ended["status"] == "SUCCEEDED"
    version = api.get("/v1/models/adult/versions/3").json
    (parent,) = version["parents"]
    assert (parent["model_name"], parent["number"]) == ("adult", 1)
    assert (version["parts"], version["part"]) == ({}, None)


def test_f10_parent_is_held_until_the_job_has_ended(api: Api) -> None:
    job = submit(api, kind="fuse", members=["adult@1", "adult@2"], model="both").json
    for path in ("/v1/models/adult/versions/2", "/v1/models/adult"):
        refused = api.delete(path)
        assert (refused.status, refused.code) == (409, "conflict")
        assert job["id"] in refused.json["detail"]
    run_to_end(api, job)
    assert api.delete("/v1/models/adult").status == 204
    parents = api.get("/v1/models/both/versions/1").json["parents"]
    assert [parent["number"] for parent in parents] == [1, 2], "the child stands on its own, and names them still"


@pytest.mark.parametrize("spec", [{"kind": "decompose", "single": "adult@2"}, {"kind": "autotrain", "decompose": True}])
def test_decomposition_shows_its_parts_and_keeps_them(api: Api, spec: dict[str, object]) -> None:
    job = submit(api, dataset="adult", model="whole", **spec).json
    stored = records.get(api.ports, Job, api.workspace.id, job["id"])
    make_dispatch(lambda: api.ports)(stream_event(records.to_row(stored)), Context())  # type: ignore[arg-type]
    leave_result(api.ports, stored, parts=["gate", "expert-1"])
    compute_job_id = api.ports.compute.find(job["id"])
    assert compute_job_id is not None
    ended = [{"container": {"exitCode": 0}}]
    event = batch_event(api.ports, compute_job_id, "SUCCEEDED", attempts=ended)
    make_job_events(lambda: api.ports)(event, Context())  # type: ignore[arg-type]
    version = api.get("/v1/models/whole/versions/1").json
    parts = {name: f"{part['model_name']}@{part['number']}" for name, part in version["parts"].items()}
    assert parts == {"expert-1": "whole-expert-1@1", "gate": "whole-gate@1"}
    gate = api.get("/v1/models/whole-gate/versions/1").json
    assert (gate["part"], gate["job_id"], set(gate["links"])) == ("gate", job["id"], set(version["links"]))
    refused = api.delete("/v1/models/whole-gate/versions/1")
    assert refused.code == "conflict"
    assert "whole@1" in refused.json["detail"]
    assert api.delete("/v1/models/whole").status == 204
    assert api.delete("/v1/models/whole-gate").status == 204


def test_faults_of_a_request_are_told_where_they_are(api: Api) -> None:
    twice = submit(api, kind="fuse", members=["adult@2", "adult"])
    assert (twice.status, twice.json["errors"][0]["location"]) == (422, "body.spec.members.1")
    unknown = submit(api, kind="compress", parent="adult@7")
    assert (unknown.status, unknown.json["errors"][0]["location"]) == (404, "body.spec.parent")
    assert submit(api, kind="fuse", members=["adult"]).status == 422
    unfit = submit(api, kind="fuse", members=["adult@1", "adult@2"], method="blending")
    assert (unfit.status, unfit.json["errors"][0]["location"]) == (422, "body.spec.method")
    assert api.post("/v1/jobs/estimate", {"spec": {"kind": "compress", "parent": "adlt"}}).status == 404
    estimate = api.post("/v1/jobs/estimate", {"spec": {"kind": "compress", "parent": "adult"}}).json
    assert estimate["seconds"]["high"] == estimate["max_seconds"] == 3600


def test_h2_models_of_another_workspace_are_not_found(api: Api) -> None:
    stranger = api.as_stranger()
    model_id = api.get("/v1/models/adult").json["id"]
    for parent in ("adult", model_id, f"{model_id}@1"):
        assert submit(stranger, kind="compress", parent=parent).status == 404
    assert submit(api.as_role("viewer"), kind="compress", parent="adult").status == 403
