"""/v1/users: inviting, accepting, changing and removing people."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

import aimass
from aimass_core.adapters.memory import MemoryMailer
from aimass_core.domain.common import utc_now
from aimass_core.errors import ConflictError, UnauthenticatedError
from aimass_core.services import users
from tests.functional.gateway import Answer, Api, Gateway
from tests.functional.terminal import Run
from tests.functional.transport import InProcessTransport

PASSWORD = "correct Horse 7 battery"


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who has signed in."""

    api: Api
    tokens: dict[str, Any]
    user_id: str


def sign_in(gateway: Gateway, **body: Any) -> Answer:
    """POST /v1/sessions, by nobody."""
    return gateway.send(
        "POST", "/v1/sessions", headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
    )


def join(admin: Api, *, email: str = "ada@example.com", role: str = "admin", password: str = PASSWORD) -> Person:
    """Invites somebody, who accepts."""
    invited = admin.post("/v1/users", {"email": email, "role": role})
    assert invited.status == 201, invited.text
    answer = sign_in(admin.gateway, invitation=invited.json["invitation"], password=password)
    assert answer.status == 201, answer.text
    api = replace(admin, token=answer.json["access_token"])
    return Person(api=api, tokens=answer.json, user_id=invited.json["id"])


def test_an_invitation_makes_a_user_who_signs_in_with_the_password_they_chose(api: Api) -> None:
    ada = join(api, email="Ada@Example.com", role="developer")
    me = ada.api.get("/v1/me").json
    assert (me["actor"], me["actor_name"], me["role"]) == (ada.user_id, "ada@example.com", "developer")
    assert me["workspace_id"] == api.workspace.id
    again = sign_in(api.gateway, email="ADA@example.com", password=PASSWORD)
    assert again.status == 201
    assert replace(api, token=again.json["access_token"]).get("/v1/me").json["actor"] == ada.user_id
    stored = api.get(f"/v1/users/{ada.user_id}").json
    assert (stored["status"], stored["invitation_expires_at"]) == ("ACTIVE", None)


def test_an_invitation_holds_once_and_a_week(api: Api) -> None:
    invited = api.post("/v1/users", {"email": "ada@example.com", "role": "viewer"}).json
    other = api.post("/v1/users", {"email": "bob@example.com", "role": "viewer"}).json
    assert sign_in(api.gateway, invitation=invited["invitation"], password=PASSWORD).status == 201
    assert sign_in(api.gateway, invitation=invited["invitation"], password=PASSWORD).status == 401
    mixed = other["invitation"][:-43] + invited["invitation"][-43:]
    assert sign_in(api.gateway, invitation=mixed, password=PASSWORD).status == 401
    later = utc_now() + timedelta(days=7)
    api.ports.clock = lambda: later
    assert sign_in(api.gateway, invitation=other["invitation"], password=PASSWORD).status == 401


def test_an_invitation_is_mailed_where_there_is_a_sender(api: Api) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    body = {"email": "ada@example.com", "role": "viewer"}
    invited = api.request("POST", "/v1/users", json=body, headers=forged).json
    (mail,) = api.ports.mailer.mails
    assert (invited["is_mailed"], invited["mail_fault"], mail.to) == (True, None, ["ada@example.com"])
    assert f"https://api.example/live/console/#invitation={invited['invitation']}" in mail.text
    assert "evil" not in mail.text
    again = api.post(f"/v1/users/{invited['id']}/invitation").json
    assert again["invitation"] in api.ports.mailer.mails[1].text


def test_an_invitation_stands_where_no_mail_can_be_sent(api: Api) -> None:
    class NoSender(MemoryMailer):
        def check(self) -> None:
            raise ConflictError("This deployment has no address to send e-mail from.")

    api.ports.mailer = NoSender()
    invited = api.post("/v1/users", {"email": "ada@example.com", "role": "viewer"}).json
    assert (invited["is_mailed"], "no address" in invited["mail_fault"]) == (False, True)
    assert sign_in(api.gateway, invitation=invited["invitation"], password=PASSWORD).status == 201


