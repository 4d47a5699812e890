"""Data that does not fit into the job's memory."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from aimass_core.domain.schemas import ColumnType
from tests.unit.batch_jobs.channel_files import mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import Train

LITTLE = 64 * 1024
QUICK: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [16], "epochs": 3, "batch_size": 32},
    "xgboost": {"num_rounds": 20, "early_stopping_rounds": 20},
    "lightgbm": {"num_rounds": 20, "early_stopping_rounds": 20, "min_child_samples": 5},
}


def _channels(path: Path, *, task: str = "binary", group_rows: int = 64) -> dict[str, Path]:
    channels = {}
    for seed, name in enumerate(("train", "test")):
        columns, signal = mixed_columns(500, seed=seed)
        target = (ColumnType.NUMBER, signal.tolist())
        if task == "binary":
            target = ColumnType.STRING, [None if row == 3 else "yes" if x > 0 else "no" for row, x in enumerate(signal)]
        channels[name] = write_channel(path / name, columns | {"target": target}, target="target")
        _regroup(channels[name] / "00000.parquet", group_rows)
    return channels


def _regroup(file: Path, num_rows: int) -> None:
    pq.write_table(pq.read_table(file), file, row_group_size=num_rows)


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("algorithm", list(QUICK))
def test_it_is_read_from_disk_and_gives_the_model_of_memory(
    tmp_path: Path, train_model: Train, algorithm: str, task: str
) -> None:
    channels = _channels(tmp_path, task=task)
    expected = train_model(channels, algorithm, hyperparameters=QUICK[algorithm], run_name="memory")
    found = train_model(channels, algorithm, hyperparameters=QUICK[algorithm], run_name="disk", memory_bytes=LITTLE)
    assert any("is read from disk" in warning for warning in found.card.warnings)
    assert not any("is read from disk" in warning for warning in expected.card.warnings)
    assert found.metrics == pytest.approx(expected.metrics, rel=1e-6)
    for channel in ("validation", "test"):
        assert found.predictions(channel)["row"] == expected.predictions(channel)["row"]
    assert found.card.export_check.num_rows == expected.card.export_check.num_rows
    assert found.model == expected.model
