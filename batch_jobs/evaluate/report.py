"""`report.html`: one self-contained page about a model; plots are inline SVG, and nothing is fetched."""

from dataclasses import dataclass
from pathlib import Path

import jinja2

from aimass_core.domain.signatures import Card, Signature
from batch_jobs.data.frames import Array
from batch_jobs.evaluate import plots
from batch_jobs.evaluate.plots import Curve

_MAX_SHOWN_INPUTS = 60
_MAX_CATEGORIES = 8
_TITLES = {
    "accuracy": "Accuracy",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "scaled_mse": "MSE, standardised",
    "scaled_mae": "MAE, standardised",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """What the page shows beside the card: rows of one channel with the answers to them, and the curves."""

    card: Card
    signature: Signature
    channel: str
    truth: Array
    scores: Array
    curves: tuple[Curve, ...]


def write_report(path: Path, data: ReportData) -> None:
    """Renders the page. All texts of the user's data are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("batch_jobs.evaluate"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["figure"] = to_figure
    environment.filters["size"] = to_size
    page = environment.get_template("report.html.j2").render(
        card=data.card,
        signature=data.signature,
        channel=data.channel,
        titles=_TITLES,
        inputs=data.signature.inputs[:_MAX_SHOWN_INPUTS],
        num_more_inputs=max(len(data.signature.inputs) - _MAX_SHOWN_INPUTS, 0),
        max_categories=_MAX_CATEGORIES,
        plots=_plots(data),
    )
    path.write_text(page, encoding="utf-8")


def _plots(data: ReportData) -> list[tuple[str, str]]:
    """Pairs of a heading and an SVG."""
    drawn: list[tuple[str, str]] = []
    labels = data.signature.labels
    if data.truth.ndim > 1:
        drawn.append((f"Forecasts, {data.channel}", plots.forecasts(data.truth, data.scores)))
    elif labels is None:
        drawn.append(
            (f"Predicted against actual, {data.channel}", plots.predicted_against_actual(data.truth, data.scores))
        )
    else:
        matrix = data.card.evaluations[-1].confusion_matrix
        if matrix is not None:
            drawn.append((f"Confusion matrix, {data.channel}", plots.confusion(matrix)))
        if len(labels) == 2:
            both = plots.roc_and_precision(data.truth, data.scores[:, 1])
            drawn.append((f"ROC and precision-recall, {data.channel}", both))
    if any(len(curve.steps) > 1 for curve in data.curves):
        drawn.append(("Learning curves", plots.learning_curves(data.curves)))
    if data.card.importances:
        title = f"Permutation importance ({_TITLES.get(data.card.primary_metric, data.card.primary_metric)})"
        drawn.append((title, plots.importances(data.card.importances)))
    return drawn


def to_figure(value: float) -> str:
    """Four digits that matter: 0.9274, 46920, 1.2e-07."""
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2g}" if abs(value) < 1e-3 else f"{value:.4g}"
    return f"{value:,.4f}" if abs(value) < 10 else f"{value:,.1f}"


def to_size(num_bytes: int) -> str:
    """Bytes for people."""
    return f"{num_bytes / 1024**2:.1f} MiB" if num_bytes >= 1024**2 else f"{num_bytes / 1024:.0f} KiB"
