"""Many clients in one process, each on a connection of its own: what a request costs them is little, and the same
whoever answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import numpy as np
import uvloop


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What `num_clients` saw."""

    num_clients: int
    per_second: float
    p50_ms: float
    p99_ms: float


def ask(port: int, path: str, body: bytes, *, num_clients: int, num_requests: int) -> Load:
    """Sends the same request again and again, on each connection the next when the last was answered.

    Raises:
        AssertionError: An answer was another than 200.
    """
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    milliseconds: list[float] = []
    started = time.perf_counter()
    uvloop.run(_ask(port, head.encode() + body, num_clients, num_requests // num_clients, milliseconds))
    seconds = time.perf_counter() - started
    return Load(
        num_clients=num_clients,
        per_second=len(milliseconds) / seconds,
        p50_ms=float(np.percentile(milliseconds, 50)),
        p99_ms=float(np.percentile(milliseconds, 99)),
    )


async def _ask(port: int, request: bytes, num_clients: int, num_each: int, milliseconds: list[float]) -> None:
    async with asyncio.TaskGroup() as clients:
        for _ in range(num_clients):
            clients.create_task(_be_client(port, request, num_each, milliseconds))


async def _be_client(port: int, request: bytes, num: int, milliseconds: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(num):
        started = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert b" 200 " in head[:15], head
        at = head.index(b"content-length:") + 15
        await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        milliseconds.append((time.perf_counter() - started) * 1e3)
    writer.close()
