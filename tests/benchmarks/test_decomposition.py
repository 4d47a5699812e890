"""One model beside the same task split among several, on letters and forest covers, with scikit-learn's own ways."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.multiclass import OneVsRestClassifier, OutputCodeClassifier
from xgboost import XGBClassifier

from aimass_core.domain.decomposition import DecomposeSpec, PartSpec
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from batch_jobs.decompose.contract import Ground
from batch_jobs.decompose.measuring import Tried, choose, judge, measure_all, measure_alone
from batch_jobs.decompose.opening import find_single, open_trainer, read_data
from batch_jobs.decompose.trying import Trial
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.registered import operations
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.environment import Environment
from batch_jobs.train.material import TEST
from batch_jobs.train.notes import Notes
from tests.benchmarks.report import print_table
from tests.benchmarks.workloads import Quiet

DATA = Path(os.environ.get("AIMASS_BENCH_DATA", "data"))
SECONDS = float(os.environ.get("AIMASS_BENCH_SECONDS", "900"))
TREES: dict[str, Any] = {"learning_rate": 0.3, "early_stopping_rounds": 10}
_COUNTED_ROWS, _PEER_ROUNDS = 50, 60


def _read(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test: of the letters those that are customary, of the covers a fifth of the shuffled rows."""
    if name == "letter":
        rows = pd.read_csv(DATA / name / "LetterRecognition.csv").rename(columns={"lettr": "target"})
        return rows.iloc[:16_000], rows.iloc[16_000:]
    rows = pd.read_csv(DATA / name / "covtype.20k.data", header=None).rename(columns={54: "target"})
    rows.columns = [str(column) for column in rows.columns]
    rows["target"] = rows["target"].map("cover {}".format)
    rows = rows.sample(frac=1.0, random_state=0)
    return rows.iloc[:16_000], rows.iloc[16_000:]


def _write(path: Path, rows: pd.DataFrame) -> Path:
    path.mkdir(parents=True)
    columns = [
        Column(name=name, type=ColumnType.STRING if name == "target" else ColumnType.INTEGER) for name in rows.columns
    ]
    schema = Schema(kind=DatasetKind.TABLE, columns=columns, target="target")
    (path / "schema.json").write_text(schema.model_dump_json())
    rows.to_parquet(path / "00000.parquet", index=False)
    return path


class _Telling(Quiet):
    def progress(self, phase: str, **_: Any) -> None:
        """See Reporter."""

    def metrics(self, step: int, values: Any) -> None:
        """See Reporter."""

    def message(self, text: str) -> None:
        """See Reporter."""
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _test_accuracy(tried: Tried, ground: Ground) -> float:
    part = ground.material.parts[TEST]
    scores = Scorer(tried.model, tried.signature).answer(ground.frame(part)).scores
    return judge(scores, part.truth, ground.target, metric="accuracy").value


def _peers(train: pd.DataFrame, test: pd.DataFrame) -> list[list[str]]:
    """With the same trees, in a number of rounds that suits both sets."""
    labels = {label: code for code, label in enumerate(sorted(train["target"].unique()))}
    features, truth = train.drop(columns="target").to_numpy(np.float32), train["target"].map(labels).to_numpy()
    asked, right = test.drop(columns="target").to_numpy(np.float32), test["target"].map(labels).to_numpy()
    base = XGBClassifier(n_estimators=_PEER_ROUNDS, learning_rate=TREES["learning_rate"], subsample=0.9, n_jobs=2)
    found = []
    for peer in (OneVsRestClassifier(base), OutputCodeClassifier(base, code_size=0.5, random_state=0)):
        peer.fit(features, truth)
        accuracy = float((peer.predict(asked) == right).mean())
        count = 0
        for estimator in peer.estimators_:
            shape = [("features", FloatTensorType([None, features.shape[1]]))]
            model: onnx.ModelProto = convert_xgboost(estimator, initial_types=shape, target_opset=15)
            rows = [{"features": asked[[row]]} for row in range(_COUNTED_ROWS)]
            count += operations.count(model.SerializeToString(), rows)
        found.append([f"scikit-learn {type(peer).__name__}", "", f"{accuracy:.4f}", f"{count:,}", "", "", ""])
    return found


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", ["letter", "covtype-20k"])
def test_decompositions_beside_the_single_model(tmp_path: Path, name: str) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"no data set {DATA / name}: set AIMASS_BENCH_DATA")
    train, test = _read(name)
    channels = {"train": _write(tmp_path / "train", train), "test": _write(tmp_path / "test", test)}
    options = os.environ.get("AIMASS_BENCH_DECOMPOSE", "")
    spec = DecomposeSpec.model_validate(
        {
            "kind": "decompose",
            "dataset": name,
            "task": "multiclass",
            **({"method": options} if options else {}),
        }
    )
    environment = Environment(
        base_path=tmp_path,
        channels=channels,
        model_path=tmp_path / "model",
        output_path=tmp_path / "output",
        checkpoint_path=tmp_path / "checkpoints",
        spec=spec,
        attempt=1,
        num_cpus=len(os.sched_getaffinity(0)),
        num_gpus=0,
        cluster=Cluster(),
        job=f"job_{name}",
    )
    reporter = _Telling()
    notes = Notes(reporter)
    material, _ = read_data(environment, spec, notes)
    part = PartSpec(algorithm="xgboost", hyperparameters=dict(TREES))
    trainer = open_trainer(environment, spec, material, part, reporter=reporter, notes=notes)
    single = find_single(environment, spec, trainer, deadline=None, notes=notes)
    ground = Ground(spec=spec, material=material, single_scores=single.scores, trainer=trainer, notes=notes)
    score = judge(single.scores, ground.validation.truth, ground.target, metric=None)
    first = Tried(
        name="single",
        whole=None,
        model=single.model,
        signature=single.signature,
        scores=single.scores,
        score=score,
    )
    ends, rows_judged = time.monotonic() + SECONDS, ground.frame(ground.validation)
    trial = Trial(
        ground=ground,
        deadline=ends,
        single_seconds=single.seconds,
        measuring_seconds=measure_alone(first, rows_judged, spec, num_cpus=1),
    )
    trial.run()
    tried = [first, *trial.tried]
    measure_all(tried, rows_judged, spec, num_cpus=1)
    chosen = choose(tried, ground.validation.truth, ground.target, seed=spec.seed)
    rows = []
    for each in tried:
        cost = each.cost
        assert cost is not None
        rows.append(
            [
                f"{each.name}{' (chosen)' if each is chosen else ''}",
                f"{each.score.value:.4f}",
                f"{_test_accuracy(each, ground):.4f}",
                f"{each.num_operations:,}",
                f"{first.num_operations / max(each.num_operations, 1):.2f} x",
                f"{cost.latency_p50_ms * 1000:.0f}",
                f"{cost.model_bytes / 1e6:.2f}",
            ]
        )
    if not os.environ.get("AIMASS_BENCH_NO_PEERS"):
        rows += _peers(train, test)
    header = ["", "validation", "test", "operations", "fewer", "us", "MB"]
    print_table(f"{name}: accuracy, operations and latency of a row", header, rows)
    assert chosen is not None
