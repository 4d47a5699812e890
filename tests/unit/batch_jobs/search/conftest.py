"""Studies on small data, without a container around them and without a registry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.jobs import AutotrainSpec, SearchSpec
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Card, Golden, Signature
from aimass_core.domain.studies import Leaderboard
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.environment import Environment
from batch_jobs.search import autotraining, searching
from tests.unit.batch_jobs.channel_files import mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter

NUM_ROWS = 300


@dataclass(frozen=True, kw_only=True)
class Studied:
    """What a study's job left."""

    metrics: dict[str, float]
    reporter: RecordingReporter
    environment: Environment

    @property
    def leaderboard(self) -> Leaderboard:
        return Leaderboard.model_validate_json((self.environment.output_path / "leaderboard.json").read_bytes())

    @property
    def card(self) -> Card:
        return Card.model_validate_json((self.environment.model_path / "card.json").read_bytes())

    @property
    def signature(self) -> Signature:
        return Signature.model_validate_json((self.environment.model_path / "signature.json").read_bytes())

    @property
    def golden(self) -> Golden:
        return Golden.model_validate_json((self.environment.model_path / "golden.json").read_bytes())

    @property
    def model(self) -> bytes:
        return (self.environment.model_path / "model.onnx").read_bytes()


RunStudy = Callable[..., Studied]


@pytest.fixture
def channels(tmp_path: Path) -> Mapping[str, Path]:
    """A binary task on columns of every type."""
    columns, signal = mixed_columns(NUM_ROWS, seed=0)
    target = (ColumnType.STRING, np.where(signal > 0, "yes", "no").tolist())
    return {"train": write_channel(tmp_path / "data", columns | {"target": target}, target="target")}


@pytest.fixture
def run_study(tmp_path: Path, channels: Mapping[str, Path]) -> RunStudy:
    """Runs a search, or with the kind an autotrain; keyword arguments are those of the spec."""

    default = channels

    def run(
        *,
        kind: str = "search",
        run_name: str = "run",
        deadline: float | None = None,
        channels: Mapping[str, Path] = default,
        **spec: Any,
    ) -> Studied:
        base, reporter = tmp_path / run_name, RecordingReporter()
        classes = {"search": SearchSpec, "autotrain": AutotrainSpec}
        environment = Environment(
            base_path=base,
            channels=channels,
            model_path=base / "model",
            output_path=base / "output",
            checkpoint_path=base / "checkpoints",
            spec=classes[kind].model_validate({"kind": kind, "dataset": "tiny"} | spec),
            attempt=1,
            num_cpus=1,
            num_gpus=0,
            cluster=Cluster(),
            dataset="tiny",
            job="job_tiny",
            deadline=deadline,
        )
        runs = {"search": searching.run, "autotrain": autotraining.run}
        return Studied(metrics=runs[kind](environment, reporter), reporter=reporter, environment=environment)

    return run
