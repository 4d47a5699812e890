"""What was used, metered once: by the end of a job or query, and each minute of an endpoint's containers.

A row lies under its day (UTC), so that the costs of some days are one query. Rows outlive what they are of.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.compute import Backend
from aimass_core.domain.costs import CostKind, Usage
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.jobs import Job
from aimass_core.domain.queries import Query
from aimass_core.ports import Ports, Put, Row, WriteConflictError
from aimass_core.services import platform, prices, records

KEPT = timedelta(days=400)
# The reconciler comes each minute; what a longer silence hid is counted, but no more than so much of it.
MAX_GAP = timedelta(hours=1)
_PAGE = 500
_LAST = "~"

_log = logging.getLogger(__name__)


def job_write(ports: Ports, job: Job, *, ended_at: datetime) -> list[Put]:
    """What a job has used, for the transaction of its end; nothing of one that never ran."""
    usage = of_job(ports, job, until=ended_at)
    return [] if usage is None else [Put(row=_to_row(usage))]


def of_job(ports: Ports, job: Job, *, until: datetime) -> Usage | None:
    """What a job has used until a moment. None where it had not begun."""
    if job.started_at is None:
        return None
    seconds = max((until - job.started_at).total_seconds(), 0.0)
    subjects = [f"{pin.dataset_name}@{pin.number}" for pin in job.channels.values()]
    subjects += [f"{model.model_name}@{model.number}" for model in job.models.values()]
    return Usage(
        **_fields(ports, job.workspace_id, until),
        kind=CostKind.JOBS,
        subject_id=job.id,
        name=" ".join([str(job.kind), *subjects[:1]]),
        quantity=round(seconds * prices.num_machines_of(job), 3),
        unit="machine seconds",
        usd=prices.cost_of_job(job, seconds=seconds),
        # On Batch a share of a machine; spot machines cost less than the list says.
        is_estimate=job.compute.backend is Backend.BATCH or job.compute.spot,
    )


def query_write(ports: Ports, query: Query, *, scanned_bytes: int | None, usd: float | None) -> list[Put]:
    """What a query has read, for the transaction of its end."""
    if scanned_bytes is None:
        return []
    usage = Usage(
        **_fields(ports, query.workspace_id, ports.clock()),
        kind=CostKind.QUERIES,
        subject_id=query.id,
        name=" ".join(query.datasets)[:200],
        quantity=scanned_bytes,
        unit="bytes read",
        usd=usd,
        is_estimate=False,
    )
    return [Put(row=_to_row(usage))]


def count_containers(ports: Ports, endpoint: Endpoint, machines: Sequence[tuple[str, int]]) -> None:
    """Adds the time since the last count to what an endpoint's containers have used today.

    Args:
        machines: instance type and number of those that are up now.
    """
    now = ports.clock()
    key = _key(endpoint.workspace_id, now.astimezone(UTC).date(), endpoint.id)
    row = ports.registry.get(key)
    former = None if row is None else Usage.model_validate(row.data)
    seconds = _seconds_since(ports, endpoint, former, now)
    rates = [prices.hosting_usd_per_hour(kind) for kind, _ in machines]
    known = [rate * number for rate, (_, number) in zip(rates, machines, strict=True) if rate is not None]
    is_priced = len(known) == len(machines) and (former is None or former.usd is not None)
    fields = _fields(ports, endpoint.workspace_id, now)
    if former is not None:
        kept = ("id", "created_at", "created_by")
        fields |= {name: getattr(former, name) for name in kept} | {"revision": former.revision + 1}
    usage = Usage(
        **fields,
        kind=CostKind.ENDPOINTS,
        subject_id=endpoint.id,
        name=endpoint.name,
        quantity=(former.quantity if former else 0.0) + seconds * sum(number for _, number in machines),
        unit="machine seconds",
        usd=((former.usd or 0.0) if former else 0.0) + sum(known) * seconds / 3600 if is_priced else None,
        is_estimate=False,
        counted_until=now,
    )
    try:
        ports.registry.write(Put(row=_to_row(usage), expected=None if former is None else former.revision))
    except WriteConflictError:
        _log.info("somebody else counts the same minute", extra={"endpoint_id": endpoint.id})


def list_days(ports: Ports, workspace_id: str, since: date, until: date) -> Iterator[Usage]:
    """Of some days, both included."""
    prefix = keys.row_prefix(Usage.resource)
    first, last = f"{prefix}{since.isoformat()}", f"{prefix}{until.isoformat()}#{_LAST}"
    start = first
    while True:
        page = ports.registry.query(keys.partition(workspace_id), prefix, limit=_PAGE, start=start)
        for row in page.rows:
            if row.key.sort > last:
                return
            yield Usage.model_validate(row.data)
        if page.next_start is None:
            return
        start = page.next_start


def _seconds_since(ports: Ports, endpoint: Endpoint, former: Usage | None, now: datetime) -> float:
    """Since the last count; over midnight that of the day before counts."""
    counted = None if former is None else former.counted_until
    if counted is None:
        yesterday = now.astimezone(UTC).date() - timedelta(days=1)
        row = ports.registry.get(_key(endpoint.workspace_id, yesterday, endpoint.id))
        counted = None if row is None else Usage.model_validate(row.data).counted_until
    if counted is None:
        return 0.0
    return min(now - counted, MAX_GAP).total_seconds() if now > counted else 0.0


def _fields(ports: Ports, workspace_id: str, at: datetime) -> dict[str, Any]:
    principal: Principal = platform.principal("usages", workspace_id)
    return {
        **records.new_fields(ports, principal, Usage),
        "date": at.astimezone(UTC).date(),
        "forgotten_at": at + KEPT,
    }


def _to_row(usage: Usage) -> Row:
    return records.to_row(usage, key=_key(usage.workspace_id, usage.date, usage.subject_id))


def _key(workspace_id: str, day: date, subject_id: str) -> keys.RowKey:
    return keys.row(workspace_id, Usage.resource, day.isoformat(), subject_id)