def test_another_invitation_ends_the_one_before(api: Api) -> None:
    first = api.post("/v1/users", {"email": "ada@example.com", "role": "viewer"}).json
    second = api.post(f"/v1/users/{first['id']}/invitation")
    assert second.status == 201
    assert sign_in(api.gateway, invitation=first["invitation"], password=PASSWORD).status == 401
    assert sign_in(api.gateway, invitation=second.json["invitation"], password=PASSWORD).status == 201
    refused = api.post(f"/v1/users/{first['id']}/invitation")
    assert (refused.status, refused.code) == (409, "conflict")


def test_a_weak_password_is_refused_and_the_invitation_stays(api: Api) -> None:
    invited = api.post("/v1/users", {"email": "ada@example.com", "role": "viewer"}).json
    weak = sign_in(api.gateway, invitation=invited["invitation"], password="short")
    assert (weak.status, weak.code) == (422, "invalid_request")
    assert "12 characters" in weak.json["detail"]
    assert sign_in(api.gateway, invitation=invited["invitation"], password=PASSWORD).status == 201


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@example.com", "a da@example.com", "ada@example", "é@b.cd", "a" * 65 + "@b.cd"]
)
def test_what_is_no_address_is_refused(api: Api, email: str) -> None:
    answer = api.post("/v1/users", {"email": email, "role": "viewer"})
    assert (answer.status, answer.code) == (422, "invalid_request")


def test_an_address_has_one_place_in_a_workspace(api: Api) -> None:
    join(api, role="viewer")
    again = api.post("/v1/users", {"email": "ADA@example.com", "role": "admin"})
    assert (again.status, again.code) == (409, "already_exists")


def test_whoever_has_an_account_joins_with_its_password_and_nobody_else_does(api: Api) -> None:
    """An admin of one workspace cannot get into another by an account that somebody has."""
    ada = join(api, role="viewer")
    stranger = api.as_stranger()
    invited = stranger.post("/v1/users", {"email": "ada@example.com", "role": "admin"}).json
    guessed = sign_in(api.gateway, invitation=invited["invitation"], password="Another password 1")
    assert guessed.status == 401
    joined = sign_in(api.gateway, invitation=invited["invitation"], password=PASSWORD)
    assert joined.status == 201
    own = replace(api, token=joined.json["access_token"])
    listed = [each["id"] for each in own.get("/v1/workspaces").json["items"]]
    assert sorted(listed) == sorted([api.workspace.id, stranger.workspace.id])
    there = own.request("GET", "/v1/me", headers={"X-Aimass-Workspace": stranger.workspace.id}).json
    here = own.request("GET", "/v1/me", headers={"X-Aimass-Workspace": api.workspace.id}).json
    assert (there["role"], here["role"]) == ("admin", "viewer")
    assert own.get("/v1/me").json["actor"] == ada.user_id, "the first that they joined"
    assert there["actor"] != here["actor"]


def test_h2_a_workspace_that_one_does_not_belong_to_cannot_be_named(api: Api) -> None:
    ada, stranger = join(api), api.as_stranger()
    for workspace in (stranger.workspace.id, "ws_" + "0" * 27, "", "*", "../" + api.workspace.id):
        named = {"X-Aimass-Workspace": workspace}
        assert ada.api.request("GET", "/v1/me", headers=named).status == 401
        assert api.request("GET", "/v1/me", headers=named).status == 401
    both: dict[str, Any] = {"X-Aimass-Workspace": [api.workspace.id, stranger.workspace.id]}
    assert ada.api.request("GET", "/v1/me", headers=both).status == 401


def test_whoever_makes_a_workspace_is_its_first_user(api: Api) -> None:
    ada = join(api)
    made = ada.api.post("/v1/workspaces", {"name": "second"}).json
    there = {"X-Aimass-Workspace": made["id"]}
    assert ada.api.request("GET", "/v1/me", headers=there).json["role"] == "admin"
    (user,) = ada.api.request("GET", "/v1/users", headers=there).json["items"]
    assert (user["email"], user["status"]) == ("ada@example.com", "ACTIVE")


def test_another_role_holds_with_the_next_request(api: Api) -> None:
    ada = join(api, role="viewer")
    assert ada.api.get("/v1/users").status == 403
    changed = api.patch(f"/v1/users/{ada.user_id}", {"role": "admin", "name": "Ada"}, revision=2)
    assert (changed.status, changed.json["role"], changed.json["name"]) == (200, "admin", "Ada")
    assert ada.api.get("/v1/users").status == 200
    assert api.patch(f"/v1/users/{ada.user_id}", {"role": "viewer"}, revision=2).status == 412
    assert api.patch(f"/v1/users/{ada.user_id}", {"role": "viewer"}, revision=3).status == 200
    assert ada.api.get("/v1/users").status == 403


