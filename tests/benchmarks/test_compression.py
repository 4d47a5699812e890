"""Compress jobs beside ONNX Runtime's own quantization and NNCF's of the same models: bytes, latency, score.

What a run takes is set by variables: AIMASS_BENCH_DATA, the folder of the data sets; AIMASS_BENCH_COMPRESS, names of
`CASES` by comma (all); AIMASS_BENCH_SECONDS, of a compress job (600); AIMASS_BENCH_KEPT, a folder where trained
originals are kept from run to run; AIMASS_BENCH_NNCF, a Python that has `nncf`, `onnx` and `numpy`, where that peer is
wanted. Beside other programs set OMP_WAIT_POLICY=PASSIVE, as jobs have it: threads that wait busily take twenty times
as long then.

Scores are of the rows that validate.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnxruntime import quantization
from onnxruntime.quantization import CalibrationDataReader

from aimass_core.domain.compression import Compression, CompressSpec
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.model_jobs import Cost
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from batch_jobs import compress, train
from batch_jobs.compress.judging import Judge
from batch_jobs.evaluate.scoring import to_inputs
from batch_jobs.registered import costs
from batch_jobs.registered.material import read_material
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.material import TRAIN, Material
from batch_jobs.train.notes import Notes
from tests.benchmarks.automl.tasks import TASKS
from tests.benchmarks.report import print_table
from tests.unit.batch_jobs.channel_files import encode_png, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment

DATA = os.environ.get("AIMASS_BENCH_DATA")
NNCF = os.environ.get("AIMASS_BENCH_NNCF")
SECONDS = float(os.environ.get("AIMASS_BENCH_SECONDS", "600"))
KEPT = os.environ.get("AIMASS_BENCH_KEPT")
NUM_CPUS = len(os.sched_getaffinity(0))
_NUM_CALIBRATED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """So many times fewer bytes, and so many times faster, at such a drop: what has to be faster too has all three as
    limits of its job, else the job looks for the smallest file."""

    max_metric_drop: float
    fewer_bytes: float
    faster: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model of this kind, and a job for each of the goals."""

    algorithm: str
    hyperparameters: Mapping[str, Any]
    channels: Callable[[Path, Path], dict[str, Path]]
    goals: Sequence[Goal]
    metric: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)


def _adult(data: Path, folder: Path) -> dict[str, Path]:
    parts = TASKS["adult"].read(data / "adult")
    return {
        name: _table(folder / name, frame, TASKS["adult"].target)
        for name, frame in zip(("train", "test"), parts, strict=True)
    }


def _sms(data: Path, folder: Path) -> dict[str, Path]:
    frame = pd.read_csv(data / "sms-spam" / "sms.tsv", sep="\t", header=None, names=["label", "text"], quoting=3)
    frame = frame.sample(frac=1, random_state=0)
    cut = len(frame) * 4 // 5
    return {
        "train": _table(folder / "train", frame[:cut], "label"),
        "test": _table(folder / "test", frame[cut:], "label"),
    }


def _table(path: Path, frame: pd.DataFrame, target: str) -> Path:
    columns = {}
    for name in frame.columns:
        values = frame[name]
        is_number = pd.api.types.is_numeric_dtype(values)
        cells = [None if pd.isna(value) else float(value) if is_number else str(value) for value in values]
        columns[str(name)] = (ColumnType.NUMBER if is_number else ColumnType.STRING, cells)
    return write_channel(path, columns, target=target)


def _vowels(data: Path, folder: Path) -> dict[str, Path]:
    """Series of 12 channels; their lengths differ."""
    channels = {}
    for name, file in (("train", "TRAIN"), ("test", "TEST")):
        lines = (data / "ucr-JapaneseVowels" / f"JapaneseVowels_{file}.ts").read_text().splitlines()
        rows = [line.split(":") for line in lines if line and line[0] not in "@#"]
        columns: dict[str, tuple[ColumnType, list[Any]]] = {
            f"c{at}": (ColumnType.SERIES, [[float(value) for value in row[at].split(",")] for row in rows])
            for at in range(len(rows[0]) - 1)
        }
        columns["label"] = (ColumnType.STRING, [row[-1] for row in rows])
        channels[name] = write_channel(folder / name, columns, target="label")
    return channels


