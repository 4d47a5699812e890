"""Requests that are wrong in form, repeated, or made to confuse."""

import json
import threading
from typing import Any

import pytest
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

from aimass_core.domain.common import Role
from aimass_core.lambda_support.idempotency import MemoryStore, run_once
from aimass_core.services import jobs
from functions.api.app import OPERATIONS, Deployment, make_handler
from tests.factories.platform import add_dataset, add_version, new_principal
from tests.functional.gateway import Api, Context, Gateway, open_api

KEYS = "/v1/api-keys"
VALID = {"name": "k", "role": "viewer"}


@pytest.mark.parametrize(
    "segment",
    [
        "%2e%2e",
        "%252e%252e",
        "..",
        "key_%00",
        "KEY_1",
        "a;x=1",
        "a%2fb",
        "a%5cb",
        "a\\b",
        "%2e%2e%2f%2e%2e",
        "key_1;v=2",
        "%ff",
        "x.",
        "%E2%80%AEkey",
        "key_" + "0" * 26,
        "key_" + "0" * 28,
        "key_" + "0" * 26 + "%0A",
        "key_" + "\u0660" * 27,
    ],
)
def test_h6_path_that_is_no_id_is_not_found(api: Api, segment: str) -> None:
    assert api.get(f"{KEYS}/{segment}").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/v1",
        "/v1/",
        "/v1//api-keys",
        "/v1/../v1/api-keys",
        "/v1/%2e%2e/v1/api-keys",
        "/v1/api-keys;x=1",
        "/V1/api-keys",
        "/v1/api-keys/",
        "/v1/api-keys.",
        "/v1/nothing",
    ],
)
def test_h6_unknown_path_is_not_found(api: Api, path: str) -> None:
    assert api.get(path).code == "not_found"


