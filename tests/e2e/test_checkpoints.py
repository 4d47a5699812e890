"""Trainings whose process or machine goes away: they go on from their last checkpoint and end as if undisturbed."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import httpx2

import aimass
from aimass.resources.jobs import Job
from aimass_core.domain import keys
from aimass_core.domain.jobs import EventType, JobStatus
from tests.e2e.processes import processes_of
from tests.ports import free_port
from tests.stack import BIN, Stack, wait_until, write_loans

SECONDS = 400.0
# Some seconds after the first checkpoint, so that whoever disturbs it does so in the middle.
_CHOSEN = {"epochs": 30, "patience": 30, "batch_size": 8}


def _train(client: aimass.Client, dataset: str) -> Job:
    return client.jobs.train(dataset, algorithm="mlp", hyperparameters=_CHOSEN, seed=5, checkpoint_seconds=1)


def _list_checkpoints(stack: Stack, job: Job) -> list[str]:
    prefix = keys.job_checkpoints(job.workspace_id, job.id)
    answer = stack.aws("s3").list_objects_v2(Bucket=stack.outputs["LakeBucketName"], Prefix=prefix)
    return [item["Key"] for item in answer.get("Contents", [])]


def _terminate(job: Job) -> None:
    """As a container is stopped: SIGTERM to its first process."""
    for process in processes_of(job):
        process.send_signal(signal.SIGTERM)


def _continued(client: aimass.Client, job: Job) -> list[str]:
    """What its attempts said that went on where others had stopped."""
    events = client.jobs.events(job.id).events
    texts = [str(event.data["text"]) for event in events if event.type is EventType.MESSAGE]
    return [text for text in texts if "goes on from a checkpoint in epoch" in text]


def test_d15_the_next_attempts_go_on_and_end_with_the_undisturbed_metrics(killed_stack: Stack, tmp_path: Path) -> None:
    """The machine dies, and then the second attempt's container is stopped."""
    write_loans(tmp_path / "loans.csv", num_rows=2000, seed=0)
    with killed_stack.client() as client:
        dataset = client.datasets.upload(tmp_path / "loans.csv", name="continued", target="repaid").ref
        undisturbed = _train(client, dataset).wait(timeout_seconds=SECONDS)
        assert undisturbed.attempt == 1
        job = _train(client, dataset)
        wait_until(lambda: _list_checkpoints(killed_stack, job), seconds=SECONDS)
        killed_stack.kill()
        killed_stack.up()
        wait_until(lambda: _continued(client, job), seconds=SECONDS)
        _terminate(job)
        ended = client.jobs.get(job.id).wait(timeout_seconds=SECONDS)
        assert ended.attempt == 3
        assert len(_continued(client, job)) == 2
        assert _list_checkpoints(killed_stack, job) == []
        assert ended.metrics == undisturbed.metrics


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