def _fashion(data: Path, folder: Path) -> dict[str, Path]:
    """28 x 28 grey images."""
    channels = {}
    for name, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = (
            np.frombuffer(
                gzip.decompress((data / "fashion-mnist" / f"{prefix}-{kind}-ubyte.gz").read_bytes())[skip:], "u1"
            )
            for kind, skip in (("images-idx3", 16), ("labels-idx1", 8))
        )
        columns: dict[str, tuple[ColumnType, list[Any]]] = {
            "image": (ColumnType.IMAGE, [encode_png(pixels) for pixels in images.reshape(-1, 28, 28)]),
            "label": (ColumnType.STRING, [str(label) for label in labels]),
        }
        shape = ImageShape(height=28, width=28, channels=1)
        channels[name] = write_channel(
            folder / name, columns, target="label", kind=DatasetKind.IMAGES, image_shape=shape
        )
    return channels


CASES = {
    "cnn on fashion-mnist": Case(
        algorithm="cnn",
        hyperparameters={},
        channels=_fashion,
        goals=[
            Goal(max_metric_drop=0.005, fewer_bytes=20, faster=3),
            Goal(max_metric_drop=0.01, fewer_bytes=50, faster=3),
        ],
    ),
    "large cnn on fashion-mnist": Case(
        algorithm="cnn",
        hyperparameters={
            "channels": [48, 64, 128],
            "hidden": 640,
            "flip": True,
            "epochs": 10,
            "patience": None,
            "precision": "bfloat16",
        },
        channels=_fashion,
        goals=[
            Goal(max_metric_drop=0.005, fewer_bytes=20, faster=3),
            Goal(max_metric_drop=0.01, fewer_bytes=50, faster=3),
        ],
    ),
    "xgboost on adult": Case(
        algorithm="xgboost",
        hyperparameters={"num_rounds": 600, "learning_rate": 0.05},
        channels=_adult,
        metric="roc_auc",
        goals=[Goal(max_metric_drop=0.002, fewer_bytes=5)],
    ),
    "rnn on sms-spam": Case(
        algorithm="rnn",
        hyperparameters={"epochs": 6},
        channels=_sms,
        goals=[Goal(max_metric_drop=0.005, fewer_bytes=4)],
    ),
    "rnn on ucr-JapaneseVowels": Case(
        algorithm="rnn",
        hyperparameters={"epochs": 30},
        channels=_vowels,
        goals=[Goal(max_metric_drop=0.005, fewer_bytes=4)],
    ),
}
NAMES = [name for name in os.environ.get("AIMASS_BENCH_COMPRESS", ",".join(CASES)).split(",") if name]


@pytest.mark.skipif(DATA is None, reason="AIMASS_BENCH_DATA names no folder of data sets")
@pytest.mark.timeout(86_400)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "goal"), [pytest.param(name, goal, id=f"{name} {goal}") for name in NAMES for goal in CASES[name].goals]
)
def test_compression_beside_quantization_alone(tmp_path: Path, name: str, goal: Goal) -> None:
    case = CASES[name]
    folder = (Path(KEPT) if KEPT else tmp_path) / name.replace(" ", "-")
    if not (folder / "model").exists():
        _train(folder, case)
    channels = {channel: folder / "data" / channel for channel in ("train", "test")}
    original = RegisteredModel.load(folder / "model", name="bench@1")
    given = {
        "kind": "compress",
        "parent": "bench@1",
        "data": {"dataset": "bench@1", **case.spec},
        "metric": case.metric,
        "max_metric_drop": goal.max_metric_drop,
    }
    spec = CompressSpec.model_validate(given)
    assert spec.data is not None
    environment = build_environment(
        tmp_path / "compressed", channels, spec, num_cpus=NUM_CPUS, models={"parent": folder / "model"}
    )
    material = read_material(environment, spec.data, [original], Notes(RecordingReporter()))
    if goal.faster:
        judge = Judge(material, original.signature, spec, num_threads=1)
        cost = costs.measure(original.model, original.signature, judge.frame, num_threads=1, is_fresh=False)
        given["max_model_bytes"] = round(cost.model_bytes / goal.fewer_bytes)
        given["max_latency_ms"] = cost.latency_p50_ms / goal.faster
        spec = CompressSpec.model_validate(given)
    began = time.perf_counter()
    environment = replace(environment, spec=spec, deadline=time.monotonic() + SECONDS)
    compress.run(environment, RecordingReporter())
    seconds = time.perf_counter() - began
    small = RegisteredModel.load(environment.model_path, name="bench@2")
    found = Compression.model_validate_json((environment.output_path / "compression.json").read_bytes())
    models = {"original": original.model, "compress job": small.model, **_peers(original, material, tmp_path)}
    first, second = _print(f"{name}, {goal}", models, spec, original, material, seconds)[:2]
    _print_front(found)
    chosen = next(each for each in found.candidates if each.is_chosen)
    print(f"chosen: {chosen.name}; {len(found.candidates)} candidates")
    assert first.model_bytes >= goal.fewer_bytes * second.model_bytes
    assert first.latency_p50_ms >= goal.faster * second.latency_p50_ms
    assert chosen.metric_drop <= goal.max_metric_drop


