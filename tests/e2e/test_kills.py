"""Kills in the middle of the work: nothing acknowledged is lost, nothing hangs, the failure says why."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psutil
import pytest

import aimass
from aimass.errors import ConnectionFailedError, JobFailedError
from aimass.resources.jobs import Job
from aimass_core.domain.datasets import UploadStatus, WriteMode
from aimass_core.domain.jobs import EventType, JobEvent, JobStatus
from tests.stack import Stack, wait_until, write_loans

_LONG = {"epochs": 400, "patience": 400, "batch_size": 16}
_SHORT = {"num_rounds": 20}


class _StopWaitingError(Exception):
    """Leaves `wait` once the job has begun to train."""


def _wait_for_training(job: Job) -> None:
    def on_update(current: aimass.resources.jobs.Job, events: Sequence[JobEvent]) -> None:
        assert not current.status.is_terminal, current.failure
        if any(event.type is EventType.METRICS for event in events):
            raise _StopWaitingError

    with pytest.raises(_StopWaitingError):
        job.wait(on_update=on_update, timeout_seconds=120)


def _processes(job: Job) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if "batch_jobs" not in (process.info["cmdline"] or []):
            continue
        try:
            if process.environ().get("AIMASS_JOB_ID") == job.id:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture
def dataset(own_stack: Stack, tmp_path: Path) -> str:
    write_loans(tmp_path / "loans.csv", num_rows=2000, seed=0)
    with own_stack.client() as client:
        return client.datasets.upload(tmp_path / "loans.csv", name="loans", target="repaid").ref


def test_d6_killed_process_fails_with_the_reason_and_retry_succeeds(own_stack: Stack, dataset: str) -> None:
    with own_stack.client() as client:
        job = client.jobs.train(dataset, algorithm="mlp", hyperparameters=_LONG)
        _wait_for_training(job)
        for process in _processes(job):
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(JobFailedError, match="killed") as caught:
            job.wait(timeout_seconds=60)
        assert caught.value.job.failure is not None
        assert caught.value.job.failure.exit_code == 137
        other = client.jobs.train(dataset, algorithm="xgboost", hyperparameters=_SHORT).wait(timeout_seconds=120)
        assert other.status is JobStatus.SUCCEEDED
        again = client.jobs.retry(job.id)
        assert again.retry_of == job.id
        _wait_for_training(again)
        again.stop()
        stopped = again.wait(raise_on_failure=False, timeout_seconds=60)
        assert stopped.status is JobStatus.STOPPED
        wait_until(lambda: not _processes(again))


def test_j15_killed_local_cloud_in_mid_training_loses_nothing_and_the_job_ends(
    own_stack: Stack, dataset: str, tmp_path: Path
) -> None:
    with own_stack.client() as client:
        job = client.jobs.train(
            dataset, algorithm="mlp", hyperparameters={"epochs": 25, "batch_size": 16, "patience": 25}
        )
        _wait_for_training(job)
        own_stack.kill()
        own_stack.up()
        ended = client.jobs.get(job.id).wait(raise_on_failure=False, timeout_seconds=180)
        if ended.status is not JobStatus.SUCCEEDED:
            assert ended.failure is not None
            assert "terminated" in ended.failure.cause
            ended = client.jobs.retry(job.id).wait(timeout_seconds=180)
        assert ended.model_version is not None
        assert client.datasets.get_version("loans", 1).num_rows == 2000
        assert ended.model_version.get().metrics["roc_auc"] > 0.8


def test_j15_what_was_acknowledged_a_moment_before_a_kill_is_done_after_it(
    own_stack: Stack, dataset: str, tmp_path: Path
) -> None:
    """A job, an upload and a dropped file; each kill comes right after the answer."""
    write_loans(tmp_path / "more.csv", num_rows=300, seed=1)
    with own_stack.client() as client:
        job = client.jobs.train(dataset, algorithm="xgboost", hyperparameters=_SHORT)
        own_stack.kill()
        own_stack.up()
        assert client.jobs.get(job.id).wait(timeout_seconds=180).status is JobStatus.SUCCEEDED

        version = client.datasets.upload(tmp_path / "more.csv", name="more", target="repaid", wait=False)
        own_stack.kill()
        own_stack.up()
        assert client.datasets.get_version("more", version.number).wait(timeout_seconds=180).num_rows == 300

        bucket, key = own_stack.outputs["LandingBucketName"], "drop/default/more/dropped.csv"
        own_stack.aws("s3").put_object(Bucket=bucket, Key=key, Body=(tmp_path / "more.csv").read_bytes())
        own_stack.kill()
        own_stack.up()
        wait_until(lambda: client.datasets.get("more").latest_version == 2, seconds=180)
        assert client.datasets.get_version("more", 2).num_rows == 600


def test_a6_upload_that_a_kill_interrupted_goes_on_where_it_stopped(
    own_stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.csv"
    values = np.random.default_rng(0).normal(size=(560_000, 8)).round(12)
    np.savetxt(path, values, delimiter=",", header=",".join(f"x{i}" for i in range(8)), comments="", fmt="%.16g")
    assert path.stat().st_size > 64 * 1024**2
    sent: list[str] = []

    class _Cut(httpx2.HTTPTransport):
        """Lets two parts pass, then the line is dead."""

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.method == "PUT":
                if len(sent) >= 2:
                    raise httpx2.ConnectError("cut")
                sent.append(str(request.url))
            return super().handle_request(request)

    monkeypatch.setattr("aimass.uploading._NUM_CONNECTIONS", 1)
    with own_stack.client(transport=_Cut(), max_retries=0) as broken, pytest.raises(ConnectionFailedError):
        broken.datasets.upload(path, name="large")
    own_stack.kill()
    own_stack.up()
    with own_stack.client() as client:
        dataset = client.datasets.get("large")
        waiting = _uploads(client, dataset.id)
        assert [upload["status"] for upload in waiting] == [UploadStatus.AWAITING]
        assert dataset.latest_version is None
        seen: list[int] = []
        version = client.datasets.upload(path, name="large", on_bytes=lambda so_far, _: seen.append(so_far))
        assert version.num_rows == 560_000
        assert version.mode is WriteMode.REPLACE
        assert [upload["id"] for upload in _uploads(client, dataset.id)] == [waiting[0]["id"]]
        assert seen[0] >= 2 * 16 * 1024**2


def _uploads(client: aimass.Client, dataset_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.http.request("GET", f"/v1/datasets/{dataset_id}/uploads")["items"]
    return items
