"""/v1/workspaces."""

from typing import Any

import pytest

from aimass_core.errors import ConflictError
from tests.functional.gateway import Api, Gateway, open_api


def test_a_key_sees_its_own_workspace(api: Api) -> None:
    listed = api.get("/v1/workspaces").json["items"]
    assert [workspace["id"] for workspace in listed] == [api.workspace.id]
    assert api.get(f"/v1/workspaces/{api.workspace.id}").json["name"] == "team"


def test_a_new_workspace_comes_with_an_admin_key_that_works(api: Api) -> None:
    made = api.post("/v1/workspaces", {"name": "second", "description": "another team"})
    assert made.status == 201
    assert made.headers["location"] == f"/v1/workspaces/{made.json['id']}"
    second = Api(gateway=api.gateway, workspace=api.workspace, token=made.json["secret"])
    assert second.get("/v1/me").json["workspace_name"] == "second"
    assert second.get("/v1/me").json["role"] == "admin"


def test_h2_another_workspace_is_not_found_for_every_method(api: Api) -> None:
    stranger = api.as_stranger()
    path = f"/v1/workspaces/{api.workspace.id}"
    assert stranger.get(path).status == 404
    assert stranger.patch(path, {"description": "mine now"}, revision=1).status == 404
    assert api.get(path).json["description"] == ""


def test_workspace_names_are_unique_on_the_platform(api: Api) -> None:
    assert api.post("/v1/workspaces", {"name": "team"}).code == "already_exists"


def test_h9_update_needs_the_revision_that_it_changes(api: Api) -> None:
    path = f"/v1/workspaces/{api.workspace.id}"
    assert api.patch(path, {"description": "x"}).status == 428
    changed = api.patch(path, {"description": "x"}, revision=1)
    assert (changed.status, changed.headers["etag"]) == (200, '"2"')
    stale = api.patch(path, {"description": "y"}, revision=1)
    assert (stale.status, stale.code) == (412, "stale_revision")
    assert api.request("PATCH", path, json={"description": "y"}, headers={"If-Match": "2"}).status == 422


def test_h10_two_writers_lose_no_update(api: Api) -> None:
    path = f"/v1/workspaces/{api.workspace.id}"
    for number in range(50):
        seen_by_both = api.get(path).json
        assert seen_by_both["description"] == (str(number) if number else "")
        assert [_increment(api, path, seen_by_both) for _ in range(2)] == [200, 412]
    assert api.get(path).json["description"] == "50"


def test_h19_first_workspace_is_made_once(gateway: Gateway) -> None:
    open_api(gateway)
    with pytest.raises(ConflictError, match="workspace already"):
        open_api(gateway, name="again")


def _increment(api: Api, path: str, seen: dict[str, Any]) -> int:
    number = int(seen["description"] or 0) + 1
    return api.patch(path, {"description": str(number)}, revision=seen["revision"]).status