def test_whoever_is_removed_is_out_with_the_next_request(api: Api) -> None:
    ada = join(api, role="developer")
    stranger = api.as_stranger()
    invited = stranger.post("/v1/users", {"email": "ada@example.com", "role": "viewer"}).json
    assert sign_in(api.gateway, invitation=invited["invitation"], password=PASSWORD).status == 201
    assert api.delete(f"/v1/users/{ada.user_id}").status == 204
    assert ada.api.request("GET", "/v1/me", headers={"X-Aimass-Workspace": api.workspace.id}).status == 401
    assert ada.api.get("/v1/me").json["workspace_id"] == stranger.workspace.id, "the other place stays"
    assert stranger.delete(f"/v1/users/{invited['id']}").status == 204
    assert ada.api.get("/v1/me").status == 401
    refreshed = refresh(api.gateway, ada.tokens)
    assert (refreshed.status, refreshed.code) == (401, "unauthenticated")
    assert sign_in(api.gateway, email="ada@example.com", password=PASSWORD).status == 401
    assert api.ports.identity.accounts == {}, "an account that leads nowhere is deleted"
    assert join(api, role="viewer", password="A new password 12").api.get("/v1/me").status == 200


def test_the_last_admin_stays(api: Api) -> None:
    ada = join(api)
    refused = ada.api.delete(f"/v1/users/{ada.user_id}")
    assert (refused.status, refused.code) == (409, "conflict")
    assert ada.api.patch(f"/v1/users/{ada.user_id}", {"role": "viewer"}, revision=2).code == "conflict"
    assert api.post("/v1/users", {"email": "carl@example.com", "role": "admin"}).status == 201
    assert ada.api.delete(f"/v1/users/{ada.user_id}").code == "conflict", "who is invited may never come"
    bob = join(api, email="bob@example.com")
    assert ada.api.delete(f"/v1/users/{ada.user_id}").status == 204
    assert bob.api.delete(f"/v1/users/{bob.user_id}").code == "conflict"
    assert api.delete(f"/v1/users/{bob.user_id}").status == 204, "an admin's key governs on"


def test_h2_users_of_another_workspace_are_not_found(api: Api) -> None:
    ada, stranger = join(api, role="viewer"), api.as_stranger()
    for answer in (
        stranger.get(f"/v1/users/{ada.user_id}"),
        stranger.delete(f"/v1/users/{ada.user_id}"),
        stranger.patch(f"/v1/users/{ada.user_id}", {"role": "admin"}, revision=2),
        stranger.post(f"/v1/users/{ada.user_id}/invitation"),
    ):
        assert (answer.status, answer.code) == (404, "not_found")
    assert ada.user_id not in stranger.get("/v1/users").text


def test_h5_invitations_and_passwords_are_nowhere_in_what_is_stored(api: Api) -> None:
    invited = api.post("/v1/users", {"email": "ada@example.com", "role": "viewer"}, idempotency_key="once").json
    repeated = api.post("/v1/users", {"email": "ada@example.com", "role": "viewer"}, idempotency_key="once")
    assert repeated.status == 409
    sign_in(api.gateway, invitation=invited["invitation"], password=PASSWORD)
    rows = repr(api.ports.registry.query(f"WS#{api.workspace.id}", "", limit=1000).rows)
    stored = rows + api.gateway.store.dump() + api.get("/v1/audit").text + api.get("/v1/users").text
    assert invited["invitation"][-43:] not in stored
    assert PASSWORD not in stored
    assert "subject" not in api.get("/v1/users").text


def test_every_change_of_users_is_audited(api: Api) -> None:
    ada = join(api, role="viewer")
    api.patch(f"/v1/users/{ada.user_id}", {"role": "developer"}, revision=2)
    api.delete(f"/v1/users/{ada.user_id}")
    found = [(each["action"], each["created_by"]) for each in api.get("/v1/audit?limit=100").json["items"]]
    key = api.get("/v1/me").json["actor"]
    assert [each for each in found if each[0].startswith(("user.", "session."))] == [
        ("user.remove", key),
        ("user.update", key),
        ("session.create", ada.user_id),
        ("user.accept", ada.user_id),
        ("user.create", key),
    ]


