"""Saves the emulator's state: what it acknowledged is on disk, whenever the process is killed.

S3 objects are written by the emulator before it answers. Items and messages are in the journal before it answers
(`emulator.journaling`), so their state is only saved from time to time. For any other change the gateway awaits
`settle` before it lets the answer out. What is neither, logs and a deployment that is under way, is saved soon after.

A save copies the state on the event loop, encodes and writes it in a thread, each file whole or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import os
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_logger = logging.getLogger(__name__)

# What a call to a service may change, by signing name; a call to any other one may have changed anything.
_JOURNALED_KEYS = frozenset({"dynamodb", "stream_records", "sqs"})
_JOURNALED_SERVICES = frozenset({"dynamodb", "sqs"})
_KEYS_OF_SERVICE = {
    "dynamodb": _JOURNALED_KEYS,
    "sqs": _JOURNALED_KEYS,
    "s3": frozenset({"s3"}),
    "sns": frozenset({"sns"}),
    "ssm": frozenset({"ssm"}),
    "secretsmanager": frozenset({"secretsmanager"}),
    "events": frozenset({"eventbridge"}),
    "scheduler": frozenset({"scheduler"}),
    "states": frozenset({"stepfunctions"}),
    "glue": frozenset({"glue"}),
    "athena": frozenset({"athena", "glue"}),
    # These save their own state.
    "batch": frozenset[str](),
    "sagemaker": frozenset[str](),
    "emr-serverless": frozenset[str](),
}
_LOGS_KEY = "cloudwatch_logs"
_LOG_SERVICES = frozenset({"logs", "execute-api", "lambda-invoke"})

# Below the reserve only small changes are accepted, so that one can still look around and delete; below the minimum
# none is.
DISK_RESERVE_BYTES = 64 * 1024 * 1024
DISK_MINIMUM_BYTES = 16 * 1024 * 1024
SMALL_CHANGE_BYTES = 64 * 1024


class StateUnreadableError(Exception):
    """A state file exists and cannot be read: going on would overwrite it with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A copy of some services' state."""

    states: dict[str, Any]
    journal_number: int | None = None
    """The journal from this segment on is what has changed since (see `journal.Journal.rotate`)."""


class StateSource(Protocol):
    """What has state: the emulator, or a stand-in of it."""

    def state_keys(self) -> frozenset[str]: ...
    def snapshot(self, keys: Collection[str]) -> Awaitable[Snapshot]: ...
    def confirm(self, snapshot: Snapshot) -> None: ...
    def encode_state(self, key: str, state: object) -> bytes: ...
    def is_journal_short(self) -> bool: ...
    def trim_logs(self, *, max_streams: int, max_events: int) -> None: ...


