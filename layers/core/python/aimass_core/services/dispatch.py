"""Hands submitted jobs to the compute service: once each, whatever crashes between any two of its steps.

A claim on the row (a lease, `dispatched_at`) comes before the submission, the job's own id is the submission's name,
and the compute service is asked for that name before anything is submitted to it.
"""

import json
import logging
import math
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.compute_states import JOB_VARIABLE, LOG_LEVEL_VARIABLE, WORKSPACE_VARIABLE
from aimass_core.domain.jobs import Job, JobStatus, num_workers_of, to_hyperparameters
from aimass_core.domain.settings.logging import LoggingSettings
from aimass_core.domain.settings.training import TrainingSettings
from aimass_core.errors import ConflictError, InvalidRequestError, StaleRevisionError, UnavailableError
from aimass_core.ports import Ports, Submission, WriteConflictError
from aimass_core.services import backends, job_channels, job_failures, job_models, job_states, jobs, records

CLAIM_SECONDS = 120
SUBMIT_SECONDS = 100  # the longest that a submission takes, with the time-outs and retries of its client
MAX_ATTEMPTS = 10

_RESOURCE_CONFIG = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
_log = logging.getLogger(__name__)


def dispatch(ports: Ports, workspace_id: str, job_id: str) -> Job:
    """Submits a job whose dependencies have succeeded; does nothing where it is not due. Idempotent."""
    job = records.get(ports, Job, workspace_id, job_id)
    if not _is_due(ports, job):
        return job
    if job.status is JobStatus.SUBMITTED and (blocked := _check_dependencies(ports, job)) is not None:
        return blocked
    if job.status is JobStatus.SUBMITTED and job.dispatch_attempts >= MAX_ATTEMPTS:
        failure = job_failures.not_dispatched(job, reason=job.status_reason or "")
        return job_states.fail(ports, workspace_id, job_id, failure)
    claimed = _claim(ports, job)
    if claimed is None:
        return job
    return _settle_stop(ports, claimed) if claimed.status is JobStatus.STOPPING else _submit(ports, claimed)


def _submit(ports: Ports, job: Job) -> Job:
    try:
        _save_config(ports, job)
        compute = backends.compute_of(ports, job)
        compute_job_id = compute.find(backends.name_of(job))
        if compute_job_id is None:
            # NOTE: whoever was slow to come here must not submit when the claim has become somebody else's.
            if _age_of_claim(ports, job) > CLAIM_SECONDS - SUBMIT_SECONDS:
                return job
            compute_job_id = compute.submit(_to_submission(ports, job))
    except (InvalidRequestError, ConflictError) as error:
        return job_states.fail(ports, job.workspace_id, job.id, job_failures.misconfigured(error.message))
    except UnavailableError as error:
        return _postpone(ports, job, error)
    return _save_submitted(ports, job, compute_job_id)


def _is_due(ports: Ports, job: Job) -> bool:
    """Whether it waits for submission and nobody works on that. A job that is stopped meanwhile is settled here too."""
    if job.status not in (JobStatus.SUBMITTED, JobStatus.STOPPING) or job.compute_job_id is not None:
        return False
    return _age_of_claim(ports, job) > CLAIM_SECONDS


def _age_of_claim(ports: Ports, job: Job) -> float:
    return math.inf if job.dispatched_at is None else (ports.clock() - job.dispatched_at).total_seconds()


def _check_dependencies(ports: Ports, job: Job) -> Job | None:
    """None where all have succeeded, else the job: still waiting, or FAILED."""
    dependencies = [records.get(ports, Job, job.workspace_id, dependency_id) for dependency_id in job.depends_on]
    for dependency in dependencies:
        if dependency.status in (JobStatus.FAILED, JobStatus.STOPPED):
            return job_states.fail(ports, job.workspace_id, job.id, job_states.dependency_failure(dependency))
    return None if all(dependency.status is JobStatus.SUCCEEDED for dependency in dependencies) else job


def _claim(ports: Ports, job: Job) -> Job | None:
    try:
        return records.save(
            ports, job, job.id, dispatched_at=ports.clock(), dispatch_attempts=job.dispatch_attempts + 1
        )
    except (StaleRevisionError, WriteConflictError):
        _log.info("claimed by somebody else", extra={"job_id": job.id})
        return None


def _save_config(ports: Ports, job: Job) -> None:
    """The files of the SageMaker contract. Written again, they are the same.

    Raises InvalidRequestError where a model of the job is gone, ConflictError where a grant of its data is.
    """
    for pin in job.channels.values():
        job_channels.require_grant(ports, job.workspace_id, pin)
    files: dict[str, Any] = {
        "hyperparameters.json": to_hyperparameters(job.spec),
        "inputdataconfig.json": {
            **jobs.to_input_data_config(job.workspace_id, job.channels),
            **job_models.to_model_config(ports, job),
        },
        "resourceconfig.json": _RESOURCE_CONFIG,
    }
    for name, content in files.items():
        body = json.dumps(content, indent=1).encode()
        ports.lake.put(keys.job_config(job.workspace_id, job.id, name), body, content_type="application/json")


def _to_submission(ports: Ports, job: Job) -> Submission:
    level = ports.live_settings.get(LoggingSettings, job.workspace_id).job_level
    return Submission(
        name=backends.name_of(job),
        kind=job.kind,
        environment={WORKSPACE_VARIABLE: job.workspace_id, JOB_VARIABLE: job.id, LOG_LEVEL_VARIABLE: level.value},
        compute=job.compute,
        max_seconds=job.max_seconds,
        prefix=keys.job_prefix(job.workspace_id, job.id),
        num_workers=num_workers_of(job.spec),
        max_attempts=ports.live_settings.get(TrainingSettings, job.workspace_id).max_attempts,
    )


def _save_submitted(ports: Ports, job: Job, compute_job_id: str) -> Job:
    def decide(stored: Job) -> dict[str, Any] | None:
        if stored.status is JobStatus.SUBMITTED:
            return {"status": JobStatus.QUEUED, "status_reason": None, "compute_job_id": compute_job_id}
        return {"compute_job_id": compute_job_id} if stored.compute_job_id is None else None

    stored = job_states.change(ports, job.workspace_id, job.id, decide)
    if stored.status in (JobStatus.STOPPING, JobStatus.STOPPED):
        backends.compute_of(ports, stored).terminate(compute_job_id, reason="Stopped by the user.")
    return stored


def _settle_stop(ports: Ports, job: Job) -> Job:
    """A job that was stopped while somebody who has vanished was submitting it."""
    compute_job_id = backends.compute_of(ports, job).find(backends.name_of(job))
    if compute_job_id is not None:
        return _save_submitted(ports, job, compute_job_id)
    return job_states.change(
        ports,
        job.workspace_id,
        job.id,
        lambda _: {"status": JobStatus.STOPPED, "status_reason": "Stopped by the user before it was submitted."},
    )


def _postpone(ports: Ports, job: Job, error: UnavailableError) -> Job:
    """Keeps the claim: the reconciler dispatches again once the lease has run out."""
    _log.warning("dispatch postponed", extra={"job_id": job.id, "reason": error.message})
    reason = f"The compute service does not take it now and will be asked again: {error.message}"
    return job_states.change(
        ports,
        job.workspace_id,
        job.id,
        lambda stored: {"status_reason": reason} if stored.status is JobStatus.SUBMITTED else None,
    )
