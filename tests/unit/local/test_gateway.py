"""The gateway on its own, with a recording application in the emulator's place."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from aimass_local.gateway import API_PAYLOAD_BYTES, ASYNC_INVOKE_PAYLOAD_BYTES, Gateway, Message, Receive, Scope, Send
from aimass_local.state import StateUnreadableError

_SIGNED = "AWS4-HMAC-SHA256 Credential=test/20261123/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@dataclass
class _Application:
    """Reads the body and answers 200, as the emulator does."""

    paths: list[str] = field(default_factory=list)
    raw_paths: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        self.raw_paths.append(scope["raw_path"])
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


@dataclass
class _Guard:
    reason: str | None = None
    changed: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    unsettled_reason: str | None = None
    num_saves: int = 0

    async def settle(self, service: str) -> str | None:
        self.settled.append(service)
        return self.unsettled_reason

    def mark_changed(self, service: str) -> None:
        self.changed.append(service)

    def refusal(self, incoming_bytes: int) -> str | None:
        return self.reason

    async def save_all(self) -> None:
        self.num_saves += 1


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class _Bench:
    emulator: _Application = field(default_factory=_Application)
    batch: _Application = field(default_factory=_Application)
    guard: _Guard = field(default_factory=_Guard)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: tuple[bytes, ...] = (b"",),
        headers: dict[str, str] | None = None,
    ) -> _Answer:
        named = {"host": "127.0.0.1:4566", **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }
        return asyncio.run(self._exchange(scope, body))

    async def _exchange(self, scope: Scope, body: tuple[bytes, ...]) -> _Answer:
        incoming = [
            {"type": "http.request", "body": part, "more_body": number + 1 < len(body)}
            for number, part in enumerate(body)
        ]
        sent: list[Message] = []

        async def receive() -> Message:
            return incoming.pop(0) if incoming else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.gateway()(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return _Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))

    def gateway(self) -> Gateway:
        async def start() -> None:
            self.guard.changed.append("started")

        return Gateway(
            self.emulator,
            services={"batch": self.batch},
            guard=self.guard,
            health=lambda: {"status": "ready"},
            on_started=start,
        )


@pytest.fixture
def bench() -> _Bench:
    return _Bench()


@pytest.mark.parametrize("host", ["evil.com", "", "127.0.0.1.nip.io", "localhost@evil.com", "[::2]", "[", "localhost."])
def test_h13_foreign_host_names_reach_nothing(bench: _Bench, host: str) -> None:
    assert bench.request("GET", "/bucket", headers={"host": host}).status == 421
    assert not bench.emulator.paths


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:80", "[::1]:4566", "main.execute-api.localhost:4566"])
def test_h13_loopback_host_names_are_served(bench: _Bench, host: str) -> None:
    assert bench.request("GET", "/bucket", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.com"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "authorization": _SIGNED.format("iam")},
    ],
)
def test_h12_pages_of_other_sites_reach_nothing(bench: _Bench, headers: dict[str, str]) -> None:
    assert bench.request("GET", "/bucket/key", headers=headers).status == 403
    assert not bench.emulator.paths


def test_h8_body_of_two_lengths_and_endless_headers_reach_nothing(bench: _Bench) -> None:
    twice = {"content-length": "2", "transfer-encoding": "chunked"}
    assert bench.request("POST", "/v1/datasets", headers=twice).status == 400
    assert bench.request("GET", "/v1/datasets", headers={"x-long": "x" * 10_240}).status == 431
    assert not bench.emulator.paths
    assert bench.request("GET", "/v1/datasets", headers={"x-long": "x" * 10_000}).status == 200


def test_links_from_other_sites_may_open_the_documentation(bench: _Bench) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert bench.request("GET", "/v1/docs", headers=headers).status == 200


def test_websockets_of_foreign_pages_are_closed(bench: _Bench) -> None:
    sent: list[Message] = []

    async def connect() -> None:
        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"evil.com")], "query_string": b""}
        await bench.gateway()(scope, receive, send)

    asyncio.run(connect())
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_short_urls_become_the_deployed_stage_with_their_escapes(bench: _Bench) -> None:
    bench.request("GET", "/v1/datasets/a%2Fb")
    assert bench.emulator.paths == ["/_aws/execute-api/main/live/v1/datasets/a%2Fb"]
    assert bench.emulator.raw_paths == [b"/_aws/execute-api/main/live/v1/datasets/a%2Fb"]


@pytest.mark.parametrize("path", ["/v1x/key", "/v3/key", "/bucket/v1/key"])
def test_bucket_paths_are_left_alone(bench: _Bench, path: str) -> None:
    bench.request("GET", path)
    assert bench.emulator.paths == [path]


def test_signed_requests_go_to_the_service_they_are_signed_for(bench: _Bench) -> None:
    bench.request("POST", "/v1/submitjob", headers={"authorization": _SIGNED.format("batch")})
    bench.request("POST", "/v1/apis", headers={"authorization": _SIGNED.format("appsync")})
    bench.request(
        "GET", "/v1/describejobs", query="X-Amz-Credential=test%2F20261123%2Fus-east-1%2Fbatch%2Faws4_request"
    )
    assert bench.batch.paths == ["/v1/submitjob", "/v1/describejobs"]
    assert bench.emulator.paths == ["/v1/apis"]


def test_root_redirects_only_browsers(bench: _Bench) -> None:
    answer = bench.request("GET", "/", headers={"accept": "text/html"})
    assert (answer.status, answer.headers["location"]) == (302, "/console/")
    assert (
        bench.request("GET", "/", headers={"accept": "text/html", "authorization": _SIGNED.format("s3")}).status == 200
    )
    assert bench.request("GET", "/", headers={"accept": "*/*"}).status == 200


def test_api_requests_up_to_10_mb_pass_whole(bench: _Bench) -> None:
    half = b"x" * (API_PAYLOAD_BYTES // 2)
    assert bench.request("POST", "/v1/items", body=(half, half)).status == 200
    assert bench.emulator.bodies == [half + half]


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/v2/models", "127.0.0.1"),
        ("/_aws/execute-api/main/live/v1/items", "127.0.0.1"),
        ("/restapis/main/live/_user_request_/v1/items", "127.0.0.1"),
        ("/live/v1/items", "main.execute-api.localhost"),
    ],
)
def test_api_requests_above_10_mb_are_refused(bench: _Bench, path: str, host: str) -> None:
    half = b"x" * (API_PAYLOAD_BYTES // 2 + 1)
    assert bench.request("POST", path, body=(half, half), headers={"host": host}).status == 413
    assert (
        bench.request("POST", path, headers={"host": host, "content-length": str(API_PAYLOAD_BYTES + 1)}).status == 413
    )
    assert not bench.emulator.paths


def test_asynchronous_invocations_have_a_lower_limit(bench: _Bench) -> None:
    path = "/2015-03-31/functions/probe/invocations"
    headers = {"authorization": _SIGNED.format("lambda"), "content-length": str(ASYNC_INVOKE_PAYLOAD_BYTES + 1)}
    answer = bench.request("POST", path, headers={**headers, "x-amz-invocation-type": "Event"})
    assert answer.status == 413
    assert answer.headers["x-amzn-errortype"] == "RequestEntityTooLargeException"
    assert bench.request("POST", path, headers=headers).status == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("PUT", "/bucket/key", {"authorization": _SIGNED.format("s3")}, ["s3"]),
        ("PUT", "/bucket/key", {}, ["s3"]),
        (
            "POST",
            "/",
            {"authorization": _SIGNED.format("dynamodb"), "x-amz-target": "DynamoDB_20120810.PutItem"},
            ["dynamodb"],
        ),
        ("POST", "/", {"authorization": _SIGNED.format("dynamodb"), "x-amz-target": "DynamoDB_20120810.Query"}, []),
        ("POST", "/", {"authorization": _SIGNED.format("sqs"), "x-amz-target": "AmazonSQS.ReceiveMessage"}, ["sqs"]),
        ("GET", "/bucket/key", {"authorization": _SIGNED.format("s3")}, []),
        ("POST", "/2015-03-31/functions/f/invocations", {"authorization": _SIGNED.format("lambda")}, ["lambda-invoke"]),
        ("POST", "/v1/items", {}, ["execute-api"]),
    ],
)
def test_changes_are_reported_by_service(
    bench: _Bench, method: str, path: str, headers: dict[str, str], expected: list[str]
) -> None:
    bench.request(method, path, headers=headers)
    assert bench.guard.changed == expected


def _target(service: str, target: str) -> dict[str, str]:
    return {"authorization": _SIGNED.format(service), "x-amz-target": target}


@pytest.mark.parametrize(
    ("service", "target"),
    [
        ("ssm", "AmazonSSM.PutParameter"),
        ("secretsmanager", "secretsmanager.CreateSecret"),
        ("events", "AWSEvents.PutRule"),
        ("dynamodb", "DynamoDB_20120810.CreateTable"),
        ("dynamodb", "DynamoDB_20120810.UpdateTimeToLive"),
        ("sqs", "AmazonSQS.CreateQueue"),
        ("sqs", "AmazonSQS.DeleteQueue"),
    ],
)
def test_j15_answer_waits_until_the_change_is_saved(bench: _Bench, service: str, target: str) -> None:
    assert bench.request("POST", "/", headers=_target(service, target)).status == 200
    assert bench.guard.settled == [service]
    bench.guard.unsettled_reason = "the disk is full"
    answer = bench.request("POST", "/", headers=_target(service, target))
    assert answer.status == 507
    assert answer.json()["message"] == "Not saved: the disk is full."


@pytest.mark.parametrize(
    ("service", "target"),
    [
        ("ssm", "AmazonSSM.GetParameter"),
        ("events", "AWSEvents.PutEvents"),
        ("logs", "Logs_20140328.PutLogEvents"),
        ("batch", ""),
        ("s3", ""),
        *[
            ("dynamodb", f"DynamoDB_20120810.{action}")
            for action in (
                *("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "Query"),
                *("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"),
            )
        ],
        *[
            ("sqs", f"AmazonSQS.{action}{batch}")
            for action in ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")
            for batch in ("", "Batch")
        ],
        ("sqs", "AmazonSQS.ReceiveMessage"),
    ],
)
def test_what_is_on_disk_by_itself_waits_for_no_save(bench: _Bench, service: str, target: str) -> None:
    assert bench.request("POST", "/", headers=_target(service, target)).status == 200
    assert bench.guard.settled == []


def test_j16_changes_are_refused_while_they_cannot_be_saved_and_reads_work(bench: _Bench) -> None:
    bench.guard.reason = "the disk is full"
    answer = bench.request("PUT", "/bucket/key", headers={"authorization": _SIGNED.format("s3")})
    assert answer.status == 507
    assert b"<Code>InsufficientStorage</Code>" in answer.body
    target = {"authorization": _SIGNED.format("dynamodb"), "x-amz-target": "DynamoDB_20120810.PutItem"}
    assert bench.request("POST", "/", headers=target).json()["message"] == "Not accepted: the disk is full."
    assert bench.request("GET", "/bucket/key").status == 200
    assert bench.guard.changed == []
    assert bench.request("DELETE", "/bucket/key").status == 200


def test_own_paths(bench: _Bench) -> None:
    assert bench.request("GET", "/_aimass/health").json() == {"status": "ready"}
    assert bench.request("POST", "/_aimass/save").json() == {"status": "saved"}
    assert bench.guard.num_saves == 1
    assert not bench.emulator.paths


def test_services_start_after_the_emulator_has_its_state(bench: _Bench) -> None:
    sent: list[Message] = []

    async def emulator(scope: Scope, receive: Receive, send: Send) -> None:
        bench.guard.changed.append("loaded")
        await send({"type": "lifespan.startup.complete"})

    asyncio.run(_live(bench, emulator, sent))
    assert bench.guard.changed == ["loaded", "started"]
    assert sent == [{"type": "lifespan.startup.complete"}]


def test_unreadable_state_fails_the_start(bench: _Bench) -> None:
    sent: list[Message] = []

    async def emulator(scope: Scope, receive: Receive, send: Send) -> None:
        raise StateUnreadableError("cannot read dynamodb.json")

    asyncio.run(_live(bench, emulator, sent))
    assert sent == [{"type": "lifespan.startup.failed", "message": "cannot read dynamodb.json"}]


async def _live(bench: _Bench, emulator: Any, sent: list[Message]) -> None:
    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    bench.emulator = emulator
    await bench.gateway()({"type": "lifespan"}, receive, send)
