"""Reads what a report is about: rows of a workspace, or of one model and what it was made of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from aimass_core.domain.common import Principal, Resource
from aimass_core.domain.costs import Costs
from aimass_core.domain.datasets import DatasetVersion
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.jobs import Job, JobKind
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.notifications import Level, Notification
from aimass_core.domain.workspace_reports import Report
from aimass_core.ports import Ports
from aimass_core.services import costs, platform, records
from aimass_core.services.watching.spans import Span

# A job that has ended within the span may have been submitted so long before it.
_LONGEST_JOB = timedelta(days=15)
_PAGE, _MAX_ROWS = 100, 20_000

ResourceT = TypeVar("ResourceT", bound=Resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What there is to tell of. Jobs have ended within the span or the one before it."""

    span: Span
    before: Span
    versions: Sequence[DatasetVersion]
    jobs: Sequence[Job]
    models: Sequence[ModelVersion]
    endpoints: Sequence[Endpoint]
    told: Sequence[Notification]
    costs: Costs
    costs_before: Costs

    def is_now(self, at: datetime | None) -> bool:
        """Whether a moment is within the span."""
        return at is not None and self.span.since <= at < self.span.until

    def is_before(self, at: datetime | None) -> bool:
        """Whether it is within the one before."""
        return at is not None and self.before.since <= at < self.before.until


def gather(ports: Ports, report: Report) -> Gathered:
    """Everything that the report is about."""
    workspace_id, principal = report.workspace_id, platform.principal("reports", report.workspace_id)
    span = Span(since=report.since, until=report.until)
    before = Span(since=report.since - (report.until - report.since), until=report.since)
    models = list(_all(ports, ModelVersion, workspace_id))
    jobs = [
        job
        for job in _recent(ports, Job, workspace_id, since=before.since - _LONGEST_JOB)
        if job.ended_at is not None
        and before.since <= job.ended_at < span.until
        and job.kind is not JobKind.REPORT
        # It ran elsewhere.
        and job.imported_at is None
    ]
    versions = list(_all(ports, DatasetVersion, workspace_id))
    endpoints = list(_all(ports, Endpoint, workspace_id))
    told = [
        each
        for each in _recent(ports, Notification, workspace_id, since=span.since)
        if each.created_at < span.until and each.level is not Level.INFO
    ]
    if report.model is not None:
        name = report.model
        models = [each for each in models if each.model_name == name]
        jobs = [job for job in jobs if _is_of_model(job, name)]
        used = {pin.dataset_id for model in models for pin in model.datasets.values()}
        versions = [each for each in versions if each.dataset_id in used]
        endpoints = [each for each in endpoints if any(served.model_name == name for served in each.list_models())]
        subjects = {name, *(each.name for each in endpoints), *(each.dataset_name for each in versions)}
        told = [each for each in told if each.subject.name in subjects]
    own = None if report.model is None else {*(job.id for job in jobs), *(each.id for each in endpoints)}
    return Gathered(
        span=span,
        before=before,
        versions=versions,
        jobs=jobs,
        models=models,
        endpoints=endpoints,
        told=told,
        costs=_costs(ports, principal, span, own),
        costs_before=_costs(ports, principal, before, own),
    )


def _is_of_model(job: Job, name: str) -> bool:
    if job.model_version is not None:
        return job.model_version.model_name == name
    return getattr(job.spec, "model", None) == name


def _costs(ports: Ports, principal: Principal, span: Span, own: set[str] | None) -> Costs:
    """Of the days of the span; of a model that of its jobs and endpoints, without days, which nobody knows by cause."""
    first = span.since if span.since.time() == span.since.min.time() else span.since + timedelta(days=1)
    found = costs.get(ports, principal, since=min(first, span.until).date(), until=span.until.date(), limit=10_000)
    if own is None:
        return found
    lines = [line for line in found.lines if line.subject_id in own]
    by_kind = {kind: sum(line.usd for line in lines if line.kind is kind) for kind in found.by_kind}
    return found.model_copy(
        update={"lines": lines, "by_kind": by_kind, "usd": sum(by_kind.values()), "days": [], "num_lines": len(lines)}
    )


def _recent(ports: Ports, cls: type[ResourceT], workspace_id: str, *, since: datetime) -> Iterator[ResourceT]:
    """Newest first, as their ids sort by time."""
    for each in _all(ports, cls, workspace_id):
        if each.created_at < since:
            return
        yield each


def _all(ports: Ports, cls: type[ResourceT], workspace_id: str) -> Iterator[ResourceT]:
    start: str | None = None
    num_rows = 0
    while num_rows < _MAX_ROWS:
        page, start = records.list_page(ports, cls, workspace_id, limit=_PAGE, start=start)
        num_rows += len(page)
        yield from page
        if start is None:
            return


def by_name(items: Sequence[ResourceT], name: Callable[[ResourceT], str]) -> dict[str, list[ResourceT]]:
    """Groups in the order of their names."""
    found: dict[str, list[ResourceT]] = {}
    for item in sorted(items, key=name):
        found.setdefault(name(item), []).append(item)
    return found