def refresh(gateway: Gateway, tokens: dict[str, Any]) -> Answer:
    """POST /v1/sessions/refresh, by nobody."""
    body = json.dumps({"refresh_token": tokens["refresh_token"]}).encode()
    return gateway.send("POST", "/v1/sessions/refresh", headers={"Content-Type": "application/json"}, body=body)


def test_the_sdk_invites_changes_and_removes(api: Api, transport: InProcessTransport) -> None:
    with aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test") as client:
        invited = client.users.invite("ada@example.com", role="viewer", name="Ada")
        again = client.users.invite_again(invited.id)
        session = client.sessions.accept(again.invitation, password=PASSWORD)
        with aimass.Client(transport=transport, api_key=session.access_token, base_url="http://aimass.test") as person:
            assert person.system.whoami().actor == invited.id
            person.sessions.end()
            with pytest.raises(UnauthenticatedError):
                person.system.whoami()
        assert client.users.update(invited.id, role="developer").role == "developer"
        assert [user.email for user in client.users.list()] == ["ada@example.com"]
        client.users.remove(invited.id)
        assert list(client.users.list()) == []


def test_the_sdk_acts_in_the_workspace_that_is_named(api: Api, transport: InProcessTransport) -> None:
    ada = join(api)
    made = ada.api.post("/v1/workspaces", {"name": "second"}).json
    for workspace_id in (api.workspace.id, made["id"]):
        with aimass.Client(
            transport=transport,
            api_key=ada.tokens["access_token"],
            base_url="http://aimass.test",
            workspace_id=workspace_id,
        ) as client:
            assert client.system.whoami().workspace_id == workspace_id
            assert len(list(client.workspaces.list())) == 2


def test_the_command_line_invites_by_a_link_and_takes_addresses_for_ids(api: Api, run: Run) -> None:
    invited = run("users", "invite", "ada@example.com", "--role", "viewer")
    assert invited.code == 0, invited.err
    link = next(word for word in invited.out.split() if "#invitation=" in word)
    assert link.startswith("http://aimass.test/console/#invitation=aii_")
    again = json.loads(run("users", "invite-again", "ADA@example.com", "-o", "json").out)["invitation"]
    assert sign_in(api.gateway, invitation=link.partition("=")[2], password=PASSWORD).status == 401
    assert sign_in(api.gateway, invitation=again, password=PASSWORD).status == 201
    assert "developer" in run("users", "set", "ada@example.com", "--role", "developer").out
    assert "ada@example.com" in run("users", "list").out
    assert run("users", "remove", "eve@example.com").code == 2
    assert run("users", "remove", "ada@example.com").code == 0
    assert "Nobody yet" in run("users", "list").err


def test_the_command_line_rotates_a_key(api: Api, run: Run) -> None:
    viewer = api.as_role("viewer")
    key_id = viewer.get("/v1/me").json["actor"]
    rotated = json.loads(run("api-keys", "rotate", key_id, "--overlap-hours", "0", "-o", "json").out)
    assert viewer.get("/v1/me").status == 401
    assert replace(viewer, token=rotated["secret"]).get("/v1/me").json["actor"] == key_id


def test_a_workspace_that_ends_lets_its_people_go(api: Api) -> None:
    ada, stranger = join(api, role="viewer"), api.as_stranger()
    join(api, email="bob@example.com", role="viewer")
    invited = stranger.post("/v1/users", {"email": "ada@example.com", "role": "viewer"}).json
    assert sign_in(api.gateway, invitation=invited["invitation"], password=PASSWORD).status == 201
    for _ in range(2):
        users.remove_all(api.ports, api.workspace.id)
    assert api.get("/v1/users").json["items"] == []
    assert ada.api.get("/v1/me").json["workspace_id"] == stranger.workspace.id
    # NOTE: whoever deletes workspaces knows no accounts: one that leads nowhere stays, and opens nothing.
    assert sign_in(api.gateway, email="bob@example.com", password=PASSWORD).status == 401
