"""Carries a container's output to CloudWatch Logs."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import sys
import threading
from collections.abc import Callable

from aimass_local.documents import Document

PutLogEvents = Callable[[str, str, list[Document]], None]
"""Called as `(group, stream, [{"timestamp": milliseconds, "message": text}, ...])`, in any thread."""

_POLL_SECONDS = 0.2
_MAX_EVENTS = 1_000
_MAX_LINE_BYTES = 256 * 1024 - 26
_PIPE_BYTES = 1024 * 1024
_LINGER_SECONDS = 1.0


class LogPump:
    """A pipe whose other end is read in a thread of its own, so that a flood of output slows nobody else down.

    Past `max_bytes` the output is read and thrown away: the container is never blocked by a full pipe.
    """

    def __init__(
        self, put: PutLogEvents, *, group: str, stream: str, max_bytes: int, now_ms: Callable[[], int]
    ) -> None:
        self.stream = stream
        self._put = put
        self._group = group
        self._max_bytes = max_bytes
        self._now_ms = now_ms
        self._num_bytes = 0
        self._rest = b""
        self._events: list[Document] = []
        self._is_ending = threading.Event()
        self._reading_end, self.writing_end = os.pipe()
        if sys.platform == "linux":
            fcntl.fcntl(self.writing_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._thread = threading.Thread(target=self._run, name=f"log {stream}", daemon=True)

    def start(self) -> None:
        """Begins to read; call it when the container has its end of the pipe."""
        os.close(self.writing_end)
        self._thread.start()

    def abandon(self) -> None:
        """Closes the pipe of a container that could not be started."""
        os.close(self.writing_end)
        os.close(self._reading_end)

    async def finish(self) -> None:
        """Waits until everything written so far has been delivered."""
        self._is_ending.set()
        await asyncio.to_thread(self._thread.join, _LINGER_SECONDS * 5)

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._reading_end, select.POLLIN | select.POLLHUP)
        try:
            while True:
                if poller.poll(_POLL_SECONDS * 1000):
                    chunk = os.read(self._reading_end, _PIPE_BYTES)
                    if not chunk:
                        break
                    self._take(chunk)
                else:
                    self._deliver()
                    if self._is_ending.is_set():
                        break  # the container has ended; somebody who is not of it still holds the pipe
            self._take_line(self._rest)
            self._deliver()
        finally:
            os.close(self._reading_end)

    def _take(self, chunk: bytes) -> None:
        if self._num_bytes > self._max_bytes:
            return
        self._num_bytes += len(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._take_line(line)
        while len(self._rest) > _MAX_LINE_BYTES:
            self._take_line(self._rest[:_MAX_LINE_BYTES])
            self._rest = self._rest[_MAX_LINE_BYTES:]
        if self._num_bytes > self._max_bytes:
            self._rest = b""
            self._add(f"[log truncated: this attempt wrote more than {self._max_bytes:,} bytes, the rest is dropped]")
            self._deliver()

    def _take_line(self, line: bytes) -> None:
        for start in range(0, len(line), _MAX_LINE_BYTES):
            self._add(line[start : start + _MAX_LINE_BYTES].decode(errors="replace"))

    def _add(self, message: str) -> None:
        self._events.append({"timestamp": self._now_ms(), "message": message})
        if len(self._events) >= _MAX_EVENTS:
            self._deliver()

    def _deliver(self) -> None:
        if self._events:
            self._put(self._group, self.stream, self._events)
            self._events = []
