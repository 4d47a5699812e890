"""The front door of the local cloud: who may knock, which service answers, and AWS's limits on what is carried in.

It stands before the emulator as an ASGI application and adds what the emulator lacks: protection against web pages in
the developer's browser, our own services on their real wire protocols, short URLs for the API, and payload limits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from aimass_local.asgi import Message, Receive, Scope, Send, send_body
from aimass_local.environment import API_ID, API_STAGE
from aimass_local.state import StateUnreadableError

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH_PATH = "/_aimass/health"
SAVE_PATH = "/_aimass/save"
# API Gateway: 10 MB; Lambda: 6 MB for a synchronous invocation, 1 MB for an asynchronous one. MB = 1024 KB.
API_PAYLOAD_BYTES = 10 * 1024 * 1024
API_HEADER_BYTES = 10_240
INVOKE_PAYLOAD_BYTES = 6 * 1024 * 1024
ASYNC_INVOKE_PAYLOAD_BYTES = 1024 * 1024

_API_PREFIX = f"/_aws/execute-api/{API_ID}/{API_STAGE}"
_FRIENDLY_PATH = re.compile(r"/(v[12]|console)(/|$)")
_EXECUTE_API_PATH = re.compile(r"/_aws/execute-api/|/restapis/[^/]+/[^/]+/_user_request_(/|$)")
_INVOKE_PATH = re.compile(r"/2015-03-31/functions/[^/]+/invocations$")
_CREDENTIAL = re.compile(r"(?:Credential=)?[^/\s]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_READING_ACTION = re.compile(r"(Get|Describe|List|Head|BatchGet|TransactGet|Query|Scan)")
_SELF_SAVING = frozenset({"batch", "logs", "s3"})
_DURABLE_TARGET = re.compile(
    r"AmazonSQS\.((Send|Receive|Delete)Message|ChangeMessageVisibility)(Batch)?$"
    r"|DynamoDB_\d+\.((Put|Update|Delete|BatchWrite)Item|TransactWriteItems|ExecuteTransaction|(Batch)?ExecuteStatement)$"
    # An event is no state: it is delivered at once.
    r"|AWSEvents\.PutEvents$"
)
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ChangeGuard(Protocol):
    """Decides whether changes can be accepted, and hears of each one (see `state.StateSaver`)."""

    def mark_changed(self, service: str) -> None: ...
    async def settle(self, service: str) -> str | None: ...
    def refusal(self, incoming_bytes: int) -> str | None: ...
    async def save_all(self) -> None: ...


class Gateway:
    """ASGI application that routes each request to the emulator or to one of our own services.

    Args:
        emulator: answers everything that no service of ours does.
        services: our own services by AWS signing name, such as `batch`.
        guard: hears of changes; may refuse them.
        health: what `/_aimass/health` answers.
        on_started: awaited once the emulator has loaded its state, before the first request.
    """

    def __init__(
        self,
        emulator: Application,
        *,
        services: Mapping[str, Application],
        guard: ChangeGuard,
        health: Callable[[], Mapping[str, Any]],
        on_started: Callable[[], Awaitable[None]],
    ) -> None:
        self._emulator = emulator
        self._services = services
        self._guard = guard
        self._health = health
        self._on_started = on_started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:
            await self._answer(_Request(scope), receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_when_started(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self._on_started()
            await send(message)

        try:
            await self._emulator(scope, receive, send_when_started)
        except StateUnreadableError as error:
            # NOTE: hypercorn would go on without the state if this were just raised.
            await send({"type": "lifespan.startup.failed", "message": str(error)})

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _Request(scope)
        if not _is_loopback(request.header("host")) or _is_foreign_page(request):
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._emulator(scope, receive, send)

    async def _answer(self, request: _Request, receive: Receive, send: Send) -> None:
        refusal = _refuse_stranger(request) or _refuse_ambiguous(request)
        if refusal:
            await _send_json(send, *refusal)
        elif request.path == HEALTH_PATH:
            await _send_json(send, 200, self._health())
        elif request.path == SAVE_PATH and request.method == "POST":
            await self._guard.save_all()
            await _send_json(send, 200, {"status": "saved"})
        elif _is_browser_at_root(request):
            await _redirect(send, "/console/")
        else:
            await self._forward(request, receive, send)

    async def _forward(self, request: _Request, receive: Receive, send: Send) -> None:
        is_change = _may_change(request)
        if is_change and request.method != "DELETE":
            reason = self._guard.refusal(request.content_length or 0)
            if reason:
                await _send_error(send, request, 507, "InsufficientStorage", f"Not accepted: {reason}.")
                return
        scope = _api_scope(request) if _is_friendly(request) else request.scope
        limit = _payload_limit(request)
        if limit is not None:
            limited = await _read_limited(request, receive, limit)
            if limited is None:
                await _send_error(send, request, 413, *_too_large(request, limit))
                return
            receive = limited
        application = self._services.get(request.service, self._emulator)
        if is_change and _is_saved_before_the_answer(request):
            send = self._settling(request, send)
        try:
            await application(scope, receive, send)
        finally:
            if is_change:
                self._guard.mark_changed(_changed_service(request))

    def _settling(self, request: _Request, send: Send) -> Send:
        """Lets the answer out once what it acknowledges is on disk."""
        reason: str | None = None

        async def settle_and_send(message: Message) -> None:
            nonlocal reason
            if message["type"] == "http.response.start" and message["status"] < 300:
                reason = await self._guard.settle(request.service)
                if reason:
                    await _send_error(send, request, 507, "InsufficientStorage", f"Not saved: {reason}.")
            if reason is None:
                await send(message)

        return settle_and_send


class _Request:
    """Reading access to an ASGI scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.path = str(scope["path"])
        self.method: str = scope.get("method", "GET")
        self._headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.service = self._signed_service()

    def header(self, name: str) -> str:
        return self._headers.get(name, "")

    @property
    def content_length(self) -> int | None:
        value = self.header("content-length").strip()
        return int(value) if value.isascii() and value.isdigit() else None

    def _signed_service(self) -> str:
        """The service that the request is signed for (Signature V4, header or presigned URL), or an empty string."""
        credential = self.header("authorization")
        if not credential.startswith("AWS4-"):
            query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
            credential = query.get("X-Amz-Credential", [""])[0]
        match = _CREDENTIAL.search(credential)
        return str(match[1]) if match else ""


