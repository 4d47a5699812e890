"""Requests and answers as ASGI passes them, for services that take and give whole bodies."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def read_body(receive: Receive, *, max_bytes: int) -> bytes:
    """The body of a request; of one that is longer than `max_bytes`, a beginning that is longer too."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > max_bytes:
            return body


async def send_body(
    send: Send, status: int, content_type: str, body: bytes, headers: Iterable[tuple[str, str]] = ()
) -> None:
    """Answers a request."""
    all_headers = [("content-type", content_type), ("content-length", str(len(body))), *headers]
    if status == 413:
        # The rest of the request is not read: the connection cannot be used again.
        all_headers.append(("connection", "close"))
    encoded = [(name.encode(), value.encode()) for name, value in all_headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
