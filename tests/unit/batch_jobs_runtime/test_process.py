"""`python -m batch_jobs` as a real process in SageMaker's folders."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aimass_core.domain.jobs import TrainSpec, to_hyperparameters
from batch_jobs.runtime.lifecycle import KINDS

REPOSITORY = Path(__file__).resolve().parents[3]

# Stands in for batch_jobs.train: the process, its signals and its exit codes are what is tested here.
KIND = """
import sys, time, types
from batch_jobs.runtime import lifecycle

def run(environment, reporter):
    reporter.progress("train", step=1, num_steps=2)
    if environment.spec.seed == 1:
        time.sleep(60)
    if environment.spec.seed == 2:
        raise RuntimeError("it broke")
    (environment.model_path / "model.onnx").write_bytes(b"model")
    return {"accuracy": 1.0}

sys.modules["batch_jobs.train"] = types.SimpleNamespace(run=run)
sys.exit(lifecycle.main(["train"]))
"""


def new_folders(root: Path, *, seed: int) -> Path:
    config = root / "input" / "config"
    config.mkdir(parents=True)
    spec = TrainSpec(dataset="adult", algorithm="linear", target="income", seed=seed)
    (config / "hyperparameters.json").write_text(json.dumps(to_hyperparameters(spec)))
    (config / "inputdataconfig.json").write_text("{}")
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
    return root


def start(root: Path, *command: str) -> subprocess.Popen[str]:
    environment = {"PATH": os.defpath, "SAGEMAKER_BASE_DIR": str(root), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, *command], cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    )


def test_process_leaves_its_model_and_plain_lines(tmp_path: Path) -> None:
    with start(new_folders(tmp_path, seed=0), "-c", KIND) as process:
        lines, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    assert (tmp_path / "model" / "model.onnx").read_bytes() == b"model"
    assert "INFO [train] 1/2" in lines
    assert "accuracy=1" in lines


def test_failure_is_in_the_file_in_the_log_and_in_the_exit_code(tmp_path: Path) -> None:
    with start(new_folders(tmp_path, seed=2), "-c", KIND) as process:
        lines, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert (tmp_path / "output" / "failure").read_text().startswith("RuntimeError: it broke\nTraceback")
    assert "ERROR RuntimeError: it broke" in lines


def test_d1_sigterm_ends_the_process_with_the_code_that_is_retried(tmp_path: Path) -> None:
    with start(new_folders(tmp_path, seed=1), "-c", KIND) as process:
        assert process.stdout is not None
        guard = threading.Timer(60, process.kill)
        guard.start()
        for line in process.stdout:
            if "[train]" in line:
                process.send_signal(signal.SIGTERM)
        guard.cancel()
    assert process.returncode == 75
    assert (tmp_path / "output" / "failure").read_text().startswith("Attempt 1 was interrupted (SIGTERM)")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["train", "ingest"]], ids=str)
def test_unknown_kind_is_refused_with_the_known_ones(tmp_path: Path, arguments: list[str]) -> None:
    with start(tmp_path, "-m", "batch_jobs", *arguments) as process:
        lines, _ = process.communicate(timeout=300)
    assert process.returncode == 64
    assert f"usage: python -m batch_jobs {'|'.join(KINDS)}" in lines
