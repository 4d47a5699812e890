"""Peak memory of a training on 2 GB of Parquet that a job of 2 GiB is given, beside pandas reading the file."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from tests.benchmarks.report import print_table

NUM_COLUMNS, GROUP_ROWS, NUM_GROUPS = 25, 100_000, 100
MEMORY_BYTES = 2 * 1024**3
_TRAIN = """
import json, sys, time
from pathlib import Path
from aimass_core.domain.jobs import TrainSpec
from batch_jobs import train
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reports.console import ConsoleReporter

base, data, memory, spec = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
metrics = train.run(
    Environment(
        base_path=base, channels={"train": data}, model_path=base / "model", output_path=base / "output",
        checkpoint_path=base / "checkpoints", spec=TrainSpec.model_validate(spec), attempt=1, num_cpus=2, num_gpus=0,
        memory_bytes=memory, cluster=Cluster(), deadline=time.monotonic() + 900,
    ),
    ConsoleReporter(),
)
print(json.dumps(metrics))
"""
_IMPORT = "import time, pyarrow.parquet, sklearn.metrics, onnxruntime, onnx, {library}; time.sleep(1)"
_PANDAS = "import sys, pandas; frame = pandas.read_parquet(sys.argv[1]); print(len(frame))"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A channel: its target follows from the first three columns."""
    path = tmp_path / "train"
    path.mkdir()
    names = [f"x{number}" for number in range(NUM_COLUMNS)]
    columns = [Column(name=name, type=ColumnType.NUMBER) for name in names]
    columns.append(Column(name="target", type=ColumnType.STRING))
    schema = Schema(kind=DatasetKind.TABLE, columns=columns, target="target")
    (path / "schema.json").write_text(schema.model_dump_json())
    rng = np.random.default_rng(0)
    types = pa.schema([(name, pa.float64()) for name in names] + [("target", pa.string())])
    with pq.ParquetWriter(path / "part-00000.parquet", types, compression="zstd", use_dictionary=["target"]) as writer:
        for _ in range(NUM_GROUPS):
            values = rng.normal(size=(NUM_COLUMNS, GROUP_ROWS))
            is_yes = values[0] + values[1] * values[2] + rng.normal(size=GROUP_ROWS) > 0
            target = pa.array(np.where(is_yes, "yes", "no"))
            writer.write_table(pa.table([*values, target], schema=types), row_group_size=GROUP_ROWS)
    return path


@pytest.mark.timeout(3600)
def test_peak_memory_of_two_gigabytes_of_parquet(folder: Path, tmp_path: Path) -> None:
    file = next(folder.glob("*.parquet"))
    num_bytes = file.stat().st_size
    header = ["", "peak RSS", "peak RssAnon", "anonymous above the libraries", "seconds", "roc_auc"]
    rows, above = [], {}
    try:
        rows.append(["pandas.read_parquet", *_row(_watch([sys.executable, "-c", _PANDAS, str(file)]))])
        for algorithm, library, chosen in (
            ("xgboost", "xgboost", {"num_rounds": 20}),
            ("lightgbm", "lightgbm", {"num_rounds": 20}),
            ("mlp", "torch", {"epochs": 1, "batch_size": 4096, "hidden": [32]}),
        ):
            alone = _watch([sys.executable, "-c", _IMPORT.format(library=library)])
            spec = {"dataset": "large", "algorithm": algorithm, "hyperparameters": chosen}
            base = tmp_path / algorithm
            command = [sys.executable, "-c", _TRAIN, str(base), str(folder), str(MEMORY_BYTES), json.dumps(spec)]
            found = _watch(command)
            card = json.loads((base / "model" / "card.json").read_text())
            assert any("is read from disk" in warning for warning in card["warnings"])
            above[algorithm] = found.anonymous - alone.anonymous
            roc_auc = json.loads(found.output.splitlines()[-1])["roc_auc"]
            rows.append([algorithm, *_row(found, above=above[algorithm]), f"{roc_auc:.4f}"])
    finally:
        file.unlink()
    title = f"{NUM_GROUPS * GROUP_ROWS:,} rows, {NUM_COLUMNS} columns, {num_bytes / 1e9:.2f} GB; a job of 2 GiB"
    print_table(title, header, rows)
    # LightGBM keeps its bins in memory, a byte for each value.
    assert max(above["xgboost"], above["mlp"]) < 1e9


class _Watched:
    """A process and the most memory that it had."""

    def __init__(self) -> None:
        self.resident = self.anonymous = self.seconds = 0.0
        self.output = ""


def _watch(command: list[str]) -> _Watched:
    watched, started = _Watched(), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    reader = threading.Thread(target=_measure, args=(process.pid, watched))
    reader.start()
    watched.output, _ = process.communicate()
    reader.join()
    watched.seconds = time.perf_counter() - started
    assert process.returncode == 0, watched.output
    return watched


def _measure(pid: int, watched: _Watched) -> None:
    """Until it ends."""
    status = Path(f"/proc/{pid}/status")
    while psutil.pid_exists(pid) and (fields := dict(line.split(":", 1) for line in status.read_text().splitlines())):
        if "RssAnon" not in fields:  # a process that has ended and was not waited for
            return
        watched.anonymous = max(watched.anonymous, int(fields["RssAnon"].split()[0]) * 1024)
        watched.resident = max(watched.resident, int(fields["VmHWM"].split()[0]) * 1024)
        time.sleep(0.02)


def _row(watched: _Watched, *, above: float | None = None) -> list[str]:
    extra = "" if above is None else f"{above / 1e6:,.0f} MB"
    sizes = [f"{size / 1e6:,.0f} MB" for size in (watched.resident, watched.anonymous)]
    return [*sizes, extra, f"{watched.seconds:.0f} s"]
