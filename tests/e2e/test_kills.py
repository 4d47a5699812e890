"""Kills in the middle of the work: nothing acknowledged is lost, nothing hangs, the failure says why."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

import aimass
from aimass.errors import ConnectionFailedError, JobFailedError
from aimass.resources.jobs import Job
from aimass_core.domain import keys
from aimass_core.domain.datasets import UploadStatus, WriteMode
from aimass_core.domain.jobs import EventType, JobEvent, JobStatus
from tests.e2e.processes import processes_of
from tests.stack import Stack, wait_until, write_loans

SECONDS = 300.0
# Boosted trees begin at once, where a network's libraries take seconds to import. Nobody waits for the end of these.
_LONG = {"num_rounds": 20_000, "learning_rate": 0.001, "early_stopping_rounds": 1000}
# Some seconds after the first checkpoint, so that whoever disturbs it does so in the middle.
_RESUMED = {"epochs": 14, "patience": 14, "batch_size": 8}
_SHORT = {"num_rounds": 20}


class _StopWaitingError(Exception):
    """Leaves `wait` once the job has begun to train."""


def _wait_for_training(job: Job) -> None:
    def on_update(current: aimass.resources.jobs.Job, events: Sequence[JobEvent]) -> None:
        assert not current.status.is_terminal, current.failure
        if any(event.type is EventType.METRICS for event in events):
            raise _StopWaitingError

    with pytest.raises(_StopWaitingError):
        job.wait(on_update=on_update, timeout_seconds=SECONDS)


@pytest.fixture(scope="module")
def dataset(killed_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("kills") / "loans.csv"
    write_loans(path, num_rows=2000, seed=0)
    with killed_stack.client() as client:
        return client.datasets.upload(path, name="loans", target="repaid").ref


def test_d6_killed_process_fails_with_the_reason_and_retry_succeeds(killed_stack: Stack, dataset: str) -> None:
    with killed_stack.client() as client:
        job = client.jobs.train(dataset, algorithm="xgboost", hyperparameters=_LONG)
        _wait_for_training(job)
        for process in processes_of(job):
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(JobFailedError, match="killed") as caught:
            job.wait(timeout_seconds=SECONDS)
        assert caught.value.job.failure is not None
        assert caught.value.job.failure.exit_code == 137
        again = client.jobs.retry(job.id)
        assert again.retry_of == job.id
        _wait_for_training(again)
        again.stop()
        stopped = again.wait(raise_on_failure=False, timeout_seconds=SECONDS)
        assert stopped.status is JobStatus.STOPPED
        wait_until(lambda: not processes_of(again))


def _train(client: aimass.Client, dataset: str) -> Job:
    return client.jobs.train(dataset, algorithm="mlp", hyperparameters=_RESUMED, seed=5, checkpoint_seconds=1)


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


def test_d15_the_next_attempts_go_on_and_end_with_the_undisturbed_metrics(killed_stack: Stack, dataset: str) -> None:
    """The machine dies, and then the second attempt's container is stopped."""
    with killed_stack.client() as client:
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


# In `make test` a training whose cloud is killed is that of D15, and ends with the undisturbed metrics.
@pytest.mark.slow
def test_j15_killed_local_cloud_in_mid_training_loses_nothing_and_the_job_ends(
    killed_stack: Stack, dataset: str
) -> None:
    with killed_stack.client() as client:
        job = client.jobs.train(
            dataset, algorithm="mlp", hyperparameters={"epochs": 25, "batch_size": 16, "patience": 25}
        )
        _wait_for_training(job)
        killed_stack.kill()
        killed_stack.up()
        ended = client.jobs.get(job.id).wait(raise_on_failure=False, timeout_seconds=SECONDS)
        if ended.status is not JobStatus.SUCCEEDED:
            assert ended.failure is not None
            assert "terminated" in ended.failure.cause
            ended = client.jobs.retry(job.id).wait(timeout_seconds=SECONDS)
        assert ended.model_version is not None
        assert client.datasets.get_version("loans", 1).num_rows == 2000
        assert ended.model_version.get().metrics["roc_auc"] > 0.8


def test_j15_what_was_acknowledged_a_moment_before_a_kill_is_done_after_it(
    killed_stack: Stack, dataset: str, tmp_path: Path
) -> None:
    """A job, an upload and a dropped file; the kill comes right after the last answer."""
    write_loans(tmp_path / "more.csv", num_rows=300, seed=1)
    bucket, key = killed_stack.outputs["LandingBucketName"], "drop/default/dropped/dropped.csv"
    with killed_stack.client() as client:
        s3 = killed_stack.aws("s3")
        version = client.datasets.upload(tmp_path / "more.csv", name="more", target="repaid", wait=False)
        job = client.jobs.train(dataset, algorithm="xgboost", hyperparameters=_SHORT)
        s3.put_object(Bucket=bucket, Key=key, Body=(tmp_path / "more.csv").read_bytes())
        killed_stack.kill()
        killed_stack.up()
        assert client.datasets.get_version("more", version.number).wait(timeout_seconds=SECONDS).num_rows == 300
        wait_until(
            lambda: "dropped" in [one.name for one in client.datasets.list() if one.latest_version], seconds=SECONDS
        )
        assert client.datasets.get_version("dropped", 1).num_rows == 300
        assert client.jobs.get(job.id).wait(timeout_seconds=SECONDS).status is JobStatus.SUCCEEDED


def test_a6_upload_that_a_kill_interrupted_goes_on_where_it_stopped(
    killed_stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.csv"
    rng = np.random.default_rng(0)
    lines = [f"{number},{rng.bytes(800).hex()}\n" for number in range(43_000)]
    path.write_text("number,text\n" + "".join(lines))
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
    with killed_stack.client(transport=_Cut(), max_retries=0) as broken, pytest.raises(ConnectionFailedError):
        broken.datasets.upload(path, name="large")
    killed_stack.kill()
    killed_stack.up()
    with killed_stack.client() as client:
        dataset = client.datasets.get("large")
        waiting = _uploads(client, dataset.id)
        assert [upload["status"] for upload in waiting] == [UploadStatus.AWAITING]
        assert dataset.latest_version is None
        seen: list[int] = []
        version = client.datasets.upload(path, name="large", on_bytes=lambda so_far, _: seen.append(so_far))
        assert version.num_rows == 43_000
        assert version.mode is WriteMode.REPLACE
        assert [upload["id"] for upload in _uploads(client, dataset.id)] == [waiting[0]["id"]]
        assert seen[0] >= 2 * 16 * 1024**2


def _uploads(client: aimass.Client, dataset_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.http.request("GET", f"/v1/datasets/{dataset_id}/uploads")["items"]
    return items
