"""What functions and jobs have logged, as one search finds it."""

from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract

JOB_SOURCE = "job"


class LogSeverity(StrEnum):
    """The least that is wanted."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"

    def includes(self, level: str) -> bool:
        """Whether a line of this level is wanted."""
        order = [*LogSeverity, "CRITICAL"]
        return level in order and order.index(level) >= order.index(self)


class LogEntry(Contract):
    """One line."""

    at: AwareDatetime
    source: str = Field(description="The function that wrote it, or `job`.", examples=["api", "predictions", "job"])
    level: str | None = None
    message: str
    request_id: str | None = None
    job_id: str | None = None
    details: dict[str, Any] = Field(default={}, description="What else the line says.")


class LogFilter(Contract):
    """Which lines are wanted; what is null does not matter."""

    request_id: str | None = None
    job_id: str | None = None
    endpoint: str | None = None
    source: str | None = None
    text: str | None = None
    level: LogSeverity | None = None
    since: AwareDatetime
    until: AwareDatetime
