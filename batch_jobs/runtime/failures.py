"""From what was raised to an exit code and a failure record: the cause first, in words that say what to do next."""

import errno
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

from aimass_core.domain.jobs import Failure
from aimass_core.errors import AimassError, InvalidDataError, InvalidRequestError, UnavailableError
from batch_jobs.runtime.exit_codes import ExitCode
from batch_jobs.runtime.redaction import redact

_MAX_TRACEBACK_BYTES = 4_096
_MAX_CAUSE = 2_000
# What native libraries say where Python has MemoryError.
_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|bad_alloc|cannot allocate memory", re.IGNORECASE)


class UserCodeError(Exception):
    """Code of the user's own failed: why, and the last that it printed."""

    def __init__(self, cause: str, *, code: str = "script_failed", output: str = "") -> None:
        super().__init__(cause)
        self.code, self.cause, self.output = code, cause, output


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt that did not succeed ends."""

    exit_code: ExitCode
    failure: Failure


def explain(error: BaseException, variables: Mapping[str, str]) -> Ending:
    """What the user is told about an error. Secrets of the environment are taken out of every text."""
    if isinstance(error, InvalidRequestError):
        exit_code = ExitCode.DATA_ERROR if isinstance(error, InvalidDataError) else ExitCode.USER_ERROR
        return _end(exit_code, error.code, error.message, None, variables)
    if isinstance(error, UserCodeError):
        return _end(ExitCode.USER_ERROR, error.code, error.cause, error.output or None, variables)
    text = _format(error)
    if _is_out_of_memory(error):
        cause = (
            f"The job needed more memory than it had ({_first_line(error)}). Submit it with more memory "
            "(compute.memory_mib), or on less data."
        )
        return _end(ExitCode.PLATFORM_FAULT, "out_of_memory", cause, text, variables)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        cause = "The job's disk is full. Submit it on less data, or give the compute environment larger disks."
        return _end(ExitCode.PLATFORM_FAULT, "disk_full", cause, text, variables)
    if isinstance(error, AimassError):
        exit_code = ExitCode.INTERRUPTED if isinstance(error, UnavailableError) else ExitCode.PLATFORM_FAULT
        return _end(exit_code, error.code, error.message, text, variables)
    return _end(ExitCode.PLATFORM_FAULT, "internal", f"{type(error).__name__}: {_first_line(error)}", text, variables)


def interrupted(attempt: int) -> Ending:
    """SIGTERM came."""
    cause = (
        f"Attempt {attempt} was interrupted (SIGTERM): its machine was taken away, or somebody stopped it. "
        "It is tried again as long as attempts are left."
    )
    failure = Failure(code="interrupted", cause=cause, exit_code=ExitCode.INTERRUPTED)
    return Ending(exit_code=ExitCode.INTERRUPTED, failure=failure)


def _end(exit_code: ExitCode, code: str, cause: str, text: str | None, variables: Mapping[str, str]) -> Ending:
    failure = Failure(
        code=code,
        cause=redact(cause, variables)[:_MAX_CAUSE],
        traceback=None if text is None else _tail(redact(text, variables)),
        exit_code=exit_code,
    )
    return Ending(exit_code=exit_code, failure=failure)


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error))))


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def _format(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _tail(text: str) -> str:
    """Whole lines from the end, at most 4 KB."""
    encoded = text.encode()
    if len(encoded) <= _MAX_TRACEBACK_BYTES:
        return text
    tail = encoded[-_MAX_TRACEBACK_BYTES:].decode(errors="ignore")
    return "..." + tail[tail.find("\n") :] if "\n" in tail else tail
