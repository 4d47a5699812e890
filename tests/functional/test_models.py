"""/v1/models and /v1/endpoints on a model that a job made."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

import aimass
from aimass_core.adapters.memory import MemoryPredictor
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.endpoints import Endpoint
from aimass_core.services import records
from functions.api.app import OPERATIONS
from functions.dispatch.app import make_handler as make_dispatch
from tests.factories.platform import GOLDEN, add_dataset, add_version
from tests.functional.gateway import Answer, Api, Context
from tests.functional.test_jobs import SPEC, run_to_end, stream_event
from tests.functional.test_sdk import URL
from tests.functional.transport import InProcessTransport


@pytest.fixture(autouse=True)
def model(api: Api) -> None:
    owner = Principal(
        workspace_id=api.workspace.id, workspace_name=api.workspace.name, actor="key_test", role=Role.ADMIN
    )
    add_version(api.ports, owner, add_dataset(api.ports, owner))
    run_to_end(api, api.post("/v1/jobs", {"spec": SPEC}).json)
    api.ports.predictor = MemoryPredictor(lambda _: {"outputs": GOLDEN.outputs})


def activate(api: Api, answer: Answer) -> None:
    endpoint = records.get(api.ports, Endpoint, api.workspace.id, answer.json["id"])
    make_dispatch(lambda: api.ports)(stream_event(records.to_row(endpoint)), Context())  # type: ignore[arg-type]


def test_model_is_found_by_id_and_by_name(api: Api) -> None:
    (listed,) = api.get("/v1/models").json["items"]
    assert listed["latest_version"] == 1
    assert api.get(f"/v1/models/{listed['id']}").json == api.get("/v1/models/adult").json == listed
    assert [item["number"] for item in api.get("/v1/models/adult/versions").json["items"]] == [1]


def test_model_version_has_card_signature_and_links(api: Api) -> None:
    version = api.get("/v1/models/adult/versions/1").json
    assert version["card"]["primary_metric"] == "roc_auc"
    assert version["signature"]["labels"] == ["no", "yes"]
    files = {"model.onnx", "signature.json", "card.json", "golden.json", "report.html", "report.json"}
    assert set(version["links"]) == files
    missing = api.get("/v1/models/adult/versions/2")
    assert (missing.status, "no model version adult@2" in missing.json["detail"]) == (404, True)
    assert api.get("/v1/models/adult/versions/zero").status in (404, 422)


def test_version_is_saved_as_a_folder_that_a_server_can_check(
    api: Api, transport: InProcessTransport, tmp_path: Path
) -> None:
    client = aimass.Client(transport=transport, api_key=api.token, base_url=URL)
    folder = client.models.get_version("adult", 1).save(tmp_path)
    assert folder == tmp_path / "adult" / "1"
    sums = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert sums.keys() == {"model.onnx", "signature.json", "card.json", "golden.json"}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_description_is_changed_under_its_revision(api: Api) -> None:
    revision = api.get("/v1/models/adult").json["revision"]
    assert api.patch("/v1/models/adult", {"description": "x"}).status == 428
    assert api.patch("/v1/models/adult", {"description": "x"}, revision=revision).json["description"] == "x"
    assert api.patch("/v1/models/adult", {"description": "y"}, revision=revision).status == 412


def test_endpoint_is_deployed_updated_and_deleted(api: Api) -> None:
    made = api.post("/v1/endpoints", {"model": "adult"})
    assert (made.status, made.json["status"]) == (202, "CREATING")
    assert made.json["infer_path"] == "/v2/models/adult/infer"
    activate(api, made)
    assert [item["predict_path"] for item in api.get("/v1/endpoints").json["items"]] == ["/v1/endpoints/adult/predict"]
    ready = api.get("/v1/endpoints/adult").json
    assert ready["status"] == "READY"
    assert ready["infer_path"] == "/v2/models/adult/infer"
    assert ready["signature"]["task"] == "binary"
    assert api.delete("/v1/models/adult").code == "conflict"
    assert api.delete("/v1/models/adult/versions/1").code == "conflict"
    assert api.post("/v1/endpoints", {"model": "adult"}).code == "already_exists"

    updating = api.patch("/v1/endpoints/adult", {"model": "adult@1"}, revision=ready["revision"])
    assert (updating.status, updating.json["status"]) == (202, "UPDATING")
    assert updating.json["serving"] == ready["serving"]
    activate(api, updating)
    assert api.get("/v1/endpoints/adult").json["status"] == "READY"

    assert api.delete("/v1/endpoints/adult").status == 204
    assert api.get("/v1/endpoints/adult").status == 404
    assert api.delete("/v1/models/adult").status == 204
    assert api.get("/v1/models").json["items"] == []


def test_h9_every_update_needs_the_revision_that_it_changes(api: Api) -> None:
    activate(api, api.post("/v1/endpoints", {"model": "adult"}))
    assert api.post("/v1/sources", {"name": "adult", "collector": {"type": "webhook"}}).status == 201
    job = {"spec": {"kind": "train", "dataset": "adult", "algorithm": "xgboost"}}
    assert api.post("/v1/triggers", {"name": "adult", "dataset": "adult", "job": job}).status == 201
    user = api.post("/v1/users", {"email": "ada@example.com", "role": "viewer"}).json["id"]
    hook = {"type": "webhook", "url": "https://receiver.example/in"}
    assert api.post("/v1/notification-channels", {"name": "adult", "target": hook}).status == 201
    rule = {"name": "adult", "events": ["*"], "channels": ["adult"]}
    assert api.post("/v1/notification-rules", rule).status == 201
    assert api.post("/v1/report-plans", {"name": "adult"}).status == 201
    # What is put in whole has nothing that an update could lose.
    put = {operation.name for operation in OPERATIONS if operation.method == "PUT"}
    assert put == {
        *("set_source_secret", "grant_source", "set_endpoint_truth", "set_endpoint_alarms"),
        *("grant_dataset", "grant_model", "grant_endpoint"),
    }
    updates = [operation for operation in OPERATIONS if operation.method == "PATCH"]
    assert all(operation.needs_revision for operation in updates)
    for operation in updates:
        path = operation.path.replace("<workspace>", api.workspace.id).replace("<user>", user)
        path = re.sub(r"<\w+>", "adult", path.replace("<subsystem>", "training"))
        bodies: dict[str, dict[str, Any]] = {
            "update_endpoint": {"model": "adult@1"},
            "update_trigger": {"status": "PAUSED"},
            "update_notification_rule": {"is_active": False},
            "update_report_plan": {"days": 1},
            "update_settings": {"values": {"max_seconds": 120}},
            "update_user": {"role": "developer"},
        }
        body = bodies.get(operation.name, {"description": "changed"})
        revision = api.get(path).json["revision"]
        for header, status, code in (
            (None, 428, "precondition_required"),
            (f'"{revision + 1}"', 412, "stale_revision"),
            (f'"{revision - 1 or 99}"', 412, "stale_revision"),
            ("*", 422, "invalid_request"),
            (f'W/"{revision}"', 422, "invalid_request"),
            (f'"{revision}", "{revision}"', 422, "invalid_request"),
            ('"' + "9" * 400 + '"', 422, "invalid_request"),
        ):
            headers: dict[str, str | list[str]] = {} if header is None else {"If-Match": header}
            refused = api.request(operation.method, path, json=body, headers=headers)
            assert (refused.status, refused.code) == (status, code), (operation.name, header)
        assert api.get(path).json["revision"] == revision
        assert api.patch(path, body, revision=revision).status in (200, 202)


def test_rejected_endpoint_says_why(api: Api) -> None:
    api.ports.predictor = MemoryPredictor(lambda _: {"error": {"code": "broken", "message": "No such operator."}})
    activate(api, api.post("/v1/endpoints", {"model": "adult", "name": "shop"}))
    failed = api.get("/v1/endpoints/shop").json
    assert failed["status"] == "FAILED"
    assert "No such operator." in failed["status_reason"]


def test_other_workspaces_and_lesser_roles_are_kept_out(api: Api) -> None:
    made = api.post("/v1/endpoints", {"model": "adult"})
    model_id = api.get("/v1/models/adult").json["id"]
    stranger, viewer = api.as_stranger(), api.as_role("viewer")
    for path in (f"/v1/models/{model_id}", f"/v1/models/{model_id}/versions/1", f"/v1/endpoints/{made.json['id']}"):
        assert stranger.get(path).status == 404
        assert stranger.delete(path).status == 404
        assert viewer.get(path).status == 200
        assert viewer.delete(path).status == 403
    assert stranger.patch(f"/v1/models/{model_id}", {"description": ""}, revision=1).status == 404
    assert stranger.post("/v1/endpoints", {"model": "adult"}).status == 404
    assert viewer.post("/v1/endpoints", {"model": "adult"}).status == 403