def test_another_method_is_told_which_ones_there_are(api: Api) -> None:
    answer = api.request("PUT", KEYS)
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "not JSON"),
        (b"null", "null"),
        (b"[]", "an array"),
        (b'"text"', "a string"),
        (b"1", "a number"),
        (b'{"name": "k", "name": "x", "role": "viewer"}', "twice"),
        (b'{"name": NaN}', "NaN"),
        (b'{"name": Infinity}', "Infinity"),
        (b'{"name": 1e400}', "out of range"),
        (b'{"name": "\\ud800"}', "surrogate"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b'{"name": ' + b"[" * 200 + b"]" * 200 + b"}", "nested"),
        (b'{"name": ' + b"1" * 5000 + b"}", "not JSON"),
        (b"[" * 100_000, "nested"),
    ],
)
def test_h8_body_that_cannot_be_read_is_refused(api: Api, body: bytes, word: str) -> None:
    answer = api.request("POST", KEYS, body=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert word in answer.json["detail"]


@pytest.mark.parametrize(
    ("fields", "location"),
    [
        ({"extra": 1}, "body.extra"),
        ({"role": "root"}, "body.role"),
        ({"role": 1}, "body.role"),
        ({"name": ""}, "body.name"),
        ({"name": "x" * 1001}, "body.name"),
        ({"name": ["k"]}, "body.name"),
        ({"__proto__": {}}, "body.__proto__"),
    ],
)
def test_a_wrong_field_is_named(api: Api, fields: dict[str, Any], location: str) -> None:
    answer = api.post(KEYS, {**VALID, **fields})
    assert (answer.status, answer.code) == (422, "invalid_request")
    assert [error["location"] for error in answer.json["errors"]] == [location]


def test_a_body_of_another_type_or_size_is_refused(api: Api) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"):
        answer = api.request("POST", KEYS, body=b"name=k", headers={"Content-Type": content_type})
        assert answer.code == "unsupported_media_type"
    zipped = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert api.request("POST", KEYS, body=b"\x1f\x8b", headers=zipped).code == "unsupported_media_type"
    assert api.post(KEYS, {**VALID, "name": "x" * 1024**2}).code == "payload_too_large"


def test_h8_what_would_be_ignored_is_refused(api: Api) -> None:
    assert api.request("GET", KEYS, json={"name": "k"}).code == "malformed_request"
    assert api.get(f"{KEYS}?limti=5").json["errors"][0]["location"] == "query.limti"
    assert api.get(f"{KEYS}?limit=1&limit=2").code == "invalid_request"
    twice: dict[str, Any] = {"Content-Type": ["application/json", "text/plain"]}
    assert api.request("POST", KEYS, body=b"{}", headers=twice).code == "malformed_request"


@pytest.mark.parametrize("limit", ["0", "-1", "101", "1e9", "9" * 40, "", "x", "1.5", "%00"])
def test_h11_limit_out_of_range_is_refused(api: Api, limit: str) -> None:
    assert (api.get(f"{KEYS}?limit={limit}").status, api.get(f"{KEYS}?limit={limit}").code) == (422, "invalid_request")


def test_h11_pages_cover_a_list_once_and_cursors_are_bound_to_it(api: Api) -> None:
    for number in range(7):
        api.post(KEYS, {"name": f"k{number}", "role": "viewer"})
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"{KEYS}?limit=3{cursor and f'&cursor={cursor}'}").json
        assert len(page["items"]) <= 3
        seen += [key["id"] for key in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == 8
    assert seen == sorted(set(seen), reverse=True)

    cursor = api.get(f"{KEYS}?limit=3").json["next_cursor"]
    flipped = f"{cursor[:-1]}{'A' if cursor[-1] != 'A' else 'B'}"
    for tampered in (flipped, cursor[1:], f"{cursor}A", "e30", "!!!", "=", "A" * 1000, "%00"):
        assert api.get(f"{KEYS}?cursor={tampered}").code == "invalid_request"
    assert api.get(f"/v1/audit?cursor={cursor}").code == "invalid_request"
    assert api.as_stranger().get(f"{KEYS}?cursor={cursor}").code == "invalid_request"


def test_c1_repeated_create_is_answered_again(api: Api) -> None:
    body = {"name": "adult"}
    first = api.post("/v1/datasets", body, idempotency_key="one")
    again = api.post("/v1/datasets", body, idempotency_key="one")
    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["location"] == first.headers["location"]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert len(api.get("/v1/datasets").json["items"]) == 1


def test_a_repeated_create_of_a_secret_is_told_so(api: Api) -> None:
    first = api.post(KEYS, VALID, idempotency_key="one")
    again = api.post(KEYS, VALID, idempotency_key="one")
    assert (again.status, again.code) == (409, "conflict")
    assert first.headers["location"] in again.json["detail"]
    assert "retry-after" not in again.headers


def test_c2_same_key_with_another_body_is_refused(api: Api) -> None:
    api.post("/v1/datasets", {"name": "adult"}, idempotency_key="one")
    answer = api.post("/v1/datasets", {"name": "other"}, idempotency_key="one")
    assert (answer.status, answer.code) == (422, "idempotency_key_reused")


class _DeathError(BaseException):
    """The function is gone in the middle of a request."""


class _DyingStore(MemoryStore):
    """Dies before the first answer is kept, and later has forgotten who was at work."""

    has_died = False

    def _update_record(self, data_record: DataRecord) -> None:
        if not self.has_died:
            self.has_died = True
            self._records.clear()
            raise _DeathError
        super()._update_record(data_record)


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/workspaces/{workspace}/exports"])
def test_c1_a_request_whose_function_died_before_it_answered_makes_no_second_job(path: str) -> None:
    api = open_api(Gateway(store=_DyingStore()))
    principal = new_principal(Role.ADMIN).model_copy(update={"workspace_id": api.workspace.id})
    add_version(api.ports, principal, add_dataset(api.ports, principal))
    target, body = path.format(workspace=api.workspace.id), {}
    if path == "/v1/jobs":
        body = {"spec": {"kind": "train", "dataset": "adult", "algorithm": "xgboost"}}
    with pytest.raises(_DeathError):
        api.post(target, body, idempotency_key="one")
    again = api.post(target, body, idempotency_key="one")
    assert again.status == 202, again.text
    replayed = api.post(target, body, idempotency_key="one")
    other = api.post(target, body, idempotency_key="two")
    (first, second) = jobs.list_jobs(api.ports, principal, limit=10)[0][::-1]
    assert first.id in again.text
    assert first.id in replayed.text
    assert second.id in other.text


def test_idempotency_keys_are_each_workspaces_own(api: Api) -> None:
    stranger = api.as_stranger()
    first = api.post("/v1/datasets", {"name": "adult"}, idempotency_key="one")
    second = stranger.post("/v1/datasets", {"name": "adult"}, idempotency_key="one")
    assert second.status == 201
    assert second.json["id"] != first.json["id"]


def test_a_refused_create_may_be_repeated_with_its_key(api: Api) -> None:
    assert api.post("/v1/workspaces", {"name": "team"}, idempotency_key="one").code == "already_exists"
    assert api.post("/v1/workspaces", {"name": "second"}, idempotency_key="one").status == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "\u2603", "a\nb"])
