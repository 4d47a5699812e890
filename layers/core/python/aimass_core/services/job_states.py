"""How a job's row comes to be and changes: the one place that keeps status, events, quota and dependents together.

Beside each job lie rows that its writes keep in the same transaction: `JOB_ACTIVE` while it has not ended (the quota
counts them), `JOB_DEPENDENT` below each job that it waits for, and one `JOB_EVENT` per status.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import EventType, Failure, Job, JobEvent, JobStatus
from aimass_core.errors import StaleRevisionError, UnavailableError
from aimass_core.ports import Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import records, usages

EVENTS_PER_ATTEMPT = 1_000_000
_BETWEEN_ATTEMPTS = 900_000
_END_OF_ATTEMPT = 999_999
_BEFORE_ATTEMPT = (JobStatus.SUBMITTED, JobStatus.QUEUED, JobStatus.STARTING, JobStatus.RUNNING)
_MAX_WRITES = 12

Change = Callable[[Job], dict[str, Any] | None]


def new_writes(job: Job) -> list[Write]:
    """What is written beside a new job."""
    rows = [Row(key=_active_key(job), data={"job_id": job.id}, revision=1), *_event_rows(job, job.created_at)]
    rows += [
        Row(key=_dependent_key(job.workspace_id, dependency_id, job.id), data={"job_id": job.id}, revision=1)
        for dependency_id in job.depends_on
    ]
    return [Put(row=row) for row in rows]


def list_active_ids(ports: Ports, workspace_id: str) -> Iterator[str]:
    """Ids of a workspace's jobs that have not ended, oldest first."""
    return _list_job_ids(ports, workspace_id, keys.row_prefix("job_active"))


def change(
    ports: Ports,
    workspace_id: str,
    job_id: str,
    decide: Change,
    *,
    principal: Principal | None = None,
    action: str | None = None,
) -> Job:
    """Lets `decide` say what to change, and writes it with everything that belongs to it.

    A job that has ended is never changed. `decide` is asked again while somebody else is faster, so it must look at the
    job that it is given. With `principal` and `action` an audit entry is part of the transaction. When the job ends,
    those that wait for it are woken (if that is lost, the reconciler does it).
    """
    job, has_changed = _write(ports, workspace_id, job_id, decide, principal=principal, action=action)
    if has_changed and job.status.is_terminal:
        wake_dependents(ports, job)
    return job


def fail(ports: Ports, workspace_id: str, job_id: str, failure: Failure, **changes: Any) -> Job:
    """Ends a job as FAILED, or as STOPPED where the user has asked for that."""

    def decide(job: Job) -> dict[str, Any]:
        if job.status is JobStatus.STOPPING:
            return {"status": JobStatus.STOPPED, "status_reason": "Stopped by the user.", **changes}
        return {"status": JobStatus.FAILED, "status_reason": failure.cause, "failure": failure, **changes}

    return change(ports, workspace_id, job_id, decide)


def dependency_failure(dependency: Job) -> Failure:
    """Why a job that waits for this one cannot run."""
    return Failure(
        code="dependency_failed",
        cause=f"It waited for {dependency.id}, which is {dependency.status}. "
        f"Retry that one (aimass jobs retry {dependency.id}), then submit this job again with the new id.",
    )


def wake_dependents(ports: Ports, job: Job) -> None:
    """Tells the jobs that wait for one that has ended: dispatch looks at them again, or they fail as well."""
    ended, seen = [job], {job.id}
    while ended:
        dependency = ended.pop()
        decide = _wake if dependency.status is JobStatus.SUCCEEDED else _fail_because_of(dependency)
        for waiting_id in list_dependents(ports, job.workspace_id, dependency.id):
            waiting, _ = _write(ports, job.workspace_id, waiting_id, decide)
            if waiting.status.is_terminal and waiting.id not in seen:
                seen.add(waiting.id)
                ended.append(waiting)


def list_dependents(ports: Ports, workspace_id: str, job_id: str) -> Iterator[str]:
    """Ids of the jobs that were submitted to run after this one."""
    return _list_job_ids(ports, workspace_id, keys.row_prefix("job_dependent", job_id))


