"""A training job that is interrupted or short of time, from channels to artifacts."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import ColumnType
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.runtime import interruption
from batch_jobs.runtime.interruption import Interrupted
from batch_jobs.train.budget import begin_budget
from tests.unit.batch_jobs.channel_files import mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, Train

MLP = {"hidden": [16], "epochs": 10, "batch_size": 32, "learning_rate": 0.01, "ema_decay": 0.9}
TREES = {"num_rounds": 60, "early_stopping_rounds": 60}


@dataclass
class InterruptingReporter(RecordingReporter):
    """SIGTERM comes with the first step from `step` on of a phase."""

    phase: str = "fit"
    step: int = 4
    has_interrupted: bool = False

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        super().progress(phase, step=step, num_steps=num_steps, message=message)
        if phase == self.phase and step is not None and step >= self.step and not self.has_interrupted:
            self.has_interrupted = True
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def listening() -> None:
    interruption.listen()


@pytest.fixture
def channels(tmp_path: Path) -> dict[str, Path]:
    columns, signal_ = mixed_columns(300)
    target = ColumnType.STRING, ["yes" if value > 0 else "no" for value in signal_]
    return {"train": write_channel(tmp_path / "train", columns | {"target": target}, target="target")}


@pytest.mark.parametrize(("algorithm", "chosen"), [("mlp", MLP), ("xgboost", TREES)])
def test_d15_an_interrupted_job_ends_with_the_model_of_an_undisturbed_one(
    train_model: Train, channels: dict[str, Path], algorithm: str, chosen: dict[str, Any]
) -> None:
    expected = train_model(channels, algorithm, hyperparameters=chosen, run_name="undisturbed")
    reporter = InterruptingReporter()
    with pytest.raises(Interrupted):
        train_model(channels, algorithm, hyperparameters=chosen, run_name="disturbed", reporter=reporter)
    interruption.listen()
    assert "exporting" not in reporter.phases
    resumed = train_model(channels, algorithm, hyperparameters=chosen, run_name="disturbed")
    assert resumed.model == expected.model
    assert resumed.metrics == expected.metrics
    assert any("goes on from a checkpoint" in warning for warning in resumed.card.warnings)
    curve = resumed.reporter.curves["validation/log_loss"]
    assert expected.reporter.curves["validation/log_loss"][-len(curve) :] == curve
    if algorithm == "mlp":
        assert len(curve) == 6


def test_folds_that_are_done_are_not_fitted_again(train_model: Train, channels: dict[str, Path]) -> None:
    expected = train_model(channels, "mlp", hyperparameters=MLP, folds=3, run_name="undisturbed")
    reporter = InterruptingReporter(phase="fold 2 of 3")
    with pytest.raises(Interrupted):
        train_model(channels, "mlp", hyperparameters=MLP, folds=3, run_name="disturbed", reporter=reporter)
    interruption.listen()
    resumed = train_model(channels, "mlp", hyperparameters=MLP, folds=3, run_name="disturbed")
    assert resumed.reporter.phases[1:4] == ["fold 2 of 3", "fold 3 of 3", "final fit"]
    assert resumed.model == expected.model
    assert resumed.metrics == expected.metrics


@pytest.mark.parametrize(
    ("algorithm", "chosen", "adapted", "words"),
    [
        ("mlp", MLP | {"epochs": 10_000}, "epochs", "of 10000 epochs: the schedule ends with them"),
        ("xgboost", {"num_rounds": 20_000, "learning_rate": 1e-4}, "learning_rate", "learning_rate was raised"),
    ],
)
def test_a_job_with_little_time_ends_by_itself_with_a_model_and_a_note(
    train_model: Train, channels: dict[str, Path], algorithm: str, chosen: dict[str, Any], adapted: str, words: str
) -> None:
    patience = {"patience": None} if algorithm == "mlp" else {"early_stopping_rounds": 1_000}
    # Importing torch takes seconds of the time.
    build_learner(TrainSpec(dataset="tiny", algorithm=algorithm))
    trained = train_model(
        channels, algorithm, hyperparameters=chosen | patience, deadline=time.monotonic() + 3, validation_fraction=0.5
    )
    assert trained.metrics["roc_auc"] > 0.6
    assert any(words in warning for warning in trained.card.warnings)
    assert [name for name, value in chosen.items() if trained.card.hyperparameters[name] != value] == [adapted]


def test_folds_share_the_time() -> None:
    now = 0.0
    budget = begin_budget(1000.0, reading_seconds=0, clock=lambda: now)
    first = budget.share(4)
    assert budget.deadline == 870.0
    now = 217.0
    assert not first.is_up()
    now = 218.0
    assert first.is_up()
    last = budget.share(1)
    now = 869.0
    assert not last.is_up()
    now = 870.0
    assert last.is_up()


def test_half_of_a_short_time_is_for_what_comes_after_the_fit() -> None:
    assert begin_budget(60.0, reading_seconds=0, clock=lambda: 0.0).deadline == 30.0
    assert begin_budget(None, reading_seconds=0).deadline is None


def test_data_that_took_long_to_read_will_take_long_to_judge_by() -> None:
    assert begin_budget(3600.0, reading_seconds=100, clock=lambda: 0.0).deadline == 3600 - 30 - 360 - 100
