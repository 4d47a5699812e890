"""Autotrain beside FLAML and AutoGluon: the same tables, splits and seconds, one after the other on this machine.

What a run takes is set by variables: AIMASS_BENCH_DATA, the folder of the data sets (`automl/tasks.py`);
AIMASS_BENCH_TASKS, their names, by comma; AIMASS_BENCH_SECONDS (60); AIMASS_BENCH_PRESET (balanced); and
AIMASS_BENCH_PEERS ("flaml,autogluon:medium_quality"; also "autogluon:good_quality").
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, geometric_mean

import onnxruntime
import pandas as pd
import pytest

import aimass
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Signature
from aimass_core.inference.rows.cells import to_tensor
from tests.benchmarks.automl.environments import PEERS
from tests.benchmarks.automl.tasks import TASKS, AutoMlTask
from tests.benchmarks.report import print_table, time_calls

DATA = os.environ.get("AIMASS_BENCH_DATA")
SECONDS = int(os.environ.get("AIMASS_BENCH_SECONDS", "60"))
PRESET = os.environ.get("AIMASS_BENCH_PRESET", "balanced")
OURS = f"AI Mass, {PRESET}"
NUM_CALLS = 50
_BATCH = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one tool made of one table; `error` where it made nothing."""

    tool: str
    task: AutoMlTask
    score: float = float("nan")
    num_bytes: int = 0
    latency_ms: float = float("nan")
    seconds: float = float("nan")
    detail: str = ""
    error: str = ""

    @property
    def loss(self) -> float:
        if self.error:
            return float("inf")
        return self.score if self.task.is_regression else -self.score

    def cells(self) -> list[str]:
        if self.error:
            return [self.tool, self.error[-60:], "", "", "", ""]
        size, latency = f"{self.num_bytes / 1e6:.2f} MB", f"{self.latency_ms:.2f} ms"
        return [self.tool, f"{self.score:.5g}", size, latency, f"{self.seconds:.0f} s", self.detail[:40]]


@pytest.mark.skipif(DATA is None, reason="AIMASS_BENCH_DATA names no folder of data sets")
@pytest.mark.timeout(86_400)
@pytest.mark.filterwarnings("ignore")
def test_autotrain_beside_others(client: aimass.Client, tmp_path: Path) -> None:
    names = [name for name in os.environ.get("AIMASS_BENCH_TASKS", "").split(",") if name] or list(TASKS)
    chosen = os.environ.get("AIMASS_BENCH_PEERS", "flaml,autogluon:medium_quality").split(",")
    peers = [tuple(peer.partition(":")[::2]) for peer in chosen if peer]
    for name, _ in peers:
        PEERS[name].install()
    found: list[list[Measured]] = []
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        test = TASKS[name].write(Path(str(DATA)), folder)
        rows = [_ours(client, TASKS[name], folder, test)]
        rows += [_peer(peer, preset, TASKS[name], folder, test) for peer, preset in peers]
        header = ["", TASKS[name].metric, "to deploy", "p50 of one row", "time", "what"]
        print_table(f"{name}, {SECONDS} s", header, [row.cells() for row in rows])
        found.append(rows)
    _print_summary(found)


def _ours(client: aimass.Client, task: AutoMlTask, folder: Path, test: pd.DataFrame) -> Measured:
    """Through the platform: upload, an autotrain job, the registered model; its rows take the way of predictions."""
    dataset = client.datasets.upload(folder / "train.csv", name=f"bench-{task.name}", target=task.target)
    started = time.perf_counter()
    try:
        job = client.jobs.autotrain(
            dataset, preset=PRESET, task=task.kind, metric=task.metric, max_seconds=SECONDS
        ).wait()
    except aimass.AimassError as error:
        return Measured(tool=OURS, task=task, error=str(error))
    seconds = time.perf_counter() - started
    assert job.model_version is not None
    version = job.model_version.get()
    model = version.download(ArtifactName.MODEL, folder / "model.onnx")
    card = json.loads(version.download(ArtifactName.CARD, folder / "card.json").read_bytes())
    assert version.signature is not None
    predict = _to_predict(model, version.signature, task)
    # As a client sends them; the file that was trained on went through the same.
    records = json.loads(pd.read_csv(folder / "test.csv").to_json(orient="records"))
    batches = [records[at : at + _BATCH] for at in range(0, len(records), _BATCH)]
    predictions = [answer for batch in batches for answer in predict(batch)]
    return Measured(
        tool=OURS,
        task=task,
        score=task.score(test, predictions),
        num_bytes=model.stat().st_size,
        latency_ms=float(pd.Series(time_calls(lambda: predict(records[:1]), num=NUM_CALLS)).median()),
        seconds=seconds,
        detail=str(card["algorithm"]),
    )


def _to_predict(
    model: Path, signature: Signature, task: AutoMlTask
) -> Callable[[Sequence[Mapping[str, object]]], list[float]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    output = {"roc_auc": "probabilities", "accuracy": "label", "rmse": "value"}[task.metric]

    def predict(records: Sequence[Mapping[str, object]]) -> list[float]:
        feed = {}
        for spec in signature.inputs:
            feed[spec.name], wrong = to_tensor(spec, [record.get(spec.column or spec.name) for record in records])
            assert not wrong, (spec.name, wrong)
        (answers,) = session.run([output], feed)
        if task.metric == "roc_auc":
            assert signature.labels is not None
            answers = answers[:, signature.labels.index(str(task.positive))]
        return list(answers.reshape(-1).tolist())

    return predict


def _peer(name: str, preset: str, task: AutoMlTask, folder: Path, test: pd.DataFrame) -> Measured:
    path = folder / "task.json"
    path.write_text(
        json.dumps(
            {
                "target": task.target,
                "metric": task.metric,
                "kind": task.kind,
                "positive": task.positive,
                "seconds": SECONDS,
                "preset": preset,
                "num_calls": NUM_CALLS,
            }
        )
    )
    tool = f"{name} {preset}".strip()
    try:
        answer = PEERS[name].run(path, timeout_seconds=10 * SECONDS + 600)
    except subprocess.SubprocessError as error:
        print(error)
        return Measured(tool=tool, task=task, error=str(error).strip().splitlines()[-1])
    return Measured(
        tool=tool,
        task=task,
        score=task.score(test, answer["predictions"]),
        num_bytes=answer["num_bytes"],
        latency_ms=answer["latency_ms"],
        seconds=answer["seconds"],
        detail=answer["detail"],
    )


def _print_summary(found: Sequence[Sequence[Measured]]) -> None:
    """Ranks by score (ties share), and how many times as large and slow as ours."""
    ranks: dict[str, list[float]] = {}
    sizes: dict[str, list[float]] = {}
    delays: dict[str, list[float]] = {}
    for rows in found:
        order = pd.Series([row.loss for row in rows]).rank(method="average")
        for row, rank in zip(rows, order, strict=True):
            ranks.setdefault(row.tool, []).append(float(rank))
            if not row.error and not rows[0].error:
                sizes.setdefault(row.tool, []).append(row.num_bytes / rows[0].num_bytes)
                delays.setdefault(row.tool, []).append(row.latency_ms / rows[0].latency_ms)
    table = [
        [
            tool,
            f"{fmean(each):.2f}",
            *(f"{geometric_mean(known[tool]):.1f} x" if tool in known else "" for known in (sizes, delays)),
        ]
        for tool, each in ranks.items()
    ]
    title = f"{len(found)} data sets, {SECONDS} s each"
    print_table(title, ["", "mean rank", "bytes, of ours", "latency, of ours"], table)
