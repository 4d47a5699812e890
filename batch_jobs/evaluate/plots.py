"""The report's plots, from its data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.ticker import MaxNLocator

from aimass_core.domain.reports import Calibration, Forecasts, LearningCurve, RateCurve, Residuals
from aimass_core.domain.signatures import ConfusionMatrix, Importance
from batch_jobs.evaluate.figures import BLUE, COLOURS, INK, MUTED, ORANGE, figure, to_label

MAX_MATRIX_LABELS = 100
_MAX_CELL_TEXTS = 20
_MAX_BARS = 25
_MAX_NAMED = 5
_WIDTH, _HEIGHT = 4.7, 3.5
# Between that of the light and that of the dark page: dots are pixels, which no style sheet reaches.
_DOTS = "#3b82f6"
# From nothing to full colour, so that it lies on a dark page as on a light one.
_SHADES = LinearSegmentedColormap.from_list("shades", [to_rgba(BLUE, 0.0), to_rgba(BLUE, 1.0)])


def learning_curves(curves: Sequence[LearningCurve]) -> list[str]:
    """One for each quantity: `log_loss`, say, of all channels."""
    quantities = dict.fromkeys(curve.name.rpartition("/")[2] for curve in curves)
    return [
        _learning_curve(name, [curve for curve in curves if curve.name.rpartition("/")[2] == name])
        for name in quantities
    ]


def _learning_curve(quantity: str, curves: Sequence[LearningCurve]) -> str:
    with figure(_WIDTH, _HEIGHT, title=f"Learning curve of {quantity}", is_plain=True) as (drawn, output):
        axes = drawn.add_subplot()
        for curve, colour in zip(curves, COLOURS, strict=False):
            marker = "o" if len(curve.steps) < 30 else None
            label = curve.name.rpartition("/")[0] or curve.name
            axes.plot(curve.steps, curve.values, color=colour, label=label, marker=marker, markersize=3)
        axes.set(xlabel="step", ylabel=quantity.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(curves) > 1:
            axes.legend()
    return output.svg


def confusion(matrix: ConfusionMatrix) -> str:
    """Share of each actual class by prediction; with more than 100 classes, the 100 that are confused most."""
    counts = np.asarray(matrix.counts, dtype=float)
    shown = np.arange(len(counts))
    if len(counts) > MAX_MATRIX_LABELS:
        errors = counts.sum(axis=1) - counts.diagonal()
        shown = np.sort(np.argsort(-errors, kind="stable")[:MAX_MATRIX_LABELS])
    limit = 28 if len(shown) <= 30 else 14
    labels = [to_label(matrix.labels[index], limit) for index in shown]
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    shares, counts = (counts / totals)[np.ix_(shown, shown)], counts[np.ix_(shown, shown)]
    side = min(3.2 + 0.3 * len(labels), 10.0)
    size = float(np.clip(480 / len(labels), 5, 10))
    with figure(side, side, title="Confusion matrix", is_plain=True) as (drawn, output):
        axes = drawn.add_subplot()
        axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.tick_params(length=2)
        axes.set_xticks(range(len(labels)), labels, rotation=90 if len(labels) > 4 else 0, fontsize=size)
        axes.set_yticks(range(len(labels)), labels, fontsize=size)
        axes.set(xlabel="predicted", ylabel="actual")
        if len(labels) <= _MAX_CELL_TEXTS:
            for (row, column), share in np.ndenumerate(shares):
                colour = "white" if share > 0.55 else INK
                text = f"{int(counts[row, column])}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=min(size, 9))
    return output.svg


def roc(curves: Sequence[RateCurve]) -> str:
    """The five worst by name, the others in grey."""
    with figure(_WIDTH, _HEIGHT + 0.4, title="ROC", is_plain=True) as (drawn, output):
        axes = drawn.add_subplot()
        _draw_rates(axes, curves, "AUC")
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1)
        axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
        axes.legend(loc="lower right")
    return output.svg


def precision_recall(curves: Sequence[RateCurve], num_rows: int) -> str:
    """As `roc`; where there is one curve, with what guessing would reach."""
    with figure(_WIDTH, _HEIGHT + 0.4, title="Precision and recall", is_plain=True) as (drawn, output):
        axes = drawn.add_subplot()
        _draw_rates(axes, curves, "AP")
        if len(curves) == 1:
            share = curves[0].num_positive / num_rows
            axes.axhline(share, color=MUTED, linestyle="--", linewidth=1, label="guessing")
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
        axes.legend(loc="lower left")
    return output.svg


def _draw_rates(axes: Axes, curves: Sequence[RateCurve], area: str) -> None:
    for curve in curves[_MAX_NAMED:]:
        axes.plot(curve.x, curve.y, color=MUTED, linewidth=0.5, alpha=0.5)
    for curve, colour in zip(curves, COLOURS, strict=False):
        name = "" if len(curves) == 1 else to_label(curve.label, 16) + "  "
        axes.plot(curve.x, curve.y, color=colour, linewidth=1.4, label=f"{name}{area} {curve.area:.4f}")


def calibration(data: Calibration, *, of: str) -> str:
    """The reliability diagram with intervals, above the number of rows in each bin."""
    promised = [found.mean_probability for found in data.bins]
    shares = np.asarray([found.share for found in data.bins])
    margins = [[found.share - found.low for found in data.bins], [found.high - found.share for found in data.bins]]
    with figure(_WIDTH, _HEIGHT + 1.0, title="Reliability diagram", is_plain=True) as (drawn, output):
        above, below = drawn.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        above.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1)
        above.errorbar(
            promised, shares, yerr=np.maximum(margins, 0), color=BLUE, ecolor=ORANGE, marker="o", markersize=4
        )
        above.set(ylabel="share that was right", xlim=(0, 1), ylim=(0, 1.01))
        below.bar(promised, [found.num_rows for found in data.bins], width=0.035, color=BLUE)
        below.set(xlabel=f"probability of {to_label(of, 20)}", ylabel="rows")
        below.grid(visible=False, axis="x")
    return output.svg


def residuals(data: Residuals) -> list[str]:
    """Predicted against actual, errors against what was predicted, and how the errors are distributed."""
    actual, predicted = np.asarray(data.actual), np.asarray(data.predicted)
    dots: dict[str, Any] = {"s": 8, "alpha": 0.6, "color": _DOTS, "linewidths": 0, "rasterized": True}
    with figure(_WIDTH, _HEIGHT, title="Predicted against actual", is_plain=True) as (drawn, first):
        axes = drawn.add_subplot()
        axes.scatter(actual, predicted, **dots)
        ends = [float(min(actual.min(), predicted.min())), float(max(actual.max(), predicted.max()))]
        axes.plot(ends, ends, color=ORANGE, linewidth=1.2)
        axes.set(xlabel="actual", ylabel="predicted")
        axes.xaxis.set_major_locator(MaxNLocator(5))
    with figure(_WIDTH, _HEIGHT, title="Errors against predicted", is_plain=True) as (drawn, second):
        axes = drawn.add_subplot()
        axes.scatter(predicted, predicted - actual, **dots)
        axes.axhline(0, color=ORANGE, linewidth=1.2)
        axes.set(xlabel="predicted", ylabel="predicted - actual")
        axes.xaxis.set_major_locator(MaxNLocator(5))
    with figure(_WIDTH, _HEIGHT, title="Distribution of the errors", is_plain=True) as (drawn, third):
        axes = drawn.add_subplot()
        axes.stairs(data.histogram.counts, data.histogram.edges, fill=True, color=BLUE)
        axes.axvline(data.mean, color=ORANGE, linewidth=1.2, label="mean")
        axes.set(xlabel="predicted - actual", ylabel="rows")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.legend()
    return [first.svg, second.svg, third.svg]


def forecasts(data: Forecasts) -> list[str]:
    """Some windows' forecasts beside what came, and the error by step."""
    with figure(_WIDTH, _HEIGHT, title="Forecasts", is_plain=True) as (drawn, first):
        axes = drawn.add_subplot()
        for window, colour in zip(data.windows, COLOURS, strict=False):
            steps = range(1, len(window.actual) + 1)
            axes.plot(steps, window.actual, color=colour, linewidth=1.2, label=f"row {window.row}")
            axes.plot(steps, window.predicted, color=colour, linewidth=1.2, linestyle="--")
        axes.set(xlabel="step", ylabel="value")
        axes.legend()
    with figure(_WIDTH, _HEIGHT, title="Error by step", is_plain=True) as (drawn, second):
        axes = drawn.add_subplot()
        axes.plot(range(1, len(data.errors) + 1), data.errors, color=BLUE, marker="o", markersize=3)
        axes.set(xlabel="step", ylabel="mean absolute error", ylim=(0, None))
    return [first.svg, second.svg]


def importances(items: Sequence[Importance]) -> str:
    """Bars of the columns that matter most, with their intervals."""
    shown = list(items[:_MAX_BARS])[::-1]
    with figure(8.4, 1.0 + 0.28 * len(shown), title="Permutation importance", is_plain=True) as (drawn, output):
        axes = drawn.add_subplot()
        names, means = range(len(shown)), [item.mean for item in shown]
        axes.barh(names, means, color=BLUE, height=0.65)
        for position, item in zip(names, shown, strict=True):
            if item.low is not None and item.high is not None:
                axes.plot([item.low, item.high], [position, position], color=ORANGE, linewidth=1.6)
        axes.set_yticks(names, [to_label(item.column) for item in shown])
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="loss of the metric when the column is shuffled, with its 95 % interval")
    return output.svg
