"""Small tasks to split, and the ground that methods work on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.decomposition import DecomposeSpec, Decomposition
from aimass_core.domain.schemas import ColumnType
from batch_jobs import decompose
from batch_jobs.decompose.contract import Ground
from batch_jobs.decompose.opening import find_single, open_trainer, read_data
from batch_jobs.train.notes import Notes
from tests.unit.batch_jobs.channel_files import Columns, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, Trained, build_environment

TREES = {"algorithm": "xgboost", "hyperparameters": {"num_rounds": 6, "max_depth": 3}}
NUM_ROWS = 400


def class_columns(num_rows: int = NUM_ROWS, *, seed: int = 0) -> Columns:
    """Six classes in three pairs; one number is missing here and there, and a category tells nothing."""
    rng = np.random.default_rng(seed)
    pair, side = rng.integers(3, size=num_rows), rng.integers(2, size=num_rows)
    x = pair + rng.normal(0, 0.15, num_rows)
    y = side + rng.normal(0, 0.35, num_rows)
    holes = rng.random(num_rows) < 0.05
    return {
        "x": (ColumnType.NUMBER, x.tolist()),
        "y": (ColumnType.NUMBER, [None if hole else value for value, hole in zip(y, holes, strict=True)]),
        "z": (ColumnType.NUMBER, rng.normal(size=num_rows).tolist()),
        "colour": (ColumnType.STRING, rng.choice(["red", "blue", "green"], num_rows).tolist()),
        "target": (ColumnType.STRING, [f"{'abc'[one]}{other}" for one, other in zip(pair, side, strict=True)]),
    }


def value_columns(num_rows: int = NUM_ROWS, *, seed: int = 0) -> Columns:
    """A value that goes up on one side and down on the other."""
    rng = np.random.default_rng(seed)
    x, z = rng.uniform(-1, 1, num_rows), rng.normal(size=num_rows)
    value = 1e4 + 500 * np.where(x > 0, x, -2 * x) + 20 * z
    return {
        "x": (ColumnType.NUMBER, x.tolist()),
        "z": (ColumnType.NUMBER, z.tolist()),
        "target": (ColumnType.NUMBER, value.tolist()),
    }


def season_columns(num_rows: int = 240) -> Columns:
    """A line, a season of twelve rows, and noise."""
    steps = np.arange(num_rows)
    noise = np.random.default_rng(0).normal(0, 0.5, num_rows)
    value = 50 + 0.2 * steps + 5 * np.sin(2 * np.pi * steps / 12) + noise
    return {"target": (ColumnType.NUMBER, value.tolist()), "other": (ColumnType.NUMBER, noise.tolist())}


Open = Callable[..., Ground]


@pytest.fixture
def open_ground(tmp_path: Path) -> Open:
    """The ground of a job on these columns."""

    def run(columns: Columns, *, expert: Mapping[str, Any] = TREES, **options: Any) -> Ground:
        channels = {"train": write_channel(tmp_path / "train", columns, target="target")}
        spec = DecomposeSpec.model_validate(
            {"kind": "decompose", "dataset": "tiny", "expert": expert, "target": "target", **options}
        )
        environment = build_environment(tmp_path / "job", channels, spec)
        reporter = RecordingReporter()
        notes = Notes(reporter)
        material, part = read_data(environment, spec, notes)
        trainer = open_trainer(environment, spec, material, part, reporter=reporter, notes=notes)
        single = find_single(environment, spec, trainer, deadline=None, notes=notes)
        return Ground(spec=spec, material=material, single_scores=single.scores, trainer=trainer, notes=notes)

    return run


@dataclass(frozen=True, kw_only=True)
class Decomposed(Trained):
    """What a job left."""

    document: Decomposition


Decompose = Callable[..., Decomposed]


@pytest.fixture
def run_job(tmp_path: Path) -> Decompose:
    """A whole job; keyword arguments are those of the spec."""

    def run(
        columns: Columns | Mapping[str, Path],
        *,
        deadline: float | None = None,
        models: Mapping[str, Path] | None = None,
        run_name: str = "job",
        **options: Any,
    ) -> Decomposed:
        channels = columns
        if "train" not in columns:
            channels = {"train": write_channel(tmp_path / f"{run_name}-train", columns, target="target")}  # type: ignore[arg-type]
        spec = DecomposeSpec.model_validate({"kind": "decompose", "dataset": "tiny", "expert": TREES, **options})
        base, reporter = tmp_path / run_name, RecordingReporter()
        environment = build_environment(base, channels, spec, deadline=deadline, models=dict(models or {}))  # type: ignore[arg-type]
        metrics = decompose.run(environment, reporter)
        output = environment.output_path
        return Decomposed(
            metrics=metrics,
            reporter=reporter,
            model_path=environment.model_path,
            output_path=output,
            document=Decomposition.model_validate_json((output / "decomposition.json").read_bytes()),
        )

    return run