class StateSaver:
    """Writes the changed part of the state a moment after it changed."""

    def __init__(
        self,
        directory: Path,
        source: StateSource,
        *,
        delay_seconds: float = 1.0,
        log_interval_seconds: float = 20.0,
        free_bytes: Callable[[Path], int] | None = None,
    ) -> None:
        self._directory = directory
        self._source = source
        self._delay_seconds = delay_seconds
        self._log_interval_seconds = log_interval_seconds
        self._free_bytes = free_bytes or (lambda path: shutil.disk_usage(path).free)
        self._changed = asyncio.Event()
        self._changed_services: set[str] = set()
        self._logs_changed = False
        self._logs_saved_at = -math.inf
        self._digests: dict[str, bytes] = {}
        self._saving = asyncio.Lock()
        self._writing = threading.Lock()
        self._failure: str | None = None

    def mark_changed(self, service: str) -> None:
        """Notes that a request to `service` (its signing name) changed something."""
        if service in _LOG_SERVICES:
            self._logs_changed = True
            return
        self._changed_services.add(service)
        self._changed.set()

    def refusal(self, incoming_bytes: int) -> str | None:
        """Why no change may be accepted now, or None. A change that cannot be saved is refused, not forgotten."""
        free = self._free_bytes(self._directory)
        needed = DISK_MINIMUM_BYTES if incoming_bytes <= SMALL_CHANGE_BYTES else DISK_RESERVE_BYTES + incoming_bytes
        if free < needed:
            return (
                f"the disk of {self._directory} has {free // 1024**2} MB left and this needs {needed // 1024**2} MB: "
                "free some space; reading and deleting still work"
            )
        return self._failure

    async def run(self) -> None:
        """Saves whenever something changed, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout=self._log_interval_seconds)
                await asyncio.sleep(self._delay_seconds)
            started = time.monotonic()
            await self.save_changes(waits_for_journal=True)
            # A large state may take half of the time at most.
            await asyncio.sleep(min(5.0, time.monotonic() - started))

    async def settle(self, service: str) -> str | None:
        """Returns once everything that has changed in `service` is on disk, or says why it cannot be."""
        self.mark_changed(service)
        await self.save_changes()
        return self._failure

    async def save_changes(self, *, waits_for_journal: bool = False) -> None:
        """Saves what changed since the last call; after a failure the change is kept for the next call.

        Args:
            waits_for_journal: what the journal holds is left to it while it is short, since a save copies all of it.
        """
        async with self._saving:
            services, self._changed_services = self._changed_services, set()
            self._changed.clear()
            if waits_for_journal and self._source.is_journal_short():
                self._changed_services = services & _JOURNALED_SERVICES
                services = services - _JOURNALED_SERVICES
            keys = self._keys_of(services)
            if not keys:
                return
            is_saved = False
            try:
                await self._save(keys)
                is_saved, self._failure = True, None
            except OSError as error:
                self._failure = f"the state cannot be saved to {self._directory}: {error.strerror or error}"
                _logger.error("%s", self._failure)
            finally:
                if not is_saved:  # also where the caller has gone meanwhile
                    self._changed_services |= services
                    self._changed.set()

    async def save_all(self) -> None:
        """Saves every service, for a stop.

        Raises:
            OSError: a file cannot be written.
        """
        self._source.trim_logs(max_streams=500, max_events=50_000)
        async with self._saving:
            await self._save(self._source.state_keys())

    def _keys_of(self, services: set[str]) -> frozenset[str]:
        keys: frozenset[str] = frozenset()
        if services:
            everything = self._source.state_keys() - {_LOGS_KEY}
            keys = everything & frozenset().union(*(_KEYS_OF_SERVICE.get(name, everything) for name in services))
        if self._logs_changed and time.monotonic() - self._logs_saved_at > self._log_interval_seconds:
            self._logs_changed, self._logs_saved_at = False, time.monotonic()
            self._source.trim_logs(max_streams=500, max_events=50_000)
            keys |= {_LOGS_KEY}
        return keys

    async def _save(self, keys: Collection[str]) -> None:
        snapshot = await self._source.snapshot(keys)
        await asyncio.to_thread(self._write, snapshot.states)
        self._source.confirm(snapshot)

    def _write(self, states: dict[str, Any]) -> None:
        # A save whose caller was cancelled still writes in its thread: the next one comes after it.
        with self._writing:
            # NOTE: CloudFormation's last. Whatever it says is deployed must be there after a crash.
            for key, state in sorted(states.items(), key=lambda item: item[0] == "cloudformation"):
                content = self._source.encode_state(key, state)
                digest = hashlib.blake2b(content, digest_size=16).digest()
                if self._digests.get(key) != digest:
                    write_atomically(self._directory / f"{key}.json", content)
                    self._digests[key] = digest
            _sync_folder(self._directory)


def _sync_folder(path: Path) -> None:
    """Has the new names of files on disk before anything that they replace is deleted."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replaces the file as a whole: a reader, or a start after a crash, sees the old content or the new one.

    Raises:
        OSError: no space, or no permission; the old content is untouched.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
