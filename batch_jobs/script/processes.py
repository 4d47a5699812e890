"""Runs a program of the user's own: its output into the log, its end, and what it said before."""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from batch_jobs.runtime.failures import UserCodeError
from batch_jobs.runtime.redaction import redact
from batch_jobs.script import supervisor

GRACE_SECONDS = 15.0
MAX_LOG_BYTES = 64 * 1024**2
MIN_FREE_BYTES = 256 * 1024**2
_POLL_SECONDS = 0.2
_LINGER_SECONDS = 2.0
_MAX_LINE_BYTES = 16_384
_TAIL_LINES = 60
_NOBODY = 65_534
_PR_SET_DUMPABLE = 4
_METRIC = re.compile(r"^\[aimass\] ([A-Za-z][\w/.-]{0,99})=(\S{1,40})(?: step=(\d{1,12}))?\s*$")

OnMetric = Callable[[str, float, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended: its exit code (128 + n where signal n killed it), and the last lines that it printed."""

    exit_code: int
    lines: Sequence[str]

    @property
    def last_line(self) -> str:
        """The last one that says something."""
        return next((line.strip() for line in reversed(self.lines) if line.strip()), "it printed nothing")


@dataclass(slots=True, kw_only=True)
class Program:
    """One run of one command.

    Attributes:
        watched: the folder on whose disk `min_free_bytes` must stay free; else the program is killed.
        redacted: variables whose secrets are taken out of what it prints.
        on_metric: told of lines like `[aimass] loss=0.3 step=12`.
    """

    command: Sequence[str]
    cwd: Path
    variables: Mapping[str, str]
    watched: Path
    redacted: Mapping[str, str]
    on_metric: OnMetric = lambda *_: None
    grace_seconds: float = GRACE_SECONDS
    min_free_bytes: int = MIN_FREE_BYTES
    max_log_bytes: int = MAX_LOG_BYTES
    sink: IO[str] | None = None
    _tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES), init=False)
    _num_bytes: int = field(default=0, init=False)
    _num_steps: int = field(default=0, init=False)

    def run(self) -> Ended:
        """To its end; SIGTERM (`Interrupted`) is handed on before it is raised again.

        Raises:
            UserCodeError: It has filled the disk.
        """
        user = find_user(self.cwd, self.watched)
        process = start(self.command, cwd=self.cwd, variables=self.variables, user=user, stderr=subprocess.STDOUT)
        reader = threading.Thread(target=self._read, args=(process,), name="script output", daemon=True)
        reader.start()
        try:
            self._wait(process)
        finally:
            self._end(process)
            # NOTE: somebody who left the tree may hold the pipe for ever.
            reader.join(_LINGER_SECONDS)
        return Ended(
            exit_code=to_exit_code(process.returncode), lines=[self._to_text(line) for line in list(self._tail)]
        )

    def give(self, *folders: Path) -> None:
        """Lets it write there, where it runs as somebody else."""
        give(find_user(self.cwd, self.watched), *folders)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
                return
            if shutil.disk_usage(self.watched).free < self.min_free_bytes:
                raise UserCodeError(
                    f"The script was stopped because less than {self.min_free_bytes // 1024**2} MiB of its disk were "
                    "left. Write less, or delete what is not needed any more.",
                    code="disk_full",
                )

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """SIGTERM to the tree, and SIGKILL when its grace has passed."""
        if process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self.grace_seconds
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
        if process.poll() is None:
            _kill_tree(process)
            process.wait()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        with process.stdout as output:
            while line := output.readline(_MAX_LINE_BYTES):
                self._take(line)

    def _take(self, line: bytes) -> None:
        """NOTE: past the limit nothing is decoded or searched, so that a flood holds nobody up."""
        self._tail.append(line)
        before, self._num_bytes = self._num_bytes, self._num_bytes + len(line)
        if self._num_bytes <= self.max_log_bytes:
            text = self._to_text(line)
            self._print(text)
            self._find_metric(text)
        elif before <= self.max_log_bytes:
            self._print(f"[log truncated: the script printed more than {self.max_log_bytes:,} bytes]")

    def _to_text(self, line: bytes) -> str:
        return redact(line.decode(errors="replace").rstrip("\r\n"), self.redacted)

    def _print(self, text: str) -> None:
        print(text, file=self.sink or sys.stdout, flush=True)

    def _find_metric(self, text: str) -> None:
        match = _METRIC.match(text)
        if match is None:
            return
        with contextlib.suppress(ValueError):
            value = float(match[2])
            self._num_steps = int(match[3]) if match[3] else self._num_steps + 1
            self.on_metric(match[1], value, self._num_steps)


def start(
    command: Sequence[str], *, cwd: Path, variables: Mapping[str, str], user: int | None, stderr: int
) -> subprocess.Popen[bytes]:
    """A program below a supervisor, in a process group of its own, with these variables alone and nothing to read.

    Args:
        user: who it runs as, see `find_user`.
        stderr: `subprocess.PIPE`, or `subprocess.STDOUT`.
    """
    hide_from_children()
    return subprocess.Popen(
        [sys.executable, "-I", "-S", supervisor.__file__, *command],
        cwd=cwd,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        process_group=0,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )


def find_user(*reached: Path) -> int | None:
    """As root, a program runs as nobody: then it cannot read the environments of root's processes (credentials).

    None, which is ourselves, where nobody can reach the interpreter or the folders, as on a developer's machine.
    """
    if os.geteuid() != 0:
        return None
    paths = [Path(sys.executable).resolve(), Path(sys.executable), *reached]
    may_reach = all(parent.stat().st_mode & 0o001 for path in paths for parent in path.absolute().parents)
    return _NOBODY if may_reach else None


def give(user: int | None, *folders: Path) -> None:
    """Lets a program write there, where it runs as somebody else."""
    if user is not None:
        for path in (inner for folder in folders for inner in (folder, *folder.rglob("*"))):
            os.chown(path, user, user, follow_symlinks=False)


def hide_from_children() -> None:
    """Our own environment, which holds credentials, can no longer be read from /proc by processes of the same user."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """The supervisor last: it waits for the command, so its children are killed first, and it sweeps the rest."""
    for child in _children(process.pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_LINGER_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def to_exit_code(code: int) -> int:
    return 128 - code if code < 0 else code
