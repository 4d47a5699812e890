"""Runs of sources: begun by hand or by the schedule, one at a time, and what becomes of a source when one has ended."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.collectors import WebhookCollector
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import CollectSpec, Job, JobKind, JobStatus
from aimass_core.domain.notifications import NotificationType, Subject
from aimass_core.domain.settings.collection import CollectionSettings
from aimass_core.domain.sources import (
    AUTH_FAILED_CODE,
    RunCreate,
    SourceHealth,
    SourceRecord,
    SourceStatus,
    SourceVerb,
)
from aimass_core.errors import AimassError, ConflictError, NotFoundError, QuotaExceededError, UnavailableError
from aimass_core.ports import Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import (
    job_quotas,
    job_states,
    jobs,
    notifications,
    platform,
    records,
    schedules,
    source_access,
    source_health,
    source_leases,
)

# What a run may take beyond its policy's max_seconds: starting, and making versions of what it has read.
BEYOND_READING_SECONDS = 3_600
_RUN = "source_run"
_MAX_WRITES = 8
_MAX_DUE = 500
_RETRY_SECONDS = 60
_NOT_NOW = {
    SourceStatus.PAUSED: "It is paused: resume it first (aimass sources resume {name}).",
    SourceStatus.AUTH_FAILED: "Its secret was refused: set it anew (aimass sources secrets set {name} <secret>).",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """What a tick did: runs that it started, sources whose former run still goes on, and what it could not do."""

    started: int = 0
    skipped: int = 0
    faults: int = 0


def submit(ports: Ports, principal: Principal, source: str, request: RunCreate) -> Job:
    """Reads a source once. Raises ConflictError while it is being read, paused, or without the right secret."""
    record = source_access.find(ports, principal, source, SourceVerb.RUN)
    if isinstance(record.collector, WebhookCollector):
        raise ConflictError(f"Nothing reads the source {record.name!r}: others send its records to its webhook.")
    settle_last(ports, record)
    status = source_health.load(ports, record).status
    if status in _NOT_NOW:
        raise ConflictError(f"The source {record.name!r} is not read. {_NOT_NOW[status].format(name=record.name)}")
    _check_quotas(ports, record)
    acting = principal.model_copy(update={"workspace_id": record.workspace_id})
    for _ in range(_MAX_WRITES):
        job = _try_start(ports, acting, record, request, lambda _: {})
        if job is not None:
            return job
    raise UnavailableError(f"The source {record.name!r} changes too quickly. Try again.")


def list_page(
    ports: Ports, principal: Principal, source: str, *, limit: int, start: str | None = None
) -> tuple[list[Job], str | None]:
    """A page of the runs of a source, newest first; also for those who see it by a grant alone."""
    record = source_access.find(ports, principal, source, SourceVerb.SEE)
    page = ports.registry.query(
        keys.partition(record.workspace_id),
        keys.row_prefix(_RUN, record.id),
        limit=limit,
        start=start,
        newest_first=True,
    )
    return [records.get(ports, Job, record.workspace_id, str(row.data["job_id"])) for row in page.rows], page.next_start


def tick(ports: Ports) -> Ticked:
    """Starts what is due, each once however many ticks meet, and once however many were missed.

    A source that cannot be started keeps no other one from it, and is due again at the next tick.
    """
    started = skipped = faults = 0
    before = ports.clock() + timedelta(microseconds=1)
    for workspace_id, source_id in source_health.list_due(ports, before=before, limit=_MAX_DUE):
        try:
            is_started = _start_due(ports, workspace_id, source_id)
        except (AimassError, WriteConflictError) as error:
            faults += 1
            _log.warning("source was not started", extra={"source_id": source_id, "reason": str(error)})
            continue
        started, skipped = started + is_started, skipped + (not is_started)
    return Ticked(started=started, skipped=skipped, faults=faults)


def settle(ports: Ports, job: Job) -> None:
    """What a run's end means for its source: well again, to be tried again, or waiting for a secret. Idempotent."""
    if not isinstance(job.spec, CollectSpec) or not job.status.is_terminal:
        return
    try:
        record = records.get(ports, SourceRecord, job.workspace_id, job.spec.source)
    except NotFoundError:
        return
    _tell(ports, record, job)
    source_health.update(ports, record, lambda health: _after(health, job))


