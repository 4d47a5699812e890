"""What is said of a model once it is judged."""

from pathlib import Path

import numpy as np
import pytest

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Importance
from batch_jobs.train.handover import find_leak
from tests.unit.batch_jobs.channel_files import write_channel
from tests.unit.batch_jobs.conftest import Train


@pytest.mark.parametrize(
    ("metrics", "means", "expected"),
    [
        ({"roc_auc": 1.0}, [0.5, 0.0, -0.01], "c0"),
        ({"rmse": 0.1, "r2": 0.9999}, [90.0, 0.5], "c0"),
        ({"roc_auc": 1.0}, [0.5, 0.1], None),
        ({"roc_auc": 0.98, "accuracy": 0.97}, [0.5, 0.0], None),
        ({"roc_auc": 1.0}, [0.5], None),
        ({"roc_auc": 1.0}, [], None),
    ],
)
def test_one_column_that_tells_all_is_found(metrics: dict[str, float], means: list[float], expected: str) -> None:
    importances = [Importance(column=f"c{place}", mean=mean, std=0.0) for place, mean in enumerate(means)]
    assert find_leak(metrics, importances) == expected


def test_a_leak_is_told_with_what_to_do(tmp_path: Path, train_model: Train) -> None:
    rng = np.random.default_rng(0)
    size, truth = rng.normal(size=300), rng.random(300) < 0.5
    columns = {
        "size": (ColumnType.NUMBER, (size + truth).tolist()),
        "code": (ColumnType.STRING, np.where(truth, "C17", "C02").tolist()),
        "y": (ColumnType.BOOLEAN, truth.tolist()),
    }
    trained = train_model({"train": write_channel(tmp_path / "data", columns, target="y")}, "lightgbm")
    assert any("by the column 'code' alone" in warning for warning in trained.card.warnings)
