"""A model of another tool from its file to an endpoint, through CLI, API, Batch and the predictions function."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xgboost

import aimass
from tests.stack import Stack

NAMES = ["size", "rooms", "age"]
SCRIPT = Path(__file__).with_name("foreign_models.py")


def test_a_booster_is_imported_and_served(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    matrix = xgboost.DMatrix(rows, rows[:, 0] * 2 + rows[:, 1], feature_names=NAMES)
    booster = xgboost.train({"objective": "reg:squarederror"}, matrix, 10)
    booster.save_model(tmp_path / "house-price.ubj")
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",", header=",".join(NAMES), comments="", fmt="%.9g")
    expected = booster.predict(matrix)

    told = stack.cli(
        "models",
        "import",
        str(tmp_path / "house-price.ubj"),
        "--samples",
        str(tmp_path / "rows.csv"),
        "--target",
        "price",
    )
    assert "max_abs_difference" in told
    version = client.models.get_version("house-price", 1)
    assert version.card is not None
    assert (version.algorithm, version.task, version.card.framework) == ("imported", "regression", "xgboost")
    stack.cli("deploy", "house-price")
    asked = [dict(zip(NAMES, row, strict=True)) for row in rows[:50].tolist()]
    values = [answer.value for answer in client.endpoints.predict("house-price", asked).predictions]
    assert values == pytest.approx(expected[:50].tolist(), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "file", "options"),
    [
        ("keras", "keras-price.keras", ["--trust-pickle"]),
        ("torchscript", "torch-price.pt", ["--task", "regression"]),
        ("mlflow", "mlflow-price", []),
    ],
)
def test_models_of_other_tools_are_imported_and_served(
    stack: Stack, client: aimass.Client, tmp_path: Path, kind: str, file: str, options: list[str]
) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    samples = tmp_path / "rows.csv"
    np.savetxt(samples, rows, delimiter=",", header=",".join(NAMES), comments="", fmt="%.9g")
    subprocess.run([sys.executable, str(SCRIPT), kind, str(tmp_path)], check=True, capture_output=True)
    expected = np.load(tmp_path / "answers.npy")
    told = stack.cli("models", "import", str(tmp_path / file), "--samples", str(samples), *options)
    assert "max_abs_difference" in told
    name = f"{kind.removesuffix('script')}-price"
    stack.cli("deploy", name)
    asked = [dict(zip(NAMES, row, strict=True)) for row in rows.tolist()]
    values = [answer.value for answer in client.endpoints.predict(name, asked).predictions]
    assert values == pytest.approx(expected.tolist(), abs=1e-4)
