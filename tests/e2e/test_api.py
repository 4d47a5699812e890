"""The management API as it is deployed: repeated, raced, flooded and misspelt requests, over real sockets."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

import aimass
from aimass_core.adapters.live_settings import TTL_SECONDS
from aimass_core.errors import QuotaExceededError
from tests.stack import Stack, wait_until, write_loans

NUM_CALLERS = 6


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx2.Client]:
    """The admin of the default workspace, without the SDK's retries."""
    with _http(stack, stack.api_key) as made:
        yield made


def _http(stack: Stack, api_key: str) -> httpx2.Client:
    return httpx2.Client(base_url=stack.url, headers={"authorization": f"Bearer {api_key}"}, timeout=60)


def _tenant(stack: Stack, http: httpx2.Client, folder: Path) -> httpx2.Client:
    """A new workspace with a dataset."""
    made = http.post("/v1/workspaces", json={"name": f"tenant-{uuid.uuid4().hex[:12]}"}).json()
    write_loans(folder / "loans.csv", num_rows=60, seed=0)
    with aimass.Client(base_url=stack.url, api_key=made["secret"]) as client:
        client.datasets.upload(folder / "loans.csv", name="loans", target="repaid")
    return _http(stack, made["secret"])


@pytest.fixture
def tenant(stack: Stack, http: httpx2.Client, tmp_path: Path) -> Iterator[httpx2.Client]:
    with _tenant(stack, http, tmp_path) as made:
        yield made


@pytest.fixture
def tenants_neighbour(stack: Stack, http: httpx2.Client, tmp_path: Path) -> Iterator[httpx2.Client]:
    with _tenant(stack, http, tmp_path) as made:
        yield made


SPEC = {"dataset": "loans", "algorithm": "linear"}
# Waits for a machine that does not exist.
NEVER = {"spec": SPEC, "compute": {"gpus": 16}}


