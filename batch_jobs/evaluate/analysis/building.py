"""From rows with the answers to them to the report's data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aimass_core.domain.reports import Augmented, LearningCurve, ModelReport, ResampledClass
from aimass_core.domain.signatures import Card, Signature
from batch_jobs.data.frames import Array, Frame
from batch_jobs.evaluate.analysis.curves import (
    calibration,
    class_scores,
    precision_recall_curves,
    roc_curves,
    thin_curve,
)
from batch_jobs.evaluate.analysis.examples import is_wrong, worst_examples
from batch_jobs.evaluate.analysis.residuals import forecasts, residuals
from batch_jobs.evaluate.analysis.slices import find_slices

_MAX_RESAMPLED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Rows of one channel with the answers to them; `rows` says where they stand in it."""

    channel: str
    frame: Frame
    rows: Array
    truth: Array
    scores: Array


def build_report(
    judged: Judged,
    card: Card,
    signature: Signature,
    *,
    curves: Sequence[LearningCurve],
    augmented: Augmented | None = None,
    resampled: Sequence[ResampledClass] = (),
) -> ModelReport:
    """Everything that the report says beside the card."""
    truth, scores, labels = judged.truth, judged.scores, signature.labels
    columns = _columns_by_importance(judged.frame, card)
    report = ModelReport(
        channel=judged.channel,
        num_rows=len(truth),
        learning_curves=[thin_curve(curve) for curve in curves if curve.steps],
        slices=find_slices(judged.frame, columns, truth, scores, metric=card.primary_metric, labels=labels),
        examples=worst_examples(
            judged.frame,
            columns,
            truth,
            scores,
            rows=judged.rows,
            labels=labels,
            types={spec.column or spec.name: spec.column_type for spec in signature.inputs},
        ),
        augmented=augmented,
        resampled=sorted(resampled, key=lambda found: found.num_rows)[:_MAX_RESAMPLED],
    )
    if labels is None:
        ahead = forecasts(truth, scores, judged.rows) if truth.ndim > 1 else None
        errors = residuals(truth, scores, seed=card.seed)
        return report.model_copy(update={"residuals": errors, "forecasts": ahead})
    found = {
        "classes": class_scores(truth, scores, labels),
        "roc": roc_curves(truth, scores, labels),
        "precision_recall": precision_recall_curves(truth, scores, labels),
        "calibration": calibration(truth, scores, labels),
        "num_wrong": int(np.count_nonzero(is_wrong(truth, scores))),
    }
    return report.model_copy(update=found)


def _columns_by_importance(frame: Frame, card: Card) -> list[str]:
    """Those that were not measured come last."""
    measured = [item.column for item in card.importances if item.column in frame.columns]
    return measured + [name for name in frame.columns if name not in measured]
