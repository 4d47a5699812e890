"""Trainings whose process or machine goes away: they go on from their last checkpoint and end as if undisturbed."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import httpx2
import psutil
import pytest

import aimass
from aimass.resources.jobs import Job
from aimass_core.domain import keys
from aimass_core.domain.jobs import EventType, JobStatus
from tests.ports import free_port
from tests.stack import BIN, Stack, wait_until, write_loans

# Some seconds after the first checkpoint, so that whoever disturbs it does so in the middle.
_CHOSEN = {"epochs": 50, "patience": 50, "batch_size": 8}


@pytest.fixture
def dataset(own_stack: Stack, tmp_path: Path) -> str:
    write_loans(tmp_path / "loans.csv", num_rows=2000, seed=0)
    with own_stack.client() as client:
        return client.datasets.upload(tmp_path / "loans.csv", name="loans", target="repaid").ref


def _train(client: aimass.Client, dataset: str) -> Job:
    return client.jobs.train(dataset, algorithm="mlp", hyperparameters=_CHOSEN, seed=5, checkpoint_seconds=1)


def _list_checkpoints(stack: Stack, job: Job) -> list[str]:
    prefix = keys.job_checkpoints(job.workspace_id, job.id)
    answer = stack.aws("s3").list_objects_v2(Bucket=stack.outputs["LakeBucketName"], Prefix=prefix)
    return [item["Key"] for item in answer.get("Contents", [])]


def _terminate(stack: Stack, job: Job) -> None:
    """As a container is stopped: SIGTERM to its first process."""
    for process in psutil.process_iter(["cmdline"]):
        if "batch_jobs" in (process.info["cmdline"] or []) and process.environ().get("AIMASS_JOB_ID") == job.id:
            process.send_signal(signal.SIGTERM)


def _kill_the_machine(stack: Stack, job: Job) -> None:
    del job
    stack.kill()
    stack.up()


def test_d15_the_next_attempt_goes_on_and_ends_with_the_undisturbed_metrics(own_stack: Stack, dataset: str) -> None:
    with own_stack.client() as client:
        undisturbed = _train(client, dataset).wait(timeout_seconds=240)
        assert undisturbed.attempt == 1
        for disturb in (_terminate, _kill_the_machine):
            job = _train(client, dataset)
            wait_until(lambda job=job: _list_checkpoints(own_stack, job), seconds=120)  # type: ignore[misc]
            disturb(own_stack, job)
            ended = client.jobs.get(job.id).wait(timeout_seconds=240)
            assert ended.attempt == 2
            events = client.jobs.events(job.id).events
            texts = [str(event.data["text"]) for event in events if event.type is EventType.MESSAGE]
            assert any("goes on from a checkpoint in epoch" in text for text in texts), texts
            assert _list_checkpoints(own_stack, job) == []
            assert ended.metrics == undisturbed.metrics


def test_tensorboard_shows_the_curves_of_a_job_that_runs(
    stack: Stack, client: aimass.Client, loans: tuple[Path, Path]
) -> None:
    port = free_port()
    dataset = client.datasets.upload(loans[0], name="curves", target="repaid").ref
    job = client.jobs.train(dataset, algorithm="mlp", hyperparameters=_CHOSEN | {"epochs": 10_000, "patience": None})
    command = [str(BIN / "aimass"), "tensorboard", job.id, "--no-open", "--port", str(port)]
    environment = {name: value for name, value in stack.environment().items() if not name.startswith("AWS_")}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as board:
        try:
            tag = "validation/log_loss"
            first = wait_until(lambda: _scalars(port, "0001/fit", tag), seconds=120)
            assert client.jobs.get(job.id).status is JobStatus.RUNNING
            more = wait_until(lambda: len(found := _scalars(port, "0001/fit", tag)) > len(first) and found, seconds=120)
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
