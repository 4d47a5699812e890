"""`report.html`: one self-contained page about a model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aimass_core.domain.models import ArtifactName
from aimass_core.domain.reports import ModelReport
from aimass_core.domain.signatures import Card, ConfusionMatrix, Signature, Task
from aimass_core.services.pages import render_page, to_figure
from batch_jobs.evaluate import plots

_MAX_SHOWN_INPUTS = 60
_MAX_CATEGORIES = 8
_MAX_CLASSES = 30
_MAX_SLICES = 30
_MAX_CONFUSED = 12
_TITLES = {
    "accuracy": "Accuracy",
    "f1": "F1",
    "f1_micro": "F1, all labels together",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "subset_accuracy": "Rows without a wrong label",
    "hamming_loss": "Wrong labels",
    "log_loss": "Log loss",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "scaled_mse": "MSE, standardised",
    "scaled_mae": "MAE, standardised",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figures:
    """A section of the page: plots side by side, and a line below them."""

    title: str
    svgs: list[str]
    note: str = ""


def write_report(path: Path, report: ModelReport, card: Card, signature: Signature) -> None:
    """Leaves report.html and report.json in a folder. All texts of the user's data are escaped."""
    (path / ArtifactName.REPORT_DATA).write_text(report.model_dump_json(indent=1), encoding="utf-8")
    (path / ArtifactName.REPORT).write_text(render(report, card, signature), encoding="utf-8")


def render(report: ModelReport, card: Card, signature: Signature) -> str:
    """The page."""
    matrix = card.evaluations[-1].confusion_matrix
    classes = sorted(report.classes, key=lambda found: found.f1 if found.f1 is not None else 2.0)
    return render_page(
        "batch_jobs.evaluate",
        "report.html.j2",
        report=report,
        card=card,
        signature=signature,
        titles=_TITLES,
        inputs=signature.inputs[:_MAX_SHOWN_INPUTS],
        num_more_inputs=max(len(signature.inputs) - _MAX_SHOWN_INPUTS, 0),
        max_categories=_MAX_CATEGORIES,
        classes=classes[:_MAX_CLASSES],
        max_classes=_MAX_CLASSES,
        slices=report.slices.items[:_MAX_SLICES] if report.slices else [],
        confused=_confused(matrix) if matrix is not None else [],
        matrix=plots.confusion(matrix) if matrix is not None else None,
        max_matrix_labels=plots.MAX_MATRIX_LABELS,
        learning=_learning(report),
        judged=_judged(report, is_multilabel=signature.task is Task.MULTILABEL),
        importances=plots.importances(card.importances) if card.importances else None,
    )


def _learning(report: ModelReport) -> _Figures | None:
    curves = [curve for curve in report.learning_curves if len(curve.steps) > 1]
    return _Figures(title="Learning curves", svgs=plots.learning_curves(curves)) if curves else None


def _judged(report: ModelReport, *, is_multilabel: bool) -> list[_Figures]:
    """ROC, calibration and errors, where there are such."""
    found = []
    if report.roc:
        both = [plots.roc(report.roc), plots.precision_recall(report.precision_recall, report.num_rows)]
        note = ""
        if len(report.roc) > 1:
            each = "Each label" if is_multilabel else "Each class against all others"
            note = f"{each}; the worst are named, {len(report.roc)} are drawn."
        found.append(_Figures(title="ROC and precision-recall", svgs=both, note=note))
    if (calibration := report.calibration) is not None:
        note = f"Expected calibration error {to_figure(calibration.expected_error)}, "
        note += f"Brier score {to_figure(calibration.brier_score)}. On the dashed line, probabilities can be trusted."
        of = calibration.label or ("each label" if is_multilabel else "the predicted class")
        found.append(_Figures(title="Calibration", svgs=[plots.calibration(calibration, of=of)], note=note))
    if report.forecasts is not None:
        note = "Dashed is what was forecast. The error is the mean of the absolute errors of all windows."
        found.append(_Figures(title="Forecasts", svgs=plots.forecasts(report.forecasts), note=note))
    if (errors := report.residuals) is not None:
        spread = ", ".join(f"{percent} %: {to_figure(value)}" for percent, value in errors.quantiles.items())
        note = f"Errors: mean {to_figure(errors.mean)}, standard deviation {to_figure(errors.std)}. Quantiles {spread}."
        found.append(_Figures(title="Predictions and errors", svgs=plots.residuals(errors), note=note))
    return found


def _confused(matrix: ConfusionMatrix) -> list[tuple[str, str, int, float]]:
    """The most frequent mistakes: actual, predicted, rows, share of the actual class."""
    counts = np.asarray(matrix.counts)
    wrong = counts - np.diag(counts.diagonal())
    found = []
    for position in np.argsort(-wrong, axis=None, kind="stable")[:_MAX_CONFUSED].tolist():
        actual, predicted = divmod(position, len(counts))
        if number := int(wrong[actual, predicted]):
            share = number / int(counts[actual].sum())
            found.append((matrix.labels[actual], matrix.labels[predicted], number, share))
    return found
