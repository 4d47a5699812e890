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
NUM_ROUNDS = 3
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


def tight_loop(model_path: Path, data: Path) -> int:
    """What somebody would write who wants the answers and nothing else."""
    signature = Signature.model_validate_json((model_path / "signature.json").read_bytes())
    session = onnxruntime.InferenceSession(str(model_path / "model.onnx"), providers=["CPUExecutionProvider"])
    answers = []
    with pq.ParquetFile(data / "00000.parquet") as file:
        for batch in file.iter_batches(batch_size=4_096):
            inputs = {spec.name: to_tensor(batch.column(str(spec.column)), spec.datatype) for spec in signature.inputs}
            answers.append(session.run(["label", "probabilities"], inputs))
    return sum(len(labels) for labels, _ in answers)


def to_tensor(values: pa.Array, datatype: Datatype) -> np.ndarray:
    """Numbers, seconds and texts, with a gap where one is missing."""
    if datatype is Datatype.BYTES:
        return pc.fill_null(values.cast(pa.string()), "").to_numpy(zero_copy_only=False)[:, None]
    if datatype is Datatype.FP64:
        return values.cast(pa.int64()).cast(pa.float64()).to_numpy(zero_copy_only=False)[:, None] / 1e6
    return values.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float32)[:, None]


def whole_job(folder: Path, model_path: Path, data: Path) -> tuple[float, float]:
    """Seconds until all rows are answered, and until they are delivered as a dataset version."""
    ports = MemoryPorts()
    principal = Principal(workspace_id=new_id("ws"), workspace_name="team", actor="key", role=Role.ADMIN)
    spec = PredictSpec.model_validate({"kind": "predict", "model": "m@1", "dataset": "d@1", "output": "answers"})
    environment = build_environment(
        folder, {"data": data}, spec, models={"predictor": model_path}, num_cpus=os.cpu_count() or 1
    )
    folder.mkdir()
    started, reporter = time.perf_counter(), Stopwatch()
    found = predict(ports, principal.workspace_id, spec, environment, reporter)
    ended = time.perf_counter()
    assert found == {"num_rows": NUM_ROWS, "num_errors": 0}
    return reporter.at["deliver"] - started, ended - started


class Stopwatch(RecordingReporter):
    """When each phase began."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, float] = {}

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        self.at.setdefault(phase, time.perf_counter())


def seconds_of(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("algorithm", ["linear", "xgboost", "mlp"])
def test_rows_a_second_beside_a_tight_loop(tmp_path: Path, algorithm: str) -> None:
    model_path, columns = make_model(tmp_path, algorithm)
    data = write_rows(tmp_path / "data", columns)
    loops, answered, delivered = [], [], []
    for index in range(NUM_ROUNDS):
        loops.append(seconds_of(lambda: tight_loop(model_path, data)))
        own = whole_job(tmp_path / f"job-{index}", model_path, data)
        answered.append(own[0])
        delivered.append(own[1])
    loop, answer, whole = (float(np.median(each)) for each in (loops, answered, delivered))
    print_table(
        f"batch prediction: {algorithm}, {NUM_ROWS:,} rows of {len(columns)} columns",
        ["what", "seconds", "rows/s", "of the loop"],
        [
            [what, f"{seconds:.2f}", f"{NUM_ROWS / seconds:,.0f}", f"{loop / seconds:.2f}x"]
            for what, seconds in (
                ("ONNX Runtime in a loop, answers in memory", loop),
                ("rows answered and written", answer),
                ("and delivered: typed, checked, profiled", whole),
            )
        ],
    )