def _train(folder: Path, case: Case) -> None:
    """Leaves the channels and the model."""
    channels = case.channels(Path(str(DATA)), folder / "data")
    spec = {"dataset": "bench@1", **case.spec, "algorithm": case.algorithm, "hyperparameters": case.hyperparameters}
    environment = build_environment(
        folder / "trained", channels, TrainSpec.model_validate(spec), num_cpus=NUM_CPUS, model_path=folder / "model"
    )
    train.run(environment, RecordingReporter())


def _print(
    name: str,
    models: Mapping[str, bytes],
    spec: CompressSpec,
    original: RegisteredModel,
    material: Material,
    seconds: float,
) -> Sequence[Cost]:
    judge = Judge(material, original.signature, spec, num_threads=1)
    measured = costs.measure_all([*models.values()], original.signature, judge.frame, num_threads=1)
    first = measured[0]
    rows = [
        [
            label,
            f"{cost.model_bytes:,}",
            f"{first.model_bytes / cost.model_bytes:.1f}x",
            f"{cost.latency_p50_ms * 1e3:.0f}",
            f"{first.latency_p50_ms / cost.latency_p50_ms:.2f}x",
            f"{cost.cold_start_ms:.0f}" if cost.cold_start_ms is not None else "",
            f"{cost.memory_bytes / 1e6:.1f}" if cost.memory_bytes is not None else "",
            f"{judge.score(model).value:.5f}",
        ]
        for (label, model), cost in zip(models.items(), measured, strict=True)
    ]
    columns = ["", "bytes", "", "p50 us", "", "cold ms", "memory MB", judge.metric]
    print_table(f"{name}; the job took {seconds:.0f} s", columns, rows)
    return measured


def _print_front(found: Compression) -> None:
    """What nothing else in the table beats, the smallest first."""
    front = sorted((each for each in found.candidates if each.is_pareto), key=lambda each: each.cost.model_bytes)
    first = found.candidates[0].cost
    rows = [
        [
            each.name,
            f"{each.cost.model_bytes:,}",
            f"{first.model_bytes / each.cost.model_bytes:.1f}x",
            f"{first.latency_p50_ms / each.cost.latency_p50_ms:.2f}x",
            f"{each.metric_drop:+.5f}",
        ]
        for each in front
    ]
    print_table("the front", ["", "bytes", "", "faster", "drop"], rows)


def _peers(original: RegisteredModel, material: Material, folder: Path) -> dict[str, bytes]:
    """What others make of the same file; those that cannot are left out, with the reason."""
    rows = material.parts[TRAIN].sample(seed=0).frame
    rows = rows.take(np.arange(min(_NUM_CALIBRATED, rows.num_rows)))
    path = folder / "peer.onnx"
    source = folder / "original.onnx"
    source.write_bytes(original.model)
    makers: dict[str, Callable[[], object]] = {
        "ONNX Runtime, static": lambda: quantization.quantize_static(
            source, path, _Reader(to_inputs(rows, original.signature)), per_channel=True
        ),
        "ONNX Runtime, dynamic": lambda: quantization.quantize_dynamic(source, path),
    }
    if NNCF:
        stored = folder / "rows.npz"
        np.savez(stored, **{key: _plain(value) for key, value in to_inputs(rows, original.signature).items()})
        makers["NNCF"] = lambda: subprocess.run(
            [str(NNCF), str(Path(__file__).with_name("nncf_peer.py")), source, stored, path], check=True
        )
    made = {}
    for label, make in makers.items():
        path.unlink(missing_ok=True)
        try:
            make()
            onnx.checker.check_model(str(path))
            made[label] = path.read_bytes()
        except Exception as error:  # noqa: BLE001  whatever stops a peer is told
            print(f"{label}: {(str(error).splitlines() or [repr(error)])[0][:150]}")
    return made


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(np.str_) if values.dtype == object else values


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, inputs: Mapping[str, np.ndarray]) -> None:
        self._batches = iter([dict(inputs)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)
