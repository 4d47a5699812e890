"""The report's plots as inline SVG. Texts stay texts, so the page is small and can be searched."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn import metrics

from aimass_core.domain.signatures import ConfusionMatrix, Importance
from batch_jobs.data.frames import Array

_INK, _BLUE, _ORANGE, _GRID = "#1f2937", "#2563eb", "#f59e0b", "#e5e7eb"
_COLOURS = (_BLUE, _ORANGE, "#059669", "#dc2626", "#7c3aed")
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "aimass",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": "#9ca3af",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
_MAX_MATRIX_LABELS = 30
_MAX_CELL_TEXTS = 12
_MAX_BARS = 20
_MAX_POINTS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A loss over steps, such as `validation/log_loss`."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


def confusion(matrix: ConfusionMatrix) -> str:
    """Share of each actual class by prediction; with more than 30 classes, the 30 that are confused most."""
    counts = np.asarray(matrix.counts, dtype=float)
    shown = np.arange(len(counts))
    if len(counts) > _MAX_MATRIX_LABELS:
        errors = counts.sum(axis=1) - counts.diagonal()
        shown = np.sort(np.argsort(-errors, kind="stable")[:_MAX_MATRIX_LABELS])
    labels = [_shorten(matrix.labels[index]) for index in shown]
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    shares, counts = (counts / totals)[np.ix_(shown, shown)], counts[np.ix_(shown, shown)]
    side = min(3.2 + 0.28 * len(labels), 9.0)
    with _figure(side, side) as (figure, output):
        axes = figure.add_subplot()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.set_xticks(range(len(labels)), labels, rotation=90 if len(labels) > 5 else 0)
        axes.set_yticks(range(len(labels)), labels)
        axes.set(xlabel="predicted", ylabel="actual")
        if len(labels) <= _MAX_CELL_TEXTS:
            for (row, column), share in np.ndenumerate(shares):
                colour = "white" if share > 0.55 else _INK
                axes.text(
                    column, row, f"{int(counts[row, column])}", ha="center", va="center", color=colour, fontsize=9
                )
    return output.svg


def roc_and_precision(truth: Array, score: Array) -> str:
    """Both curves of a binary classification, side by side."""
    with _figure(8.4, 3.8) as (figure, output):
        left, right = figure.subplots(1, 2)
        if truth.any() and not truth.all():
            false_rate, true_rate, _ = metrics.roc_curve(truth, score)
            left.plot(false_rate, true_rate, color=_BLUE, label=f"AUC {metrics.roc_auc_score(truth, score):.4f}")
            precision, recall, _ = metrics.precision_recall_curve(truth, score)
            average = metrics.average_precision_score(truth, score)
            right.plot(recall, precision, color=_BLUE, label=f"average precision {average:.4f}")
        left.plot([0, 1], [0, 1], color="#9ca3af", linestyle="--", linewidth=1)
        right.axhline(float(np.mean(truth)), color="#9ca3af", linestyle="--", linewidth=1, label="guessing")
        left.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
        right.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
        left.legend(loc="lower right")
        right.legend(loc="lower left")
    return output.svg


def predicted_against_actual(truth: Array, values: Array) -> str:
    """A scatter of a sample, and the distribution of the errors."""
    index = np.linspace(0, len(truth) - 1, num=min(len(truth), _MAX_POINTS)).astype(int)
    with _figure(8.4, 3.8) as (figure, output):
        left, right = figure.subplots(1, 2)
        left.scatter(truth[index], values[index], s=8, alpha=0.35, color=_BLUE, linewidths=0, rasterized=True)
        ends = [float(min(truth.min(), values.min())), float(max(truth.max(), values.max()))]
        left.plot(ends, ends, color=_ORANGE, linewidth=1.2)
        left.set(xlabel="actual", ylabel="predicted")
        right.hist(values - truth, bins=50, color=_BLUE)
        right.set(xlabel="predicted - actual", ylabel="rows")
    return output.svg


def forecasts(truth: Array, values: Array) -> str:
    """Three windows' forecasts beside what came, and the mean absolute error by step, [rows, horizon]."""
    steps = np.arange(1, truth.shape[1] + 1)
    with _figure(8.4, 3.8) as (figure, output):
        left, right = figure.subplots(1, 2)
        for row, colour in zip(
            np.linspace(0, len(truth) - 1, num=min(3, len(truth))).astype(int), _COLOURS, strict=False
        ):
            left.plot(steps, truth[row], color=colour, linewidth=1.2, label=f"actual, {row}")
            left.plot(steps, values[row], color=colour, linewidth=1.2, linestyle="--", label=f"forecast, {row}")
        left.set(xlabel="step", ylabel="value")
        left.legend(fontsize=8)
        right.plot(steps, np.abs(values - truth).mean(axis=0), color=_BLUE)
        right.set(xlabel="step", ylabel="mean absolute error", ylim=(0, None))
    return output.svg


def learning_curves(curves: Sequence[Curve]) -> str:
    """Losses over rounds or epochs."""
    with _figure(8.4, 3.4) as (figure, output):
        axes = figure.add_subplot()
        for curve, colour in zip(curves, _COLOURS, strict=False):
            marker = "o" if len(curve.steps) < 30 else None
            axes.plot(curve.steps, curve.values, color=colour, label=curve.name, marker=marker, markersize=3)
        axes.set(xlabel="step", ylabel="loss")
        axes.legend()
    return output.svg


def importances(items: Sequence[Importance]) -> str:
    """Bars of the columns that matter most, with the spread over the repeats."""
    shown = list(items[:_MAX_BARS])[::-1]
    with _figure(8.4, 1.0 + 0.28 * len(shown)) as (figure, output):
        axes = figure.add_subplot()
        names = range(len(shown))
        means, spreads = [item.mean for item in shown], [item.std for item in shown]
        axes.barh(names, means, xerr=spreads, color=_BLUE, ecolor=_ORANGE, height=0.65)
        axes.set_yticks(names, [_shorten(item.column) for item in shown])
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="loss of the metric when the column is shuffled")
    return output.svg


def _shorten(text: str) -> str:
    return text if len(text) <= 28 else text[:27] + "…"


class _Output:
    svg: str = ""


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, _Output]]:
    """A figure without pyplot (which keeps global state), and a place where its SVG is left."""
    output = _Output()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Texts are drawn by the browser, in its own fonts; ours are only measured with.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, output
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # The XML prologue has no place in an HTML page.
    output.svg = buffer.getvalue()[buffer.getvalue().index("<svg") :]
