"""Cancel, terminate, time out: who is stopped, how, and what is told."""

from __future__ import annotations

import asyncio
import os
import time

import psutil
import pytest

from aimass_local.batch.attempts import TIMED_OUT
from tests.unit.local_batch.harness import LocalBatch, RefusedError

IGNORE_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('up', flush=True)
time.sleep(60)
"""
CHECKPOINT = """
import signal, sys, time
def stop(*_):
    print('checkpoint', flush=True)
    sys.exit(75)
signal.signal(signal.SIGTERM, stop)
print('up', flush=True)
time.sleep(60)
"""
TREE = """
import subprocess, sys, time
source = 'import os, time; os.write(1, (str(os.getpid()) + chr(10)).encode()); time.sleep(60)'
for is_leaving in (False, True):
    subprocess.Popen([sys.executable, '-c', source], start_new_session=is_leaving)
time.sleep({seconds})
"""


def test_d9_cancel_fails_a_waiting_job_and_leaves_a_running_one(batch: LocalBatch) -> None:
    batch.define("sleep", "60", vcpus=2, resourceRequirements=[{"type": "MEMORY", "value": "64"}])
    running, waiting = batch.submit(), batch.submit()
    batch.wait(running, "RUNNING")
    for _ in range(2):
        batch.call("CancelJob", jobId=waiting, reason="not needed")
        batch.call("CancelJob", jobId=running, reason="not needed")
    job = batch.describe(waiting)
    assert (job["status"], job["statusReason"], job["isCancelled"]) == ("FAILED", "not needed", True)
    assert batch.describe(running)["status"] == "RUNNING"
    assert batch.statuses_of(waiting).count("FAILED") == 1
    batch.call("TerminateJob", jobId=running, reason="enough")
    batch.wait(running)


def test_d9_terminate_ends_a_running_job_once(batch: LocalBatch) -> None:
    batch.define("sleep", "60", retryStrategy={"attempts": 3})
    job_id = batch.submit()
    batch.wait(job_id, "RUNNING")
    batch.call("TerminateJob", jobId=job_id, reason="first")
    batch.call("TerminateJob", jobId=job_id, reason="second")
    job = batch.wait(job_id)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "first", True)
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [143]
    batch.call("TerminateJob", jobId=job_id, reason="third")
    assert batch.describe(job_id)["statusReason"] == "first"
    assert batch.statuses_of(job_id).count("FAILED") == 1


def test_d9_terminate_at_once_after_submission_ends_the_job(batch: LocalBatch) -> None:
    batch.define("sleep", "60")
    for delay in (0, 0.001, 0.005, 0.02):
        job_id = batch.submit()
        time.sleep(delay)  # lands in another state each time
        batch.call("TerminateJob", jobId=job_id, reason="stop")
        job = batch.wait(job_id)
        assert (job["status"], job["statusReason"]) == ("FAILED", "stop")


def test_d1_stop_asks_first_so_that_a_checkpoint_can_be_written(batch: LocalBatch) -> None:
    batch.define_python(CHECKPOINT)
    job_id = batch.submit()
    job = batch.wait(job_id, "RUNNING")
    batch.wait_until(lambda: batch.log_of(job))
    batch.call("TerminateJob", jobId=job_id, reason="stop")
    job = batch.wait(job_id)
    assert batch.log_of(job) == ["up", "checkpoint"]
    assert job["container"]["exitCode"] == 75


def test_d1_process_that_ignores_the_request_is_killed_after_the_grace(batch: LocalBatch) -> None:
    batch.define_python(IGNORE_TERM)
    job_id = batch.submit()
    job = batch.wait(job_id, "RUNNING")
    batch.wait_until(lambda: batch.log_of(job))
    started = time.monotonic()
    batch.call("TerminateJob", jobId=job_id, reason="stop")
    job = batch.wait(job_id)
    assert time.monotonic() - started > 1.9
    assert job["container"]["exitCode"] == 137


@pytest.mark.parametrize("seconds", [60, 0.5])
def test_nothing_of_a_container_outlives_it(batch: LocalBatch, seconds: float) -> None:
    """Whether it is terminated or ends by itself; grandchildren too, and those that left the session."""
    batch.define_python(TREE.format(seconds=seconds))
    job_id = batch.submit()
    job = batch.wait(job_id, "RUNNING")
    pids = [int(line) for line in batch.wait_until(lambda: batch.log_of(job), lambda lines: len(lines) == 2)]
    if seconds == 60:
        assert all(psutil.pid_exists(pid) for pid in pids)
        batch.call("TerminateJob", jobId=job_id, reason="stop")
    assert batch.wait(job_id)["status"] == ("FAILED" if seconds == 60 else "SUCCEEDED")
    batch.wait_until(lambda: not any(_is_alive(pid) for pid in pids))


def test_d7_endless_job_is_stopped_at_its_timeout_and_not_retried(
    batch: LocalBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shortest timeout that Batch takes is a minute: the test makes minutes short, nothing else."""
    batch.define("sleep", "60", retryStrategy={"attempts": 3}, timeout={"attemptDurationSeconds": 60})
    original = asyncio.timeout
    monkeypatch.setattr("asyncio.timeout", lambda seconds: original(seconds and seconds / 120))
    job = batch.wait(batch.submit())
    assert (job["status"], job["statusReason"]) == ("FAILED", TIMED_OUT)
    assert len(job["attempts"]) == 1
    assert job["timeout"] == {"attemptDurationSeconds": 60}


def test_timeout_of_a_submission_wins_over_the_definition(batch: LocalBatch) -> None:
    batch.define("true", timeout={"attemptDurationSeconds": 60})
    job = batch.wait(batch.submit(timeout={"attemptDurationSeconds": 90}))
    assert job["timeout"] == {"attemptDurationSeconds": 90}


@pytest.mark.parametrize("operation", ["CancelJob", "TerminateJob"])
def test_stopping_an_unknown_job_is_refused(batch: LocalBatch, operation: str) -> None:
    with pytest.raises(RefusedError, match="Job nobody does not exist"):
        batch.call(operation, jobId="nobody", reason="x")


def _is_alive(pid: int) -> bool:
    try:
        return os.getpid() != pid and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
