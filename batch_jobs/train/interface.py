"""`signature.json` and `golden.json`: what the graph takes and gives, and a few answers to hold it to."""

from collections.abc import Callable
from typing import Any

import numpy as np

from aimass_core.domain.signatures import Datatype, Golden, Signature, Task, TensorSpec
from aimass_core.errors import InternalError
from batch_jobs.algorithms.export.assembly import LABEL, PROBABILITIES, VALUE, name_inputs
from batch_jobs.data.frames import MISSING_TEXT, Array, Frame
from batch_jobs.encoding.contract import Encoder
from batch_jobs.evaluate.export_check import TOLERANCE
from batch_jobs.evaluate.scoring import Scorer, to_inputs
from batch_jobs.train.material import Material

_GOLDEN_ROWS = 6
_MAX_GOLDEN_LENGTH = 60_000
_UNSEEN = "a value that training never saw"


def build_signature(material: Material, encoder: Encoder) -> Signature:
    """The interface of the exported graph, with what the training rows held."""
    names = name_inputs(column.name for column in material.columns)
    labels = material.target.labels
    if labels is None:
        shape = [-1, material.target.horizon] if material.target.horizon else [-1]
        outputs = [TensorSpec(name=VALUE, datatype=Datatype.FP32, shape=shape)]
    else:
        answer = TensorSpec(name=LABEL, datatype=Datatype.BYTES, shape=[-1])
        if material.target.task is Task.MULTILABEL:
            answer = TensorSpec(name=LABEL, datatype=Datatype.BOOL, shape=[-1, len(labels)])
        outputs = [
            answer,
            TensorSpec(name=PROBABILITIES, datatype=Datatype.FP32, shape=[-1, len(labels)]),
        ]
    return Signature(
        kind=material.kind,
        task=material.target.task,
        target=material.target.column,
        inputs=encoder.describe_inputs(names),
        outputs=outputs,
        labels=list(labels) if labels is not None else None,
        image_shape=material.image_shape,
    )


def build_golden(rows: Frame, framework: Array, scorer: Scorer, signature: Signature, *, scale: float) -> Golden:
    """Rows with the graph's answers to them, which have to be those of the framework.

    The tolerance is absolute: of probabilities, or of values in units of `scale`, the target's deviation.

    Raises:
        InternalError: On these rows the graph does not answer as the framework does.
    """
    answers = scorer.answer(rows)
    difference = float(np.abs(answers.scores - framework).max()) / scale
    if not difference <= TOLERANCE:
        raise InternalError(
            f"the exported model differs from the trained one by {difference:.3g} on rows with missing and unseen "
            f"values (tolerance {TOLERANCE}). Nothing was registered. Please report this"
        )
    outputs: dict[str, Any] = {VALUE: answers.scores.tolist()}
    if answers.labels is not None:
        outputs = {LABEL: answers.labels.tolist(), PROBABILITIES: answers.scores.tolist()}
    inputs = {name: _to_json(values) for name, values in to_inputs(rows, signature).items()}
    return Golden(inputs=inputs, outputs=outputs, tolerance=TOLERANCE * scale)


def choose_golden_rows(frame: Frame, make_hard: Callable[[Frame], Frame]) -> Frame:
    """Up to six rows of the frame, fewer where they are long, and those that are made to be hard (`Encoder`)."""
    rows = frame.take(np.linspace(0, frame.num_rows - 1, num=min(_GOLDEN_ROWS, frame.num_rows)).astype(int))
    lengths = np.sum([_lengths(values) for values in rows.columns.values()], axis=0)
    order = np.argsort(lengths, kind="stable")
    count = max(int((np.cumsum(lengths[order]) <= _MAX_GOLDEN_LENGTH).sum()), 1)
    chosen = rows.take(np.sort(order[:count]))
    return chosen.append(make_hard(chosen))


def make_hard_rows(frame: Frame) -> Frame:
    """As `Encoder.hard_rows`, of columns of any sort: nothing in it, nothing in its second half, values never seen."""
    if any(values.dtype == np.uint8 for values in frame.columns.values()):
        return frame.take(np.arange(0))
    rows = frame.take(np.zeros(3, dtype=int))
    for position, values in enumerate(rows.columns.values()):
        cells: Any = values
        is_text = values.dtype == object
        cells[0] = MISSING_TEXT if is_text else np.nan
        if values.ndim > 1:
            cells[1, (values.shape[1] + 1) // 2 :] = np.nan
        elif position >= (len(rows.columns) + 1) // 2:
            cells[1] = MISSING_TEXT if is_text else np.nan
        if is_text:
            cells[2] = _UNSEEN
    return rows


def _lengths(values: Array) -> Array:
    """Of each row, how many numbers or characters it takes to write it."""
    return np.array([len(value) if isinstance(value, str) else np.size(value) for value in values])


def _to_json(values: Array) -> Any:
    if values.dtype.kind == "f":
        return [[None if np.isnan(number) else number for number in row] for row in values.tolist()]
    return values.tolist()