# --- who may knock -----------------------------------------------------------------------------------------------


def _refuse_stranger(request: _Request) -> tuple[int, dict[str, str]] | None:
    """A web page must not reach the local cloud: neither by a name it owns (DNS rebinding), nor across origins."""
    if not _is_loopback(request.header("host")):
        return 421, {"message": "This is a local cloud: use 127.0.0.1 or localhost as the host name."}
    if _is_foreign_page(request):
        return 403, {"message": "Web pages of other origins may not call the local cloud."}
    return None


def _refuse_ambiguous(request: _Request) -> tuple[int, dict[str, str]] | None:
    """Two readers of a body with two lengths see two requests (RFC 9112, 6.3)."""
    if request.header("content-length") and request.header("transfer-encoding"):
        return 400, {"message": "Send either Content-Length or Transfer-Encoding, not both."}
    num_bytes = sum(len(name) + len(value) for name, value in request.scope["headers"])
    if num_bytes > API_HEADER_BYTES and _is_api_call(request):
        return 431, {"message": f"The headers have {num_bytes} bytes; at most {API_HEADER_BYTES} are taken."}
    return None


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in _LOOPBACK_NAMES or name.endswith(".localhost")


def _is_foreign_page(request: _Request) -> bool:
    origin = request.header("origin")
    if origin:
        return not _is_loopback(origin.partition("://")[2])
    is_link = request.method == "GET" and request.header("sec-fetch-mode") == "navigate" and not request.service
    return request.header("sec-fetch-site") == "cross-site" and not is_link


# --- which service answers ---------------------------------------------------------------------------------------


def _is_friendly(request: _Request) -> bool:
    """Whether this is of our API (or its console); AWS services with such paths get signed requests."""
    return not request.service and _FRIENDLY_PATH.match(request.path) is not None


