"""What the compute service tells about a job, applied to its row: in any order, any number of times, however late."""

import logging
from dataclasses import dataclass
from typing import Any

from aimass_core.domain.compute_states import ComputeState
from aimass_core.domain.jobs import Artifact, Failure, Job, JobStatus, ModelRef, num_workers_of
from aimass_core.errors import NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import (
    backends,
    job_failures,
    job_results,
    job_states,
    models,
    records,
    source_runs,
    studies,
    workspace_reports,
)

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
    if not job.status.is_terminal:
        job = _apply(ports, job, state)
        source_runs.settle(ports, job)
        workspace_reports.settle(ports, job)
    if job.status.is_terminal and (not state.status.is_terminal or _has_workers(job)):
        backends.compute_of(ports, job).terminate(state.compute_job_id, reason=f"The job is {job.status}.")
    return job


def _apply(ports: Ports, job: Job, state: ComputeState) -> Job:
    match state.status:
        case JobStatus.SUCCEEDED:
            return finish(ports, job, state)
        case JobStatus.FAILED if _has_workers(job) and _has_result(ports, job, state):
            # On SageMaker the end of one worker may be that of all, also where worker 0 had handed over.
            return finish(ports, job, state)
        case JobStatus.FAILED:
            return fail(ports, job, state, job_failures.explain(ports, job, state))
        case _:
            return job_states.change(ports, job.workspace_id, job.id, lambda stored: _advance(stored, state))


def _has_workers(job: Job) -> bool:
    """Whether others may run on when worker 0, whose end is the job's, has ended."""
    return (num_workers_of(job.spec) or 1) > 1


def _has_result(ports: Ports, job: Job, state: ComputeState) -> bool:
    return job_results.has_result(ports, job, attempt=max(job.attempt, state.attempt))


def finish(ports: Ports, job: Job, state: ComputeState) -> Job:
    """Ends a job whose container ended well: SUCCEEDED with its result, FAILED where that is not as it should be."""
    fields = _end_fields(job, state)
    model_version: ModelRef | None = None
    try:
        result = job_results.load_verified(ports, job, attempt=fields["attempt"])
        if job_results.makes_model(job, result):
            model_version = models.register(
                ports,
                job,
                result.artifacts,
                key_of=lambda artifact: job_results.artifact_key(job, result, artifact),
                metrics=result.metrics,
            )
    except job_results.ResultError as error:
        return fail(ports, job, state, error.failure)
    changes = {
        **fields,
        "status": JobStatus.SUCCEEDED,
        "status_reason": None,
        "metrics": result.metrics,
        "model_version": model_version,
    }
    return job_states.change(ports, job.workspace_id, job.id, lambda _: dict(changes))


def fail(ports: Ports, job: Job, state: ComputeState, failure: Failure) -> Job:
    """Ends a job that did not end well: FAILED, or STOPPED where somebody asked for that. A study's has a model even
    so, if a trial has left one."""
    fields = _end_fields(job, state)
    best = _find_best(ports, job)
    if best is not None:
        fields |= {"model_version": best.ref, "metrics": best.metrics}
    return job_states.fail(ports, job.workspace_id, job.id, failure, **fields)


@dataclass(frozen=True, slots=True)
class _Best:
    ref: ModelRef
    metrics: dict[str, float]


def _find_best(ports: Ports, job: Job) -> _Best | None:
    """Registers the best model that this job has found; an earlier job of the study has its own."""
    if job.study_id is None:
        return None
    study_id = job.study_id
    best = studies.load_best(ports, job.workspace_id, study_id)
    if best is None or best.at < job.created_at:
        return None

    def key_of(artifact: Artifact) -> str:
        return studies.trial_key(job.workspace_id, study_id, best, artifact)

    try:
        job_results.verify(ports, job, best.artifacts, key_of=key_of, required=job_results.SERVED)
        ref = models.register(ports, job, best.artifacts, key_of=key_of, metrics=best.metrics)
    except job_results.ResultError as error:
        _log.warning("the best model cannot be used", extra={"job_id": job.id, "reason": error.failure.cause})
        return None
    return _Best(ref, dict(best.metrics))


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
