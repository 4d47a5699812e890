"""The image's entry points, in an environment that holds what the image installs and nothing else: `make test-image`.

Without Docker: the Dockerfile runs the same program to make it. What the tests write is made by their own Python.
"""

import json
import os
import subprocess
from pathlib import Path

import httpx2
import numpy as np
import pytest

from aimass_core.domain.jobs import TrainSpec, to_hyperparameters
from aimass_core.domain.schemas import ColumnType
from batch_jobs.runtime.lifecycle import KINDS
from tests.ports import free_port
from tests.stack import wait_until
from tests.unit.batch_jobs.channel_files import mixed_columns, write_channel

IMAGE = Path(os.environ.get("AIMASS_IMAGE", ""))
if not IMAGE.name:
    pytest.skip("AIMASS_IMAGE names no environment: make test-image installs one", allow_module_level=True)
# What an algorithm is fitted with; the libraries of all of them are in the image.
ALGORITHMS = (
    ("linear", "sklearn"),
    ("xgboost", "xgboost"),
    ("lightgbm", "lightgbm"),
    ("catboost", "catboost"),
    ("mlp", "torch"),
    ("mlp", "tensorflow"),
)
# Of an image of its own (docs/RECIPES.md).
WITH_JAVA = "pyspark"


def environment(root: Path) -> dict[str, str]:
    """Nothing of this process: what the container's image and its host set."""
    return {"PATH": f"{IMAGE / 'bin'}:/usr/bin:/bin", "HOME": str(root), "SAGEMAKER_BASE_DIR": str(root)}


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=root, env=environment(root), capture_output=True, text=True, timeout=550, check=False
    )


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns, signal = mixed_columns(200, seed=3)
    columns["good"] = (ColumnType.STRING, np.where(signal > 0, "yes", "no").tolist())
    return write_channel(tmp_path_factory.mktemp("table") / "train", columns, target="good")


def new_folders(root: Path, channel: Path, algorithm: str, framework: str) -> None:
    config = root / "input/config"
    config.mkdir(parents=True)
    spec = TrainSpec(dataset="tiny", algorithm=algorithm, framework=framework, hyperparameters=_short(algorithm))
    (config / "hyperparameters.json").write_text(json.dumps(to_hyperparameters(spec)))
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
    (root / "input/data").mkdir()
    (root / "input/data/train").symlink_to(channel)


def _short(algorithm: str) -> dict[str, int]:
    return {
        "mlp": {"epochs": 2},
        "xgboost": {"num_rounds": 5},
        "lightgbm": {"num_rounds": 5},
        "catboost": {"num_rounds": 5},
    }.get(algorithm, {})


def test_what_is_installed_fits_together(tmp_path: Path) -> None:
    done = run(tmp_path, "python", "-m", "pip", "check")
    assert done.returncode == 0, done.stdout


def test_nothing_of_this_repository_is_found_elsewhere(tmp_path: Path) -> None:
    program = (
        "import aimass, aimass_core, batch_jobs as jobs; print(*(m.__file__ for m in (aimass, aimass_core, jobs)))"
    )
    done = run(tmp_path, "python", "-c", program)
    assert all(path.startswith(f"{IMAGE}/lib/") for path in done.stdout.split()), done.stdout + done.stderr


def test_every_module_finds_what_it_imports(tmp_path: Path) -> None:
    program = f"""
import importlib, pkgutil, batch_jobs
for module in pkgutil.walk_packages(batch_jobs.__path__, "batch_jobs."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name.partition(".")[0] != {WITH_JAVA!r}:
                print(module.name, error)
"""
    done = run(tmp_path, "python", "-c", program)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_by_hand_it_says_which_commands_there_are(tmp_path: Path) -> None:
    done = run(tmp_path, "python", "-m", "batch_jobs")
    assert done.returncode == 64
    assert f"usage: python -m batch_jobs {'|'.join(KINDS)}" in done.stdout


@pytest.mark.parametrize(("algorithm", "framework"), ALGORITHMS)
def test_train_leaves_a_model_as_sagemaker_starts_it(
    tmp_path: Path, channel: Path, algorithm: str, framework: str
) -> None:
    new_folders(tmp_path, channel, algorithm, framework)
    done = run(tmp_path, "train")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "model/model.onnx").stat().st_size


def test_serve_answers_as_sagemaker_asks(tmp_path: Path, channel: Path) -> None:
    new_folders(tmp_path, channel, "linear", "sklearn")
    assert run(tmp_path, "train").returncode == 0
    port, log = free_port(), tmp_path / "log"
    given = {**environment(tmp_path), "SAGEMAKER_BIND_TO_PORT": str(port)}
    with log.open("wb") as file:
        server = subprocess.Popen(["serve"], cwd=tmp_path, env=given, stdout=file, stderr=file)
    try:
        wait_until(lambda: _is_ready(server, port, log))
        rows = {"rows": [{"width": 1.5}]}
        answer = httpx2.post(f"http://127.0.0.1:{port}/invocations", json=rows, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.json()["predictions"][0]["label"] in ("yes", "no")
    finally:
        server.terminate()
        assert server.wait(timeout=60) == 0


def _is_ready(server: "subprocess.Popen[bytes]", port: int, log: Path) -> bool:
    assert server.poll() is None, log.read_text()
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/ping", timeout=5).status_code == 200
    except httpx2.TransportError:
        return False
