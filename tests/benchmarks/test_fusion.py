"""Fusion of five models beside the best of them, and beside scikit-learn's stacking of five models of its kind.

What a run takes is set by variables: AIMASS_BENCH_DATA, the folder of the data sets (`automl/tasks.py`), and
AIMASS_BENCH_TASKS, their names, by comma (adult,covtype-20k,california-housing); AIMASS_BENCH_PEERS may be empty, as
scikit-learn takes longest.

Everything is judged by the test rows, which nobody has seen: neither members nor what combines them. Ours combines by
the rows that the members held out; scikit-learn trains its members again in five folds and on all rows.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from aimass_core.domain.fusion import FuseSpec, Fusion
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Card
from batch_jobs import fuse, train
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER
from batch_jobs.runtime.environment import Environment
from tests.benchmarks.automl.tasks import TASKS, AutoMlTask
from tests.benchmarks.report import print_table
from tests.unit.batch_jobs.channel_files import write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment

DATA = os.environ.get("AIMASS_BENCH_DATA")
NAMES = os.environ.get("AIMASS_BENCH_TASKS", "adult,covtype-20k,california-housing").split(",")
PEERS = os.environ.get("AIMASS_BENCH_PEERS", "scikit-learn")
MEMBERS: Mapping[str, dict[str, Any]] = {
    "xgboost": {"num_rounds": 200},
    "lightgbm": {"num_rounds": 200},
    "random_forest": {"num_trees": 100},
    "mlp": {"epochs": 8},
    "linear": {},
}


@pytest.mark.skipif(DATA is None, reason="AIMASS_BENCH_DATA names no folder of data sets")
@pytest.mark.timeout(86_400)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_fusion_beside_its_members(tmp_path: Path, name: str) -> None:
    task = TASKS[name]
    train_rows, test_rows = task.read(Path(str(DATA)) / name)
    channels = {
        "train": _write(tmp_path / "train", train_rows, task),
        "test": _write(tmp_path / "test", test_rows, task),
    }
    rows, paths = [], {}
    for algorithm, hyperparameters in MEMBERS.items():
        environment, seconds = _train(tmp_path, channels, algorithm, hyperparameters, task)
        paths[f"{algorithm}@1"] = environment.model_path
        rows.append([f"{algorithm}@1", *_found(environment.model_path, task), f"{seconds:.0f} s"])
    best = _best([float(row[1]) for row in rows], task)
    seconds, environment = _fuse(tmp_path, channels, paths, task)
    found = _found(environment.model_path, task)
    rows.append(["fusion", *found, f"{seconds:.0f} s"])
    if PEERS:
        peer, peer_seconds = _stack(train_rows, test_rows, task)
        rows.append(["scikit-learn stacking", f"{peer:.5f}", "", f"{peer_seconds:.0f} s"])
    print_table(f"{name}: {len(test_rows)} test rows", ["", task.metric, "log loss", "time"], rows)
    fusion = Fusion.model_validate_json((environment.output_path / "fusion.json").read_bytes())
    methods = [
        [
            ("* " if entry.is_chosen else "") + entry.method.value,
            f"{entry.score.value:.5f}" if entry.score else "",
            f"{entry.score.metrics['log_loss']:.4f}" if entry.score and "log_loss" in entry.score.metrics else "",
            f"{entry.score.metrics['ece']:.4f}" if entry.score and "ece" in entry.score.metrics else "",
            entry.reason or "",
        ]
        for entry in fusion.methods
    ]
    methods += [
        [
            member.name,
            f"{member.score.value:.5f}",
            f"{member.score.metrics.get('log_loss', float('nan')):.4f}",
            f"{member.score.metrics.get('ece', float('nan')):.4f}",
            f"errors {member.correlation}, {member.cost.latency_p50_ms} ms, {member.cost.model_bytes / 1e6:.2f} MB",
        ]
        for member in fusion.members
    ]
    title = f"{name}: {fusion.num_fit_rows} rows that no member was trained on, cross-fitted"
    print_table(title, ["", task.metric, "log loss", "ECE", ""], methods)
    assert fusion.cost is not None
    print(f"one graph: {fusion.cost.model_bytes / 1e6:.2f} MB, {fusion.cost.latency_p50_ms} ms a row")
    fused = float(found[0])
    assert fused < best if task.is_regression else fused > best


def _write(path: Path, frame: pd.DataFrame, task: AutoMlTask) -> Path:
    columns = {}
    for name in frame.columns:
        values = frame[name]
        is_number = pd.api.types.is_numeric_dtype(values)
        cells = [None if pd.isna(value) else float(value) if is_number else str(value) for value in values]
        columns[str(name)] = (ColumnType.NUMBER if is_number else ColumnType.STRING, cells)
    return write_channel(path, columns, target=task.target)


def _train(
    base: Path, channels: Mapping[str, Path], algorithm: str, hyperparameters: dict[str, Any], task: AutoMlTask
) -> tuple[Environment, float]:
    spec = TrainSpec.model_validate(
        {"dataset": "bench@1", "algorithm": algorithm, "hyperparameters": hyperparameters, "task": task.kind}
    )
    environment = build_environment(base / algorithm, channels, spec, num_cpus=2)
    began = time.perf_counter()
    train.run(environment, RecordingReporter())
    return environment, time.perf_counter() - began


def _fuse(
    base: Path, channels: Mapping[str, Path], paths: Mapping[str, Path], task: AutoMlTask
) -> tuple[float, Environment]:
    data = {"dataset": "bench@1", "task": task.kind}
    spec = FuseSpec.model_validate(
        {"kind": "fuse", "members": list(paths), "data": data, "member_data": [data] * len(paths)}
    )
    models = {f"member-{number}": path for number, path in enumerate(paths.values(), start=1)}
    environment = build_environment(base / "fusion", channels, spec, num_cpus=2, models=models)
    began = time.perf_counter()
    fuse.run(environment, RecordingReporter())
    return time.perf_counter() - began, environment


def _found(path: Path, task: AutoMlTask) -> list[str]:
    card = Card.model_validate_json((path / "card.json").read_bytes())
    metrics = next(found.metrics for found in card.evaluations if found.channel == "test")
    log_loss = metrics.get("log_loss")
    return [f"{metrics[task.metric]:.5f}", "" if log_loss is None else f"{log_loss:.4f}"]


def _best(scores: list[float], task: AutoMlTask) -> float:
    return min(scores) if task.metric in LOWER_IS_BETTER else max(scores)


def _stack(train_rows: pd.DataFrame, test_rows: pd.DataFrame, task: AutoMlTask) -> tuple[float, float]:
    """Five models of the same kinds, and a linear one on what they answer out of fold."""
    features = train_rows.drop(columns=task.target)
    texts = [name for name in features if not pd.api.types.is_numeric_dtype(features[name])]
    numbers = [name for name in features if name not in texts]

    def encoded(model: Any) -> Any:
        return make_pipeline(
            make_column_transformer(
                (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                (OneHotEncoder(handle_unknown="ignore", min_frequency=5, sparse_output=False), texts),
            ),
            model,
        )

    if task.is_regression:
        models = [
            HistGradientBoostingRegressor(max_iter=200, random_state=0),
            HistGradientBoostingRegressor(max_iter=200, max_leaf_nodes=63, learning_rate=0.05, random_state=1),
            RandomForestRegressor(100, random_state=0),
            MLPRegressor(early_stopping=True, random_state=0),
            Ridge(),
        ]
        stacking: Any = StackingRegressor([(str(at), encoded(model)) for at, model in enumerate(models)])
    else:
        models = [
            HistGradientBoostingClassifier(max_iter=200, random_state=0),
            HistGradientBoostingClassifier(max_iter=200, max_leaf_nodes=63, learning_rate=0.05, random_state=1),
            RandomForestClassifier(100, random_state=0),
            MLPClassifier(early_stopping=True, random_state=0),
            LogisticRegression(max_iter=300),
        ]
        stacking = StackingClassifier(
            [(str(at), encoded(model)) for at, model in enumerate(models)], LogisticRegression(max_iter=500)
        )
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stacking.fit(features, train_rows[task.target])
    rows = test_rows.drop(columns=task.target)
    if task.metric == "roc_auc":
        answers = stacking.predict_proba(rows)[:, list(stacking.classes_).index(task.positive)]
    else:
        answers = stacking.predict(rows)
    return task.score(test_rows, np.asarray(answers).tolist()), time.perf_counter() - began
