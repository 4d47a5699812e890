"""Predictions of a channel as a Parquet file: what was true beside what the exported model says."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aimass_core.domain.signatures import Task
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.scoring import Answers


class PredictionWriter:
    """Columns: `row` in the channel, `actual`, then `label` and `p_<class>` of each class, or `value`.

    Of a multi-label task `actual` and `label` are lists. Of a forecast `row` is the last that it was made from, and
    both are lists.
    """

    def __init__(self, path: Path, target: Target) -> None:
        self._path, self._target = path, target
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, *, rows: Array, truth: Array, answers: Answers) -> None:
        """The next rows."""
        table = _to_table(self._target, rows=rows, truth=truth, answers=answers)
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)


def _to_table(target: Target, *, rows: Array, truth: Array, answers: Answers) -> pa.Table:
    columns: dict[str, pa.Array] = {"row": pa.array(rows, pa.int64())}
    if target.labels is None or answers.labels is None:
        kinds = (pa.float64(), pa.float32())
        if target.horizon:
            kinds = (pa.list_(pa.float64()), pa.list_(pa.float32()))
        columns |= {
            name: pa.array(list(values), kind)
            for name, values, kind in zip(("actual", "value"), (truth, answers.scores), kinds, strict=True)
        }
    else:
        if target.task is Task.MULTILABEL:
            columns |= {"actual": _lists(truth, target.labels), "label": _lists(answers.labels, target.labels)}
        else:
            columns["actual"] = pa.array([target.labels[index] for index in truth.tolist()], pa.string())
            columns["label"] = pa.array(answers.labels.tolist(), pa.string())
        for index, label in enumerate(target.labels):
            columns[f"p_{label}"] = pa.array(answers.scores[:, index], pa.float32())
    return pa.table(columns)


def _lists(applies: Array, labels: Sequence[str]) -> pa.Array:
    """The labels of each row."""
    rows, columns = np.nonzero(applies)
    offsets = np.searchsorted(rows, np.arange(len(applies) + 1))
    texts = pa.array(labels, pa.string()).take(pa.array(columns, pa.int64()))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts)
