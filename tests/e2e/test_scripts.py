"""A script of the user's own, from a folder to served predictions, on both compute services; and how it fails."""

import subprocess
from pathlib import Path

import httpx2
import numpy as np
import pytest
import tritonclient.http as triton

import aimass
from aimass_core.domain.jobs import JobStatus
from tests.ports import free_port
from tests.stack import BIN, Stack, wait_until

SECONDS = 400.0

TRAIN = """
import argparse, json, os
from pathlib import Path

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from columns import NAMES

parser = argparse.ArgumentParser()
parser.add_argument("--penalty", type=float)
parser.add_argument("--epochs", type=int)
given = parser.parse_args()


def read(channel):
    folder = Path(os.environ[f"SM_CHANNEL_{channel.upper()}"])
    frame = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))]).dropna(subset=NAMES)
    target = json.loads((folder / "schema.json").read_text())["target"]
    return frame[NAMES].astype(np.float32), frame[target].astype(str)


x, y = read("train")
scale = ColumnTransformer([("scale", StandardScaler(), NAMES)])
model = make_pipeline(scale, LogisticRegression(C=given.penalty)).fit(x, y)
accuracy = model.score(*read("validation"))
for epoch in range(given.epochs):
    print(f"[aimass] validation/accuracy={accuracy} step={epoch + 1}")
Path(os.environ["SM_OUTPUT_DATA_DIR"], "metrics.json").write_text(json.dumps({"accuracy": accuracy}))
types = [(name, FloatTensorType([None, 1])) for name in NAMES]
graph = to_onnx(model, initial_types=types, options={"zipmap": False}, target_opset=18)
Path(os.environ["SM_MODEL_DIR"], "loans.onnx").write_bytes(graph.SerializeToString())
leaked = [name for name in os.environ if name.startswith(("AWS_", "ECS_")) or name == "AIMASS_REGISTRY_TABLE"]
assert not leaked, leaked
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    (folder / "columns.py").write_text('NAMES = ["income", "age"]\n')
    (folder / "requirements.txt").write_text("scikit-learn\nskl2onnx\n")
    return folder


@pytest.fixture(scope="module")
def data(stack: Stack, loans: tuple[Path, Path]) -> str:
    stack.cli("datasets", "upload", "scripted", str(loans[0]), "--target", "repaid")
    stack.cli("datasets", "upload", "scripted-val", str(loans[1]), "--target", "repaid")
    return "scripted"


def test_script_becomes_a_served_model(data: str, source: Path, stack: Stack, client: aimass.Client) -> None:
    arguments = ["--dataset", data, "--channel", "validation=scripted-val", "-H", "epochs=3", "-H", "penalty=0.5"]
    shown = stack.cli("run", str(source), "--entry-point", "train.py", *arguments, "--model", "own")
    assert "accuracy" in shown
    version = client.models.get_version("own", 1)
    assert version.card is not None
    assert (version.card.algorithm, version.card.hyperparameters) == ("script", {"epochs": 3, "penalty": 0.5})
    assert version.metrics["accuracy"] > 0.7
    points = client.jobs.events(version.job_id).events
    assert any(event.type == "metrics" for event in points)
    stack.cli("deploy", "own")
    server = triton.InferenceServerClient(f"127.0.0.1:{stack.port}")
    inputs = []
    for name, values in {"income": [[90_000.0], [10_000.0]], "age": [[50.0], [50.0]]}.items():
        tensor = triton.InferInput(name, [2, 1], "FP32")
        tensor.set_data_from_numpy(np.array(values, np.float32))
        inputs.append(tensor)
    answer = server.infer("own", inputs, headers={"Authorization": f"Bearer {stack.api_key}"})
    assert [label.decode() for label in answer.as_numpy("label")] == ["yes", "no"]


def test_same_script_on_sagemaker_makes_the_same_model(data: str, source: Path, client: aimass.Client) -> None:
    options = {
        "dataset": data,
        "channels": {"validation": "scripted-val"},
        "hyperparameters": {"penalty": 1.0, "epochs": 1},
    }
    on_batch = client.jobs.run_script(source, model="twin", **options).wait()  # type: ignore[arg-type]
    compute = {"backend": "sagemaker", "instance_type": "ml.m5.large"}
    on_sagemaker = client.jobs.run_script(source, model="twin", **options, **compute).wait()  # type: ignore[arg-type]
    assert on_batch.spec == on_sagemaker.spec, "the same source is the same bytes"
    digests = [client.models.get_version("twin", number).digest for number in (1, 2)]
    assert digests[0] == digests[1]
    assert on_batch.metrics == on_sagemaker.metrics


def test_failed_script_shows_its_traceback(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "train.py").write_text("def fit():\n    raise ValueError('rows went missing')\n\nfit()\n")
    words = stack.cli("run", str(folder), exit_code=1)
    assert "in fit" in words
    assert "exit code 1: ValueError: rows went missing" in words
    job = next(iter(client.jobs.list(status="FAILED")))
    assert job.failure is not None
    assert (job.failure.code, job.failure.exit_code) == ("script_failed", 64)


def test_endless_script_is_stopped_with_all_that_it_started(
    stack: Stack, client: aimass.Client, tmp_path: Path
) -> None:
    folder = tmp_path / "endless"
    folder.mkdir()
    (folder / "train.py").write_text(
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(10_000)'], start_new_session=True)\n"
        "print('[aimass] begun=1 step=1')\n"
        "while True: time.sleep(1)\n"
    )
    job = client.jobs.run_script(folder)

    def stop_once_begun(job: aimass.resources.jobs.Job, events: object) -> None:
        if any(event.type == "metrics" for event in events):  # type: ignore[attr-defined]
            job.stop()

    ended = job.wait(on_update=stop_once_begun, raise_on_failure=False, timeout_seconds=300)
    assert ended.status == "STOPPED"


def test_files_that_are_no_onnx_are_kept_as_artifacts(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "train.py").write_text(
        "import os, pickle\npickle.dump({'a': 1}, open(os.environ['SM_MODEL_DIR'] + '/model.pkl', 'wb'))\n"
    )
    job = client.jobs.run_script(folder).wait()
    assert job.model_version is None
    assert [artifact.name for artifact in client.jobs.artifacts(job.id)] == ["output/model/model.pkl"]
    assert "output/model/model.pkl" in stack.cli("jobs", "artifacts", job.id)


def test_dry_run_tells_and_submits_nothing(data: str, stack: Stack, client: aimass.Client) -> None:
    before = [job.id for job in client.jobs.list()]
    table = stack.cli("train", data, "--algorithm", "xgboost", "--dry-run", "--max-cost-usd", "0.05")
    assert "memory (MiB)" in table
    assert "cost (USD)" in table
    assert [job.id for job in client.jobs.list()] == before


def test_tensorboard_shows_the_curves_of_a_job_that_runs(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "train.py").write_text(
        "import itertools, time\n"
        "for step in itertools.count(1):\n"
        "    print(f'[aimass] validation/loss={1 / step} step={step}', flush=True)\n"
        "    time.sleep(0.5)\n"
    )
    job = client.jobs.run_script(tmp_path)
    command = [str(BIN / "aimass"), "tensorboard", job.id, "--no-open", "--port", str(port)]
    environment = {name: value for name, value in stack.environment().items() if not name.startswith("AWS_")}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as board:
        try:
            first = wait_until(lambda: _scalars(port, "0001/running", "validation/loss"), seconds=SECONDS)
            assert client.jobs.get(job.id).status is JobStatus.RUNNING
            more = wait_until(
                lambda: len(found := _scalars(port, "0001/running", "validation/loss")) > len(first) and found,
                seconds=SECONDS,
            )
            assert more[: len(first)] == first
        finally:
            board.terminate()
    job.stop()


def _scalars(port: int, run: str, tag: str) -> list[list[float]]:
    try:
        answer = httpx2.get(f"http://127.0.0.1:{port}/data/plugin/scalars/scalars", params={"run": run, "tag": tag})
    except httpx2.TransportError:
        return []
    points: list[list[float]] = answer.json() if answer.status_code == 200 else []
    return points