def _list_job_ids(ports: Ports, workspace_id: str, prefix: str) -> Iterator[str]:
    start = None
    while True:
        page = ports.registry.query(keys.partition(workspace_id), prefix, limit=500, start=start)
        yield from [str(row.data["job_id"]) for row in page.rows]
        if page.next_start is None:
            return
        start = page.next_start


def _write(
    ports: Ports,
    workspace_id: str,
    job_id: str,
    decide: Change,
    *,
    principal: Principal | None = None,
    action: str | None = None,
) -> tuple[Job, bool]:
    for _ in range(_MAX_WRITES):
        job = records.get(ports, Job, workspace_id, job_id)
        changes = None if job.status.is_terminal else decide(job)
        if not changes:
            return job, False
        try:
            return _save(ports, job, changes, principal=principal, action=action), True
        except (StaleRevisionError, WriteConflictError):
            continue
    raise UnavailableError(f"The job {job_id!r} changes too quickly. Try again.")


def _save(ports: Ports, job: Job, changes: dict[str, Any], *, principal: Principal | None, action: str | None) -> Job:
    now = ports.clock()
    status = changes.get("status", job.status)
    begins_attempt = changes.get("num_attempts_ended", job.num_attempts_ended) > job.num_attempts_ended
    if status is job.status and not begins_attempt:
        return records.save(ports, job, job.id, principal=principal, action=action, **changes)
    also: list[Write] = []
    if status is JobStatus.RUNNING:
        changes["started_at"] = job.started_at or now
    if status.is_terminal:
        changes["ended_at"] = now
        active = ports.registry.get(_active_key(job))
        also += [] if active is None else [Delete(key=active.key, expected=active.revision)]
        also += usages.job_write(ports, job, ended_at=now)
    rows = _event_rows(job.model_copy(update=changes), now)
    also += [Put(row=row) for row in rows if ports.registry.get(row.key) is None]
    changes["last_event"] = max(job.last_event, *(int(row.data["number"]) for row in rows), 0)
    return records.save(ports, job, job.id, principal=principal, action=action, also=also, **changes)


def _wake(job: Job) -> dict[str, Any] | None:
    if job.status is not JobStatus.SUBMITTED or job.dispatched_at is not None:
        return None
    return {"status_reason": "A job that it waits for has succeeded."}


def _fail_because_of(dependency: Job) -> Change:
    failure = dependency_failure(dependency)

    def decide(job: Job) -> dict[str, Any] | None:
        if job.status is not JobStatus.SUBMITTED:
            return None
        return {"status": JobStatus.FAILED, "status_reason": failure.cause, "failure": failure}

    return decide


def _event_rows(job: Job, now: datetime) -> list[Row]:
    number = _event_number(job)
    if number is None:
        return []
    data = {"status": str(job.status), "reason": job.status_reason}
    event = JobEvent(number=number, at=now, attempt=job.attempt, type=EventType.STATUS, data=data)
    key = keys.row(job.workspace_id, "job_event", job.id, number)
    return [Row(key=key, data=event.model_dump(mode="json"), revision=1)]


def _event_number(job: Job) -> int | None:
    """Status events lie around those of the container, which counts from `attempt * 1_000_000` on.

    STOPPING has none: while a job is being stopped, its container still tells what it does.
    """
    if job.status is JobStatus.STOPPING:
        return None
    if job.status.is_terminal:
        return job.attempt * EVENTS_PER_ATTEMPT + _END_OF_ATTEMPT
    # NOTE: not `job.attempt`: a container may have claimed its attempt before the events of its start arrive.
    return job.num_attempts_ended * EVENTS_PER_ATTEMPT + _BETWEEN_ATTEMPTS + _BEFORE_ATTEMPT.index(job.status)


def _active_key(job: Job) -> keys.RowKey:
    return keys.row(job.workspace_id, "job_active", job.id)


def _dependent_key(workspace_id: str, job_id: str, waiting_id: str) -> keys.RowKey:
    return keys.row(workspace_id, "job_dependent", job_id, waiting_id)
