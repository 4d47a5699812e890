"""The rows that a model is most wrong about, as people can look at them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aimass_core.domain.reports import Example, LabelProbability
from aimass_core.domain.schemas import ColumnType
from batch_jobs.algorithms.export.assembly import THRESHOLD
from batch_jobs.data.frames import MISSING_TEXT, Array, Frame
from batch_jobs.evaluate.analysis.pictures import to_picture
from batch_jobs.evaluate.analysis.slices import shorten

MAX_EXAMPLES = 24
_MAX_COLUMNS = 12
_MAX_TEXT = 300
_NUM_LIKELY = 3
_MISSING = "missing"


def is_wrong(truth: Array, scores: Array) -> Array:
    """By row of a classification; of several labels a row is wrong where one of them is."""
    if truth.ndim > 1:
        return np.asarray(((scores >= THRESHOLD) != truth).any(axis=1))
    return np.asarray(scores.argmax(axis=1) != truth)


def worst_examples(
    frame: Frame,
    columns: Sequence[str],
    truth: Array,
    scores: Array,
    *,
    rows: Array,
    labels: Sequence[str] | None,
    types: Mapping[str, ColumnType | None],
) -> list[Example]:
    """Of a classification the wrong answers that gave the truth the least probability, else the largest errors.

    Of several labels a row is as bad as the worst of them.

    Args:
        frame: The rows.
        columns: Its columns, those that matter most first.
        truth: As in `metrics.evaluate`.
        scores: As in `metrics.evaluate`.
        rows: Where they stand in their channel.
        labels: None for a regression.
        types: Of the columns.
    """
    if labels is None:
        badness = np.abs(scores.astype(np.float64) - truth).reshape(len(truth), -1).mean(axis=1)
        candidates = np.flatnonzero(badness > 0)
    elif truth.ndim > 1:
        badness = np.abs(scores.astype(np.float64) - truth).max(axis=1)
        candidates = np.flatnonzero(is_wrong(truth, scores))
    else:
        badness = 1 - scores[np.arange(len(truth)), truth].astype(np.float64)
        candidates = np.flatnonzero(is_wrong(truth, scores))
    worst = candidates[np.argsort(-badness[candidates], kind="stable")[:MAX_EXAMPLES]]
    return [
        Example(
            row=int(rows[index]),
            **_look({name: frame.columns[name][index] for name in columns[:_MAX_COLUMNS]}, types),
            **_answer(truth[index], scores[index], labels),
        )
        for index in worst
    ]


def _look(values: Mapping[str, Any], types: Mapping[str, ColumnType | None]) -> dict[str, Any]:
    """A picture of an image, else texts of all values."""
    first = next(iter(values.values()))
    if np.ndim(first) == 3:
        return {"picture": to_picture(first)}
    return {"values": {name: _to_text(value, types.get(name)) for name, value in values.items()}}


def _answer(truth: Array, scores: Array, labels: Sequence[str] | None) -> dict[str, Any]:
    if labels is None:
        if np.ndim(truth):
            return {"actual": _to_list(truth), "predicted": _to_list(scores), "error": float((scores - truth).mean())}
        return {"actual": f"{truth:.6g}", "predicted": f"{scores:.6g}", "error": float(scores - truth)}
    if np.ndim(truth):
        worst = np.argsort(-np.abs(scores - truth), kind="stable")[:_NUM_LIKELY].tolist()
        return {
            "actual": _to_names(truth == 1, labels),
            "predicted": _to_names(scores >= THRESHOLD, labels),
            "probabilities": _probabilities(worst, scores, labels),
        }
    likely = np.argsort(-scores, kind="stable")[:_NUM_LIKELY].tolist()
    shown = likely if int(truth) in likely else [*likely, int(truth)]
    return {
        "actual": labels[int(truth)],
        "predicted": labels[likely[0]],
        "probabilities": _probabilities(shown, scores, labels),
    }


def _probabilities(shown: Sequence[int], scores: Array, labels: Sequence[str]) -> list[LabelProbability]:
    return [LabelProbability(label=labels[i], probability=round(float(scores[i]), 6)) for i in shown]


def _to_names(applies: Array, labels: Sequence[str]) -> str:
    return shorten(", ".join(labels[index] for index in np.flatnonzero(applies).tolist()) or "no label", _MAX_TEXT)


def _to_list(values: Array) -> str:
    return shorten(", ".join(f"{value:.4g}" for value in values), 80)


def _to_text(value: Any, column_type: ColumnType | None) -> str:
    if isinstance(value, str):
        return shorten(value, _MAX_TEXT) if value != MISSING_TEXT else _MISSING
    if np.ndim(value):
        return _to_list(np.ravel(value))
    number = float(value)
    if np.isnan(number):
        return _MISSING
    if column_type is ColumnType.DATETIME:
        return str(np.datetime64(int(number), "s"))
    return f"{number:.6g}"
