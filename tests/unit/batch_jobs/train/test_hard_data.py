"""Jobs of networks on data that is hard to train on, from channels to artifacts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidRequestError
from tests.unit.batch_jobs.channel_files import mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import Train

_MLP: dict[str, Any] = {"hidden": [16], "epochs": 3}


def _table(path: Path, labels: list[Any], column_type: ColumnType = ColumnType.STRING) -> dict[str, Path]:
    columns, _ = mixed_columns(len(labels))
    return {"train": write_channel(path / "train", columns | {"target": (column_type, labels)}, target="target")}


def test_classes_of_one_and_of_two_rows_are_missing_in_folds(tmp_path: Path, train_model: Train) -> None:
    labels = ["often", "seldom"] * 30
    labels[0], labels[1], labels[2] = "once", "twice", "twice"
    trained = train_model(_table(tmp_path, labels), "mlp", hyperparameters=_MLP, folds=3)
    assert trained.signature.labels == ["often", "once", "seldom", "twice"]
    assert trained.card.num_train_rows == 60
    judged = trained.predictions("validation")
    assert len(judged["row"]) == 59, "the one example of a class stays in training"
    assert all(np.isfinite(value) for value in trained.metrics.values())


def test_a_loss_that_is_no_number_ends_the_job_with_what_to_do(tmp_path: Path, train_model: Train) -> None:
    wild = {"optimizer": "sgd", "learning_rate": 1.0, "schedule": "constant", "max_gradient_norm": None, "epochs": 200}
    values = np.random.default_rng(0).normal(size=60).tolist()
    channels = _table(tmp_path, values, ColumnType.NUMBER)
    with pytest.raises(InvalidRequestError, match=r"not a number any more in epoch \d+, step \d+: lower learning_rate"):
        train_model(channels, "mlp", hyperparameters=_MLP | wild)


def test_a_batch_larger_than_the_data_is_told_on_the_card(tmp_path: Path, train_model: Train) -> None:
    channels = _table(tmp_path, ["yes", "no"] * 30)
    trained = train_model(channels, "mlp", hyperparameters=_MLP | {"batch_size": 65_536})
    assert any("batch_size 65536 is more than the 48 rows" in text for text in trained.card.warnings)


def test_texts_without_a_word_and_with_100_000_are_learned(tmp_path: Path, train_model: Train) -> None:
    texts: list[Any] = [f"{word} words, number {row}" for row in range(20) for word in ("good", "bad")]
    texts[0], texts[1], texts[2], texts[3] = "", "good " * 100_000, None, "?!" * 50_000
    columns = {"text": (ColumnType.STRING, texts), "label": (ColumnType.STRING, ["good", "bad"] * 20)}
    channels = {"train": write_channel(tmp_path / "train", columns, target="label")}
    quick = {"hidden": 4, "embedding": 4, "epochs": 2, "max_tokens": 64}
    trained = train_model(channels, "rnn", hyperparameters=quick)
    assert trained.card.export_check.max_abs_difference < 1e-5


def test_series_without_a_step_and_with_100_000_are_learned(tmp_path: Path, train_model: Train) -> None:
    series: list[Any] = [[float(row % 2), 1.0, 2.0] for row in range(20)]
    series[0], series[1], series[2] = [], np.sin(np.arange(100_000) / 50).tolist(), None
    columns = {"signal": (ColumnType.SERIES, series), "label": (ColumnType.STRING, ["even", "odd"] * 10)}
    channels = {"train": write_channel(tmp_path / "train", columns, target="label")}
    trained = train_model(channels, "fcn", hyperparameters={"channels": [2, 2], "kernels": [5, 3], "epochs": 2})
    assert trained.card.export_check.max_abs_difference < 1e-5
