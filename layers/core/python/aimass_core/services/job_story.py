"""What a job tells while it runs, its events by long poll and its log, and what it leaves."""

import time
from collections.abc import Callable
from datetime import timedelta

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Job, JobArtifacts, JobEvent, JobEvents, LogLine
from aimass_core.ports import Ports
from aimass_core.services import audit, backends, job_results, jobs

MAX_WAIT_SECONDS = 10
MAX_EVENTS = 200
_POLL_SECONDS = 0.4


def read_events(
    ports: Ports,
    principal: Principal,
    job_id: str,
    *,
    after: int = 0,
    wait_seconds: float = 0,
    sleep: Callable[[float], None] = time.sleep,
) -> JobEvents:
    """The events after `after`, at most MAX_EVENTS of them; waits for one while there is none and the job goes on.

    A change of status ends the wait as well: the answer carries the job as it is now.
    """
    deadline = ports.clock() + timedelta(seconds=min(wait_seconds, MAX_WAIT_SECONDS))
    first = jobs.get(ports, principal, job_id)
    while True:
        # NOTE: the job is read before its events, so a job that has ended is answered with its last event.
        job = jobs.get(ports, principal, job_id)
        events = _list_events(ports, job, after)
        has_news = events or job.status.is_terminal or job.status is not first.status
        if has_news or ports.clock() >= deadline:
            return JobEvents(events=events, job=job, last=events[-1].number if events else after)
        sleep(_POLL_SECONDS)


def read_logs(
    ports: Ports, principal: Principal, job_id: str, *, cursor: str | None, limit: int
) -> tuple[list[LogLine], str | None]:
    """Lines of the latest attempt's log, from the oldest on, and where they go on; none before it has started."""
    job = jobs.get(ports, principal, job_id)
    if job.log_stream is None:
        return [], cursor
    lines, next_cursor = backends.logs_of(ports, job).read(job.log_stream, cursor=cursor, limit=limit)
    return list(lines), next_cursor


def read_artifacts(ports: Ports, principal: Principal, job_id: str) -> JobArtifacts:
    """What the job left, with short-lived links."""
    job = jobs.get(ports, principal, job_id)
    audit.record_read(ports, principal, "job.artifacts.read", job)
    return job_results.list_artifacts(ports, job)


def _list_events(ports: Ports, job: Job, after: int) -> list[JobEvent]:
    page = ports.registry.query(
        keys.partition(job.workspace_id),
        keys.row_prefix("job_event", job.id),
        limit=MAX_EVENTS,
        start=keys.row(job.workspace_id, "job_event", job.id, after).sort,
    )
    return [JobEvent.model_validate(row.data) for row in page.rows]
