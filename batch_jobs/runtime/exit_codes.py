"""How a container tells its compute service what to do next: the job definition retries 75 and nothing else."""

from enum import IntEnum


class ExitCode(IntEnum):
    """User and data errors are those of sysexits.h (EX_USAGE, EX_DATAERR), and so is EX_TEMPFAIL for a new attempt."""

    SUCCESS = 0
    PLATFORM_FAULT = 1
    USER_ERROR = 64
    DATA_ERROR = 65
    INTERRUPTED = 75
