"""Notifications: what has happened in a workspace that somebody may want to hear of."""

from enum import StrEnum
from typing import Any, ClassVar

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract, Resource


class NotificationType(StrEnum):
    """What has happened. Rules name these, or a group of them (`job.*`)."""

    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_STOPPED = "job.stopped"
    STUDY_ENDED = "study.ended"
    VERSION_READY = "dataset_version.ready"
    VERSION_BLOCKED = "dataset_version.blocked"
    MODEL_APPROVED = "model_version.approved"
    MODEL_REJECTED = "model_version.rejected"
    ENDPOINT_DEPLOYED = "endpoint.deployed"
    ENDPOINT_FAILED = "endpoint.failed"
    ENDPOINT_ROLLED_BACK = "endpoint.rolled_back"
    ENDPOINT_DRIFTED = "endpoint.drifted"
    ENDPOINT_ALARM = "endpoint.alarm"
    ENDPOINT_ALARM_ENDED = "endpoint.alarm_ended"
    SOURCE_FAILING = "source.failing"
    SOURCE_MENDED = "source.mended"
    BUDGET_WARNED = "budget.warned"
    BUDGET_REACHED = "budget.reached"
    USER_INVITED = "user.invited"
    DELIVERY_DEAD = "delivery.dead"
    REPORT_READY = "report.ready"
    REPORT_FAILED = "report.failed"
    DEAD_LETTERS = "system.dead_letters"
    TEST = "test"


class Level(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_WORDS: dict[NotificationType, tuple[Level, str]] = {
    NotificationType.JOB_SUCCEEDED: (Level.INFO, "A job has succeeded."),
    NotificationType.JOB_FAILED: (Level.ERROR, "A job has failed, also one of a study."),
    NotificationType.JOB_STOPPED: (Level.INFO, "A job was stopped."),
    NotificationType.STUDY_ENDED: (Level.INFO, "A search or an autotrain has ended with what it found."),
    NotificationType.VERSION_READY: (Level.INFO, "A dataset has a new version."),
    NotificationType.VERSION_BLOCKED: (Level.ERROR, "A version was rejected: its files or its expectations."),
    NotificationType.MODEL_APPROVED: (Level.INFO, "A model version was approved."),
    NotificationType.MODEL_REJECTED: (Level.WARNING, "A model version was rejected by somebody who looked at it."),
    NotificationType.ENDPOINT_DEPLOYED: (Level.INFO, "An endpoint serves another version."),
    NotificationType.ENDPOINT_FAILED: (Level.ERROR, "A version did not become what an endpoint serves."),
    NotificationType.ENDPOINT_ROLLED_BACK: (Level.WARNING, "An endpoint went back to its former version."),
    NotificationType.ENDPOINT_DRIFTED: (Level.WARNING, "What an endpoint is asked has moved from what was trained."),
    NotificationType.ENDPOINT_ALARM: (Level.ERROR, "An endpoint passes a limit that was set for it."),
    NotificationType.ENDPOINT_ALARM_ENDED: (Level.INFO, "An endpoint is within its limits again."),
    NotificationType.SOURCE_FAILING: (Level.ERROR, "A source could not be read, for the first time or by its secret."),
    NotificationType.SOURCE_MENDED: (Level.INFO, "A source that failed was read again."),
    NotificationType.BUDGET_WARNED: (Level.WARNING, "A part of the month's budget is spent."),
    NotificationType.BUDGET_REACHED: (Level.ERROR, "The month's budget is spent."),
    NotificationType.USER_INVITED: (Level.INFO, "Somebody was invited to the workspace."),
    NotificationType.DELIVERY_DEAD: (Level.WARNING, "A notification could not be delivered, and is no longer tried."),
    NotificationType.REPORT_READY: (Level.INFO, "A report is ready."),
    NotificationType.REPORT_FAILED: (Level.ERROR, "A report could not be made."),
    NotificationType.DEAD_LETTERS: (Level.ERROR, "Events could not be processed. Told in the first workspace."),
    NotificationType.TEST: (Level.INFO, "Somebody tries a channel."),
}


def level_of(kind: NotificationType) -> Level:
    """How bad it is."""
    return _WORDS[kind][0]


class NotificationTypeInfo(Contract):
    """A type that rules may name."""

    type: NotificationType
    level: Level
    description: str


TYPES = tuple(
    NotificationTypeInfo(type=kind, level=level, description=words) for kind, (level, words) in _WORDS.items()
)


class NotificationStatus(StrEnum):
    """PENDING until it is known who is to hear of it."""

    PENDING = "PENDING"
    TOLD = "TOLD"


class Subject(Contract):
    """What it is about."""

    resource: str = Field(examples=["job"])
    id: str
    name: str = Field(default="", description="As people call it: the model or data of a job, the endpoint's name.")


class Notification(Resource):
    """One thing that has happened. It is kept for thirty days."""

    resource: ClassVar[str] = "notification"
    prefix: ClassVar[str] = "ntf"

    type: NotificationType
    level: Level
    status: NotificationStatus = NotificationStatus.PENDING
    title: str = Field(description="One line.", examples=["The job on adult has failed"])
    text: str = Field(default="", description="Why, and what to do.")
    subject: Subject
    data: dict[str, Any] = Field(default={}, description="What a program wants to know of it.")
    channels: list[str] = Field(default=[], description="Channels that hear of it in any case.")
    num_deliveries: int | None = Field(default=None, description="How many channels hear of it. Null: not yet known.")
    forgotten_at: AwareDatetime
