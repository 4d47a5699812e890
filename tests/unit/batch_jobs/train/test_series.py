"""Series from channels to artifacts: lengths that differ, gaps, wide tables, and what cannot be learned from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidDataError, InvalidRequestError
from tests.unit.batch_jobs.channel_files import Columns, mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import Train, Trained

QUICK: dict[str, Any] = {"channels": [8, 8], "kernels": [5, 3], "epochs": 12, "learning_rate": 0.01}
RECURRENT: dict[str, Any] = {
    "hidden": 12,
    "embedding": 8,
    "dropout": 0.0,
    "epochs": 12,
    "learning_rate": 0.02,
    "batch_size": 16,
}


def waves(num_rows: int, *, seed: int = 0, min_length: int = 12, max_length: int = 24) -> Columns:
    """Two channels of noise; in one of the two, here or there, lies a bump that says which class it is."""
    rng = np.random.default_rng(seed)
    first: list[list[float | None]] = []
    second: list[list[float | None]] = []
    labels: list[str] = []
    for row in range(num_rows):
        length = int(rng.integers(min_length, max_length + 1))
        channels = rng.normal(50, 1, (2, length))
        place = int(rng.integers(0, length - 6))
        channels[row % 2, place : place + 6] += 8
        labels.append(("left", "right")[row % 2])
        texts: list[list[float | None]] = [list(values) for values in channels.tolist()]
        texts[0][int(rng.integers(0, length))] = None
        first.append(texts[0])
        second.append(texts[1])
    return {
        "left": (ColumnType.SERIES, first),
        "label": (ColumnType.SERIES, second),
        "class": (ColumnType.STRING, labels),
    }


def _run_golden(trained: Trained) -> list[Any]:
    inputs = {name: np.array(values, np.float32) for name, values in trained.golden.inputs.items()}
    return list(trained.session.run(list(trained.golden.outputs), inputs))


@pytest.fixture
def channels(tmp_path: Path) -> dict[str, Path]:
    train = write_channel(tmp_path / "train", waves(160), target="class")
    return {"train": train, "test": write_channel(tmp_path / "test", waves(60, seed=1, max_length=40), target="class")}


@pytest.mark.parametrize(
    ("algorithm", "framework", "chosen"),
    [
        ("fcn", "torch", QUICK),
        ("fcn", "torch", QUICK | {"residual": True}),
        ("fcn", "tensorflow", QUICK),
        ("rnn", "torch", RECURRENT),
        ("rnn", "tensorflow", RECURRENT),
    ],
)
def test_learns_series_of_any_length_and_exports_what_it_learned(
    channels: dict[str, Path], train_model: Train, algorithm: str, framework: str, chosen: dict[str, Any]
) -> None:
    trained = train_model(channels, algorithm, framework=framework, hyperparameters=chosen)
    assert trained.metrics["test/accuracy"] > 0.9
    assert trained.card.export_check.max_abs_difference < 1e-5
    assert [(spec.name, spec.shape) for spec in trained.signature.inputs] == [
        ("left", [-1, -1]),
        ("column label", [-1, -1]),
    ]
    assert {item.column for item in trained.card.importances} == {"left", "label"}
    for found, wanted in zip(_run_golden(trained), trained.golden.outputs.values(), strict=True):
        if found.dtype == object:
            assert found.tolist() == wanted
        else:
            np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_filling_up_changes_no_answer(channels: dict[str, Path], train_model: Train) -> None:
    trained = train_model(channels, "fcn", hyperparameters=QUICK | {"epochs": 2})
    values = np.random.default_rng(0).normal(50, 3, (2, 15)).astype(np.float32)
    plain = {"left": values, "column label": values}
    filled = {name: np.pad(each, ((0, 0), (0, 25)), constant_values=np.nan) for name, each in plain.items()}
    wanted = trained.session.run(["probabilities"], plain)[0]
    np.testing.assert_allclose(trained.session.run(["probabilities"], filled)[0], wanted, atol=1e-6)


def test_normalised_series_are_judged_by_their_shape_alone(channels: dict[str, Path], train_model: Train) -> None:
    trained = train_model(channels, "fcn", hyperparameters=QUICK | {"epochs": 2, "normalise_series": True})
    values = np.random.default_rng(0).normal(50, 3, (2, 15)).astype(np.float32)
    small, large = ({"left": each, "column label": each} for each in (values, values * 7 - 11))
    answers = [trained.session.run(["probabilities"], inputs)[0] for inputs in (small, large)]
    np.testing.assert_allclose(*answers, atol=1e-3)


def test_a_wide_table_is_one_channel(tmp_path: Path, train_model: Train) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 20))
    for row in range(0, 120, 2):
        place = rng.integers(0, 14)
        values[row, place : place + 6] += 4
    columns: Columns = {"y": (ColumnType.STRING, ["bump", "none"] * 60)}
    columns |= {f"c{step}": (ColumnType.NUMBER, values[:, step].tolist()) for step in range(20)}
    path = write_channel(tmp_path / "data", columns, target="y")
    trained = train_model({"train": path}, "fcn", hyperparameters=QUICK)
    assert trained.metrics["accuracy"] > 0.85
    assert [spec.shape for spec in trained.signature.inputs] == [[-1, 1]] * 20
    assert "20 numeric columns, 'c0' to 'c19', are read in order as one series" in trained.reporter.messages


def test_a_number_is_predicted_from_series(tmp_path: Path, train_model: Train) -> None:
    rng = np.random.default_rng(0)
    series = [rng.normal(size=int(rng.integers(5, 15))) for _ in range(200)]
    columns: Columns = {
        "x": (ColumnType.SERIES, [values.tolist() for values in series]),
        "y": (ColumnType.NUMBER, [1000 + 50 * float(values.mean()) for values in series]),
    }
    path = write_channel(tmp_path / "data", columns, target="y")
    assert train_model({"train": path}, "fcn", hyperparameters=QUICK).metrics["r2"] > 0.5


def test_the_same_seed_gives_the_same_model(channels: dict[str, Path], train_model: Train) -> None:
    quick = QUICK | {"epochs": 2}
    first = train_model(channels, "fcn", hyperparameters=quick, seed=7, run_name="first")
    assert first.model == train_model(channels, "fcn", hyperparameters=quick, seed=7, run_name="second").model


def test_channels_of_different_lengths_in_a_row_are_refused(tmp_path: Path, train_model: Train) -> None:
    columns = dict(waves(30))
    cells = list(columns["left"][1])
    cells[17] = [1.0, 2.0]
    path = write_channel(tmp_path / "data", columns | {"left": (ColumnType.SERIES, cells)}, target="class")
    with pytest.raises(InvalidDataError, match=r"in 1 rows .* in row 17: left 2, label \d+\. Give them one length"):
        train_model({"train": path}, "fcn", hyperparameters=QUICK)


def test_a_series_that_is_missing_in_some_rows_is_learned_around(tmp_path: Path, train_model: Train) -> None:
    columns = dict(waves(60))
    cells: list[Any] = list(columns["left"][1])
    cells[3] = None
    columns["left"] = (ColumnType.SERIES, cells)
    path = write_channel(tmp_path / "data", columns, target="class")
    assert train_model({"train": path}, "fcn", hyperparameters=QUICK | {"epochs": 2}).card.num_train_rows == 48


def test_algorithms_for_tables_leave_series_out(tmp_path: Path, train_model: Train) -> None:
    path = write_channel(tmp_path / "data", waves(30), target="class")
    with pytest.raises(InvalidDataError, match="no usable feature column"):
        train_model({"train": path}, "linear")


def test_a_table_of_words_has_no_series(tmp_path: Path, train_model: Train) -> None:
    columns, _ = mixed_columns(30)
    path = write_channel(tmp_path / "data", {"色": columns["色"], "is_new": columns["is_new"]}, target="is_new")
    with pytest.raises(InvalidDataError, match="no series to learn from"):
        train_model({"train": path}, "fcn")


def test_kernels_and_channels_must_fit_together(channels: dict[str, Path], train_model: Train) -> None:
    with pytest.raises(InvalidRequestError, match="channels has 2 entries and kernels 3"):
        train_model(channels, "fcn", hyperparameters={"channels": [8, 8]})
