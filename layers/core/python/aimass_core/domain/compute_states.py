"""How AWS Batch and SageMaker tell of a job, in our words: a pure translation of what events and Describe calls say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimass_core.domain.job_statuses import JobStatus

WORKSPACE_VARIABLE = "AIMASS_WORKSPACE_ID"
JOB_VARIABLE = "AIMASS_JOB_ID"
LOG_LEVEL_VARIABLE = "AIMASS_LOG_LEVEL"
"""How much the platform's own part of a container logs."""

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
    """Translates Batch's JobDetail.

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
        compute_job_id=parent_of(job_detail),
        name=job_detail["jobName"],
        status=status,
        reason="; ".join(reasons) or None,
        exit_code=container.get("exitCode") if status.is_terminal else None,
        attempt=max(1, len(attempts) if status.is_terminal else len(attempts) + 1),
        log_stream=container.get("logStreamName"),
    )


def from_event(event: Mapping[str, Any]) -> tuple[JobAddress, ComputeState] | None:
    """What a state-change event of EventBridge tells. None for somebody else's job, and for all of an array but its
    first child, worker 0: that one claims, reports and ends the job."""
    detail = event["detail"]
    if event["source"] == "aws.sagemaker":
        address = to_training_address(detail["TrainingJobName"])
        return None if address is None else (address, to_training_state(detail))
    address = to_job_address(detail)
    if is_array(detail) or (detail.get("arrayProperties") or {}).get("index", 0) > 0:
        return None
    return None if address is None else (address, to_compute_state(detail))


def is_array(job_detail: Mapping[str, Any]) -> bool:
    """Whether it is an array itself, not one of its children, whose ids are `<array>:<index>`."""
    return "size" in (job_detail.get("arrayProperties") or {})


def parent_of(job_detail: Mapping[str, Any]) -> str:
    """The id under which the job was submitted: an array's for its child."""
    return str(job_detail["jobId"]).partition(":")[0]


def to_job_address(job_detail: Mapping[str, Any]) -> JobAddress | None:
    """The job of ours, from the environment that dispatch gave to the container. None for somebody else's job."""
    container = job_detail.get("container") or _container_of_nodes(job_detail)
    environment = {pair.get("name"): pair.get("value") for pair in container.get("environment") or []}
    workspace_id, job_id = environment.get(WORKSPACE_VARIABLE), environment.get(JOB_VARIABLE)
    if not workspace_id or not job_id:
        return None
    return JobAddress(workspace_id=workspace_id, job_id=job_id)


def _container_of_nodes(job_detail: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a multi-node job, whose nodes all have the same."""
    ranges = (job_detail.get("nodeProperties") or {}).get("nodeRangeProperties") or [{}]
    container: Mapping[str, Any] = ranges[0].get("container") or {}
    return container


# --- SageMaker -------------------------------------------------------------------------------------------------------

_TRAINING_JOB_NAME = re.compile(r"aimass-([0-9a-f]{27})-([0-9a-f]{27})")
_EXIT_CODE = re.compile(r"exit code: (\d+)", re.IGNORECASE)
# Before, or once more before, machines are there. All other steps are STARTING to us: only a container that has claimed
# its job says RUNNING, so that the next one knows that it is another attempt.
_WAITING = {"Starting", "Pending", "LaunchingMLInstances", "Interrupted", "Restarting"}
_CUTS = {
    "MaxRuntimeExceeded": "The job exceeded timeout (MaxRuntimeExceeded)",
    "MaxWaitTimeExceeded": "MaxWaitTimeExceeded",
    "Stopped": "The training job was stopped in SageMaker",
}


def to_training_job_name(workspace_id: str, job_id: str) -> str:
    """SageMaker's names have at most 63 characters and no underscore; this one leads back to the job."""
    return f"aimass-{workspace_id.partition('_')[2]}-{job_id.partition('_')[2]}"


def to_training_address(name: str) -> JobAddress | None:
    """The reverse. None for somebody else's training job."""
    found = _TRAINING_JOB_NAME.fullmatch(name)
    return JobAddress(workspace_id=f"ws_{found[1]}", job_id=f"job_{found[2]}") if found else None


def to_training_state(description: Mapping[str, Any]) -> ComputeState:
    """Translates what DescribeTrainingJob or a state-change event says.

    SageMaker restarts a job within itself and shows that only as steps.
    """
    name, step = description["TrainingJobName"], description["SecondaryStatus"]
    reason = description.get("FailureReason") or None
    match description["TrainingJobStatus"]:
        case "Completed":
            status = JobStatus.SUCCEEDED
        case "Failed" | "Stopped" | "Deleting":
            status = JobStatus.FAILED
            reason = reason or _CUTS.get(step, step)
        case _:
            status = JobStatus.QUEUED if step in _WAITING else JobStatus.STARTING
            reason = _message_of(description) if status is JobStatus.QUEUED else None
    exit_codes = _EXIT_CODE.findall(reason or "")
    return ComputeState(
        compute_job_id=name,
        name=name,
        status=status,
        reason=reason,
        exit_code=0 if status is JobStatus.SUCCEEDED else int(exit_codes[-1]) if exit_codes else None,
        attempt=1 + _count_restarts(description.get("SecondaryStatusTransitions") or []),
        log_stream=None if status is JobStatus.QUEUED else f"{name}/algo-1",
    )


def _message_of(description: Mapping[str, Any]) -> str | None:
    transitions = description.get("SecondaryStatusTransitions") or [{}]
    return transitions[-1].get("StatusMessage") or None


def _count_restarts(transitions: Sequence[Mapping[str, Any]]) -> int:
    """A taken-away spot machine is Interrupted, then perhaps Restarting: steps side by side are one restart."""
    restarts = [transition["Status"] in ("Interrupted", "Restarting") for transition in transitions]
    return sum(is_restart and not before for before, is_restart in zip([False, *restarts], restarts, strict=False))
