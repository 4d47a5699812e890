"""What the compute service tells about a job, applied to its row: in any order, any number of times, however late."""

import logging
from typing import Any

from aimass_core.domain.compute_states import ComputeState
from aimass_core.domain.jobs import Job, JobStatus, ModelRef
from aimass_core.errors import NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import backends, job_failures, job_results, job_states, models, records

_log = logging.getLogger(__name__)


def apply(ports: Ports, workspace_id: str, job_id: str, state: ComputeState) -> Job | None:
    """Brings the job to where the compute service sees it; the job afterwards, None where there is no such job.

    A success counts only once its result is verified and, for a training job, its model version is registered.
    """
    try:
        job = records.get(ports, Job, workspace_id, job_id)
    except NotFoundError:
        _log.warning("event of an unknown job", extra={"job_id": job_id, "compute_job_id": state.compute_job_id})
        return None
    if job.compute_job_id not in (None, state.compute_job_id):
        _log.warning("event of another submission", extra={"job_id": job_id, "compute_job_id": state.compute_job_id})
        return job
    if job.status.is_terminal:
        if not state.status.is_terminal:
            backends.compute_of(ports, job).terminate(state.compute_job_id, reason=f"The job is {job.status}.")
        return job
    match state.status:
        case JobStatus.SUCCEEDED:
            return finish(ports, job, state)
        case JobStatus.FAILED:
            failure = job_failures.explain(ports, job, state)
            return job_states.fail(ports, workspace_id, job_id, failure, **_end_fields(job, state))
        case _:
            return job_states.change(ports, workspace_id, job_id, lambda stored: _advance(stored, state))


def finish(ports: Ports, job: Job, state: ComputeState) -> Job:
    """Ends a job whose container ended well: SUCCEEDED with its result, FAILED where that is not as it should be."""
    fields = _end_fields(job, state)
    model_version: ModelRef | None = None
    try:
        result = job_results.load_verified(ports, job, attempt=fields["attempt"])
        if job_results.makes_model(job, result):
            model_version = models.register(ports, job, result)
    except job_results.ResultError as error:
        return job_states.fail(ports, job.workspace_id, job.id, error.failure, **fields)
    changes = {
        **fields,
        "status": JobStatus.SUCCEEDED,
        "status_reason": None,
        "metrics": result.metrics,
        "model_version": model_version,
    }
    return job_states.change(ports, job.workspace_id, job.id, lambda _: dict(changes))


def _advance(job: Job, state: ComputeState) -> dict[str, Any] | None:
    """What a job that goes on takes from a state; nothing from a late one of an earlier attempt."""
    changes: dict[str, Any] = {}
    if job.compute_job_id is None:
        changes["compute_job_id"] = state.compute_job_id
    if state.attempt >= job.attempt and state.attempt > job.num_attempts_ended:
        begins_attempt = state.attempt - 1 > job.num_attempts_ended
        if _may_step(job, state):
            changes |= {"status": state.status, "status_reason": state.reason}
        elif _says_why(job, state, begins_attempt=begins_attempt):
            changes["status_reason"] = state.reason
        if begins_attempt:
            changes["num_attempts_ended"] = state.attempt - 1
        if state.status is not JobStatus.QUEUED and state.attempt > job.attempt:
            changes["attempt"] = state.attempt
        if state.log_stream and state.log_stream != job.log_stream:
            changes["log_stream"] = state.log_stream
    return changes or None


def _says_why(job: Job, state: ComputeState, *, begins_attempt: bool) -> bool:
    """Whether a state that is no step tells why the job cannot start, or why it has begun again."""
    if job.status is JobStatus.STOPPING or state.reason in (None, job.status_reason):
        return False
    return begins_attempt or state.status is job.status is JobStatus.QUEUED


def _may_step(job: Job, state: ComputeState) -> bool:
    """Forward within an attempt; a higher attempt may begin anywhere. So a late QUEUED does not undo a STARTING."""
    if job.status is JobStatus.STOPPING or state.status is job.status:
        return False
    if state.attempt > max(job.attempt, 1):
        return True
    is_back = state.status is JobStatus.QUEUED and job.status is not JobStatus.SUBMITTED
    return not is_back and job.status.may_become(state.status)


def _end_fields(job: Job, state: ComputeState) -> dict[str, Any]:
    return {
        "compute_job_id": state.compute_job_id,
        "attempt": max(job.attempt, state.attempt),
        "log_stream": state.log_stream or job.log_stream,
    }
