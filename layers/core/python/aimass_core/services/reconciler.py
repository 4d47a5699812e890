"""Heals what an event missed: every minute it compares what the registry believes with what is so.

Each part looks only at rows that nobody has touched for its grace time, and calls the same idempotent use cases as the
events do. A row that cannot be healed never keeps the others from it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta

from aimass_core.domain import keys
from aimass_core.domain.compute import Backend
from aimass_core.domain.compute_states import ComputeState
from aimass_core.domain.endpoints import Endpoint, EndpointStatus
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.system import ReconcilerPass
from aimass_core.errors import AimassError
from aimass_core.ports import BlobNotFoundError, Compute, Ports, Row, SecretNotFoundError, WriteConflictError
from aimass_core.services import (
    audit_seals,
    backends,
    budget_stops,
    datasets,
    dead_letter_alerts,
    dispatch,
    endpoint_warming,
    endpoint_watches,
    endpoints,
    hosting,
    job_events,
    job_failures,
    job_results,
    jobs,
    notification_deliveries,
    quarantine,
    queries,
    reconciler_passes,
    report_plans,
    retention,
    retention_sweeps,
    rollouts,
    tables,
    triggers,
    uploads,
    workspace_purge,
)
from aimass_core.services.ingest import landing, versions

GRACE = timedelta(minutes=1)
LOST_AFTER = timedelta(minutes=5)
ENDPOINT_DEADLINE = timedelta(minutes=10)
# Machines have to be found, and containers have to start on them.
HOSTED_DEADLINE = timedelta(minutes=30)
_MAX_ROWS = 10_000
_MAX_DESCRIBED = 100
_ROW_FAULTS = (AimassError, WriteConflictError, BlobNotFoundError, SecretNotFoundError, ValueError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """How many rows a run has changed, how many bytes it has freed, and how many rows it could not heal."""

    dispatched: int = 0
    jobs: int = 0
    endpoints: int = 0
    rollouts: int = 0
    warmed: int = 0
    hosts: int = 0
    budgets: int = 0
    versions: int = 0
    uploads: int = 0
    drops: int = 0
    tables: int = 0
    queries: int = 0
    purged: int = 0
    freed_bytes: int = 0
    swept_objects: int = 0
    expired: int = 0
    fired: int = 0
    alarms: int = 0
    sealed: int = 0
    notified: int = 0
    reports: int = 0
    workspaces: int = 0
    faults: int = 0


def run(ports: Ports) -> Healed:
    """One round, and what it did for those who watch the platform. Idempotent; two at the same time do no harm."""
    started_at = ports.clock()
    healed = _heal(ports)
    letters = _count_dead_letters(ports)
    num_jobs = {str(status): _count_jobs(ports, status) for status in JobStatus if not status.is_terminal}
    counts = {name: count for name, count in asdict(healed).items() if count and name != "faults"}
    done = ReconcilerPass(
        at=started_at,
        seconds=(ports.clock() - started_at).total_seconds(),
        num_faults=healed.faults,
        healed=counts,
        dead_letters=letters,
        num_jobs={name: count for name, count in num_jobs.items() if count},
    )
    reconciler_passes.save(ports, done)
    return healed


def _count_dead_letters(ports: Ports) -> dict[str, int]:
    """NOTE: a queue that cannot be asked keeps nothing else from being noted; it is told with the next pass."""
    try:
        return dead_letter_alerts.tell(ports)
    except _ROW_FAULTS:
        _log.exception("cannot count dead letters")
        last_pass = reconciler_passes.load(ports)
        return last_pass.dead_letters if last_pass else {}


def _count_jobs(ports: Ports, status: JobStatus) -> int:
    return len(ports.registry.query_status(keys.status_partition(Job.resource, status), limit=_MAX_ROWS))


def _heal(ports: Ports) -> Healed:
    dispatched = _for_each(_list_rows(ports, Job.resource, JobStatus.SUBMITTED), lambda row: _dispatch(ports, row))
    followed = _follow_jobs(ports)
    activated = _for_each(_list_endpoint_rows(ports), lambda row: _activate(ports, row))
    rolled = _for_each(_list_rolling_rows(ports), lambda row: _follow_rollout(ports, row))
    warmed = _for_each(_list_warm_rows(ports), lambda row: _warm(ports, row))
    swept = _attempt(lambda: hosting.sweep(ports))
    budgeted = _attempt(lambda: budget_stops.run(ports))
    closed = _attempt(lambda: versions.close_due(ports))
    lapsed = _attempt(lambda: uploads.expire_due(ports))
    dropped = _attempt(lambda: landing.land_missed(ports))
    listed = _attempt(lambda: tables.list_due(ports))
    queried = _attempt(lambda: queries.follow_due(ports))
    purged = _attempt(lambda: datasets.purge_due(ports))
    freed = _attempt(lambda: retention.run(ports))
    swept_objects = _attempt(lambda: retention_sweeps.run_hourly(ports))
    expired = _attempt(lambda: quarantine.expire_due(ports))
    fired = _attempt(lambda: triggers.fire_due(ports))
    alarms = _attempt(lambda: endpoint_watches.check_due(ports))
    sealed = _attempt(lambda: audit_seals.seal_due(ports))
    told = _attempt(lambda: notification_deliveries.fan_out_due(ports))
    sent = _attempt(lambda: notification_deliveries.enqueue_due(ports))
    reported = _attempt(lambda: report_plans.make_due(ports))
    ended = _attempt(lambda: workspace_purge.run_due(ports))
    data = (closed, lapsed, dropped, listed, queried, purged, freed, swept_objects, expired)
    work = (dispatched, followed, activated, rolled, warmed, swept, budgeted)
    parts = (*work, *data, fired, alarms, sealed, told, sent, reported, ended)
    return Healed(
        dispatched=dispatched.changed,
        jobs=followed.changed,
        endpoints=activated.changed,
        rollouts=rolled.changed,
        warmed=warmed.changed,
        hosts=swept.changed,
        budgets=budgeted.changed,
        versions=closed.changed,
        uploads=lapsed.changed,
        drops=dropped.changed,
        tables=listed.changed,
        queries=queried.changed,
        purged=purged.changed,
        freed_bytes=freed.changed,
        swept_objects=swept_objects.changed,
        expired=expired.changed,
        fired=fired.changed,
        alarms=alarms.changed,
        sealed=sealed.changed,
        notified=told.changed + sent.changed,
        reports=reported.changed,
        workspaces=ended.changed,
        faults=sum(part.faults for part in parts),
    )


@dataclass(frozen=True, slots=True)
class _Count:
    changed: int
    faults: int


def _for_each(rows: Iterator[Row], heal: Callable[[Row], bool]) -> _Count:
    changed = faults = 0
    for row in rows:
        try:
            changed += heal(row)
        except _ROW_FAULTS:
            faults += 1
            about = {"row": f"{row.key.partition} {row.key.sort}", "workspace_id": row.data.get("workspace_id")}
            _log.exception("cannot heal a row", extra=about)
    return _Count(changed, faults)


def _attempt(heal: Callable[[], int]) -> _Count:
    try:
        return _Count(heal(), 0)
    except _ROW_FAULTS:
        _log.exception("cannot heal")
        return _Count(0, 1)


def _list_rows(ports: Ports, resource: str, status: str, *, grace: timedelta = GRACE) -> Iterator[Row]:
    before = ports.clock() - grace
    yield from ports.registry.query_status(keys.status_partition(resource, status), before=before, limit=_MAX_ROWS)


def _dispatch(ports: Ports, row: Row) -> bool:
    """Submits a job that dispatch has not seen or not finished, and ends one whose dependency has failed."""
    job = Job.model_validate(row.data)
    return dispatch.dispatch(ports, job.workspace_id, job.id).status is not JobStatus.SUBMITTED


def _follow_jobs(ports: Ports) -> _Count:
    """Asks the compute service about every job that should be with it and has been silent."""
    rows: list[Row] = []
    for status in (JobStatus.QUEUED, JobStatus.STARTING, JobStatus.RUNNING):
        rows += _list_rows(ports, Job.resource, status)
    # NOTE: a container that is being stopped may still report: its row never falls silent.
    rows += _list_rows(ports, Job.resource, JobStatus.STOPPING, grace=timedelta(0))
    changed = faults = 0
    for backend in Backend:
        mine = [row for row in rows if backends.of_row(row) is backend]
        for first in range(0, len(mine), _MAX_DESCRIBED):
            count = _follow_chunk(ports, backends.compute_at(ports, backend), mine[first : first + _MAX_DESCRIBED])
            changed, faults = changed + count.changed, faults + count.faults
    return _Count(changed, faults)


def _follow_chunk(ports: Ports, compute: Compute, rows: list[Row]) -> _Count:
    ids = [str(row.data["compute_job_id"]) for row in rows if row.data["compute_job_id"]]
    try:
        states = {state.compute_job_id: state for state in compute.describe(ids)} if ids else {}
    except AimassError:
        # NOTE: a service that cannot be asked has not lost its jobs, and keeps nobody from the other one's.
        _log.exception("cannot describe jobs")
        return _Count(0, len(ids))
    return _for_each(iter(rows), lambda row: _follow(ports, row, states))


def _follow(ports: Ports, row: Row, states: Mapping[str, ComputeState]) -> bool:
    job = Job.model_validate(row.data)
    if job.compute_job_id is None:
        return dispatch.dispatch(ports, job.workspace_id, job.id).revision != job.revision
    state = states.get(job.compute_job_id)
    if state is None:
        return _settle_lost(ports, job)
    if job.status is JobStatus.STOPPING and not state.status.is_terminal:
        jobs.terminate(ports, job)
    after = job_events.apply(ports, job.workspace_id, job.id, state)
    return after is not None and after.revision != job.revision


def _settle_lost(ports: Ports, job: Job) -> bool:
    """The compute service has forgotten the job. If its result is there, it had succeeded."""
    if ports.clock() - job.updated_at < LOST_AFTER:
        return False
    if job_results.has_result(ports, job, attempt=job.attempt):
        job_events.finish(ports, job, _forgotten(job, JobStatus.SUCCEEDED))
    else:
        job_events.fail(ports, job, _forgotten(job, JobStatus.FAILED), job_failures.lost(job))
    return True


def _forgotten(job: Job, status: JobStatus) -> ComputeState:
    return ComputeState(
        compute_job_id=job.compute_job_id or "",
        name=job.id,
        status=status,
        reason=None,
        exit_code=0 if status is JobStatus.SUCCEEDED else None,
        attempt=job.attempt,
        log_stream=job.log_stream,
    )


def _list_endpoint_rows(ports: Ports) -> Iterator[Row]:
    for status in (EndpointStatus.CREATING, EndpointStatus.UPDATING):
        yield from _list_rows(ports, Endpoint.resource, status)


def _activate(ports: Ports, row: Row) -> bool:
    """Verifies a candidate again; one that could not be asked in its time is rejected."""
    endpoint = Endpoint.model_validate(row.data)
    is_hosted = endpoint.candidate is not None and endpoint.candidate.engine.machines is not None
    deadline = HOSTED_DEADLINE if is_hosted else ENDPOINT_DEADLINE
    if ports.clock() - endpoint.updated_at > deadline:
        minutes = int(deadline.total_seconds() // 60)
        endpoints.reject(ports, endpoint, f"It could not be verified within {minutes} minutes. Deploy it again.")
        return True
    return endpoints.activate(ports, endpoint.workspace_id, endpoint.id).revision != endpoint.revision


def _list_rolling_rows(ports: Ports) -> Iterator[Row]:
    # NOTE: a step is due by the time, also of a row that was touched just now.
    yield from _list_rows(ports, Endpoint.resource, EndpointStatus.ROLLING_OUT, grace=timedelta(0))


def _follow_rollout(ports: Ports, row: Row) -> bool:
    """Judges a rollout, and takes a step that is due: for those without traffic, and where an event was lost."""
    endpoint = Endpoint.model_validate(row.data)
    return rollouts.follow(ports, endpoint.workspace_id, endpoint.id).revision != endpoint.revision


def _list_warm_rows(ports: Ports) -> Iterator[Row]:
    yield from endpoint_warming.list_warm(ports, limit=_MAX_ROWS)


def _warm(ports: Ports, row: Row) -> bool:
    endpoint_warming.warm(ports, row)
    return True
