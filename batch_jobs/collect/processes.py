"""Runs a collector's program: its standard output is messages, its standard error goes to the log without secrets."""

import contextlib
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from aimass_core.domain.collector_messages import MAX_LINE_BYTES
from aimass_core.errors import InvalidDataError
from batch_jobs.runtime.failures import UserCodeError
from batch_jobs.runtime.redaction import redact
from batch_jobs.script.processes import GRACE_SECONDS, find_user, give, start, to_exit_code

_LINGER_SECONDS = 2.0
_MAX_LOG_BYTES = 16 * 1024**2
_MAX_LOG_LINE_BYTES = 16_384
_TAIL_LINES = 60
_MIN_SECRET = 4


def run_lines(
    command: Sequence[str],
    *,
    cwd: Path,
    variables: Mapping[str, str],
    given: Sequence[Path],
    secrets: Sequence[str],
    max_seconds: float | None,
) -> Iterator[bytes]:
    """The lines of its standard output, as they come. Whoever stops reading ends it.

    Args:
        given: folders that it may write.
        secrets: taken out of all that it says on standard error.
        max_seconds: then it is ended, and what it wrote until then is all.

    Raises:
        UserCodeError: it ended with an exit code other than 0.
        InvalidDataError: it wrote a line that is too long.
    """
    user = find_user(cwd)
    give(user, *given)
    process = start(command, cwd=cwd, variables=variables, user=user, stderr=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 - it was asked for
    log = _Log(process, secrets)
    is_late = threading.Event()
    timer = _start_timer(process, is_late, max_seconds)
    try:
        while line := process.stdout.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise InvalidDataError(
                    f"The program wrote a line of more than {MAX_LINE_BYTES // 1024**2} MiB. Write one message a line."
                )
            yield line
        process.wait()
    finally:
        if timer is not None:
            timer.cancel()
        _end(process)
        process.stdout.close()
        log.join()
    if process.returncode and not is_late.is_set():
        raise UserCodeError(
            f"The collector's program ended with exit code {to_exit_code(process.returncode)}: {log.last_line[:500]}. "
            "Nothing of this run was kept, and the next one begins at the same place.",
            code="collector_failed",
            output="\n".join(log.lines),
        )


class _Log:
    """Prints what a program says, to an end, and keeps the last of it."""

    def __init__(self, process: subprocess.Popen[bytes], secrets: Sequence[str]) -> None:
        self._process = process
        self._secrets = sorted((secret for secret in secrets if len(secret) >= _MIN_SECRET), key=len, reverse=True)
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._thread = threading.Thread(target=self._read, name="collector's log", daemon=True)
        self._thread.start()

    @property
    def lines(self) -> list[str]:
        return list(self._tail)

    @property
    def last_line(self) -> str:
        return next((line.strip() for line in reversed(self.lines) if line.strip()), "it said nothing")

    def join(self) -> None:
        """NOTE: somebody who left the tree may hold the pipe for ever."""
        self._thread.join(_LINGER_SECONDS)

    def _read(self) -> None:
        num_bytes = 0
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        with self._process.stderr as stream:
            while line := stream.readline(_MAX_LOG_LINE_BYTES):
                text = without(line.decode(errors="replace").rstrip("\r\n"), self._secrets)
                self._tail.append(text)
                num_bytes += len(line)
                if num_bytes <= _MAX_LOG_BYTES:
                    print(text, flush=True)  # noqa: T201 - standard output is the job's log


def without(text: str, secrets: Sequence[str]) -> str:
    """The text without these secrets, and without what looks like one."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return redact(text, {})


def _start_timer(
    process: subprocess.Popen[bytes], is_late: threading.Event, max_seconds: float | None
) -> threading.Timer | None:
    if max_seconds is None:
        return None

    def stop() -> None:
        is_late.set()
        _end(process)

    timer = threading.Timer(max(max_seconds, 0.0), stop)
    timer.daemon = True
    timer.start()
    return timer


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the tree by its supervisor, and SIGKILL when its grace has passed.

    NOTE: again and again, since the supervisor does not hand on what comes while it starts the program.
    """
    deadline = time.monotonic() + GRACE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.25)
    if process.poll() is None:
        process.kill()
        process.wait()
