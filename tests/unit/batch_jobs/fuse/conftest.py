"""Models that jobs trained on small data, and fuse jobs on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.fusion import FuseSpec, Fusion
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Card, Golden, Signature
from batch_jobs import fuse, train
from batch_jobs.runtime.environment import Environment
from tests.unit.batch_jobs.channel_files import Columns, mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment

TREES: dict[str, Any] = {"num_rounds": 30, "max_depth": 4}
FOREST: dict[str, Any] = {"num_trees": 10, "max_depth": 6}


def make_table(task: str, *, num_rows: int = 900, seed: int = 0) -> Columns:
    """A signal of which a linear model sees one half and trees another, under noise."""
    columns, signal = mixed_columns(num_rows, seed=seed)
    rng = np.random.default_rng(seed + 1)
    width = np.array(columns["width"][1])
    noisy = signal + 1.5 * np.sin(4 * width) + rng.normal(0, 0.7, num_rows)
    if task == "regression":
        return columns | {"target": (ColumnType.NUMBER, (noisy * 10 + 500).tolist())}
    if task == "multiclass":
        codes = np.digitize(noisy, [-1.5, 1.5])
        return columns | {"target": (ColumnType.STRING, [("low", "mid", "high")[code] for code in codes])}
    return columns | {"target": (ColumnType.STRING, ["yes" if value > 0 else "no" for value in noisy])}


@dataclass(frozen=True, kw_only=True)
class Member:
    """A model version, as a container gets it."""

    name: str
    path: Path
    spec: TrainSpec


def train_member(base: Path, channels: Mapping[str, Path], name: str, algorithm: str, **options: Any) -> Member:
    """A model of a training job, without its report."""
    spec = TrainSpec.model_validate({"dataset": "tiny@1", "algorithm": algorithm} | options)
    environment = build_environment(base / name, channels, spec, dataset="tiny@1")
    train.run(environment, RecordingReporter())
    return Member(name=name, path=environment.model_path, spec=spec)


@dataclass(frozen=True, kw_only=True)
class Fused:
    """What a fuse job left."""

    metrics: dict[str, float]
    environment: Environment
    reporter: RecordingReporter

    @property
    def fusion(self) -> Fusion:
        return read_fusion(self.environment)

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


def read_fusion(environment: Environment) -> Fusion:
    return Fusion.model_validate_json((environment.output_path / "fusion.json").read_bytes())


def fuse_environment(
    base: Path, channels: Mapping[str, Path], members: Sequence[Member], **options: Any
) -> Environment:
    """As the API fills in the job of these members."""
    data = [{key: getattr(member.spec, key) for key in _LEARNING} for member in members]
    spec = {
        "kind": "fuse",
        "members": [member.name for member in members],
        "data": data[0],
        "member_data": data,
    }
    return build_environment(
        base,
        channels,
        FuseSpec.model_validate(spec | options),
        models={f"member-{number}": member.path for number, member in enumerate(members, start=1)},
        dataset="tiny@1",
    )


_LEARNING = ("dataset", "validation", "target", "task", "horizon", "window", "validation_fraction", "seed", "folds")


def run_fuse(base: Path, channels: Mapping[str, Path], members: Sequence[Member], **options: Any) -> Fused:
    environment, reporter = fuse_environment(base, channels, members, **options), RecordingReporter()
    return Fused(metrics=fuse.run(environment, reporter), environment=environment, reporter=reporter)


@dataclass(frozen=True, kw_only=True)
class Family:
    """Members that were trained on the same rows."""

    channels: Mapping[str, Path]
    members: Sequence[Member]


def _family(base: Path, task: str) -> Family:
    channels = {"train": write_channel(base / "train", make_table(task), target="target")}
    members = [
        train_member(base, channels, "trees@1", "xgboost", hyperparameters=TREES),
        train_member(base, channels, "line@1", "linear"),
        train_member(base, channels, "forest@2", "random_forest", hyperparameters=FOREST),
    ]
    return Family(channels=channels, members=members)


@pytest.fixture(scope="session")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return _family(tmp_path_factory.mktemp("classifiers"), "binary")


@pytest.fixture(scope="session")
def regressors(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return _family(tmp_path_factory.mktemp("regressors"), "regression")
