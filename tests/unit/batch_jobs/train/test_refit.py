"""Models that are fitted again on all rows, once validation has said in how many steps."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.runtime import interruption
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.interruption import Interrupted
from batch_jobs.train.budget import Budget
from batch_jobs.train.checkpoints import CheckpointPlace
from batch_jobs.train.feature_choice import train_with_features
from batch_jobs.train.fitting import refit_share
from batch_jobs.train.material import load_material, read_channels
from batch_jobs.train.notes import Notes
from tests.unit.batch_jobs.channel_files import Columns, mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, Train, build_environment

TREES: dict[str, Any] = {"num_rounds": 60, "early_stopping_rounds": 5}
MLP: dict[str, Any] = {"hidden": [16], "epochs": 8, "batch_size": 32, "learning_rate": 0.01}
NUM_ROWS, NUM_VALIDATION, NUM_TEST = 300, 60, 80


def _table(num_rows: int, *, seed: int = 0) -> Columns:
    columns, signal_ = mixed_columns(num_rows, seed=seed)
    return {**columns, "target": (ColumnType.STRING, ["yes" if value > 0 else "no" for value in signal_])}


@pytest.fixture
def channels(tmp_path: Path) -> dict[str, Path]:
    return {
        "train": write_channel(tmp_path / "train", _table(NUM_ROWS), target="target"),
        "test": write_channel(tmp_path / "test", _table(NUM_TEST, seed=1), target="target"),
    }


@pytest.mark.parametrize(
    ("algorithm", "quick"),
    [
        ("xgboost", TREES),
        ("lightgbm", TREES),
        ("catboost", TREES),
        ("random_forest", {"num_trees": 20}),
        ("linear", {}),
        ("mlp", MLP),
    ],
)
def test_the_model_has_learned_from_all_rows_and_is_judged_by_the_fit_that_had_not(
    channels: dict[str, Path], train_model: Train, algorithm: str, quick: dict[str, Any]
) -> None:
    once = train_model(channels, algorithm, hyperparameters=quick, run_name="once")
    twice = train_model(channels, algorithm, hyperparameters=quick, refit=True, run_name="twice")
    assert twice.card.is_refitted
    assert not once.card.is_refitted
    assert once.card.num_train_rows == NUM_ROWS - NUM_VALIDATION
    assert twice.card.num_train_rows == NUM_ROWS
    # What validated is the same fit; the model is another one, compared with its framework on all rows.
    first, second = once.card.evaluations[0].metrics, twice.card.evaluations[0].metrics
    assert second == pytest.approx(first, abs=1e-6)
    assert twice.model != once.model
    assert twice.card.export_check is not None
    assert twice.card.export_check.num_rows == NUM_ROWS
    assert twice.card.evaluations[1].channel == "test"
    assert twice.predictions("validation")["row"] == once.predictions("validation")["row"]
    np.testing.assert_allclose(
        twice.predictions("validation")["p_yes"], once.predictions("validation")["p_yes"], atol=1e-5
    )
    assert twice.predictions("test")["p_yes"] != once.predictions("test")["p_yes"]
    assert any("fitted again on all 300 rows in" in warning for warning in twice.card.warnings)
    assert not any("the model is the one fitted on the others" in warning for warning in twice.card.warnings)
    assert "fit on all rows" in twice.reporter.phases
    report = (twice.model_path / "report.html").read_text(encoding="utf-8")
    assert "those of validation included once it was judged" in report


def test_there_are_as_many_steps_as_were_best(channels: dict[str, Path], train_model: Train) -> None:
    trained = train_model(channels, "xgboost", hyperparameters=TREES, refit=True)
    (told,) = [warning for warning in trained.card.warnings if "fitted again" in warning]
    num_rounds = int(told.split(" rows in ")[1].split(" ")[0])
    assert 0 < num_rounds < 60
    expected = train_model(
        {"train": channels["train"], "validation": channels["train"]},
        "xgboost",
        hyperparameters={"num_rounds": num_rounds, "early_stopping_rounds": 60},
        run_name="expected",
    )
    assert trained.model == expected.model


def test_the_rows_of_a_validation_dataset_are_learned_from_too(tmp_path: Path, train_model: Train) -> None:
    columns = dict(_table(NUM_ROWS))
    parts = {
        name: write_channel(
            tmp_path / name,
            {column: (kind, values[rows]) for column, (kind, values) in columns.items()},
            target="target",
        )
        for name, rows in (("train", slice(0, 200)), ("validation", slice(200, None)))
    }
    trained = train_model(parts, "linear", refit=True)
    assert trained.card.num_train_rows == NUM_ROWS
    assert trained.card.evaluations[0].num_rows == 100
    assert trained.card.export_check is not None
    assert trained.card.export_check.num_rows == NUM_ROWS


def test_series_of_two_datasets_may_be_of_other_lengths(tmp_path: Path, train_model: Train) -> None:
    rng = np.random.default_rng(0)

    def waves(num_rows: int, longest: int) -> Columns:
        series = [rng.normal(row % 2, 1, int(rng.integers(8, longest))).tolist() for row in range(num_rows)]
        return {
            "series": (ColumnType.SERIES, series),
            "target": (ColumnType.STRING, [("a", "b")[row % 2] for row in range(num_rows)]),
        }

    parts = {
        "train": write_channel(tmp_path / "train", waves(80, 12), target="target"),
        "validation": write_channel(tmp_path / "validation", waves(40, 20), target="target"),
    }
    trained = train_model(parts, "fcn", refit=True, hyperparameters={"channels": [4], "kernels": [3], "epochs": 3})
    assert trained.card.num_train_rows == 120


def test_a_forecast_learns_from_the_latest_rows_too(tmp_path: Path, train_model: Train) -> None:
    values = (np.sin(np.arange(300) / 4) * 5 + 100).tolist()
    channel = write_channel(tmp_path / "train", {"y": (ColumnType.NUMBER, values)}, target="y")
    options: dict[str, Any] = {"horizon": 4, "window": 12, "hyperparameters": {"epochs": 3}}
    once = train_model({"train": channel}, "nlinear", run_name="once", **options)
    twice = train_model({"train": channel}, "nlinear", run_name="twice", refit=True, **options)
    validated = once.card.evaluations[0].num_rows
    assert once.card.num_train_rows is not None
    assert twice.card.num_train_rows == once.card.num_train_rows + validated
    assert twice.card.evaluations[0].metrics == pytest.approx(once.card.evaluations[0].metrics)


def test_only_the_features_that_are_kept_are_fitted_again(channels: dict[str, Path], train_model: Train) -> None:
    trained = train_model(
        channels, "linear", refit=True, features={"default": "auto", "max_seconds": 5}, resample="smote"
    )
    phases = [phase for phase in trained.reporter.phases if phase.startswith("fit on all rows")]
    assert len(phases) == 1
    assert phases[0].endswith("features chosen") == (trained.card.features is not None)


@dataclass
class _HurryingReporter(RecordingReporter):
    """The second fit begins so many seconds before the deadline, which comes a second nearer whenever it is asked."""

    seconds: float = 0.0
    now: float = 0.0

    def message(self, text: str) -> None:
        super().message(text)
        if "fitted again" in text:
            self.now = DEADLINE - self.seconds

    def clock(self) -> float:
        self.now += 1.0
        return self.now


DEADLINE = 1e9


@pytest.mark.parametrize(("seconds", "is_refitted"), [(0.0, False), (3.0, False), (1e6, True)])
@pytest.mark.parametrize(("algorithm", "quick"), [("mlp", MLP), ("xgboost", TREES)])
def test_time_that_is_up_leaves_the_model_of_the_first_fit(
    tmp_path: Path, channels: dict[str, Path], algorithm: str, quick: dict[str, Any], seconds: float, is_refitted: bool
) -> None:
    spec = TrainSpec.model_validate({"dataset": "t", "algorithm": algorithm, "hyperparameters": quick, "refit": True})
    environment = build_environment(tmp_path / "run", channels, spec)
    reporter = _HurryingReporter(seconds=seconds)
    notes = Notes(reporter)
    material = load_material(read_channels(environment, spec, notes), environment, spec, notes)
    training = train_with_features(
        material,
        build_learner(spec),
        spec,
        num_threads=1,
        reporter=reporter,
        notes=notes,
        checkpoints=CheckpointPlace(path=environment.checkpoint_path, job="job", interval_seconds=60, message=notes),
        budget=Budget(deadline=DEADLINE, clock=reporter.clock),
        cluster=Cluster(),
        scratch_path=tmp_path,
    )
    assert training.is_refitted == is_refitted
    assert training.num_train_rows == (NUM_ROWS if is_refitted else NUM_ROWS - NUM_VALIDATION)
    assert any("time was up before the fit on all rows was done" in text for text in notes.texts) != is_refitted


def test_the_first_fit_leaves_time_for_the_second(channels: dict[str, Path]) -> None:
    spec = TrainSpec.model_validate({"dataset": "t", "algorithm": "mlp", "refit": True})
    environment = build_environment(channels["train"].parent / "run", channels, spec)
    notes = Notes(RecordingReporter())
    material = load_material(read_channels(environment, spec, notes), environment, spec, notes)
    assert refit_share(material, spec) == pytest.approx(1.25)
    assert refit_share(material, spec.model_copy(update={"refit": False})) == 0


class _Interrupting(RecordingReporter):
    """SIGTERM comes in the second fit."""

    has_interrupted = False

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        super().progress(phase, step=step, num_steps=num_steps, message=message)
        if phase == "fit on all rows" and step is not None and not self.has_interrupted:
            self.has_interrupted = True
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("algorithm", "quick"), [("mlp", MLP), ("xgboost", TREES)])
def test_d15_an_interrupted_second_fit_goes_on_and_the_first_is_not_done_again(
    channels: dict[str, Path], train_model: Train, algorithm: str, quick: dict[str, Any]
) -> None:
    options: dict[str, Any] = {"hyperparameters": quick, "refit": True}
    expected = train_model(channels, algorithm, run_name="undisturbed", **options)
    interruption.listen()
    with pytest.raises(Interrupted):
        train_model(channels, algorithm, run_name="disturbed", reporter=_Interrupting(), **options)
    interruption.listen()
    resumed = train_model(channels, algorithm, run_name="disturbed", **options)
    assert resumed.model == expected.model
    assert resumed.metrics == expected.metrics
    assert "validation/log_loss" not in resumed.reporter.curves


def test_refit_after_folds_is_refused() -> None:
    spec = TrainSpec.model_validate({"dataset": "tiny", "algorithm": "linear", "refit": True, "folds": 3})
    with pytest.raises(InvalidRequestError, match="Leave refit out") as caught:
        spec.check()
    assert caught.value.details[0].location == "body.spec.refit"
