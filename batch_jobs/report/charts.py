"""The charts of a report: inline SVG for the page, PNG for the PDF."""

import io

import matplotlib.dates as mdates
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from batch_jobs.evaluate.figures import COLOURS, figure, styled, to_label
from batch_jobs.report.content import Chart

_WIDTH, _HEIGHT = 6.6, 2.5
_DPI = 180
_FAILED = "failed"
_RED = COLOURS[3]
_BAR_DAYS = 0.7


def to_svg(chart: Chart) -> str:
    """That a page can style."""
    with figure(_WIDTH, _HEIGHT, title=chart.title) as (drawn, output):
        _draw(chart, drawn.add_subplot())
    return output.svg


def to_png(chart: Chart) -> bytes:
    """For paper: on white."""
    buffer = io.BytesIO()
    with styled():
        drawn = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained", dpi=_DPI)
        _draw(chart, drawn.add_subplot())
        FigureCanvasAgg(drawn).print_png(buffer)
    return buffer.getvalue()


def _draw(chart: Chart, axes: Axes) -> None:
    axes.set_title(to_label(chart.title, 80))
    heights = [0.0] * len(chart.moments)
    colours = iter(COLOURS * (len(chart.series) // len(COLOURS) + 1))
    for series in chart.series:
        colour = _RED if series.name == _FAILED else next(colours)
        label = to_label(series.name)
        if chart.is_bars:
            values = [value or 0.0 for value in series.values]
            axes.bar(mdates.date2num(chart.moments), values, width=_BAR_DAYS, bottom=heights, color=colour, label=label)
            heights = [below + value for below, value in zip(heights, values, strict=True)]
        else:
            values = [float("nan") if value is None else value for value in series.values]
            axes.plot(mdates.date2num(chart.moments), values, color=colour, label=label, marker="o", markersize=3)
    locator = mdates.AutoDateLocator(minticks=2, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    known = [value for series in chart.series for value in series.values if value is not None]
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=all(value == int(value) for value in known)))
    if chart.ends is not None:
        axes.set_xlim(*mdates.date2num(chart.ends))
        axes.set_ylim(bottom=0)
    if len(chart.series) > 1:
        axes.legend(loc="upper left", ncols=3)
