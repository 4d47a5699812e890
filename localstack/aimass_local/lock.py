"""The lock on a data directory: an operating-system lock that dies with its process, and says who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The server process that holds a data directory."""

    pid: int
    port: int
    # Seconds since the epoch at which the process began; with the pid it identifies a process for ever.
    process_started_at: float

    @classmethod
    def this_process(cls, *, port: int) -> Holder:
        return cls(pid=os.getpid(), port=port, process_started_at=psutil.Process().create_time())

    def process(self) -> psutil.Process | None:
        """The running process, or None when it has ended (its pid may belong to another process by now)."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.process_started_at) < 1.0
        except psutil.NoSuchProcess:
            return None
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None


class LockedError(Exception):
    """Another process holds the data directory."""

    def __init__(self, holder: Holder | None, path: Path) -> None:
        self.holder = holder
        owner = f"process {holder.pid} (port {holder.port})" if holder else "another process"
        super().__init__(
            f"{path.parent} is in use by {owner}: stop it with `aimass local down`, or use another --data-dir"
        )


@contextlib.contextmanager
def hold(path: Path, holder: Holder) -> Iterator[None]:
    """Holds the lock for the duration of the block; a file left by a killed process does not block.

    Raises:
        LockedError: another process holds it.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(_read_holder(path), path) from error
        file.seek(0)
        file.truncate()
        file.write(json.dumps(asdict(holder)))
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()


def find_holder(path: Path) -> Holder | None:
    """Who holds the lock now, or None when nobody does.

    It does not try the lock: a server that starts at this moment would find it taken.
    """
    holder = _read_holder(path)
    return holder if holder and holder.process() else None


def _read_holder(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text()))
    except (ValueError, TypeError, FileNotFoundError, NotADirectoryError):
        return None  # no folder, or taken this very moment: the name is not written yet
