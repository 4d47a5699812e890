"""How an endpoint does, as one page: traffic, times, drift, and what became true, as inline SVG."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aimass_core.domain.endpoint_watching import (
    AlarmStatus,
    ColumnDrift,
    EndpointMetrics,
    EndpointPerformance,
    TrafficPoint,
)
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.reports import Calibration, Residuals
from aimass_core.domain.signatures import ConfusionMatrix
from aimass_core.errors import ConflictError
from aimass_core.ports import Ports
from aimass_core.services import endpoint_watches
from aimass_core.services.pages import COLOURS, render_page, to_figure
from aimass_core.services.quality.page import HEIGHT, WIDTH, to_bars
from aimass_core.services.watching import captured, drifting, performing, traffic
from aimass_core.services.watching.spans import Span

_MAX_DRIFTS = 24
_MAX_LABELS = 30
_MAX_LINE_METRICS = 6
_ALARMS = {AlarmStatus.OFF: "no limits set", AlarmStatus.OK: "within limits", AlarmStatus.ALARM: "alarm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A polyline of a chart, with words for each point."""

    name: str
    colour: str
    points: str
    dots: Sequence[tuple[float, float, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """Lines over time, or over a share. `low` and `high` are the ends of the vertical axis."""

    title: str
    lines: Sequence[Line]
    low: str
    high: str
    left: str
    right: str
    has_diagonal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """Of a histogram."""

    x: float
    y: float
    width: float
    height: float
    words: str


def render(ports: Ports, endpoint: Endpoint, span: Span) -> str:
    """The page. What cannot be known is told, and the rest is there."""
    metrics = traffic.measure(ports, endpoint, span)
    watch = endpoint_watches.get(ports, endpoint)
    notes, drift, performance = [], None, None
    try:
        rows = captured.load(ports, endpoint, span)
        drift = drifting.measure(ports, rows)
        if watch.truth is None:
            notes.append(
                "Nobody says what became true: "
                f"aimass endpoints truth {endpoint.name} <file> --key <column> shows live metrics here."
            )
        else:
            performance = performing.measure(ports, rows, watch.truth)
    except ConflictError as error:
        notes.append(error.message)
    notes += [note for part in (drift, performance) if part is not None for note in part.notes]
    drifts = [] if drift is None else [each for each in [drift.answers, *drift.columns] if each is not None]
    return render_page(
        "aimass_core.services",
        "endpoint.html.j2",
        endpoint=endpoint,
        span=span,
        metrics=metrics,
        watch=watch,
        alarm=_ALARMS[watch.status],
        tiles=_tiles(metrics, drifts, performance, _ALARMS[watch.status]),
        traffic=_traffic_charts(metrics),
        drift=drift,
        drifts=[(each, to_bars(each.chart)) for each in drifts[:_MAX_DRIFTS]],
        performance=performance,
        performed=[] if performance is None else _performance_charts(performance),
        matrix=_matrix(performance.confusion_matrix) if performance and performance.confusion_matrix else None,
        calibration=_calibration(performance.calibration) if performance and performance.calibration else None,
        residuals=_histogram(performance.residuals) if performance and performance.residuals else [],
        dots=_dots(performance.residuals) if performance and performance.residuals else [],
        notes=list(dict.fromkeys(notes)),
        width=WIDTH,
        height=HEIGHT,
        to_cell=lambda value: "" if value is None else to_figure(value),
    )


def _tiles(
    metrics: EndpointMetrics, drifts: Sequence[ColumnDrift], performance: EndpointPerformance | None, alarm: str
) -> list[tuple[str, str]]:
    total = metrics.total
    tiles = [(alarm, "alarms"), (f"{total.requests:,}", "requests"), (f"{total.errors:,}", "failed")]
    if total.p95_ms is not None:
        tiles.append((f"{total.p95_ms:.3g} ms", "95 % took up to"))
    if drifts:
        tiles.append((f"{sum(each.is_drift for each in drifts)} of {len(drifts)}", "columns have moved"))
    if performance is not None:
        tiles += [(to_figure(value), name) for name, value in list(performance.metrics.items())[:2]]
    return tiles


def _traffic_charts(metrics: EndpointMetrics) -> list[LineChart]:
    points = metrics.points
    if not points:
        return []
    times = [point.at for point in points]

    def chart(title: str, *lines: tuple[str, Callable[[TrafficPoint], float | None]]) -> LineChart:
        return _over_time(title, times, [(name, [read(point) for point in points]) for name, read in lines])

    return [
        chart("requests", ("requests", lambda p: p.requests), ("failed", lambda p: p.errors)),
        chart(
            "milliseconds",
            ("half took up to", lambda p: p.p50_ms),
            ("95 %", lambda p: p.p95_ms),
            ("99 %", lambda p: p.p99_ms),
        ),
        chart("rows", ("rows", lambda p: p.rows), ("unreadable", lambda p: p.row_errors)),
    ]


def _performance_charts(performance: EndpointPerformance) -> list[LineChart]:
    points = performance.points
    if len(points) < 2:
        return []
    names = list(performance.metrics)[:_MAX_LINE_METRICS]
    times = [point.at for point in points]
    return [_over_time(name, times, [(name, [point.metrics.get(name) for point in points])]) for name in names]


def _over_time(
    title: str, times: Sequence[datetime], series: Sequence[tuple[str, Sequence[float | None]]]
) -> LineChart:
    values = [value for _, line in series for value in line if value is not None]
    low, high = min([0.0, *values]), max([*values, 1e-9])
    first, width = times[0].timestamp(), (times[-1] - times[0]).total_seconds() or 1.0

    def place(at: datetime, value: float) -> tuple[float, float]:
        return (
            round((at.timestamp() - first) / width * WIDTH, 2),
            round(HEIGHT - (value - low) / (high - low) * HEIGHT, 2),
        )

    lines = []
    for (name, line), colour in zip(series, COLOURS, strict=False):
        known = [(at, value) for at, value in zip(times, line, strict=True) if value is not None]
        found = [(*place(at, value), f"{at:%m-%d %H:%M} {name}: {to_figure(value)}") for at, value in known]
        lines.append(_to_line(name, colour, found))
    return LineChart(
        title=title,
        lines=lines,
        low=to_figure(low),
        high=to_figure(high),
        left=f"{times[0]:%m-%d %H:%M}",
        right=f"{times[-1]:%m-%d %H:%M}",
    )


def _to_line(name: str, colour: str, dots: Sequence[tuple[float, float, str]]) -> Line:
    return Line(name=name, colour=colour, points=" ".join(f"{x},{y}" for x, y, _ in dots), dots=dots)


def _calibration(found: Calibration) -> LineChart:
    """What was promised to the right, what came to the top."""
    dots = [
        (
            round(each.mean_probability * WIDTH, 2),
            round(HEIGHT - each.share * HEIGHT, 2),
            f"promised {each.mean_probability:.1%}, came {each.share:.1%} of {each.num_rows:,}",
        )
        for each in found.bins
    ]
    what = "the answer" if found.label is None else found.label
    return LineChart(
        title=f"How often {what} came true, by its probability (expected error {found.expected_error:.3f})",
        lines=[_to_line("", COLOURS[0], dots)],
        low="0 %",
        high="100 %",
        left="0 %",
        right="100 %",
        has_diagonal=True,
    )


def _matrix(matrix: ConfusionMatrix) -> tuple[list[str], list[tuple[str, list[tuple[int, float]]]]]:
    """Labels, and for each that was true the counts of those that were answered, with their share of the row."""
    shown = range(min(len(matrix.labels), _MAX_LABELS))
    rows = []
    for index in shown:
        total = max(sum(matrix.counts[index]), 1)
        counts = [matrix.counts[index][other] for other in shown]
        rows.append((matrix.labels[index], [(count, count / total) for count in counts]))
    return [matrix.labels[index] for index in shown], rows


def _histogram(residuals: Residuals) -> list[Rectangle]:
    counts, edges = residuals.histogram.counts, residuals.histogram.edges
    top, step = max([*counts, 1]), WIDTH / max(len(counts), 1)
    return [
        Rectangle(
            x=round(place * step, 2),
            y=round(HEIGHT - count / top * HEIGHT, 2),
            width=round(step * 0.9, 2),
            height=round(count / top * HEIGHT, 2),
            words=f"{to_figure(edges[place])} to {to_figure(edges[place + 1])}: {count:,}",
        )
        for place, count in enumerate(counts)
    ]


def _dots(residuals: Residuals) -> list[tuple[float, float, str]]:
    """What became true to the right, what was answered to the top."""
    values = [*residuals.actual, *residuals.predicted]
    low = min(values)
    width = (max(values) - low) or 1.0
    return [
        (
            round((actual - low) / width * WIDTH, 2),
            round(HEIGHT - (predicted - low) / width * HEIGHT, 2),
            f"became {to_figure(actual)}, answered {to_figure(predicted)}",
        )
        for actual, predicted in zip(residuals.actual, residuals.predicted, strict=True)
    ]
