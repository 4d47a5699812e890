"""An algorithm of a package that is not ours: installed with pip, listed, trained, served."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Stack, run_stack, write_loans

PACKAGE = Path(__file__).parents[1] / "plugins" / "nearest"


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[Stack]:
    """A stack whose processes see the package, and nobody else's do."""
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(PACKAGE, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(site), str(source)], check=True, capture_output=True)
    yield from run_stack(tmp_path / "stack", variables={"PYTHONPATH": str(site)})


def test_a_package_adds_an_algorithm(plugged: Stack, tmp_path: Path) -> None:
    assert "nearest" in plugged.cli("algorithms", "list")
    shown = plugged.cli("algorithms", "show", "nearest")
    assert "sharpness" in shown
    assert "> 0, <= 100" in shown
    loans = tmp_path / "loans.csv"
    write_loans(loans, num_rows=400, seed=0)
    plugged.cli("datasets", "upload", "loans", str(loans), "--target", "repaid")
    words = plugged.cli("train", "loans", "-a", "nearest", "-H", "sharpness=1000", exit_code=3)
    assert "sharpness: Input should be less than or equal to 100" in words
    plugged.cli("train", "loans", "-a", "nearest", "-H", "sharpness=0.5")
    with plugged.client() as client:
        version = client.models.get_version("loans", 1)
        assert version.card is not None
        assert (version.card.algorithm, version.card.framework) == ("nearest", "numpy")
        assert version.card.hyperparameters == {"sharpness": 0.5}
        assert version.metrics["roc_auc"] > 0.8
    # A client without the package reads the job and deploys the model.
    alone = {name: value for name, value in plugged.environment().items() if name != "PYTHONPATH"}
    aimass = [str(Path(sys.executable).parent / "aimass")]
    listed = subprocess.run([*aimass, "jobs", "list"], env=alone, capture_output=True, text=True, check=True)
    assert "nearest on loans" in listed.stdout
    assert "READY" in plugged.cli("deploy", "loans")