def test_an_idempotency_key_has_a_form(api: Api, key: str) -> None:
    assert api.post("/v1/datasets", {"name": "adult"}, idempotency_key=key).status == 422


def test_c3_same_create_while_the_first_is_running_is_told_to_wait(api: Api) -> None:
    started, finish = threading.Event(), threading.Event()
    key = {"workspace": api.workspace.id, "method": "POST", "path": "/v1/datasets", "key": "one"}

    def work() -> dict[str, Any]:
        started.set()
        assert finish.wait(timeout=120)
        return {"status": 201, "headers": {}, "body": {}}

    def run() -> None:
        run_once(api.gateway.store, work, key=key, body={"name": "adult"}, context=Context())  # type: ignore[arg-type]

    first = threading.Thread(target=run)
    first.start()
    try:
        assert started.wait(timeout=120)
        answer = api.post("/v1/datasets", {"name": "adult"}, idempotency_key="one")
    finally:
        finish.set()
        first.join(timeout=120)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (409, "in_progress", "1")


def test_h18_fault_of_ours_tells_nothing_of_its_inside(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> Deployment:
        raise RuntimeError("arn:aws:dynamodb:eu-central-1:123456789012:table/x at /var/task/app.py host 10.0.0.1")

    event = {
        "httpMethod": "GET",
        "path": "/v1/workspaces",
        "requestContext": {"requestId": "r-1", "authorizer": api.get("/v1/me").json},
    }
    answered = make_handler(broken)(event, Context())  # type: ignore[arg-type]
    problem = json.loads(answered["body"])
    assert (answered["statusCode"], problem["code"], problem["request_id"]) == (500, "internal", "r-1")
    assert not any(word in answered["body"] for word in ("arn:", "/var", "10.0", "RuntimeError", "Traceback", "table"))
    assert "RuntimeError" in capsys.readouterr().out


def test_h1_request_that_no_authorizer_saw_is_refused(api: Api) -> None:
    for authorizer in (None, {}, {"workspace_id": api.workspace.id}, {"role": "admin"}):
        event = {"httpMethod": "GET", "path": "/v1/me", "requestContext": {"authorizer": authorizer}}
        handler = make_handler(lambda: pytest.fail("it came too far"))
        assert handler(event, Context())["statusCode"] == 401  # type: ignore[arg-type]


def test_h17_logs_cannot_be_forged_and_hold_no_secret(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    forged = '/v1/x\r\n{"level":"CRITICAL","message":"forged"}\x1b[31m'
    api.request("GET", forged.replace("\r", "%0D").replace("\n", "%0A").replace("\x1b", "%1B"))
    api.get(f"/v1/{api.token}?X-Amz-Signature=abcdef")
    api.request("POST", f"{KEYS}?cursor={api.token}", json={"name": api.token, "role": api.token})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 3
    for line in lines:
        assert json.loads(line)["level"] == "INFO"
        assert "\x1b" not in line
        assert api.token is not None
        assert api.token[-43:] not in line


def test_every_answer_says_how_to_treat_it(api: Api) -> None:
    for answer in (api.get("/v1/me"), api.get("/v1/nothing"), api.get("/v1/docs")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-request-id"].startswith("request-")


def test_no_two_operations_have_one_name_or_address() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)
    assert len({(operation.method, operation.pattern) for operation in OPERATIONS}) == len(OPERATIONS)