def _jobs(http: httpx2.Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = http.get("/v1/jobs?limit=100").json()["items"]
    return items


def test_c1_c2_c3_submit_that_is_repeated_and_raced_makes_one_job(stack: Stack, tenant: httpx2.Client) -> None:
    headers = {"idempotency-key": uuid.uuid4().hex}

    def submit(_: int) -> httpx2.Response:
        return tenant.post("/v1/jobs", json=NEVER, headers=headers)

    with ThreadPoolExecutor(NUM_CALLERS) as pool:
        answers = list(pool.map(submit, range(NUM_CALLERS)))
    for answer in answers:
        if answer.status_code == 409:
            assert (answer.json()["code"], answer.headers["retry-after"]) == ("in_progress", "1")
        else:
            assert answer.status_code == 202, answer.text
    again = submit(0)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    (job,) = _jobs(tenant)
    assert {answer.json()["id"] for answer in [*answers, again] if answer.status_code == 202} == {job["id"]}
    other = tenant.post("/v1/jobs", json={**NEVER, "max_seconds": 61}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

    def named() -> list[Any]:
        listed = stack.aws("batch").list_jobs(
            jobQueue="aimass-gpu", filters=[{"name": "JOB_NAME", "values": [job["id"]]}]
        )
        return list(listed["jobSummaryList"])

    assert len(wait_until(named)) == 1
    tenant.post(f"/v1/jobs/{job['id']}/stop")


@pytest.fixture
def few_jobs(tenant: httpx2.Client) -> int:
    """A quota that even this machine reaches, in every process of the API."""
    changed = tenant.patch("/v1/settings/quotas", json={"values": {"max_jobs_active": 4}}, headers={"if-match": '"1"'})
    assert changed.status_code == 200, changed.text
    # NOTE: each process reads settings anew after five seconds.
    deadline = time.monotonic() + TTL_SECONDS
    wait_until(lambda: time.monotonic() > deadline)
    return 4


def test_c6_flood_of_one_workspace_is_refused_and_another_goes_on(
    stack: Stack, few_jobs: int, tenant: httpx2.Client, tenants_neighbour: httpx2.Client
) -> None:
    first = tenant.post("/v1/jobs", json=NEVER).json()
    body = {"spec": SPEC, "depends_on": [first["id"]]}
    with ThreadPoolExecutor(NUM_CALLERS) as pool:
        answers = list(pool.map(lambda _: tenant.post("/v1/jobs", json=body), range(3 * NUM_CALLERS)))
    refused = [answer for answer in answers if answer.status_code != 202]
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(429, "quota_exceeded")}
    assert {answer.headers["retry-after"] for answer in refused} == {"60"}
    num_taken = 1 + len(answers) - len(refused)
    assert few_jobs <= num_taken < few_jobs + NUM_CALLERS, "over it by no more than were under way"
    assert len(_jobs(tenant)) == num_taken, "what was refused is not there"
    assert tenants_neighbour.post("/v1/jobs", json=NEVER).status_code == 202

    secret = tenant.headers["authorization"].removeprefix("Bearer ")
    with aimass.Client(base_url=stack.url, api_key=secret) as client:
        with pytest.raises(QuotaExceededError, match="4 are allowed") as caught:
            client.http.request("POST", "/v1/jobs", body=body)
        assert caught.value.retry_after_seconds == 60
        client.jobs.get(first["id"]).stop()
        wait_until(lambda: all(job["ended_at"] for job in _jobs(tenant)))
        client.jobs.get(client.http.request("POST", "/v1/jobs", body=NEVER)["id"]).stop()
    for job in _jobs(tenants_neighbour):
        tenants_neighbour.post(f"/v1/jobs/{job['id']}/stop")


def test_h10_two_writers_lose_no_update(http: httpx2.Client) -> None:
    made = http.post("/v1/workspaces", json={"name": f"counter-{uuid.uuid4().hex[:12]}"}).json()
    path = f"/v1/workspaces/{made['id']}"
    headers = {"authorization": f"Bearer {made['secret']}"}

    def count(num_rounds: int) -> None:
        num_written = 0
        while num_written < num_rounds:
            seen = http.get(path, headers=headers)
            number = int(seen.json()["description"] or 0) + 1
            written = http.patch(
                path, json={"description": str(number)}, headers={**headers, "if-match": seen.headers["etag"]}
            )
            assert written.status_code in (200, 412), written.text
            num_written += written.status_code == 200

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count, [20, 20]))
    after = http.get(path, headers=headers)
    assert after.json()["description"] == "40"
    assert after.json()["revision"] == 41
    refused = http.patch(path, json={"description": "x"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (428, "precondition_required")


def test_h11_limits_and_cursors_at_their_extremes(http: httpx2.Client) -> None:
    for number in range(3):
        http.post("/v1/datasets", json={"name": f"page-{number}-{uuid.uuid4().hex[:8]}"})
    cursor = http.get("/v1/datasets?limit=1").json()["next_cursor"]
    assert cursor
    for query in ("limit=0", "limit=101", "limit=-1", "limit=1e2", "limit=", f"limit={'9' * 400}", "limit=1&limit=2"):
        assert http.get(f"/v1/datasets?{query}").status_code == 422, query
    for forged in (
        cursor[:-1],
        f"{cursor}A",
        cursor.swapcase(),
        "A" * 1001,
        "%00",
        "..",
        '{"pk":"WS"}',
        "%F0%9F%92%A9",
    ):
        answer = http.get(f"/v1/datasets?cursor={forged}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), forged
    assert http.get(f"/v1/jobs?cursor={cursor}").status_code == 422, "it holds for its own list"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/%2e%2e",
        "/v1/jobs/%252e%252e",
        "/v1/jobs/..%2f..%2fapi-keys",
        "/v1//jobs",
        "//v1/jobs",
        "/v1/jobs;x=1",
        "/v1/jobs/a;x=1",
        "/v1/jobs/a%5cb",
        "/v1/jobs/x.",
        "/V1/jobs",
        "/v1/JOBS",
        "/v1/jobs/%00",
        "/v1/jobs/%ff",
        "/v1/jobs/" + "a" * 4000,
    ],
)
def test_h6_tricks_with_paths_lead_nowhere(stack: Stack, path: str) -> None:
    status, _, body = _raw(stack, f"GET {path} HTTP/1.1", f"Authorization: Bearer {stack.api_key}")
    assert status in (400, 403, 404), body
    assert "items" not in body


def _raw(stack: Stack, *lines: str, body: bytes = b"") -> tuple[int, str, str]:
    """One request exactly as written, which no client library would send."""
    head = "\r\n".join([*lines, "Host: 127.0.0.1", "Connection: close"])
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as connection:
        connection.sendall(head.encode("latin-1") + b"\r\n\r\n" + body)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    head_text, _, text = answer.partition(b"\r\n\r\n")
    status_line, _, headers = head_text.decode("latin-1").partition("\r\n")
    return int(status_line.split()[1]), headers.lower(), text.decode("utf-8", "replace")


def test_h8_requests_that_two_readers_would_understand_differently_are_refused(stack: Stack) -> None:
    key = f"Authorization: Bearer {stack.api_key}"
    post = ("POST /v1/datasets HTTP/1.1", key, "Content-Type: application/json")
    name = f"smuggled-{uuid.uuid4().hex[:8]}"
    whole = json.dumps({"name": name}).encode()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(whole), whole)
    length = f"Content-Length: {len(whole)}"
    for lines, body in (
        ((*post, length, "Transfer-Encoding: chunked"), chunked),
        ((*post, length, "Content-Length: 1"), whole),
        ((*post, "Content-Length: -1"), whole),
        ((*post, length, "Content-Type: text/plain"), whole),
        ((*post, length, key), whole),
        ((*post, f"{length}\r\nX-Long: {'x' * 70_000}"), whole),
        ((*post, length, "Idempotency-Key: a", "Idempotency-Key: b"), whole),
        ((*post, "Content-Length: 4"), b"null"),
        ((*post, "Content-Length: 2"), b"[]"),
        ((*post, f"Content-Length: {len(whole) - 1}"), whole[:-3] + b'\xff"}'),
        ((*post, "Content-Length: 33"), b'{"name": "first", "name": "next"}'),
    ):
        status, _, text = _raw(stack, *lines, body=body)
        assert status in (400, 401, 413, 415, 422, 431), (lines[3:], status, text)
    with stack.client() as client:
        assert name not in [dataset.name for dataset in client.datasets.list()]


def test_h18_no_problem_tells_of_the_inside(http: httpx2.Client) -> None:
    missing = f"job_{'0' * 27}"
    answers = [
        http.get(f"/v1/jobs/{missing}"),
        http.get(f"/v1/jobs/{missing}/logs"),
        http.post("/v1/jobs", json={"spec": SPEC, "depends_on": [missing]}),
        http.post("/v1/jobs", content=b"{"),
        http.post("/v1/jobs", json={"surprise": 1}),
        http.get("/v1/nothing"),
        http.put("/v1/jobs", json={}),
        http.get("/v2/models/nothing"),
        http.post("/v2/models/nothing/infer", json={"inputs": []}),
        http.get("/v1/jobs", headers={"authorization": "Bearer x"}),
        http.get("/v1/jobs?cursor=x"),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500, answer.text
        told = answer.text + json.dumps(dict(answer.headers))
        for word in (
            "Traceback",
            "arn:aws",
            ".py",
            "/var/",
            "/tmp",
            "/work",
            "/home",
            "boto",
            "aimass-registry",
            "/dev/shm",
        ):
            assert word not in told, (word, answer.text)
