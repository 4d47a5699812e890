"""Grants of datasets, models and endpoints: what they open, and nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest

from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Role, new_id
from aimass_core.services import dispatch
from functions.api import access
from functions.api.app import OPERATIONS
from tests.factories.platform import add_dataset, add_version
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.test_jobs import run_to_end
from tests.functional.test_users import join


@pytest.fixture
def crown(api: Api) -> dict[str, str]:
    """Ids of one of each."""
    principal = Principal(workspace_id=api.workspace.id, workspace_name="team", actor=new_id("key"), role=Role.ADMIN)
    dataset = add_dataset(api.ports, principal, name="crown")
    add_version(api.ports, principal, dataset)
    job = run_to_end(api, api.post("/v1/jobs", {"spec": {"dataset": "crown", "algorithm": "xgboost"}}).json)
    endpoint = api.post("/v1/endpoints", {"model": "crown"}).json
    return {"datasets": dataset.id, "models": job["model_version"]["model_id"], "endpoints": endpoint["id"]}


def _grant(api: Api, path: str, grantee: str, verb: str) -> int:
    return api.put(f"/v1/{path}/grants/{grantee}", {"verb": verb}).status


@pytest.mark.parametrize("by_name", [True, False])
def test_h3_a_user_who_only_reads_may_edit_the_one_thing_that_they_were_granted(
    api: Api, crown: dict[str, str], by_name: bool
) -> None:
    ada = join(api, role="viewer")
    other = api.as_role("viewer")
    path = f"models/{'crown' if by_name else crown['models']}"
    assert ada.api.patch(f"/v1/{path}", {"description": "x"}, revision=1).status == 403
    assert _grant(api, path, ada.user_id, "edit") == 200
    revision = api.get(f"/v1/{path}").json["revision"]
    assert ada.api.patch(f"/v1/{path}", {"description": "x"}, revision=revision).status == 200
    assert other.patch(f"/v1/{path}", {"description": "y"}, revision=revision + 1).status == 403
    assert ada.api.patch(f"/v1/datasets/{crown['datasets']}", {"description": "x"}, revision=2).status == 403
    assert ada.api.post("/v1/jobs", {"spec": {"dataset": "crown", "algorithm": "xgboost"}}).status == 403
    assert ada.api.get(f"/v1/{path}/grants").status == 403
    assert [each["grantee"] for each in api.get(f"/v1/{path}/grants").json["items"]] == [ada.user_id]
    assert api.delete(f"/v1/{path}/grants/{ada.user_id}").status == 204
    assert api.delete(f"/v1/{path}/grants/{ada.user_id}").status == 204
    assert ada.api.patch(f"/v1/{path}", {"description": "z"}, revision=revision + 1).status == 403


def test_h3_a_grant_to_a_role_is_for_all_who_have_it(api: Api, crown: dict[str, str]) -> None:
    viewer, collector = api.as_role("viewer"), api.as_role("collector")
    assert _grant(api, "datasets/crown", "collector", "edit") == 200
    body = {"description": "x"}
    assert viewer.patch("/v1/datasets/crown", body, revision=2).status == 403
    assert collector.patch("/v1/datasets/crown", body, revision=2).status == 200


def test_another_workspace_reads_what_it_was_granted_by_its_id_and_changes_nothing(
    api: Api, crown: dict[str, str]
) -> None:
    stranger, third = api.as_stranger(), api.as_stranger()
    viewer = stranger.as_role("viewer")
    for kind, resource_id in crown.items():
        path = f"{kind}/{resource_id}"
        assert viewer.get(f"/v1/{path}").status == 404
        assert _grant(api, path, stranger.workspace.id, "read") == 200
        assert viewer.get(f"/v1/{path}").json["id"] == resource_id
        assert viewer.get(f"/v1/{kind}/crown").status == 404, "names are of a workspace"
        assert third.get(f"/v1/{path}").status == 404
        assert stranger.delete(f"/v1/{path}").status == 404
        assert stranger.patch(f"/v1/{path}", {}, revision=1).status in (404, 422)
        assert stranger.get(f"/v1/{path}/grants").status == 404
    assert viewer.get(f"/v1/datasets/{crown['datasets']}/versions").json["items"][0]["number"] == 1
    assert viewer.get(f"/v1/datasets/{crown['datasets']}/lineage").status == 404
    assert viewer.get(f"/v1/models/{crown['models']}/versions/1").status == 200
    shared = viewer.get("/v1/grants").json["items"]
    assert {(each["kind"], each["id"]) for each in shared} == {
        (kind.removesuffix("s"), resource_id) for kind, resource_id in crown.items()
    }
    for kind, resource_id in crown.items():
        assert api.delete(f"/v1/{kind}/{resource_id}/grants/{stranger.workspace.id}").status == 204
        assert viewer.get(f"/v1/{kind}/{resource_id}").status == 404
    assert viewer.get("/v1/grants").json["items"] == []


def test_what_was_granted_is_listed_by_whom_it_was_granted_to(api: Api, crown: dict[str, str]) -> None:
    ada, stranger = join(api, role="viewer"), api.as_stranger()
    _grant(api, "models/crown", ada.user_id, "edit")
    _grant(api, "endpoints/crown", ada.user_id, "edit")
    _grant(api, "datasets/crown", stranger.workspace.id, "read")

    def given(query: str = "") -> set[tuple[str, str]]:
        return {(each["kind"], each["grantee"]) for each in api.get(f"/v1/grants/given{query}").json["items"]}

    hers = {("model", ada.user_id), ("endpoint", ada.user_id)}
    assert given() == {*hers, ("dataset", stranger.workspace.id)}
    assert given(f"?grantee={ada.user_id}") == hers
    assert api.get("/v1/grants/given?grantee=everybody").status == 422
    assert stranger.get("/v1/grants/given").json["items"] == []
    api.delete(f"/v1/endpoints/{crown['endpoints']}")
    assert given(f"?grantee={ada.user_id}") == {("model", ada.user_id)}, "what is gone is not granted either"
    first = api.get("/v1/grants/given?limit=1").json
    assert len(first["items"]) == 1
    assert len(api.get(f"/v1/grants/given?limit=5&cursor={first['next_cursor']}").json["items"]) == 1


def _dispatched(api: Api, job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = dispatch.dispatch(api.ports, api.workspace.id, job["id"]).model_dump(mode="json")
    return found


def test_another_workspace_trains_on_what_it_was_granted_and_not_after(api: Api, crown: dict[str, str]) -> None:
    stranger, third = api.as_stranger(), api.as_stranger()
    dataset = f"datasets/{crown['datasets']}"
    body = {"spec": {"dataset": f"{crown['datasets']}@1", "algorithm": "xgboost"}}
    assert stranger.post("/v1/jobs", body).status == 404
    assert _grant(api, dataset, stranger.workspace.id, "read") == 200
    assert third.post("/v1/jobs", body).status == 404
    by_name = {"spec": {"dataset": "crown", "algorithm": "xgboost"}}
    assert stranger.post("/v1/jobs", by_name).status == 404, "names are of a workspace"

    made = stranger.post("/v1/jobs", body)
    assert made.status == 202, made.text
    ended = run_to_end(stranger, made.json)
    assert ended["channels"]["train"]["workspace_id"] == api.workspace.id
    config = json.loads(api.ports.lake.get(keys.job_config(stranger.workspace.id, ended["id"], "inputdataconfig.json")))
    folder = keys.dataset_prefix(api.workspace.id, crown["datasets"])
    assert [channel["manifest"] for channel in config.values()] == [f"{folder}versions/00000001/manifest.json"]
    model = stranger.get(f"/v1/models/{ended['model_version']['model_id']}/versions/1").json
    assert (model["workspace_id"], model["datasets"]["train"]["dataset_id"]) == (
        stranger.workspace.id,
        crown["datasets"],
    )
    compressed = {"spec": {"kind": "compress", "parent": "crown@1", "max_model_bytes": 50_000}}
    followed = stranger.post("/v1/jobs", compressed)
    assert followed.status == 202, followed.text
    assert followed.json["channels"]["train"]["workspace_id"] == api.workspace.id

    used = [each for each in api.get("/v1/audit").json["items"] if each["action"] == "dataset_version.use"]
    assert [each["details"]["job_id"] for each in used] == [followed.json["id"], ended["id"]]
    assert {each["details"]["workspace"] for each in used} == {stranger.workspace.id}
    own = [each["action"] for each in stranger.get("/v1/audit").json["items"]]
    assert "job.create" in own
    assert "dataset_version.use" not in own

    waiting = stranger.post("/v1/jobs", body).json
    assert api.delete(f"/v1/{dataset}/grants/{stranger.workspace.id}").status == 204
    assert stranger.post("/v1/jobs", body).status == 404
    failed = _dispatched(stranger, waiting)
    assert failed["status"] == "FAILED"
    assert "taken its grant back" in failed["failure"]["cause"]
    retried = stranger.post(f"/v1/jobs/{waiting['id']}/retry")
    assert (retried.status, retried.code) == (409, "conflict")


def test_a_grant_outlives_nothing(api: Api, crown: dict[str, str]) -> None:
    """What was deleted is not there for its guests either."""
    stranger = api.as_stranger()
    assert _grant(api, f"models/{crown['models']}", stranger.workspace.id, "read") == 200
    api.delete(f"/v1/endpoints/{crown['endpoints']}")
    assert api.delete(f"/v1/models/{crown['models']}").status == 204
    assert stranger.get(f"/v1/models/{crown['models']}").status == 404


@pytest.mark.parametrize(
    ("grantee", "verb", "status"),
    [
        ("ws_" + "0" * 27, "read", 404),
        ("usr_" + "0" * 27, "edit", 404),
        ("key_" + "0" * 27, "edit", 404),
        ("developer", "edit", 404),
        ("everybody", "edit", 404),
        ("viewer", "read", 422),
        ("viewer", "own", 422),
    ],
)
def test_grants_that_say_nothing_are_refused(
    api: Api, crown: dict[str, str], grantee: str, verb: str, status: int
) -> None:
    assert _grant(api, "datasets/crown", grantee, verb) == status
    assert api.get("/v1/datasets/crown/grants").json["items"] == []


def test_nobody_outside_changes_anything(api: Api, crown: dict[str, str]) -> None:
    stranger = api.as_stranger()
    refused = api.put(f"/v1/datasets/crown/grants/{stranger.workspace.id}", {"verb": "edit"})
    assert (refused.status, refused.code) == (422, "invalid_request")
    own = api.put(f"/v1/datasets/crown/grants/{api.workspace.id}", {"verb": "read"})
    assert (own.status, own.code) == (422, "invalid_request")


def test_grants_are_audited(api: Api, crown: dict[str, str]) -> None:
    viewer = api.as_role("viewer")
    key = viewer.get("/v1/me").json["actor"]
    _grant(api, "datasets/crown", key, "edit")
    api.delete(f"/v1/datasets/crown/grants/{key}")
    found = [each for each in api.get("/v1/audit").json["items"] if each["target_id"] == crown["datasets"]]
    actions = [(each["action"], each["details"]) for each in found if each["action"] != "dataset.create"]
    assert actions == [("dataset.revoke", {"grantee": key}), ("dataset.grant", {"grantee": key, "verb": "edit"})]


def test_h3_what_grants_open_is_of_the_one_thing_and_exists() -> None:
    by_name = {operation.name: operation for operation in OPERATIONS}
    for name in access.BY_GRANT | access.BY_GUESTS:
        assert access.kind_of(by_name[name]) is not None, name
    assert all(by_name[name].role in (Role.COLLECTOR, Role.DEVELOPER) for name in access.BY_GRANT)
    reading = [by_name[name] for name in access.BY_GUESTS]
    assert {(operation.method, operation.role) for operation in reading} == {("GET", Role.VIEWER)}


def test_a_user_has_grants_of_sources_too(api: Api) -> None:
    ada = join(api, role="viewer")
    source = api.post("/v1/sources", {"name": "crown", "collector": {"type": "webhook"}}).json
    assert ada.api.patch(f"/v1/sources/{source['id']}", {"description": "x"}, revision=1).status == 403
    assert api.put(f"/v1/sources/{source['id']}/grants/{ada.user_id}", {"verb": "edit"}).status == 200
    assert ada.api.patch(f"/v1/sources/{source['id']}", {"description": "x"}, revision=1).status == 200
    assert replace(ada.api, token=api.token).get("/v1/me").json["role"] == "admin"


def test_the_command_line_grants_and_revokes(api: Api, crown: dict[str, str], run: Run) -> None:
    stranger = api.as_stranger()
    added = run("grants", "add", "model", "crown", stranger.workspace.id, "read")
    assert (added.code, crown["models"] in added.err) == (0, True), added.err
    assert stranger.workspace.id in run("grants", "list", "model", "crown").out
    assert run("grants", "add", "model", "crown", "viewer", "edit").code == 0
    assert "viewer" not in run("grants", "given", "--to", stranger.workspace.id).out
    assert "viewer" in run("grants", "given").out
    assert run("grants", "revoke", "model", "crown", "viewer").code == 0
    assert "Nothing." in run("grants", "shared").err
    assert run("grants", "add", "source", "crown", "viewer", "edit").code == 2