def _api_scope(request: _Request) -> Scope:
    raw_path: bytes = request.scope.get("raw_path") or request.path.encode()
    # NOTE: API Gateway takes a missing Content-Type or Accept for binary where `*/*` is binary; the emulator for text.
    defaults = {"content-type": b"application/octet-stream", "accept": b"*/*"}
    missing = [(name.encode(), value) for name, value in defaults.items() if not request.header(name)]
    return {
        **request.scope,
        "headers": [*request.scope["headers"], *missing],
        "path": _API_PREFIX + request.path,
        "raw_path": _API_PREFIX.encode() + raw_path,
    }


def _is_browser_at_root(request: _Request) -> bool:
    is_plain = request.path == "/" and not request.scope.get("query_string") and not request.service
    return is_plain and request.method == "GET" and "text/html" in request.header("accept")


def _may_change(request: _Request) -> bool:
    if request.method in _SAFE_METHODS:
        return False
    action = request.header("x-amz-target").rpartition(".")[2]
    return _READING_ACTION.match(action) is None


def _changed_service(request: _Request) -> str:
    if _INVOKE_PATH.match(request.path):
        return "lambda-invoke"
    return request.service or ("execute-api" if _is_api_call(request) else "s3")


def _is_saved_before_the_answer(request: _Request) -> bool:
    """Whether the answer has to wait for a save: for changes of AWS's JSON protocol that are not on disk by themselves.

    Items, messages, batch jobs and objects are on disk already. The other protocols are those of deployments (Lambda,
    IAM, API Gateway, CloudFormation), and `aimass local up` saves those before it says that they are done.
    """
    target = request.header("x-amz-target")
    return bool(target) and request.service not in _SELF_SAVING and not _DURABLE_TARGET.match(target)


# --- limits ------------------------------------------------------------------------------------------------------


def _is_api_call(request: _Request) -> bool:
    return (
        _is_friendly(request)
        or _EXECUTE_API_PATH.match(request.path) is not None
        or ".execute-api." in request.header("host")
    )


def _payload_limit(request: _Request) -> int | None:
    if _is_api_call(request):
        return API_PAYLOAD_BYTES
    if _INVOKE_PATH.match(request.path):
        is_async = request.header("x-amz-invocation-type") == "Event"
        return ASYNC_INVOKE_PAYLOAD_BYTES if is_async else INVOKE_PAYLOAD_BYTES
    return None


def _too_large(request: _Request, limit: int) -> tuple[str, str]:
    if _is_api_call(request):
        return "RequestTooLong", "Request Too Long"
    size = request.content_length or limit + 1
    return (
        "RequestEntityTooLargeException",
        f"{size} byte payload is too large for the invocation (limit {limit} bytes): put large data in S3.",
    )


async def _read_limited(request: _Request, receive: Receive, limit: int) -> Receive | None:
    """Reads the body up to `limit` bytes and returns a `receive` that replays it, or None when it is longer."""
    if (request.content_length or 0) > limit:
        return None
    messages: list[Message] = []
    num_bytes = 0
    while True:
        message = await receive()
        messages.append(message)
        num_bytes += len(message.get("body", b""))
        if num_bytes > limit:
            return None
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    waiting = iter(messages)

    async def replay() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return replay


# --- answers -----------------------------------------------------------------------------------------------------


async def _send_error(send: Send, request: _Request, status: int, code: str, message: str) -> None:
    """An error in the form that the AWS SDK of the called service understands."""
    if request.service in {"", "s3"} and not _is_api_call(request):
        body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        await send_body(send, status, "application/xml", body.encode())
        return
    await _send_json(send, status, {"__type": code, "message": message}, code=code)


async def _send_json(send: Send, status: int, content: Mapping[str, Any], *, code: str = "") -> None:
    extra = [("x-amzn-errortype", code)] if code else []
    await send_body(send, status, "application/json", json.dumps(content).encode(), extra)


async def _redirect(send: Send, location: str) -> None:
    await send_body(send, 302, "text/plain", b"", [("location", location)])
