"""What a workspace costs, from what was metered, from what still runs, and from what is kept."""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

from aimass_core.domain.common import Principal, Resource
from aimass_core.domain.costs import CostDay, CostKind, CostLine, Costs, Usage
from aimass_core.domain.datasets import DatasetVersion, DatasetVersionStatus
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.jobs import Job
from aimass_core.domain.models import ModelVersion
from aimass_core.errors import InvalidRequestError, NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import endpoint_counters, job_states, prices, records, usages

MAX_DAYS = 92
_PAGE = 500
_GIB = 1024**3
_DAYS_OF_MONTH = 30
_DAY = timedelta(days=1)
_HOLDING = (DatasetVersionStatus.READY, DatasetVersionStatus.EXPIRED)
_NOTES = (
    "Jobs and queries count on the day on which they end, and what still runs today.",
    "Predictions are counted of endpoints that exist; their time is billed at the memory of the default deployment.",
    "Storage is counted of what is kept now, on each day since it was made or imported.",
)
_UNPRICED = "{} jobs or endpoints ran on machines of which the table has no price, and count 0."

ResourceT = TypeVar("ResourceT", bound=Resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one thing costs on one day, or evenly on several from that one on."""

    date: date
    line: CostLine
    num_days: int = 1
    is_unpriced: bool = False


def get(
    ports: Ports,
    principal: Principal,
    *,
    since: date | None = None,
    until: date | None = None,
    kind: CostKind | None = None,
    limit: int = 100,
) -> Costs:
    """Of some days, both included; by default of the present month until today. Raises InvalidRequestError."""
    today = ports.clock().astimezone(UTC).date()
    until = until or today
    since = since or until.replace(day=1)
    if since > until:
        raise InvalidRequestError(f"since {since} comes after until {until}. Turn them round.")
    if (until - since).days >= MAX_DAYS:
        raise InvalidRequestError(
            f"From {since} to {until} there are {(until - since).days + 1} days; at most {MAX_DAYS} are told at once."
        )
    sums, num_unpriced = _Sums(), 0
    for part in _list_parts(ports, principal.workspace_id, since, until):
        if kind in (None, part.line.kind):
            sums.add(part)
            num_unpriced += part.is_unpriced
    lines = sorted(sums.lines.values(), key=lambda line: (-line.usd, line.subject_id))
    by_kind = {each: sums.of(each) for each in CostKind}
    table = prices.load()
    return Costs(
        since=since,
        until=until,
        usd=_usd(sum(by_kind.values())),
        by_kind=by_kind,
        is_estimate={each: any(line.is_estimate for line in lines if line.kind is each) for each in CostKind},
        days=[sums.to_day(since + offset * _DAY) for offset in range((until - since).days + 1)],
        lines=[
            line.model_copy(update={"usd": _usd(line.usd), "quantity": round(line.quantity, 6)})
            for line in lines[:limit]
        ],
        num_lines=len(lines),
        price_source=f"{table.source}; {table.region}, {table.as_of}",
        notes=[*_NOTES, *([] if not num_unpriced else [_UNPRICED.format(num_unpriced)])],
    )


def spent_of_month(ports: Ports, workspace_id: str) -> float:
    """USD since the first of the present month, with what still runs until now."""
    today = ports.clock().astimezone(UTC).date()
    return _usd(sum(part.line.usd for part in _list_parts(ports, workspace_id, today.replace(day=1), today)))


def days_of_month(day: date) -> int:
    """Of the month of a day."""
    return calendar.monthrange(day.year, day.month)[1]


def stored_bytes(ports: Ports, workspace_id: str) -> int:
    """Of all dataset versions that hold bytes. What versions share is counted for each."""
    return sum(version.num_bytes or 0 for version in _list(ports, workspace_id, DatasetVersion) if _is_kept(version))


def _list_parts(ports: Ports, workspace_id: str, since: date, until: date) -> Iterator[_Part]:
    for usage in usages.list_days(ports, workspace_id, since, until):
        yield _Part(date=usage.date, line=_to_line(usage), is_unpriced=usage.usd is None)
    yield from _running(ports, workspace_id, since, until)
    yield from _predictions(ports, workspace_id, since, until)
    yield from _storage(ports, workspace_id, since, until)


def _to_line(usage: Usage) -> CostLine:
    return CostLine(
        kind=usage.kind,
        subject_id=usage.subject_id,
        name=usage.name,
        quantity=usage.quantity,
        unit=usage.unit,
        usd=usage.usd or 0.0,
        is_estimate=usage.is_estimate,
    )


def _running(ports: Ports, workspace_id: str, since: date, until: date) -> Iterator[_Part]:
    """Jobs that have not ended, until now. They count today."""
    now = ports.clock()
    today = now.astimezone(UTC).date()
    if not since <= today <= until:
        return
    for job_id in job_states.list_active_ids(ports, workspace_id):
        try:
            job = records.get(ports, Job, workspace_id, job_id)
        except NotFoundError:
            continue
        usage = usages.of_job(ports, job, until=now)
        if usage is not None and not job.status.is_terminal:
            line = _to_line(usage).model_copy(update={"is_estimate": True})
            yield _Part(date=today, line=line, is_unpriced=usage.usd is None)


def _predictions(ports: Ports, workspace_id: str, since: date, until: date) -> Iterator[_Part]:
    """By the counters of endpoints: requests, and the time that they took in the function."""
    table = prices.load()
    start = datetime.combine(since, time(), UTC)
    end = min(datetime.combine(until, time(), UTC) + _DAY - timedelta(minutes=1), ports.clock())
    for endpoint in _list(ports, workspace_id, Endpoint):
        days: dict[date, tuple[int, int]] = {}
        for minute in endpoint_counters.list_minutes(ports, workspace_id, endpoint.id, since=start, until=end):
            day = minute.minute.astimezone(UTC).date()
            num, microseconds = days.get(day, (0, 0))
            days[day] = num + minute.counts.requests, microseconds + minute.counts.microseconds
        for day, (num, microseconds) in days.items():
            seconds = microseconds / 1e6
            gib_seconds = seconds * prices.PREDICTIONS_MEMORY_MIB / 1024
            usd = num * table.lambda_usd_per_request + gib_seconds * table.lambda_usd_per_gib_second
            line = CostLine(
                kind=CostKind.PREDICTIONS,
                subject_id=endpoint.id,
                name=endpoint.name,
                quantity=num,
                unit="requests",
                usd=_usd(usd),
                is_estimate=True,
            )
            yield _Part(date=day, line=line)


def _storage(ports: Ports, workspace_id: str, since: date, until: date) -> Iterator[_Part]:
    """Of what holds bytes now, on each day since it was made, or came with an import."""
    today = ports.clock().astimezone(UTC).date()
    kept = [
        (version.dataset_id, version.dataset_name, version.imported_at or version.created_at, version.num_bytes or 0)
        for version in _list(ports, workspace_id, DatasetVersion)
        if _is_kept(version)
    ]
    kept += [
        (version.model_id, version.model_name, version.imported_at or version.created_at, version.model_bytes)
        for version in _list(ports, workspace_id, ModelVersion)
    ]
    usd_per_day = prices.load().s3_usd_per_gib_month / _DAYS_OF_MONTH
    for subject_id, name, made_at, num_bytes in kept:
        first, last = max(since, made_at.astimezone(UTC).date()), min(until, today)
        num_days = (last - first).days + 1
        if num_days < 1:
            continue
        gib_days = num_bytes / _GIB * num_days
        line = CostLine(
            kind=CostKind.STORAGE,
            subject_id=subject_id,
            name=name,
            quantity=gib_days,
            unit="GiB days",
            usd=gib_days * usd_per_day,
            is_estimate=True,
        )
        yield _Part(date=first, line=line, num_days=num_days)


def _is_kept(version: DatasetVersion) -> bool:
    return version.freed_bytes is None and version.status in _HOLDING


def _list(ports: Ports, workspace_id: str, cls: type[ResourceT]) -> Iterator[ResourceT]:
    start: str | None = None
    while True:
        found, start = records.list_page(ports, cls, workspace_id, limit=_PAGE, start=start, newest_first=False)
        yield from found
        if start is None:
            return


@dataclass(slots=True, kw_only=True)
class _Sums:
    """USD by day and kind, and a line for each thing."""

    by_day: dict[tuple[date, CostKind], float] = field(default_factory=dict)
    lines: dict[tuple[CostKind, str], CostLine] = field(default_factory=dict)

    def add(self, part: _Part) -> None:
        line = part.line
        for offset in range(part.num_days):
            day = (part.date + offset * _DAY, line.kind)
            self.by_day[day] = self.by_day.get(day, 0.0) + line.usd / part.num_days
        former = self.lines.get((line.kind, line.subject_id))
        if former is not None:
            line = line.model_copy(
                update={
                    "quantity": former.quantity + line.quantity,
                    "usd": former.usd + line.usd,
                    "is_estimate": former.is_estimate or line.is_estimate,
                }
            )
        self.lines[line.kind, line.subject_id] = line

    def of(self, kind: CostKind, day: date | None = None) -> float:
        """USD of a kind, on one day or on all."""
        return _usd(sum(usd for (each, its), usd in self.by_day.items() if its is kind and day in (None, each)))

    def to_day(self, day: date) -> CostDay:
        by_kind = {kind: _usd(self.by_day.get((day, kind), 0.0)) for kind in CostKind}
        return CostDay(date=day, usd=_usd(sum(by_kind.values())), by_kind=by_kind)


def _usd(value: float) -> float:
    return round(value, 6)
