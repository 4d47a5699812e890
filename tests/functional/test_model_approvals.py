"""Approval of model versions: who may, what it changes, and what is not deployed without."""

from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPredictor
from aimass_core.domain.datasets import Dataset
from tests.factories.platform import GOLDEN, add_dataset, add_version
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.test_jobs import SPEC, owner_of, run_to_end
from tests.functional.test_models import activate
from tests.functional.test_triggers import BODY, bring, end

PATH = "/v1/models/adult/versions/{}/approval"
APPROVED = {"decision": "approved"}


@pytest.fixture(autouse=True)
def dataset(api: Api) -> Dataset:
    dataset = add_dataset(api.ports, owner_of(api))
    add_version(api.ports, owner_of(api), dataset)
    api.ports.predictor = MemoryPredictor(lambda _: {"outputs": GOLDEN.outputs})
    return dataset


@pytest.fixture
def developer(api: Api) -> Api:
    """Who made `adult@1`."""
    developer = api.as_role("developer")
    run_to_end(api, developer.post("/v1/jobs", {"spec": SPEC}).json)
    return developer


def ask_for_approval(api: Api) -> None:
    assert api.patch("/v1/settings/inference", {"values": {"requires_approval": True}}, revision=1).status == 200


def test_a_decision_is_shown_audited_and_told(api: Api, developer: Api) -> None:
    assert api.get("/v1/models/adult/versions/1").json["approval"] is None
    decided = api.post(PATH.format(1), {**APPROVED, "note": "looked at its errors"})
    assert decided.status == 200
    approval = decided.json["approval"]
    assert (approval["decision"], approval["note"]) == ("approved", "looked at its errors")
    assert approval["by"] == api.get("/v1/me").json["actor"]
    (listed,) = api.get("/v1/models/adult/versions").json["items"]
    assert listed["approval"] == approval
    assert api.post(PATH.format(1), {"decision": "rejected"}).json["approval"]["decision"] == "rejected"
    entries = [each for each in api.get("/v1/audit").json["items"] if each["target_name"] == "adult@1"]
    assert [each["action"] for each in entries][:2] == ["model_version.reject", "model_version.approve"]
    assert entries[0]["changes"]["approval.decision"] == {"before": "approved", "after": "rejected"}
    told = [each["type"] for each in api.get("/v1/notifications").json["items"]]
    assert [each for each in told if each.startswith("model_version")] == [
        "model_version.rejected",
        "model_version.approved",
    ]


def test_developers_decide_on_what_others_made_and_admins_on_everything(api: Api, developer: Api) -> None:
    refused = developer.post(PATH.format(1), APPROVED)
    assert (refused.status, refused.code) == (403, "permission_denied")
    assert "You made adult@1" in refused.json["detail"]
    assert api.as_role("developer").post(PATH.format(1), APPROVED).status == 200
    run_to_end(api, api.post("/v1/jobs", {"spec": SPEC}).json)
    assert api.post(PATH.format(2), APPROVED).status == 200


def test_who_made_the_trigger_made_its_models(api: Api, dataset: Dataset) -> None:
    developer = api.as_role("developer")
    assert developer.post("/v1/triggers", BODY).status == 201
    bring(api, dataset)
    (run,) = api.get("/v1/triggers/nightly/runs").json["items"]
    end(api, run["job_id"])
    assert developer.post(PATH.format(1), APPROVED).status == 403


@pytest.mark.parametrize(
    "body", [{}, {"decision": "maybe"}, {**APPROVED, "by": "me"}, {**APPROVED, "note": "x" * 1001}]
)
def test_what_is_no_decision_is_refused(api: Api, developer: Api, body: dict[str, Any]) -> None:
    assert api.post(PATH.format(1), body).status == 422
    assert api.post(PATH.format(2), APPROVED).status == 404


def test_only_approved_versions_are_deployed_where_the_workspace_asks_for_it(api: Api, developer: Api) -> None:
    ask_for_approval(api)
    refused = developer.post("/v1/endpoints", {"model": "adult"})
    assert (refused.status, refused.code) == (409, "conflict")
    assert "adult@1 is not approved (nobody has looked at it yet)" in refused.json["detail"]
    assert "aimass models approve adult@1" in refused.json["detail"]
    assert api.post(PATH.format(1), APPROVED).status == 200
    made = developer.post("/v1/endpoints", {"model": "adult"})
    assert made.status == 202
    activate(api, made)

    run_to_end(api, api.post("/v1/jobs", {"spec": SPEC}).json)
    api.post(PATH.format(2), {"decision": "rejected", "note": "worse for women"})
    ready = api.get("/v1/endpoints/adult").json
    for body in ({"model": "adult@2"}, {"model": "adult@2", "rollout": {"percent": 5}}):
        refused = developer.patch("/v1/endpoints/adult", body, revision=ready["revision"])
        assert refused.status == 409
        assert "rejected it: worse for women" in refused.json["detail"]
    api.post(PATH.format(1), {"decision": "rejected"})
    assert api.get("/v1/endpoints/adult").json["status"] == "READY", "what serves goes on"


def test_a_trigger_holds_what_is_not_approved(api: Api, dataset: Dataset) -> None:
    ask_for_approval(api)
    assert api.post("/v1/triggers", {**BODY, "deploy": {}}).status == 201
    bring(api, dataset)
    (run,) = api.get("/v1/triggers/nightly/runs").json["items"]
    end(api, run["job_id"])
    (run,) = api.get("/v1/triggers/nightly/runs").json["items"]
    assert run["status"] == "HELD"
    assert "adult@1 is not approved" in run["reason"]
    assert api.get("/v1/endpoints").json["items"] == []


def test_the_command_line_approves_and_rejects(api: Api, developer: Api, run: Run) -> None:
    refused = run("models", "approve", "adult")
    assert refused.code == 2
    assert "name the version, such as adult@3" in refused.err
    approved = run("models", "approve", "adult@1", "--note", "good")
    assert approved.code == 0, approved.err
    assert ": good" in approved.out
    assert run("models", "reject", "adult@1").code == 0
    assert "rejected" in run("models", "versions", "adult").out
    assert "rejected by" in run("models", "get", "adult@1").out
