"""Several processes train one model together, each with the command and the folders of a container on SageMaker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.jobs import TrainSpec, to_hyperparameters
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from tests.stack import wait_until
from tests.unit.batch_jobs.channel_files import mixed_columns, shape_images, write_channel

_SECONDS = 400
_INTERRUPTED, _KILLED = 75, -signal.SIGKILL
_MLP = {"epochs": 8, "patience": 8, "batch_size": 32, "dropout": 0.0, "hidden": [32]}
_LONG: dict[str, dict[str, Any]] = {
    "mlp": _MLP | {"epochs": 60, "patience": 60, "batch_size": 16, "dropout": 0.3},
    "xgboost": {"num_rounds": 1200, "early_stopping_rounds": 1000, "learning_rate": 0.001},
}
_XGBOOST = {"num_rounds": 400, "early_stopping_rounds": 20}


@dataclass(frozen=True)
class Machine:
    """One of the processes, with its folder and its log."""

    root: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.root / "log").read_text()

    def end(self) -> int:
        """Its exit code."""
        return self.process.wait(timeout=_SECONDS)

    def metrics(self) -> dict[str, float]:
        found: dict[str, float] = json.loads((self.root / "output/data/metrics.json").read_text())
        return found


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns, signal_values = mixed_columns(600, seed=3)
    noisy = signal_values + np.random.default_rng(0).normal(0, 1, len(signal_values))
    columns["good"] = (ColumnType.STRING, np.where(noisy > 0, "yes", "no").tolist())
    return write_channel(tmp_path_factory.mktemp("table") / "train", columns, target="good")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pixels, labels = shape_images(300, size=12)
    columns = {"image": (ColumnType.IMAGE, pixels), "label": (ColumnType.STRING, labels)}
    shape = ImageShape(height=12, width=12, channels=1)
    path = tmp_path_factory.mktemp("images") / "train"
    return write_channel(path, columns, target="label", kind=DatasetKind.IMAGES, image_shape=shape)


class Site:
    """Starts the machines of a job; those of a later attempt find the checkpoints of the former."""

    def __init__(self, path: Path, channel: Path) -> None:
        self._path, self._channel = path, channel

    def start(self, num: int, algorithm: str, chosen: Mapping[str, Any], *, name: str, **spec: Any) -> list[Machine]:
        hosts = [f"127.0.0.{number + 1}" for number in range(num)]
        words = {"dataset": "tiny", "algorithm": algorithm, "hyperparameters": chosen, "checkpoint_seconds": 1} | spec
        given = to_hyperparameters(TrainSpec.model_validate(words))
        return [self._start(self._path / name / host, host, hosts, given) for host in hosts]

    def train(self, num: int, algorithm: str, chosen: Mapping[str, Any], **spec: Any) -> list[Machine]:
        machines = self.start(num, algorithm, chosen, name=f"{algorithm}-{num}", **spec)
        for machine in machines:
            assert machine.end() == 0, machine.log
        return machines

    def _start(self, root: Path, host: str, hosts: list[str], given: Mapping[str, str]) -> Machine:
        config = root / "input/config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "hyperparameters.json").write_text(json.dumps(given))
        resources = {"current_host": host, "hosts": hosts, "network_interface_name": "lo"}
        (config / "resourceconfig.json").write_text(json.dumps(resources))
        (root / "input/data").mkdir(exist_ok=True)
        if not (root / "input/data/train").exists():
            (root / "input/data/train").symlink_to(self._channel)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIMASS_")} | {
            "SAGEMAKER_BASE_DIR": str(root),
            "OMP_NUM_THREADS": "1",
            "TRAINING_JOB_NAME": str(root.parent),
        }
        command = [sys.executable, "-m", "batch_jobs", "train"]
        with (root / "log").open("ab") as log:
            return Machine(root, subprocess.Popen(command, env=environment, stdout=log, stderr=log))


@pytest.fixture
def site(tmp_path: Path, table: Path) -> Site:
    return Site(tmp_path, table)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Callable[[str], dict[str, float]]:
    """The metrics of a long training on two machines."""
    site = Site(tmp_path_factory.mktemp("undisturbed"), table)
    return cache(lambda algorithm: site.train(2, algorithm, _LONG[algorithm])[0].metrics())


@pytest.mark.parametrize("framework", ["torch", pytest.param("tensorflow", marks=pytest.mark.slow)])
def test_three_machines_make_the_steps_of_one_with_batches_that_they_cannot_divide(site: Site, framework: str) -> None:
    chosen = _MLP | {"batch_size": 64, "accumulation": 2, "class_weights": "balanced"}
    (alone,) = site.train(1, "mlp", chosen, framework=framework)
    main, *others = site.train(3, "mlp", chosen, framework=framework)
    assert main.metrics() == pytest.approx(alone.metrics(), abs=2e-3)
    for other in others:
        assert not (other.root / "output/data/metrics.json").exists()
        assert list((other.root / "model").iterdir()) == []
        assert list((other.root / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"framework": "tensorflow"},
        pytest.param({"framework": "torch"}, marks=pytest.mark.slow),
        pytest.param({"framework": "tensorflow", "folds": 2}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_images_are_learned_by_two(tmp_path: Path, images: Path, spec: dict[str, Any]) -> None:
    chosen = {"channels": [8], "hidden": 16, "epochs": 6, "patience": 6, "batch_size": 32, "learning_rate": 0.01}
    main, _ = Site(tmp_path, images).train(2, "cnn", chosen, **spec)
    assert main.metrics()["accuracy"] > 0.9


def test_folds_of_trees_of_two_machines_are_as_good_as_those_of_one(site: Site) -> None:
    (alone,), (main, other) = site.train(1, "xgboost", _XGBOOST, folds=3), site.train(2, "xgboost", _XGBOOST, folds=3)
    assert main.metrics()["roc_auc"] == pytest.approx(alone.metrics()["roc_auc"], abs=0.02)
    assert not (other.root / "output/data/metrics.json").exists()


@pytest.mark.parametrize(
    ("algorithm", "how", "victim"),
    [
        # In `make test` a node of this training is killed on the deployed stack, and a machine with a part of it here.
        pytest.param("mlp", signal.SIGKILL, 0, marks=pytest.mark.slow),
        pytest.param("mlp", signal.SIGTERM, 1, marks=pytest.mark.slow),
        pytest.param("xgboost", signal.SIGKILL, 1, marks=pytest.mark.slow),
        ("xgboost", signal.SIGTERM, 0),
    ],
)
def test_a_lost_machine_ends_the_attempt_and_the_next_ends_as_if_undisturbed(
    site: Site, undisturbed: Callable[[str], dict[str, float]], algorithm: str, how: signal.Signals, victim: int
) -> None:
    chosen = _LONG[algorithm]
    machines = site.start(2, algorithm, chosen, name="disturbed")
    main = machines[0]
    wait_until(lambda: list(main.root.glob("checkpoints/*/*.safetensors")), seconds=_SECONDS)
    os.kill(machines[victim].process.pid, how)
    codes = [machine.end() for machine in machines]
    expected = [_INTERRUPTED, _INTERRUPTED]
    if how is signal.SIGKILL:
        expected[victim] = _KILLED
    assert codes == expected, [machine.log for machine in machines]
    if how is signal.SIGKILL:
        assert "Another machine of the job was lost" in machines[1 - victim].log

    again = site.start(2, algorithm, chosen, name="disturbed")
    assert [machine.end() for machine in again] == [0, 0], [machine.log for machine in again]
    assert "goes on from a checkpoint" in again[0].log
    assert "goes on from a checkpoint" in again[1].log
    assert again[0].metrics() == undisturbed(algorithm)


def test_a_lost_main_machine_is_noticed_by_tensorflow(site: Site) -> None:
    main, other = machines = site.start(2, "mlp", _LONG["mlp"], name="lost", framework="tensorflow")
    wait_until(lambda: list(main.root.glob("checkpoints/*/*.safetensors")), seconds=_SECONDS)
    os.kill(main.process.pid, signal.SIGKILL)
    assert [machine.end() for machine in machines] == [_KILLED, _INTERRUPTED], other.log
    assert "Another machine of the job was lost" in other.log


def test_a_machine_with_a_part_of_the_network_is_lost_and_the_next_attempt_goes_on(site: Site) -> None:
    chosen = _LONG["mlp"] | {"sharding": "full"}
    machines = site.start(2, "mlp", chosen, name="disturbed")
    wait_until(lambda: list(machines[0].root.glob("checkpoints/*/*.safetensors")), seconds=_SECONDS)
    machines[1].process.kill()
    assert [machine.end() for machine in machines] == [_INTERRUPTED, _KILLED], [machine.log for machine in machines]
    assert "Another machine of the job was lost" in machines[0].log

    again = site.start(2, "mlp", chosen, name="disturbed")
    try:
        wait_until(lambda: all("goes on from a checkpoint" in machine.log for machine in again), seconds=_SECONDS)
    finally:
        for machine in again:
            machine.process.kill()
            machine.end()


def test_a_loss_that_is_no_number_is_told_by_every_machine(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {name: (ColumnType.NUMBER, rng.normal(size=200).tolist()) for name in ("a", "b")}
    channel = write_channel(tmp_path / "train", columns, target="b")
    wild = {"optimizer": "sgd", "learning_rate": 1.0, "schedule": "constant", "max_gradient_norm": None}
    machines = Site(tmp_path, channel).start(2, "mlp", _MLP | wild, name="wild")
    assert [machine.end() for machine in machines] == [64, 64], [machine.log for machine in machines]
    assert all("the loss is not a number any more" in machine.log for machine in machines)


@pytest.mark.slow
def test_a_batch_that_is_too_small_to_be_shared_is_refused(site: Site) -> None:
    machines = site.start(2, "mlp", _MLP | {"batch_size": 3}, name="small")
    assert [machine.end() for machine in machines] == [64, 64]
    assert "a batch has 3 rows, and each of 2 machines needs two of them: raise batch_size to 4" in machines[0].log
