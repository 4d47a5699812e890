"""How AWS Batch tells of a job, in our words: a pure translation of a JobDetail, from an event or DescribeJobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimass_core.domain.jobs import JobStatus

WORKSPACE_VARIABLE = "AIMASS_WORKSPACE_ID"
JOB_VARIABLE = "AIMASS_JOB_ID"

_STATUSES = {
    "SUBMITTED": JobStatus.QUEUED,
    "PENDING": JobStatus.QUEUED,
    "RUNNABLE": JobStatus.QUEUED,
    "STARTING": JobStatus.STARTING,
    "RUNNING": JobStatus.RUNNING,
    "SUCCEEDED": JobStatus.SUCCEEDED,
    "FAILED": JobStatus.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeState:
    """How the compute service sees a job, in our words."""

    compute_job_id: str
    name: str
    status: JobStatus
    reason: str | None
    exit_code: int | None
    attempt: int
    log_stream: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAddress:
    """Which job of ours a container belongs to."""

    workspace_id: str
    job_id: str


def to_compute_state(job_detail: Mapping[str, Any]) -> ComputeState:
    """Translates a JobDetail.

    Batch lists an attempt once it has ended, so a job that has not ended is in the attempt after those. The reasons of
    the container ("OutOfMemoryError: ...") and of the job ("Essential container in task exited") are joined.
    """
    status = _STATUSES[job_detail["status"]]
    attempts = job_detail.get("attempts") or []
    container = dict(job_detail.get("container") or {})
    status_reason = job_detail.get("statusReason")
    if attempts and status.is_terminal:
        last = attempts[-1]
        container |= {name: value for name, value in (last.get("container") or {}).items() if value is not None}
        status_reason = status_reason or last.get("statusReason")
    reasons = dict.fromkeys(reason for reason in (container.get("reason"), status_reason) if reason)
    return ComputeState(
        compute_job_id=job_detail["jobId"],
        name=job_detail["jobName"],
        status=status,
        reason="; ".join(reasons) or None,
        exit_code=container.get("exitCode") if status.is_terminal else None,
        attempt=max(1, len(attempts) if status.is_terminal else len(attempts) + 1),
        log_stream=container.get("logStreamName"),
    )


def to_job_address(job_detail: Mapping[str, Any]) -> JobAddress | None:
    """The job of ours, from the environment that dispatch gave to the container. None for somebody else's job."""
    container = job_detail.get("container") or {}
    environment = {pair.get("name"): pair.get("value") for pair in container.get("environment") or []}
    workspace_id, job_id = environment.get(WORKSPACE_VARIABLE), environment.get(JOB_VARIABLE)
    if not workspace_id or not job_id:
        return None
    return JobAddress(workspace_id=workspace_id, job_id=job_id)
