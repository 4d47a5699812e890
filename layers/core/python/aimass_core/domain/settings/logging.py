"""Settings of logging."""

from enum import StrEnum
from typing import ClassVar

from aimass_core.domain.settings.contract import Applies, Subsystem, SubsystemSettings, setting


class RequestLogLevel(StrEnum):
    """What is logged of a request: what failed alone; a line; a line with what was asked and what its answer was."""

    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"


class LoggingSettings(SubsystemSettings):
    """What is logged of this workspace."""

    subsystem: ClassVar[Subsystem] = Subsystem.LOGGING

    level: RequestLogLevel = setting(
        RequestLogLevel.INFO,
        title="Requests",
        description="Of the API, of predictions and of webhooks. Debug shows more of each within seconds: its query, "
        "its sizes, its client, and how long its parts took.",
    )
    job_level: RequestLogLevel = setting(
        RequestLogLevel.INFO,
        title="Containers",
        description="What jobs log: what is wrong alone (warning), what they do (info), or also what the libraries say "
        "that they use (debug).",
        applies=Applies.NEXT_JOB,
    )
