"""One run of a source at a time: a row names the job that may write, and its revision fences those before it."""

from aimass_core.domain import keys
from aimass_core.domain.jobs import CollectSpec, Job
from aimass_core.domain.sources import SourceRecord
from aimass_core.errors import ConflictError, NotFoundError
from aimass_core.ports import Check, Ports, Put, Row
from aimass_core.services import records


class LeaseTakenError(Exception):
    """Another run of the source has begun; what this one has read is not wanted any more."""


def find_running(ports: Ports, record: SourceRecord) -> Job | None:
    """The run that has not ended."""
    job = _holder(ports, _row(ports, record.workspace_id, record.id), record.workspace_id)
    return None if job is None or job.status.is_terminal else job


def require_idle(ports: Ports, record: SourceRecord) -> None:
    """Raises ConflictError while a run goes on."""
    running = find_running(ports, record)
    if running is not None:
        raise ConflictError(
            f"The source {record.name!r} is being read by {running.id}, which is {running.status}. "
            f"Wait for it, or stop it (aimass jobs stop {running.id})."
        )


def take_write(ports: Ports, record: SourceRecord, job: Job) -> Put:
    """The write that makes a job the one run of its source; it conflicts where another one is faster.

    Raises ConflictError while a run goes on.
    """
    require_idle(ports, record)
    former = _row(ports, record.workspace_id, record.id)
    revision = 0 if former is None else former.revision
    key = keys.source_lease_row(record.workspace_id, record.id)
    return Put(row=Row(key=key, data={"job_id": job.id}, revision=revision + 1), expected=revision or None)


def fence(ports: Ports, job: Job) -> Check:
    """What every transaction of a run contains, so that a run that was given up writes nothing after the next has
    begun. Raises LeaseTakenError where that has happened."""
    if not isinstance(job.spec, CollectSpec):
        raise TypeError(f"{job.id} is a {job.kind} job and reads no source")
    row = _row(ports, job.workspace_id, job.spec.source)
    if row is None or row.data["job_id"] != job.id:
        raise LeaseTakenError(job.id)
    return Check(key=row.key, expected=row.revision)


def _row(ports: Ports, workspace_id: str, source_id: str) -> Row | None:
    return ports.registry.get(keys.source_lease_row(workspace_id, source_id))


def _holder(ports: Ports, row: Row | None, workspace_id: str) -> Job | None:
    if row is None:
        return None
    try:
        return records.get(ports, Job, workspace_id, str(row.data["job_id"]))
    except NotFoundError:
        return None
