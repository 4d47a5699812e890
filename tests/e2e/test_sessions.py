"""People on the deployed stack: what the user pool signs is believed, what it did not sign is not."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import httpx2

import aimass
from tests.stack import Stack

PASSWORD = "Correct horse 7"


def _get(stack: Stack, path: str, token: str, **headers: str) -> httpx2.Response:
    return httpx2.get(f"{stack.url}{path}", headers={"authorization": f"Bearer {token}", **headers}, timeout=60)


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_h4_only_what_the_user_pool_signed_opens_anything(stack: Stack, client: aimass.Client) -> None:
    invited = client.users.invite(f"ada-{uuid.uuid4().hex[:8]}@example.com", role="viewer")
    given = client.sessions.accept(invited.invitation, password=PASSWORD)
    me = _get(stack, "/v1/me", given.access_token).json()
    assert (me["actor"], me["role"], me["workspace_name"]) == (invited.id, "viewer", "default")
    header, body, signature = given.access_token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    unsigned = _encode({"alg": "none"})
    elsewhere = _encode({"alg": "RS256", "kid": "mine", "jku": f"{stack.url}/mine.json"})
    forged = (
        f"{header}.{_encode({**claims, 'exp': claims['exp'] + 9999})}.{signature}",
        f"{unsigned}.{body}.",
        f"{unsigned}.{body}.{signature}",
        f"{elsewhere}.{body}.{signature}",
        f"{_encode({'alg': 'HS256', 'kid': 'x'})}.{body}.{signature}",
        f"{header}.{body}.{signature[:-6]}AAAAAA",
    )
    for token in forged:
        refused = _get(stack, "/v1/me", token)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert client.sessions.refresh(given.refresh_token).access_token
    client.users.remove(invited.id)
    assert _get(stack, "/v1/me", given.access_token).status_code == 401


def test_h2_a_person_acts_where_they_belong_and_nowhere_else(stack: Stack, client: aimass.Client) -> None:
    made = client.http.request("POST", "/v1/workspaces", body={"name": f"other-{uuid.uuid4().hex[:8]}"})
    with stack.client(api_key=made["secret"]) as other:
        invited = other.users.invite(f"bob-{uuid.uuid4().hex[:8]}@example.com", role="admin")
    token = client.sessions.accept(invited.invitation, password=PASSWORD).access_token
    assert _get(stack, "/v1/me", token).json()["workspace_id"] == made["id"]
    own = client.system.whoami().workspace_id
    assert _get(stack, "/v1/me", token, **{"x-aimass-workspace": own}).status_code == 401
    assert _get(stack, f"/v1/workspaces/{own}", token).status_code == 404
    with stack.client(api_key=token) as bob:
        bob.sessions.end()
    assert _get(stack, "/v1/me", token).status_code == 401


def test_h19_a_code_opens_one_session(stack: Stack, client: aimass.Client) -> None:
    code = client.sessions.create_code().code
    opened = client.sessions.redeem(code)
    again = httpx2.post(f"{stack.url}/v1/sessions", json={"code": code}, timeout=60)
    assert (again.status_code, again.json()["code"]) == (401, "unauthenticated")
    assert _get(stack, "/v1/me", opened.access_token).json()["session_id"].startswith("ses_")