def _tell(ports: Ports, record: SourceRecord, job: Job) -> None:
    """Where the run has changed how the source does: not again while it fails. NOTE: before the change, which hides
    what is to be told."""
    health = source_health.load(ports, record)
    before, after = health.status, (_after(health, job) or {}).get("status", health.status)
    if after is before:
        return
    is_well = after is SourceStatus.ACTIVE
    reason = job.failure.cause if job.failure is not None else job.status_reason
    notifications.tell_once(
        ports,
        record.workspace_id,
        NotificationType.SOURCE_MENDED if is_well else NotificationType.SOURCE_FAILING,
        Subject(resource=SourceRecord.resource, id=record.id, name=record.name),
        told=f"source {record.id} {job.id}",
        title=f"The source {record.name} " + ("is read again" if is_well else f"could not be read ({after})"),
        text="" if is_well else reason or "",
        data={"source_id": record.id, "job_id": job.id, "status": after.value},
    )


def settle_last(ports: Ports, record: SourceRecord) -> None:
    """The same for the last run, where its end was missed."""
    health = source_health.load(ports, record)
    if health.running_job_id is not None:
        settle(ports, records.get(ports, Job, record.workspace_id, health.running_job_id))


def _after(health: SourceHealth, job: Job) -> dict[str, Any] | None:
    """NOTE: once for each run, so that an old failure does not undo what was mended since."""
    if health.running_job_id != job.id:
        return None
    ended = {"running_job_id": None}
    if health.status not in (SourceStatus.ACTIVE, SourceStatus.DEGRADED) or job.status is JobStatus.STOPPED:
        return ended
    if job.status is JobStatus.SUCCEEDED:
        return {**ended, "status": SourceStatus.ACTIVE, "status_reason": None}
    reason = job.failure.cause if job.failure is not None else job.status_reason
    if job.failure is not None and job.failure.code == AUTH_FAILED_CODE:
        return {**ended, "status": SourceStatus.AUTH_FAILED, "status_reason": reason, "next_run_at": None}
    return {**ended, "status": SourceStatus.DEGRADED, "status_reason": reason}


def _start_due(ports: Ports, workspace_id: str, source_id: str) -> bool:
    """Whether a run was begun. False where another tick was faster, the former run goes on, or schedules are off."""
    record = records.get(ports, SourceRecord, workspace_id, source_id)
    collection = ports.live_settings.get(CollectionSettings, workspace_id)
    settle_last(ports, record)

    def move(health: SourceHealth) -> dict[str, Any]:
        del health
        at_least = timedelta(minutes=collection.min_interval_minutes)
        return {"next_run_at": schedules.next_after(record.policy, ports.clock(), at_least=at_least)}

    for _ in range(_MAX_WRITES):
        due = source_health.load(ports, record).next_run_at
        if due is None or due > ports.clock():
            return False
        if not collection.schedules_enabled or source_leases.find_running(ports, record) is not None:
            source_health.update(ports, record, move)
            return False
        _check_quotas(ports, record)
        acting = platform.principal("collectors", workspace_id)
        if _try_start(ports, acting, record, RunCreate(), move) is not None:
            return True
    raise UnavailableError(f"The source {record.name!r} changes too quickly.")


def _check_quotas(ports: Ports, record: SourceRecord) -> None:
    """Raises QuotaExceededError: of jobs, or of runs at the same time."""
    job_quotas.check(ports, record.workspace_id, job_quotas.limits_of(ports, record.workspace_id))
    allowed = ports.live_settings.get(CollectionSettings, record.workspace_id).max_runs_active
    if allowed is None:
        return
    running = sum(job.kind is JobKind.COLLECT for job in jobs.list_active(ports, record.workspace_id))
    if running >= allowed:
        raise QuotaExceededError(
            f"{running} runs of this workspace's sources have not ended; at most {allowed} are allowed. Wait "
            "for one to end, or see: aimass settings get collection",
            retry_after_seconds=_RETRY_SECONDS,
        )


def _try_start(
    ports: Ports, acting: Principal, record: SourceRecord, request: RunCreate, move: source_health.Change
) -> Job | None:
    """One try to write a run with its lease; None where a row was changed meanwhile."""
    job = Job(
        **records.new_fields(ports, acting, Job),
        kind=JobKind.COLLECT,
        spec=CollectSpec(source=record.id, streams=request.streams, full_refresh=request.full_refresh),
        max_seconds=record.policy.max_seconds + BEYOND_READING_SECONDS,
        status=JobStatus.SUBMITTED,
    )
    index = Row(key=keys.row(record.workspace_id, _RUN, record.id, job.id), data={"job_id": job.id}, revision=1)
    began = {"running_job_id": job.id, "last_job_id": job.id, "last_run_at": job.created_at}
    health = source_health.change_write(ports, record, lambda now: {**(move(now) or {}), **began})
    also: list[Write] = [*job_states.new_writes(job), source_leases.take_write(ports, record, job), Put(row=index)]
    if health is not None:
        also.append(health)
    try:
        return records.create(ports, acting, job, also=also)
    except WriteConflictError:
        return None
