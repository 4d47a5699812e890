"""`signature.json` and `golden.json`: what the graph takes and gives, and a few answers to hold it to."""

from typing import Any

import numpy as np

from aimass_core.domain.schemas import Column, ColumnType, DatasetKind
from aimass_core.domain.signatures import Datatype, Golden, Signature, TensorSpec
from aimass_core.errors import InternalError
from batch_jobs.algorithms.export.assembly import LABEL, PROBABILITIES, VALUE, name_inputs
from batch_jobs.data.encoding import Encoding
from batch_jobs.data.frames import MISSING_TEXT, Array, Frame
from batch_jobs.evaluate.export_check import TOLERANCE
from batch_jobs.evaluate.scoring import Scorer, to_inputs
from batch_jobs.train.fitting import Predictor
from batch_jobs.train.material import Material

_DATATYPES = {
    ColumnType.INTEGER: Datatype.FP32,
    ColumnType.NUMBER: Datatype.FP32,
    ColumnType.DATETIME: Datatype.FP64,
    ColumnType.BOOLEAN: Datatype.BYTES,
    ColumnType.STRING: Datatype.BYTES,
}
_UNSEEN = "a value that training never saw"
_GOLDEN_ROWS = 6
_MAX_GOLDEN_NUMBERS = 60_000


def build_signature(material: Material, encoding: Encoding | None, train: Frame) -> Signature:
    """The interface of the exported graph, with the ranges and categories of the training rows."""
    names = name_inputs(column.name for column in material.columns)
    labels = material.target.labels
    if labels is None:
        outputs = [TensorSpec(name=VALUE, datatype=Datatype.FP32, shape=[-1])]
    else:
        outputs = [
            TensorSpec(name=LABEL, datatype=Datatype.BYTES, shape=[-1]),
            TensorSpec(name=PROBABILITIES, datatype=Datatype.FP32, shape=[-1, len(labels)]),
        ]
    return Signature(
        kind=material.kind,
        task=material.target.task,
        target=material.target.column,
        inputs=[_input(column, names[column.name], material, encoding, train) for column in material.columns],
        outputs=outputs,
        labels=list(labels) if labels is not None else None,
        image_shape=material.image_shape,
    )


def _input(column: Column, name: str, material: Material, encoding: Encoding | None, train: Frame) -> TensorSpec:
    if (image := material.image_shape) is not None:
        shape = [-1, image.height, image.width, image.channels]
        return TensorSpec(name=name, datatype=Datatype.UINT8, shape=shape, column=column.name, column_type=column.type)
    categories = {category.column: category.values for category in encoding.categories} if encoding else {}
    known = categories.get(column.name)
    low, high = (None, None) if known is not None else _range(train.columns[column.name])
    return TensorSpec(
        name=name,
        datatype=_DATATYPES[column.type],
        shape=[-1, 1],
        column=column.name,
        column_type=column.type,
        categories=[value for value in known if value != MISSING_TEXT] if known is not None else None,
        minimum=low,
        maximum=high,
    )


def _range(values: Array) -> tuple[float | None, float | None]:
    present = values[~np.isnan(values)]
    return (float(present.min()), float(present.max())) if len(present) else (None, None)


def build_golden(frame: Frame, predictor: Predictor, scorer: Scorer, signature: Signature, *, scale: float) -> Golden:
    """A few rows of the frame and, for tables, one with a value missing and one with a category never seen.

    The tolerance is absolute: of probabilities, or of values in units of `scale`, the target's deviation.

    Raises:
        InternalError: On these rows the graph does not answer as the framework does.
    """
    rows = _golden_rows(frame, predictor.encoding, signature)
    answers = scorer.answer(rows)
    difference = float(np.abs(answers.scores - predictor.predict(rows)).max()) / scale
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


def _golden_rows(frame: Frame, encoding: Encoding | None, signature: Signature) -> Frame:
    count = min(_GOLDEN_ROWS, frame.num_rows)
    if signature.kind is DatasetKind.IMAGES:
        pixels = next(iter(frame.columns.values()))[0].size
        count = min(count, max(_MAX_GOLDEN_NUMBERS // pixels, 1))
    rows = frame.take(np.linspace(0, frame.num_rows - 1, num=count).astype(int))
    if encoding is None:
        return rows
    whole = np.arange(count).tolist()
    rows = rows.take(np.asarray([*whole, 0, 0]))
    missing, unseen = count, count + 1
    for values in rows.columns.values():
        values[missing] = MISSING_TEXT if values.dtype == object else np.nan
    for category in encoding.categories:
        rows.columns[category.column][unseen] = _UNSEEN
    return rows


def _to_json(values: Array) -> Any:
    if values.dtype.kind == "f":
        return [[None if np.isnan(number) else number for number in row] for row in values.tolist()]
    return values.tolist()
