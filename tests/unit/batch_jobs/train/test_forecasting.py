"""Forecasts from channels to artifacts: no window reaches into what judges it, and the graph repeats the network."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.reports import ModelReport
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidDataError
from tests.unit.batch_jobs.channel_files import Columns, write_channel
from tests.unit.batch_jobs.conftest import Train, Trained

QUICK: dict[str, Any] = {"epochs": 20, "learning_rate": 0.02}
RECURRENT: dict[str, Any] = {"hidden": 24, "embedding": 16, "dropout": 0.0, "pooling": "last", "batch_size": 16}
NUM_ROWS, WINDOW, HORIZON = 300, 24, 6


def season(num_rows: int = NUM_ROWS, *, first: int = 0, noise: float = 0.3) -> Columns:
    """A season of twelve rows on a line, with a driver that is of no use and a column of words."""
    rng = np.random.default_rng(first)
    steps = np.arange(first, first + num_rows)
    values = 1000 + steps + 40 * np.sin(2 * np.pi * steps / 12) + rng.normal(0, noise, num_rows)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    return {
        "word": (ColumnType.STRING, ["x"] * num_rows),
        "driver": (ColumnType.INTEGER, rng.integers(0, 9, num_rows).tolist()),
        "sales": (ColumnType.NUMBER, values.tolist()),
        "at": (ColumnType.DATETIME, [start + timedelta(hours=int(step)) for step in steps]),
    }


def _forecast(train_model: Train, channels: dict[str, Path], *, algorithm: str = "nlinear", **options: Any) -> Trained:
    spec = {"horizon": HORIZON, "window": WINDOW, "time_column": "at", "hyperparameters": QUICK} | options
    return train_model(channels, algorithm, **spec)


@pytest.fixture
def channels(tmp_path: Path) -> dict[str, Path]:
    return {
        "train": write_channel(tmp_path / "train", season(), target="sales"),
        "test": write_channel(tmp_path / "test", season(100, first=NUM_ROWS), target="sales"),
    }


@pytest.mark.parametrize(
    ("algorithm", "framework", "options"),
    [
        ("nlinear", "torch", {}),
        ("nlinear", "torch", {"all_columns": True}),
        ("nlinear", "torch", {"hidden": [32]}),
        ("rnn", "torch", RECURRENT),
        pytest.param("rnn", "tensorflow", RECURRENT, marks=pytest.mark.slow),
    ],
)
def test_forecasts_a_season_and_exports_what_it_learned(
    channels: dict[str, Path], train_model: Train, algorithm: str, framework: str, options: dict[str, Any]
) -> None:
    chosen = QUICK | options
    trained = _forecast(train_model, channels, algorithm=algorithm, framework=framework, hyperparameters=chosen)
    card = trained.card
    assert card.task == "forecasting"
    assert trained.metrics["test/rmse"] < 12
    assert card.primary_metric == "rmse"
    assert card.export_check.max_abs_difference < 1e-5
    report = ModelReport.model_validate_json((trained.model_path / "report.json").read_bytes())
    assert report.forecasts is not None
    assert len(report.forecasts.errors) == HORIZON
    assert np.mean(report.forecasts.errors) == pytest.approx(trained.metrics["test/mae"], rel=1e-3)
    assert 'aria-label="Error by step"' in (trained.model_path / "report.html").read_text(encoding="utf-8")
    scale = np.std(season()["sales"][1][:240])
    assert trained.metrics["test/scaled_mae"] == pytest.approx(trained.metrics["test/mae"] / scale, rel=1e-3)
    assert trained.metrics["test/scaled_mse"] == pytest.approx((trained.metrics["test/rmse"] / scale) ** 2, rel=1e-3)
    assert [(spec.name, spec.shape, spec.column_type) for spec in trained.signature.inputs] == [
        ("sales", [-1, WINDOW], "series"),
        ("driver", [-1, WINDOW], "series"),
    ]
    assert trained.signature.outputs[0].shape == [-1, HORIZON]
    inputs = {name: np.array(values, np.float32) for name, values in trained.golden.inputs.items()}
    (found,) = trained.session.run(["value"], inputs)
    np.testing.assert_allclose(found, trained.golden.outputs["value"], atol=trained.golden.tolerance)


def test_the_last_part_validates_and_nothing_that_is_trained_on_reaches_into_it(
    channels: dict[str, Path], train_model: Train
) -> None:
    trained = _forecast(train_model, {"train": channels["train"]})
    cut = NUM_ROWS - round(NUM_ROWS * 0.2)
    assert trained.card.num_train_rows == cut - WINDOW - HORIZON + 1
    table = trained.predictions("validation")
    assert table["row"] == list(range(cut - 1, NUM_ROWS - HORIZON))
    sales = season()["sales"][1]
    assert table["actual"][0] == pytest.approx(sales[cut : cut + HORIZON])
    assert len(table["value"][0]) == HORIZON


def test_rows_are_taken_in_the_order_of_time(tmp_path: Path, channels: dict[str, Path], train_model: Train) -> None:
    order = np.random.default_rng(0).permutation(NUM_ROWS)
    shuffled = {name: (kind, [values[row] for row in order]) for name, (kind, values) in season().items()}
    path = write_channel(tmp_path / "shuffled", shuffled, target="sales")
    wanted = _forecast(train_model, {"train": channels["train"]}, run_name="in order")
    found = _forecast(train_model, {"train": path}, run_name="shuffled")
    assert found.metrics == wanted.metrics
    assert found.model == wanted.model


def test_what_comes_later_changes_no_weight(tmp_path: Path, channels: dict[str, Path], train_model: Train) -> None:
    """The judged rows choose the epoch, nothing else: with one epoch there is nothing to choose."""
    columns = dict(season())
    changed = [*columns["sales"][1][:240], *(value * 3 for value in columns["sales"][1][240:])]
    path = write_channel(tmp_path / "changed", columns | {"sales": (ColumnType.NUMBER, changed)}, target="sales")
    quick = {"hyperparameters": QUICK | {"epochs": 1}}
    models = [
        _forecast(train_model, {"train": each}, run_name=name, **quick).model
        for name, each in (("as is", channels["train"]), ("changed", path))
    ]
    assert models[0] == models[1]


def test_the_naive_forecasts_are_told(channels: dict[str, Path], train_model: Train) -> None:
    trained = _forecast(train_model, channels)
    naive = [text for text in trained.card.warnings if text.startswith("naive forecasts, test")]
    assert "last value rmse" in naive[0]
    assert "last season of 12 rows rmse 12" in naive[0]


def test_missing_values_are_learned_around(tmp_path: Path, train_model: Train) -> None:
    columns = dict(season())
    sales: list[Any] = list(columns["sales"][1])
    driver: list[Any] = list(columns["driver"][1])
    sales[100] = driver[50] = None
    columns |= {"sales": (ColumnType.NUMBER, sales), "driver": (ColumnType.INTEGER, driver)}
    path = write_channel(tmp_path / "data", columns, target="sales")
    trained = _forecast(train_model, {"train": path})
    assert trained.card.num_train_rows == 240 - WINDOW - HORIZON + 1 - HORIZON
    assert np.isfinite(trained.metrics["rmse"])


@pytest.mark.parametrize(
    ("algorithm", "framework", "options"),
    [
        ("nlinear", "torch", {}),
        ("rnn", "torch", RECURRENT),
        pytest.param("rnn", "tensorflow", RECURRENT, marks=pytest.mark.slow),
    ],
)
def test_one_step_ahead_from_the_default_window(
    channels: dict[str, Path], train_model: Train, algorithm: str, framework: str, options: dict[str, Any]
) -> None:
    chosen = QUICK | options
    trained = _forecast(
        train_model,
        channels,
        algorithm=algorithm,
        framework=framework,
        hyperparameters=chosen,
        horizon=1,
        window=None,
    )
    assert trained.signature.inputs[0].shape == [-1, 32]
    assert trained.signature.outputs[0].shape == [-1, 1]
    assert trained.metrics["test/rmse"] < 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "word"}, "'word' is a string column: choose one of"),
        ({"time_column": "word"}, "time_column must be of dates, times or numbers"),
        ({"window": 290}, "the train rows give 0 windows of 290 rows"),
        ({"horizon": 150, "window": 100}, "windows of 100 rows that are followed by 150 rows"),
    ],
)
def test_what_cannot_be_forecast_is_told(
    channels: dict[str, Path], train_model: Train, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidDataError, match=message):
        _forecast(train_model, channels, **options)


def test_a_constant_target_is_refused(tmp_path: Path, train_model: Train) -> None:
    columns = season() | {"sales": (ColumnType.NUMBER, [7.0] * NUM_ROWS)}
    path = write_channel(tmp_path / "data", columns, target="sales")
    with pytest.raises(InvalidDataError, match="nothing to learn"):
        _forecast(train_model, {"train": path})
