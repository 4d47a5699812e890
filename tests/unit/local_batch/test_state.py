"""What is left after the server has gone, kindly or not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aimass_local.documents import DocumentStore, NotSavedError, StateLockedError
from tests.unit.local_batch.harness import LocalBatch, RefusedError

DAY = 24 * 3600
HOST_TERMINATED = "Host EC2 (instance i-local) terminated."


def test_everything_survives_a_restart(start_batch: Callable[..., LocalBatch]) -> None:
    batch = start_batch()
    batch.set_up()
    definition = batch.define("true")
    single, array = batch.submit(tags={"owner": "me"}), batch.submit(arrayProperties={"size": 3})
    batch.wait(single)
    batch.wait(array)
    before = [batch.describe(job_id) for job_id in (single, array, f"{array}:2")]
    batch.close()

    batch = start_batch()
    assert [batch.describe(job_id) for job_id in (single, array, f"{array}:2")] == before
    assert batch.call("DescribeJobQueues")["jobQueues"][0]["jobQueueName"] == "queue"
    assert batch.define("true") == definition.replace(":1", ":2")
    assert batch.wait(batch.submit())["status"] == "SUCCEEDED"


def test_running_job_is_failed_with_its_host_after_a_restart(start_batch: Callable[..., LocalBatch]) -> None:
    batch = start_batch()
    batch.set_up()
    batch.define("sleep", "60")
    job_id = batch.submit()
    batch.wait(job_id, "RUNNING")
    batch.close()

    batch = start_batch()
    job = batch.wait(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", HOST_TERMINATED)
    assert [attempt["statusReason"] for attempt in job["attempts"]] == [HOST_TERMINATED]
    assert "exitCode" not in job["attempts"][0]["container"]
    assert batch.statuses_of(job_id) == ["FAILED"]


def test_running_job_is_retried_after_a_restart_if_its_rules_say_so(start_batch: Callable[..., LocalBatch]) -> None:
    rules = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    batch = start_batch()
    batch.set_up()
    batch.define("sh", "-c", "sleep $((AWS_BATCH_JOB_ATTEMPT == 1 ? 60 : 0))")
    job_id = batch.submit(retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    waiting = batch.submit(dependsOn=[{"jobId": job_id}], containerOverrides={"command": ["true"]})
    batch.wait(job_id, "RUNNING")
    batch.close()

    batch = start_batch()
    job = batch.wait(job_id)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["statusReason"] for attempt in job["attempts"]] == [
        HOST_TERMINATED,
        "Essential container in task exited",
    ]
    assert batch.wait(waiting)["status"] == "SUCCEEDED"


def test_shutdown_does_not_wait_for_a_stop_that_is_under_way(start_batch: Callable[..., LocalBatch]) -> None:
    batch = start_batch(stop_grace_seconds=600.0)
    batch.set_up()
    batch.define("sh", "-c", "trap '' TERM; echo up; while true; do sleep 0.1; done")
    job_id = batch.submit()
    job = batch.wait(job_id, "RUNNING")
    batch.wait_until(lambda: batch.log_of(job))
    batch.call("TerminateJob", jobId=job_id, reason="stop")
    batch.close()  # the harness gives it 20 s
    batch = start_batch()
    job = batch.wait(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "stop")


def test_array_goes_on_after_a_restart(start_batch: Callable[..., LocalBatch]) -> None:
    batch = start_batch()
    batch.set_up()
    batch.define("sleep", "0.05")
    array = batch.submit(arrayProperties={"size": 12}, retryStrategy={"attempts": 2})
    batch.wait(f"{array}:3")
    batch.close()
    batch = start_batch()
    assert batch.wait(array)["status"] == "SUCCEEDED"


def test_array_ends_if_its_last_running_child_lost_its_host(start_batch: Callable[..., LocalBatch]) -> None:
    batch = start_batch()
    batch.set_up()
    batch.define("sh", "-c", "sleep $((AWS_BATCH_JOB_ARRAY_INDEX == 0 ? 60 : 0))")
    array = batch.submit(arrayProperties={"size": 2})
    batch.wait(f"{array}:1")
    batch.wait(f"{array}:0", "RUNNING")
    batch.close()
    batch = start_batch()
    parent = batch.wait(array)
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert batch.statuses_of(array) == ["FAILED"]


def test_damaged_state_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "batch.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(StateLockedError, match="move the file away"):
        DocumentStore.open(tmp_path / "batch.sqlite3")
    assert (tmp_path / "batch.sqlite3").read_bytes() == b"no database" * 100


def test_j14_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = DocumentStore.open(tmp_path / "batch.sqlite3")
    with pytest.raises(StateLockedError, match="Stop the other server"):
        DocumentStore.open(tmp_path / "batch.sqlite3")
    first.close()
    DocumentStore.open(tmp_path / "batch.sqlite3").close()


def test_old_jobs_are_forgotten_after_seven_days(start_batch: Callable[..., LocalBatch]) -> None:
    now = [1_000_000.0]
    batch = start_batch(clock=lambda: now[0])
    batch.set_up()
    batch.define("true")
    old, array = batch.submit(), batch.submit(arrayProperties={"size": 2})
    batch.wait(old)
    batch.wait(array)
    now[0] += 6 * DAY
    young = batch.submit()
    batch.wait(young)
    batch.close()

    now[0] += 2 * DAY
    batch = start_batch(clock=lambda: now[0])
    known = batch.call("DescribeJobs", jobs=[old, array, f"{array}:0", young])["jobs"]
    assert [job["jobId"] for job in known] == [young]


class FullDisk:
    """A connection whose disk is full while `is_full`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.is_full = True

    def __enter__(self) -> object:
        return self._connection.__enter__()

    def __exit__(self, *error: object) -> object:
        return self._connection.__exit__(*error)  # type: ignore[arg-type]

    def execute(self, *arguments: object) -> object:
        if self.is_full:
            raise sqlite3.OperationalError("database or disk is full")
        return self._connection.execute(*arguments)  # type: ignore[arg-type]

    def executemany(self, *arguments: object) -> object:
        return self._connection.executemany(*arguments)  # type: ignore[arg-type]


def test_j16_full_disk_refuses_a_change_and_keeps_it_for_later(tmp_path: Path) -> None:
    store = DocumentStore.open(tmp_path / "batch.sqlite3")
    disk = FullDisk(store._connection)
    full = DocumentStore(disk)  # type: ignore[arg-type]
    full.save("kind", "a", lambda: {"value": 1})
    with pytest.raises(NotSavedError, match="Free some disk space"):
        full.flush()
    assert list(store.load("kind")) == []
    disk.is_full = False
    full.flush()
    assert list(store.load("kind")) == [("a", {"value": 1})]
    store.close()


def test_j16_service_answers_a_server_error_while_the_disk_is_full(batch: LocalBatch) -> None:
    batch.define("true")
    store = batch.service._store
    connection = store._connection
    store._connection = FullDisk(connection)  # type: ignore[assignment]
    for _ in range(2):
        with pytest.raises(RefusedError, match="cannot be saved") as refused:
            batch.submit()
        assert (refused.value.status, refused.value.code) == (500, "ServerException")
    store._connection = connection
    assert batch.wait(batch.submit())["status"] == "SUCCEEDED"
