"""The sections of a report, each from what was gathered."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from aimass_core.domain.datasets import DatasetVersion, DatasetVersionStatus
from aimass_core.domain.endpoint_watching import AlarmStatus, EndpointMetrics
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.workspace_reports import ReportFigure
from aimass_core.errors import AimassError, ConflictError
from aimass_core.ports import Ports
from aimass_core.services import endpoint_watches
from aimass_core.services.pages import to_figure, to_size
from aimass_core.services.watching import traffic
from aimass_core.services.watching.spans import Span
from batch_jobs.report.content import Chart, Section, Series, Table
from batch_jobs.report.gathering import Gathered, by_name

_MAX_ROWS = 15
_MAX_LINES = 6
_MAX_TEXT = 120
_NO_JOBS = "No job has ended in these days."


def data(found: Gathered) -> tuple[Section, list[ReportFigure]]:
    """What came in: volumes by day, and each dataset with its quality."""
    made = [each for each in found.versions if found.is_now(each.created_at)]
    figures = [
        ReportFigure(
            name="new rows",
            value=f"{_rows_of(made, found.versions):,}",
            before=f"{_rows_of([v for v in found.versions if found.is_before(v.created_at)], found.versions):,}",
        )
    ]
    if not found.versions:
        return Section(title="Data", notes=["There are no datasets yet: aimass datasets upload <file>"]), figures
    days = _days(found.span)
    chart = Chart(
        title="Rows that came in, by day",
        moments=days,
        series=[
            Series(name=name, values=[_rows_of(_of_day(versions, day), found.versions) for day in days])
            for name, versions in list(by_name(made, lambda v: v.dataset_name).items())[:_MAX_LINES]
        ],
        is_bars=True,
    )
    rows = [
        _data_row(name, versions, found) for name, versions in by_name(found.versions, lambda v: v.dataset_name).items()
    ]
    names = ["Dataset", "Versions", "Rejected", "Rows now", "Kept apart", "Size", "Quality"]
    notes = [
        f"{each.dataset_name}@{each.number} was rejected: {_short(each.status_reason or '')}"
        for each in made
        if each.status is DatasetVersionStatus.REJECTED
    ]
    table = Table(names=names, numbers=[False, True, True, True, True, True, False], rows=rows[:_MAX_ROWS])
    return Section(
        title="Data", charts=[chart] if made else [], tables=[table], notes=[*notes[:_MAX_ROWS], *_left_out(rows)]
    ), figures


def _data_row(name: str, versions: Sequence[DatasetVersion], found: Gathered) -> list[str]:
    made = [each for each in versions if found.is_now(each.created_at)]
    ready = [each for each in versions if each.status is DatasetVersionStatus.READY]
    latest = max(ready, key=lambda each: each.number, default=None)
    return [
        name,
        f"{len(made):,}",
        f"{sum(each.status is DatasetVersionStatus.REJECTED for each in made):,}",
        "" if latest is None else f"{latest.num_rows or 0:,}",
        f"{sum(each.num_quarantined or 0 for each in made):,}",
        "" if latest is None else to_size(latest.num_bytes or 0),
        "not checked" if latest is None or latest.quality is None else latest.quality.value.lower(),
    ]


def _rows_of(versions: Sequence[DatasetVersion], every: Sequence[DatasetVersion]) -> int:
    """Rows that versions brought: of an append what it is longer than what it was appended to."""
    known = {(each.dataset_id, each.number): each.num_rows or 0 for each in every}
    return sum(
        max(0, (each.num_rows or 0) - known.get((each.dataset_id, each.base_number or 0), 0))
        for each in versions
        if each.status is DatasetVersionStatus.READY
    )


def training(found: Gathered) -> tuple[Section, list[ReportFigure]]:
    """Jobs that have ended: by day, by kind, and why some failed."""
    jobs = [job for job in found.jobs if found.is_now(job.ended_at)]
    before = [job for job in found.jobs if found.is_before(job.ended_at)]
    figures = [
        ReportFigure(name="jobs", value=f"{len(jobs):,}", before=f"{len(before):,}"),
        ReportFigure(name="jobs that failed", value=_count_failed(jobs), before=_count_failed(before)),
    ]
    if not jobs:
        return Section(title="Jobs", notes=[_NO_JOBS]), figures
    days = _days(found.span)
    chart = Chart(
        title="Jobs that have ended, by day",
        moments=days,
        series=[
            Series(
                name=status.value.lower(),
                values=[
                    sum(
                        job.status is status and day <= job.ended_at < day + timedelta(days=1)
                        for job in jobs
                        if job.ended_at
                    )
                    for day in days
                ],
            )
            for status in (JobStatus.SUCCEEDED, JobStatus.STOPPED, JobStatus.FAILED)
        ],
        is_bars=True,
    )
    kinds = Table(
        names=["Kind", "Succeeded", "Failed", "Stopped", "Hours"],
        numbers=[False, True, True, True, True],
        rows=[_kind_row(kind, of_kind) for kind, of_kind in by_name(jobs, lambda job: job.kind.value).items()],
    )
    failed = [job for job in jobs if job.status is JobStatus.FAILED]
    causes = Counter(_short(job.failure.cause if job.failure else job.status_reason or "") for job in failed)
    failures = Table(
        names=["Failures", "Cause"],
        numbers=[True, False],
        rows=[[f"{count:,}", cause] for cause, count in causes.most_common(_MAX_ROWS)],
    )
    return Section(title="Jobs", charts=[chart], tables=[kinds, *([failures] if failed else [])]), figures


def _count_failed(jobs: Sequence[Job]) -> str:
    return f"{sum(job.status is JobStatus.FAILED for job in jobs):,}"


def _kind_row(kind: str, jobs: Sequence[Job]) -> list[str]:
    counts = Counter(job.status for job in jobs)
    seconds = sum((job.ended_at - job.started_at).total_seconds() for job in jobs if job.started_at and job.ended_at)
    ended = [f"{counts[status]:,}" for status in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED)]
    return [kind, *ended, f"{seconds / 3600:.2f}"]


def scores(found: Gathered) -> tuple[Section, list[ReportFigure]]:
    """What each model scores, version by version."""
    made = [each for each in found.models if found.is_now(each.created_at)]
    before = [each for each in found.models if found.is_before(each.created_at)]
    figures = [ReportFigure(name="new model versions", value=f"{len(made):,}", before=f"{len(before):,}")]
    if not found.models:
        return Section(title="Scores", notes=["There are no models yet: aimass train <dataset>"]), figures
    charts: list[Chart] = []
    rows: list[list[str]] = []
    for name, versions in by_name(found.models, lambda each: each.model_name).items():
        in_order = sorted(versions, key=lambda each: each.number)
        rows.append(_score_row(name, in_order, found))
        drawn = [each for each in in_order if each.primary_metric in each.metrics]
        if len(drawn) > 1 and len(charts) < _MAX_LINES and any(each in made for each in drawn):
            values = [each.metrics[each.primary_metric] for each in drawn]
            charts.append(
                Chart(
                    title=f"{name}: {drawn[-1].primary_metric} by version",
                    moments=[each.created_at for each in drawn],
                    series=[Series(name=drawn[-1].primary_metric, values=values)],
                )
            )
    names = ["Model", "New", "Latest", "Metric", "Score", "Version before", "Size", "Made by"]
    table = Table(names=names, numbers=[False, True, True, False, True, True, True, False], rows=rows[:_MAX_ROWS])
    return Section(title="Scores", charts=charts, tables=[table], notes=_left_out(rows)), figures


def _score_row(name: str, versions: Sequence[ModelVersion], found: Gathered) -> list[str]:
    latest, former = versions[-1], versions[-2] if len(versions) > 1 else None
    metric = latest.primary_metric

    def score(version: ModelVersion | None) -> str:
        return "" if version is None or metric not in version.metrics else to_figure(version.metrics[metric])

    return [
        name,
        f"{sum(found.is_now(each.created_at) for each in versions):,}",
        f"@{latest.number}",
        metric,
        score(latest),
        score(former),
        to_size(latest.model_bytes),
        latest.algorithm,
    ]


def serving(ports: Ports, found: Gathered) -> tuple[Section, list[ReportFigure]]:
    """Requests, errors and times of each endpoint."""
    measured = [traffic.measure(ports, each, found.span) for each in found.endpoints]
    former = [traffic.measure(ports, each, found.before) for each in found.endpoints]
    figures = [
        ReportFigure(name="predictions asked for", value=_requests(measured), before=_requests(former)),
    ]
    if not measured:
        return Section(title="Traffic", notes=["Nothing is served yet: aimass deploy <model>"]), figures
    busiest = sorted(measured, key=lambda each: -each.total.requests)[:_MAX_LINES]
    moments = _steps(found.span) if any(each.points for each in busiest) else []
    ends = (found.span.since, found.span.until)
    chart = Chart(
        title=f"Requests in {_say_step(found.span)}",
        moments=moments,
        ends=ends,
        series=[
            Series(
                name=each.endpoint, values=_align(moments, {p.at: float(p.requests) for p in each.points}, empty=0.0)
            )
            for each in busiest
        ],
    )
    slow = Chart(
        title="Milliseconds that 95 % kept to",
        moments=moments,
        ends=ends,
        series=[
            Series(name=each.endpoint, values=_align(moments, {p.at: p.p95_ms for p in each.points}, empty=None))
            for each in busiest
        ],
    )
    rows = [_traffic_row(each) for each in measured]
    names = ["Endpoint", "Requests", "Failed", "Rows", "Half within", "95 % within"]
    table = Table(names=names, numbers=[False, True, True, True, True, True], rows=rows[:_MAX_ROWS])
    return Section(
        title="Traffic", charts=[chart, slow] if moments else [], tables=[table], notes=_left_out(rows)
    ), figures


def _requests(measured: Sequence[EndpointMetrics]) -> str:
    return f"{sum(each.total.requests for each in measured):,}"


def _traffic_row(found: EndpointMetrics) -> list[str]:
    total = found.total
    rate = "" if total.error_rate is None else f"{total.error_rate:.2%}"
    times = ["" if each is None else f"{each:.3g} ms" for each in (total.p50_ms, total.p95_ms)]
    return [found.endpoint, f"{total.requests:,}", rate, f"{total.rows:,}", *times]


def drift(ports: Ports, found: Gathered) -> Section:
    """How far what endpoints are asked has moved from what their models were trained on."""
    rows, notes = [], []
    for endpoint in found.endpoints:
        try:
            moved = endpoint_watches.measure_drift(ports, endpoint, found.span)
        except ConflictError as error:
            notes.append(f"{endpoint.name}: {error.message}")
            continue
        except AimassError as error:
            notes.append(f"{endpoint.name} cannot be judged: {error.message}")
            continue
        if moved.num_rows == 0:
            notes.append(f"{endpoint.name}: of its requests none was kept, so nobody knows (settings.capture.percent).")
            continue
        columns = [each for each in [moved.answers, *moved.columns] if each is not None]
        worst = max(columns, key=lambda each: each.psi, default=None)
        rows.append(
            [
                endpoint.name,
                f"{moved.num_rows:,}",
                f"{sum(each.is_drift for each in columns):,} of {len(columns):,}",
                "" if worst is None else worst.name,
                "" if worst is None else f"{worst.psi:.3f}",
            ]
        )
    table = Table(
        names=["Endpoint", "Rows kept", "Columns moved", "Most of all", "PSI"],
        numbers=[False, True, True, False, True],
        rows=rows[:_MAX_ROWS],
    )
    if not rows and not notes:
        notes = ["Nothing is served yet."]
    return Section(title="Drift", tables=[table] if rows else [], notes=[*notes[:_MAX_ROWS], *_left_out(rows)])


def spend(found: Gathered) -> tuple[Section, list[ReportFigure]]:
    """What it cost, by list prices."""
    figures = [ReportFigure(name="spent", value=_usd(found.costs.usd), before=_usd(found.costs_before.usd))]
    used = [kind for kind, usd in found.costs.by_kind.items() if usd > 0]
    chart = Chart(
        title="USD by day",
        moments=[datetime.combine(day.date, datetime.min.time(), found.span.since.tzinfo) for day in found.costs.days],
        series=[
            Series(name=kind.value, values=[day.by_kind.get(kind, 0.0) for day in found.costs.days]) for kind in used
        ],
        is_bars=True,
    )
    rows = [
        [line.kind.value, line.name, f"{line.quantity:,.2f} {line.unit}", _usd(line.usd)] for line in found.costs.lines
    ]
    table = Table(names=["Kind", "What", "Used", "USD"], numbers=[False, False, True, True], rows=rows[:_MAX_ROWS])
    estimated = [kind.value for kind in used if found.costs.is_estimate.get(kind)]
    notes = [
        *([f"Estimated, not metered: {', '.join(estimated)}."] if estimated else []),
        f"Prices: {found.costs.price_source}. AWS's own bill may differ.",
        *_left_out(rows),
    ]
    return Section(
        title="Spend", charts=[chart] if used and chart.moments else [], tables=[table] if rows else [], notes=notes
    ), figures


def alarms(ports: Ports, found: Gathered) -> tuple[Section, list[ReportFigure]]:
    """What went wrong, and what still is."""
    figures = [ReportFigure(name="warnings and errors", value=f"{len(found.told):,}")]
    rows = [
        [f"{each.created_at:%m-%d %H:%M}", each.type.value, _short(each.title), _short(each.text)]
        for each in found.told
    ]
    watches = [(each.name, endpoint_watches.get(ports, each)) for each in found.endpoints]
    lasting = [
        f"{name} is in alarm since {watch.since:%Y-%m-%d %H:%M}: {' '.join(watch.reasons)}"
        for name, watch in watches
        if watch.status is AlarmStatus.ALARM and watch.since
    ]
    table = Table(names=["At", "Event", "What", "Why"], numbers=[False] * 4, rows=rows[:_MAX_ROWS])
    notes = [*lasting, *_left_out(rows)] or ([] if rows else ["Nothing went wrong."])
    return Section(title="Warnings and alarms", tables=[table] if rows else [], notes=notes), figures


def _days(span: Span) -> list[datetime]:
    first = span.since.replace(hour=0, minute=0, second=0, microsecond=0)
    return [first + timedelta(days=day) for day in range((span.until - first).days + 1)]


def _steps(span: Span) -> list[datetime]:
    first, step = span.start_of(span.since), timedelta(seconds=span.step_seconds)
    return [first + number * step for number in range(int((span.until - first) / step) + 1)]


def _say_step(span: Span) -> str:
    seconds = span.step_seconds
    return f"{seconds // 3600} h" if seconds >= 3600 else f"{seconds // 60} min"


def _of_day(versions: Sequence[DatasetVersion], day: datetime) -> list[DatasetVersion]:
    return [each for each in versions if day <= each.created_at < day + timedelta(days=1)]


def _align(
    moments: Sequence[datetime], values: dict[datetime, float | None] | dict[datetime, float], *, empty: float | None
) -> list[float | None]:
    return [values.get(moment, empty) for moment in moments]


def _usd(amount: float) -> str:
    return f"{amount:,.2f} USD" if amount >= 0.01 or amount == 0 else f"{amount:.4f} USD"


def _short(text: str) -> str:
    first = text.strip().split("\n")[0]
    return first if len(first) <= _MAX_TEXT else f"{first[: _MAX_TEXT - 1]}…"


def _left_out(rows: Sequence[object]) -> list[str]:
    return [f"{len(rows) - _MAX_ROWS:,} more are left out."] if len(rows) > _MAX_ROWS else []
