"""The operating system's processes, seen as containers.

A container is one session of processes, led by its command, whose environment names the container's folder. The name
finds processes that left the session as well, and those that a former server left behind: unlike a process id it is
never used twice.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from aimass_local.containers import watchdog

MARKER = "AIMASS_LOCAL_CONTAINER"
"""The environment variable that names the container's folder."""

_MAX_SWEEPS = 100
_MIB = 1024 * 1024

_logger = logging.getLogger(__name__)


def kill_container(folder: Path, *, session: int) -> None:
    """Kills every process of one container. Blocks: call it in a thread.

    Args:
        folder: of the container.
        session: process id of its first process, which may have ended.
    """
    _kill_until_none(lambda process: _is_in_session(process, session) or _get_marker(process) == str(folder))


def clear_runs(run_folder: Path) -> None:
    """Ends what the containers of a former server left running, and removes their folders. Blocks."""
    num_orphans = _kill_until_none(lambda process: _get_marker(process).startswith(f"{run_folder}{os.sep}"))
    if num_orphans:
        _logger.warning("ended %d processes that the former server left running", num_orphans)
    shutil.rmtree(run_folder, ignore_errors=True)


def limit(pid: int, ulimits: Mapping[str, tuple[int, int]]) -> None:
    """Gives a process, and all that it will start, the limits of its job definition. Linux only."""
    if not psutil.LINUX:
        return
    for name, (soft, hard) in ulimits.items():
        kind = getattr(psutil, f"RLIMIT_{name.upper()}", None)
        if kind is None:
            _logger.warning("ulimit %s is unknown here and has no effect", name)
            continue
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            _, most = process.rlimit(kind)
            # NOTE: -1 means without limit. Nobody but root may raise a hard limit.
            within = [min(value, most) if most >= 0 else value for value in (soft, hard)]
            process.rlimit(kind, (within[0], within[1]))


def measure_memory_mib(session: int) -> float:
    """Memory that the processes of one container hold together. Blocks for a millisecond or so."""
    return sum(_measure(process, is_exact=False) for process in _iterate_session(session)) / _MIB


def measure_exact_memory_mib(session: int) -> float:
    """The same without pages of files, which a container's limit lets the system take back. Exact on Linux only."""
    return sum(_measure(process, is_exact=psutil.LINUX) for process in _iterate_session(session)) / _MIB


class Watchdog:
    """Sees to it that containers end when this process is killed (`watchdog.py`). Starts with the first container."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", watchdog.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def close(self) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _tell(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            _logger.warning("the watchdog is gone: if this server is killed, its containers end at its next start")


def _kill_until_none(is_wanted: Callable[[psutil.Process], bool]) -> int:
    """Kills again and again, because a process may start another one while it is being looked for."""
    killed: set[int] = set()
    for sweep in range(_MAX_SWEEPS):
        found = [process for process in psutil.process_iter() if process.pid != os.getpid() and is_wanted(process)]
        if not found:
            return len(killed)
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()  # psutil refuses if the id has gone to another process meanwhile
            killed.add(process.pid)
        # NOTE: no psutil.wait here: it would take the exit code of our own child away from asyncio.
        time.sleep(0.002 * (sweep + 1))
    _logger.error("processes %s do not end, though they were killed", sorted(killed))
    return len(killed)


def _iterate_session(session: int) -> Iterator[psutil.Process]:
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getsid(pid) == session:
                yield psutil.Process(pid)


def _is_in_session(process: psutil.Process, session: int) -> bool:
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, PermissionError, psutil.Error):
        return False


def _get_marker(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARKER, "")
    except (psutil.Error, OSError):
        return ""  # another user's, or gone


def _measure(process: psutil.Process, *, is_exact: bool) -> int:
    try:
        return _measure_exact(process.pid) if is_exact else int(process.memory_info().rss)
    except (psutil.Error, OSError):
        return 0


def _measure_exact(pid: int) -> int:
    """Bytes that cannot be had back, those that processes share divided among them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines[1:])
    return sum(int(fields[name].split()[0]) * 1024 for name in ("Pss_Anon", "Pss_Shmem"))
