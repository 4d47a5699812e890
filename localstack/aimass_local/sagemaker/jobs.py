"""A training job: what was asked for, where it is, and how SageMaker tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from aimass_local.documents import Document
from aimass_local.environment import ACCOUNT_ID, REGION

ARN_PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT_ID}:training-job/"
INTERNAL_SERVER_ERROR = "InternalServerError: We encountered an internal error. Please try again."

_MAX_REASON = 1024
_MAX_RUNTIME_SECONDS = 24 * 3600


class Status(StrEnum):
    """TrainingJobStatus."""

    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def is_final(self) -> bool:
        return self in (Status.COMPLETED, Status.FAILED, Status.STOPPED)


class Step(StrEnum):
    """SecondaryStatus, with the message that SageMaker gives beside it."""

    STARTING = "Starting"
    PENDING = "Pending"
    DOWNLOADING = "Downloading"
    TRAINING = "Training"
    UPLOADING = "Uploading"
    RESTARTING = "Restarting"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
    MAX_WAIT_TIME_EXCEEDED = "MaxWaitTimeExceeded"


_MESSAGES = {
    Step.STARTING: "Starting the training job",
    Step.PENDING: "Preparing the instances for training",
    Step.DOWNLOADING: "Downloading the input data",
    Step.TRAINING: "Training image download completed. Training in progress.",
    Step.UPLOADING: "Uploading generated training model",
    Step.RESTARTING: "Restarting the training job",
    Step.STOPPING: "Stopping the training job",
    Step.COMPLETED: "Training job completed",
    Step.STOPPED: "Training job stopped",
    Step.MAX_RUNTIME_EXCEEDED: "Training job runtime exceeded MaxRuntimeInSeconds provided",
    Step.MAX_WAIT_TIME_EXCEEDED: "Training job exceeded MaxWaitTimeInSeconds provided",
}


@dataclass(slots=True, kw_only=True)
class TrainingJob:
    """`request` is what CreateTrainingJob was given; every `_at` is in seconds since 1970."""

    request: Document
    created_at: float
    changed_at: float
    status: Status = Status.IN_PROGRESS
    step: Step = Step.STARTING
    transitions: list[Document] = field(default_factory=list)
    started_at: float | None = None
    ended_at: float | None = None
    failure_reason: str | None = None
    artifacts: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    num_restarts: int = 0

    @classmethod
    def from_document(cls, document: Document) -> TrainingJob:
        return cls(**{**document, "status": Status(document["status"]), "step": Step(document["step"])})

    def to_document(self) -> Document:
        return asdict(self)

    @property
    def name(self) -> str:
        return str(self.request["TrainingJobName"])

    @property
    def arn(self) -> str:
        return f"{ARN_PREFIX}{self.name}"

    @property
    def num_instances(self) -> int:
        resources = self.request["ResourceConfig"]
        groups = resources.get("InstanceGroups", [])
        return sum(group["InstanceCount"] for group in groups) or resources.get("InstanceCount", 1)

    @property
    def max_runtime_seconds(self) -> int:
        return int(self.request["StoppingCondition"].get("MaxRuntimeInSeconds", _MAX_RUNTIME_SECONDS))

    @property
    def max_wait_seconds(self) -> int | None:
        """From the creation to the end, waiting for machines included; of managed spot training only."""
        is_spot = self.request.get("EnableManagedSpotTraining", False)
        return self.request["StoppingCondition"].get("MaxWaitTimeInSeconds") if is_spot else None

    @property
    def num_restarts_allowed(self) -> int:
        return int(self.request.get("RetryStrategy", {}).get("MaximumRetryAttempts", 0))

    def advance(self, step: Step, *, at: float, status: Status | None = None, reason: str | None = None) -> None:
        """Goes on to a step; with a final status the job has ended."""
        if self.transitions:
            self.transitions[-1].setdefault("EndTime", at)
        transition = {"Status": step.value, "StartTime": at, "StatusMessage": reason or _MESSAGES.get(step, "")}
        self.step, self.changed_at = step, at
        self.status = status or self.status
        if self.status.is_final:
            transition["EndTime"] = self.ended_at = at
        if status is Status.FAILED:
            self.failure_reason = (reason or "")[:_MAX_REASON]
        self.transitions.append(transition)


def to_description(job: TrainingJob) -> Document:
    """The answer of DescribeTrainingJob."""
    shown = {name: value for name, value in job.request.items() if name not in ("Tags", "SessionChainingConfig")}
    description: dict[str, Any] = {
        **shown,
        "TrainingJobArn": job.arn,
        "TrainingJobStatus": job.status.value,
        "SecondaryStatus": job.step.value,
        "SecondaryStatusTransitions": job.transitions,
        "ModelArtifacts": {"S3ModelArtifacts": job.artifacts},
        "CreationTime": job.created_at,
        "LastModifiedTime": job.changed_at,
    }
    if job.failure_reason:
        description["FailureReason"] = job.failure_reason
    if job.started_at:
        seconds = max(1, round((job.ended_at or job.changed_at) - job.started_at))
        description |= {"TrainingStartTime": job.started_at, "TrainingTimeInSeconds": seconds}
        description |= {"BillableTimeInSeconds": seconds} if job.ended_at else {}
    if job.ended_at:
        description["TrainingEndTime"] = job.ended_at
    return description


def to_summary(job: TrainingJob) -> Document:
    """One line of ListTrainingJobs."""
    summary = {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "CreationTime": job.created_at,
        "LastModifiedTime": job.changed_at,
        "TrainingJobStatus": job.status.value,
        "SecondaryStatus": job.step.value,
    }
    return summary | ({"TrainingEndTime": job.ended_at} if job.ended_at else {})


def to_tags(tags: Sequence[Document]) -> dict[str, str]:
    """SageMaker's list of pairs as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}
