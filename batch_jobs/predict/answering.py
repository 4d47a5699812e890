"""Answers of a model to batches of rows, as columns of a table: one row that cannot be answered spoils no other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.batch_predictions import MAX_PROBABILITIES, answer_columns
from aimass_core.domain.signatures import Datatype, Signature, Task
from batch_jobs.data.channels import Channel
from batch_jobs.data.frames import Array
from batch_jobs.evaluate.scoring import ORT_ERRORS, Scorer
from batch_jobs.predict.inputs import Errors, Inputs, read_inputs

# What a run of a graph holds at once, as in serving.
_MAX_ROWS, _MAX_VALUES = 4_096, 2**19
_UNREADABLE = "the model cannot be run on this row: check its values"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """The model, and which columns of the dataset go with its answers."""

    scorer: Scorer
    keys: Sequence[str] = field(default_factory=tuple)

    @property
    def signature(self) -> Signature:
        """Of the model."""
        return self.scorer.signature

    def answer(self, channel: Channel, *, num_before: int = 0) -> pa.Table:
        """`row`, the keys, the answers, and `error` where there is none; of the rows after the first `num_before`."""
        inputs, errors = read_inputs(channel, self.signature, num_before=num_before)
        num_rows = channel.num_rows - num_before
        can_run = np.ones(num_rows, bool)
        can_run[list(errors)] = False
        found = list(self._run(inputs, np.flatnonzero(can_run), errors))
        answered = np.concatenate([rows for rows, _ in found]) if found else np.zeros(0, np.int64)
        values = [np.concatenate(each) for each in zip(*(values for _, values in found), strict=True)]
        columns = _to_columns(self.signature, values, errors, answered) if found else {}
        own = answer_columns(self.signature)
        keys = {key: channel.table.column(key)[num_before:] for key in self.keys}
        arrays = {own[0]: channel.rows[num_before:], **keys}
        places = _places(answered, num_rows)
        for name, kind in zip(own[1:-1], _kinds(self.signature), strict=True):
            values_here = columns.get(name, pa.nulls(0, kind)).cast(kind)
            arrays[name] = values_here if places is None else values_here.take(places)
        arrays[own[-1]] = _to_texts(errors, num_rows)
        return pa.table(arrays)

    def _run(self, inputs: Inputs, rows: Array, errors: Errors) -> Iterator[tuple[Array, list[Any]]]:
        if not len(rows):
            return
        widest = sum(values[0].size for values in inputs.values())
        size = min(max(_MAX_VALUES // max(widest, 1), 1), _MAX_ROWS)
        is_whole = len(rows) == len(next(iter(inputs.values())))
        for start in range(0, len(rows), size):
            now = rows[start : start + size]
            chosen = slice(start, start + size) if is_whole else now
            yield from self._try({name: values[chosen] for name, values in inputs.items()}, now, errors)

    def _try(self, inputs: Inputs, rows: Array, errors: Errors) -> Iterator[tuple[Array, list[Any]]]:
        """Where the graph refuses them all, halves are tried."""
        try:
            yield rows, self.scorer.run(inputs)
        except ORT_ERRORS:
            if len(rows) == 1:
                errors[int(rows[0])] = _UNREADABLE
                return
            middle = len(rows) // 2
            for half in (slice(0, middle), slice(middle, None)):
                yield from self._try({name: values[half] for name, values in inputs.items()}, rows[half], errors)


def _places(answered: Array, num_rows: int) -> pa.Array | None:
    """Where the answer of each row stands; null where it has none. None where all have one, in order."""
    if len(answered) == num_rows:
        return None
    places = np.full(num_rows, -1, np.int64)
    places[answered] = np.arange(len(answered))
    return pa.array(places, mask=places < 0)


def _to_texts(errors: Errors, num_rows: int) -> pa.Array:
    if not errors:
        return pa.nulls(num_rows, pa.string())
    return pa.array([errors.get(row) for row in range(num_rows)], pa.string())


def _kinds(signature: Signature) -> list[pa.DataType]:
    """The types of the columns between `row` and `error`: numbers are as wide as the model's."""
    number = pa.float64() if signature.outputs[-1].datatype is Datatype.FP64 else pa.float32()
    if signature.task is Task.FORECASTING:
        return [pa.list_(number)]
    if not signature.task.is_classification:
        return [number]
    num_labels = len(signature.labels or [])
    likely = [number] * (num_labels if num_labels <= MAX_PROBABILITIES else 0)
    if signature.task is Task.MULTILABEL:
        return [*[pa.bool_()] * num_labels, *likely]
    return [pa.string(), number, *likely]


def _to_columns(signature: Signature, values: list[Any], errors: Errors, rows: Array) -> dict[str, pa.Array]:
    """The answers of `rows`, null where they are no numbers."""
    scores = np.asarray(values[-1])
    is_bad = _are_bad(scores)
    for row in rows[is_bad].tolist():
        errors[row] = "the model's answer is not a number"
    names = answer_columns(signature)[1:-1]
    if not signature.task.is_classification:
        answers = pa.array(list(scores)) if scores.ndim > 1 else pa.array(scores)
        return _without({names[0]: answers}, is_bad)
    labels = signature.labels or []
    if signature.task is Task.MULTILABEL:
        arrays = [pa.array(values[0][:, index]) for index in range(len(labels))]
    else:
        texts = pa.array(values[0], pa.string())
        index = pc.index_in(texts, pa.array(labels, pa.string()))
        known = pc.fill_null(index, 0).to_numpy()
        own = np.take_along_axis(scores, known[:, None].astype(np.int64), axis=1)[:, 0]
        arrays = [texts, pc.if_else(pc.is_valid(index), pa.array(own), None)]
    if len(labels) <= MAX_PROBABILITIES:
        arrays += [pa.array(scores[:, index]) for index in range(len(labels))]
    return _without(dict(zip(names, arrays, strict=True)), is_bad)


def _are_bad(scores: Array) -> Array:
    """Rows with something that is no number. NOTE: row by row it takes fifty times as long as for all at once."""
    if np.isfinite(scores).all():
        return np.zeros(len(scores), bool)
    return np.asarray(~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1))


def _without(columns: dict[str, pa.Array], is_bad: Array) -> dict[str, pa.Array]:
    if not is_bad.any():
        return columns
    good = pa.array(~is_bad)
    return {name: pc.if_else(good, array, pa.scalar(None, array.type)) for name, array in columns.items()}
