"""The quality report of a version as one page: what was found, charts of what moved, the trend over versions."""

from dataclasses import dataclass

from aimass_core.domain.quality import Chart, Outcome, QualityReport, QualityTrend, VersionQuality
from aimass_core.services.pages import render_page, to_figure

WIDTH, HEIGHT = 330, 150
_MARKS = {Outcome.PASSED: "met", Outcome.WARNED: "warning", Outcome.FAILED: "not met", Outcome.SKIPPED: "not checked"}
_ORDER = (Outcome.FAILED, Outcome.WARNED, Outcome.SKIPPED, Outcome.PASSED)
_MAX_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rectangle of a chart, in its coordinates."""

    x: float
    y: float
    width: float
    height: float
    is_before: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure over the versions."""

    title: str
    points: str
    dots: list[tuple[float, float, str]]
    low: str
    high: str


def render(report: QualityReport, trend: QualityTrend) -> str:
    """The page."""
    results = sorted(report.results, key=lambda result: _ORDER.index(result.outcome))
    counts = {outcome: sum(result.outcome is outcome for result in results) for outcome in _ORDER}
    return render_page(
        "aimass_core.services",
        "quality.html.j2",
        report=report,
        results=results,
        marks=_MARKS,
        tiles=[
            (_MARKS[report.outcome], "as a whole"),
            *((f"{counts[outcome]:,}", _MARKS[outcome]) for outcome in _ORDER if counts[outcome]),
            (f"{report.num_rows:,}", "rows"),
        ],
        charts=[(chart, to_bars(chart)) for result in results for chart in result.charts],
        lines=_lines(trend.versions),
        versions=list(reversed(trend.versions)),
        width=WIDTH,
        height=HEIGHT,
        to_limit=lambda value: "" if value is None else to_figure(value),
    )


def to_bars(chart: Chart) -> list[Bar]:
    """Two bars for each label, before and now; one where there was no before."""
    series = [(chart.before, True), (chart.now, False)] if chart.before else [(chart.now, False)]
    top = max([*chart.before, *chart.now, 1e-9])
    step = WIDTH / max(len(chart.labels), 1)
    width = step * 0.8 / len(series)
    return [
        Bar(
            x=round(index * step + step * 0.1 + place * width, 2),
            y=round(HEIGHT - share / top * HEIGHT, 2),
            width=round(width, 2),
            height=round(share / top * HEIGHT, 2),
            is_before=is_before,
            words=f"{chart.labels[index]}: {share:.1%}{' before' if is_before else ''}",
        )
        for place, (shares, is_before) in enumerate(series)
        for index, share in enumerate(shares)
    ]


def _lines(versions: list[VersionQuality]) -> list[Line]:
    """Rows first, then each check that was observed at two versions at least and has moved."""
    found = [
        _line("rows", [(version.number, float(version.num_rows or 0)) for version in versions if version.num_rows])
    ]
    names = dict.fromkeys(name for version in reversed(versions) for name in version.observed)
    for name in names:
        found.append(_line(name, [(each.number, each.observed[name]) for each in versions if name in each.observed]))
    drawn = [line for line in found if line is not None]
    return drawn[:_MAX_LINES]


def _line(title: str, values: list[tuple[int, float]]) -> Line | None:
    if len(values) < 2:
        return None
    low, high = min(value for _, value in values), max(value for _, value in values)
    if low == high and title != "rows":
        return None
    step = WIDTH / (len(values) - 1)
    places = [
        (round(index * step, 2), round(HEIGHT - (value - low) / ((high - low) or 1) * HEIGHT, 2), number, value)
        for index, (number, value) in enumerate(values)
    ]
    return Line(
        title=title,
        points=" ".join(f"{x},{y}" for x, y, _, _ in places),
        dots=[(x, y, f"version {number}: {to_figure(value)}") for x, y, number, value in places],
        low=to_figure(low),
        high=to_figure(high),
    )
