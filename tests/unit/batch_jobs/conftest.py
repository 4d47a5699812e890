"""A training job on small data, without a container around it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnxruntime
import pyarrow.parquet as pq
import pytest

from aimass_core.domain.jobs import AnySpec, TrainSpec
from aimass_core.domain.signatures import Card, Golden, Signature
from batch_jobs import train
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.environment import Environment


@dataclass
class RecordingReporter:
    """Keeps all that it is told."""

    phases: list[str] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        if phase not in self.phases:
            self.phases.append(phase)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)

    def message(self, text: str) -> None:
        self.messages.append(text)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training job left."""

    metrics: dict[str, float]
    reporter: RecordingReporter
    model_path: Path
    output_path: Path

    @property
    def signature(self) -> Signature:
        return Signature.model_validate_json((self.model_path / "signature.json").read_bytes())

    @property
    def card(self) -> Card:
        return Card.model_validate_json((self.model_path / "card.json").read_bytes())

    @property
    def golden(self) -> Golden:
        return Golden.model_validate_json((self.model_path / "golden.json").read_bytes())

    @property
    def model(self) -> bytes:
        return (self.model_path / "model.onnx").read_bytes()

    @property
    def scorer(self) -> Scorer:
        return Scorer(self.model, self.signature)

    @property
    def session(self) -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(self.model)

    def predictions(self, channel: str) -> dict[str, list[Any]]:
        table: dict[str, list[Any]] = pq.read_table(self.output_path / f"{channel}_predictions.parquet").to_pydict()
        return table


def build_environment(base: Path, channels: Mapping[str, Path], spec: AnySpec, **options: Any) -> Environment:
    """A machine of one processor, alone unless the options say otherwise."""
    fields: dict[str, Any] = {
        "base_path": base,
        "channels": dict(channels),
        "model_path": base / "model",
        "output_path": base / "output",
        "checkpoint_path": base / "checkpoints",
        "spec": spec,
        "attempt": 1,
        "num_cpus": 1,
        "num_gpus": 0,
        "cluster": Cluster(),
        "dataset": "tiny",
        "job": "job_tiny",
    }
    return Environment(**(fields | options))


Train = Callable[..., Trained]


@pytest.fixture
def train_model(tmp_path: Path) -> Train:
    """Trains on channel folders; keyword arguments are those of the spec. Runs of one name share their folders."""

    def run(
        channels: Mapping[str, Path],
        algorithm: str,
        *,
        run_name: str = "run",
        reporter: RecordingReporter | None = None,
        deadline: float | None = None,
        cluster: Cluster | None = None,
        memory_bytes: int | None = None,
        **spec: Any,
    ) -> Trained:
        base = tmp_path / run_name
        reporter = reporter or RecordingReporter()
        environment = build_environment(
            base,
            channels,
            TrainSpec.model_validate({"dataset": "tiny", "algorithm": algorithm} | spec),
            memory_bytes=memory_bytes,
            cluster=cluster or Cluster(),
            deadline=deadline,
        )
        metrics = train.run(environment, reporter)
        json.dumps(metrics, allow_nan=False)
        return Trained(
            metrics=metrics, reporter=reporter, model_path=environment.model_path, output_path=environment.output_path
        )

    return run
