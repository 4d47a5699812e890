"""Predictions of a channel as a Parquet file: what was true beside what the exported model says."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.scoring import Answers


def write_predictions(path: Path, *, target: Target, rows: Array, truth: Array, answers: Answers) -> None:
    """Columns: `row` in the channel, `actual`, then `label` and `p_<class>` of each class, or `value`.

    Of a forecast `row` is the last that it was made from, and both are lists.
    """
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
        columns["actual"] = pa.array([target.labels[index] for index in truth.tolist()], pa.string())
        columns["label"] = pa.array(answers.labels.tolist(), pa.string())
        for index, label in enumerate(target.labels):
            columns[f"p_{label}"] = pa.array(answers.scores[:, index], pa.float32())
    pq.write_table(pa.table(columns), path, compression="zstd")
