"""Batch prediction beside a tight loop of ONNX Runtime over the same Parquet, in the same process."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.batch_predictions import PredictSpec
from aimass_core.domain.common import Principal, Role, new_id
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from aimass_core.domain.signatures import Datatype, Signature
from batch_jobs import train
from batch_jobs.predict.workflow import predict
from tests.benchmarks.report import print_table
from tests.unit.batch_jobs.channel_files import mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment

NUM_ROWS = int(float(os.environ.get("AIMASS_BENCH_ROWS", "1e6")))
NUM_ROUNDS = 5
NUM_THREADS = len(os.sched_getaffinity(0))
"""Of the job and of the loop: `taskset -c 1 pytest ...` gives each the one processor."""
_GROUP = 131_072


def make_model(folder: Path, algorithm: str) -> tuple[Path, dict[str, Any]]:
    """The files of a model that was trained here, and its columns."""
    columns, signal = mixed_columns(20_000)
    labels = np.where(signal > np.median(signal), "yes", "no").tolist()
    path = write_channel(folder / f"train-{algorithm}", {**columns, "y": (ColumnType.STRING, labels)}, target="y")
    spec = TrainSpec.model_validate({"dataset": "tiny", "algorithm": algorithm})
    environment = build_environment(folder / algorithm, {"train": path}, spec)
    train.run(environment, RecordingReporter())
    return environment.model_path, columns


def write_rows(folder: Path, columns: dict[str, Any]) -> Path:
    """As ingest writes them."""
    folder.mkdir()
    found = pq.read_table(write_channel(folder / "some", columns) / "00000.parquet")
    whole = pa.concat_tables([found] * (NUM_ROWS // found.num_rows + 1)).slice(0, NUM_ROWS)
    pq.write_table(whole, folder / "00000.parquet", row_group_size=_GROUP, compression="zstd")
    schema = Schema(
        kind=DatasetKind.TABLE, columns=[Column(name=name, type=kind) for name, (kind, _) in columns.items()]
    )
    (folder / "schema.json").write_text(schema.model_dump_json())
    return folder


def tight_loop(model_path: Path, data: Path, target: Path | None = None) -> int:
    """What somebody would write who wants the answers and nothing else; as a file where there is a target."""
    signature = Signature.model_validate_json((model_path / "signature.json").read_bytes())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = NUM_THREADS
    path = str(model_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    answers = []
    with pq.ParquetFile(data / "00000.parquet") as file:
        for batch in file.iter_batches(batch_size=4_096):
            inputs = {spec.name: to_tensor(batch.column(str(spec.column)), spec.datatype) for spec in signature.inputs}
            answers.append(session.run(["label", "probabilities"], inputs))
    if target is not None:
        likely = np.concatenate([scores for _, scores in answers])
        columns: dict[str, Any] = {
            "row": np.arange(len(likely)),
            "label": np.concatenate([texts for texts, _ in answers]),
        }
        columns |= {f"p_{label}": likely[:, index] for index, label in enumerate(signature.labels or [])}
        pq.write_table(pa.table(columns), target, row_group_size=_GROUP, compression="zstd")
    return sum(len(labels) for labels, _ in answers)


def to_tensor(values: pa.Array, datatype: Datatype) -> np.ndarray:
    """Numbers, seconds and texts, with a gap where one is missing."""
    if datatype is Datatype.BYTES:
        return pc.fill_null(values.cast(pa.string()), "").to_numpy(zero_copy_only=False)[:, None]
    if datatype is Datatype.FP64:
        return values.cast(pa.int64()).cast(pa.float64()).to_numpy(zero_copy_only=False)[:, None] / 1e6
    return values.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float32)[:, None]


def whole_job(folder: Path, model_path: Path, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """What it takes until all rows are answered, and until they are delivered as a dataset version."""
    ports = MemoryPorts()
    principal = Principal(workspace_id=new_id("ws"), workspace_name="team", actor="key", role=Role.ADMIN)
    spec = PredictSpec.model_validate({"kind": "predict", "model": "m@1", "dataset": "d@1", "output": "answers"})
    environment = build_environment(
        folder, {"data": data}, spec, models={"predictor": model_path}, num_cpus=NUM_THREADS
    )
    folder.mkdir()
    started, reporter = now(), Stopwatch()
    found = predict(ports, principal.workspace_id, spec, environment, reporter)
    ended = now()
    assert found == {"num_rows": NUM_ROWS, "num_errors": 0}
    return reporter.at["deliver"] - started, ended - started


class Stopwatch(RecordingReporter):
    """When each phase began."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, np.ndarray] = {}

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        self.at.setdefault(phase, now())


def seconds_of(call: Callable[[], object]) -> np.ndarray:
    started = now()
    call()
    return now() - started


def now() -> np.ndarray:
    """Seconds by the clock, and of processors that this process has had."""
    return np.array([time.perf_counter(), time.process_time()])


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("algorithm", ["linear", "xgboost", "mlp"])
def test_rows_a_second_beside_a_tight_loop(tmp_path: Path, algorithm: str) -> None:
    model_path, columns = make_model(tmp_path, algorithm)
    data = write_rows(tmp_path / "data", columns)
    pa.set_cpu_count(NUM_THREADS)
    rounds = []
    for index in range(NUM_ROUNDS):
        loop = seconds_of(lambda: tight_loop(model_path, data))
        written = seconds_of(lambda: tight_loop(model_path, data, tmp_path / "answers.parquet"))
        rounds.append((loop, written, *whole_job(tmp_path / f"job-{index}", model_path, data)))
    whats = (
        "ONNX Runtime in a loop, answers in memory",
        "and written as Parquet",
        "a job: rows answered and written",
        "and delivered: typed, checked, profiled",
    )
    clock, processor = np.moveaxis(np.array(rounds), 2, 0)
    print_table(
        f"batch prediction: {algorithm}, {NUM_ROWS:,} rows of {len(columns)} columns, {NUM_THREADS} threads, median of "
        f"{NUM_ROUNDS} rounds in turns",
        ["what", "seconds", "rows/s", "of the loop", "of the one that writes", "the same by processor time"],
        [
            [
                what,
                f"{np.median(clock[:, index]):.2f}",
                f"{NUM_ROWS / np.median(clock[:, index]):,.0f}",
                f"{np.median(clock[:, 0] / clock[:, index]):.2f}x",
                f"{np.median(clock[:, 1] / clock[:, index]):.2f}x",
                ", ".join(f"{np.median(processor[:, peer] / processor[:, index]):.2f}x" for peer in (0, 1)),
            ]
            for index, what in enumerate(whats)
        ],
    )
