"""An ASGI request as the engine takes it, refused before it is read where it is too large."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from aimass_core.errors import MalformedRequestError, NotFoundError, PayloadTooLargeError
from aimass_core.inference import transfer
from aimass_core.inference.messages import PredictionRequest

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]

MAX_BODY_BYTES = 64 * 1024**2
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")


class DisconnectedError(Exception):
    """The client went away before its request had arrived."""


async def read_request(scope: Scope, receive: Receive, *, is_local: bool, timeout_seconds: float) -> PredictionRequest:
    """Raises the error of what is wrong with the request as such, before anything in it is parsed."""
    until = time.monotonic() + timeout_seconds
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    if is_local:
        _refuse_foreign(headers)
    transfer.check_media_type(headers.get("content-type", [""])[0])
    length = headers.get("content-length", ["0"])[0]
    if length.isdecimal() and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    body = await _read_body(receive)
    if "content-encoding" in headers:
        body = transfer.unpack(body, headers["content-encoding"][0], max_bytes=MAX_BODY_BYTES)
    return PredictionRequest(
        method=scope["method"],
        path=unquote(scope["raw_path"].decode("latin-1")) if b"%" in scope["raw_path"] else scope["path"],
        headers=headers,
        body=body,
        query=parse_qs(scope["query_string"].decode("latin-1")) if scope.get("query_string") else {},
        seconds_left=lambda: until - time.monotonic(),
    )


async def _read_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        return body
    parts, num_bytes = [body], len(body)
    while message["type"] != "http.disconnect" and message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
        num_bytes += len(parts[-1])
        if num_bytes > MAX_BODY_BYTES:
            raise _too_large()
    if message["type"] == "http.disconnect":
        raise DisconnectedError
    return b"".join(parts)


def _refuse_foreign(headers: Mapping[str, list[str]]) -> None:
    """A page of the Web may lead a name of its own to this machine, and then ask as if it were at home here."""
    hosts = headers.get("host", [])
    if len(hosts) != 1:
        raise MalformedRequestError("The request must have one Host header.")
    name, _, port = hosts[0].rpartition(":")
    if (name if name and port.isdecimal() else hosts[0]).lower() not in _LOCAL_NAMES:
        raise NotFoundError(f"This server answers to {', '.join(_LOCAL_NAMES)}, not to {hosts[0][:100]!r}.")


def _too_large() -> PayloadTooLargeError:
    return PayloadTooLargeError(f"The body has more than {MAX_BODY_BYTES} bytes. Send fewer rows per request.")
