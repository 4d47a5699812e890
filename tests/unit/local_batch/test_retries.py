"""Further attempts of a job, and what ends them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from aimass_local.batch.retry import should_retry
from tests.unit.local_batch.harness import LocalBatch, RefusedError

COUNT_ATTEMPTS = "import os, sys; n = int(os.environ['AWS_BATCH_JOB_ATTEMPT']); print(n); sys.exit(0 if n == 3 else 7)"


def test_failed_attempts_are_retried_until_one_succeeds(batch: LocalBatch) -> None:
    batch.define_python(COUNT_ATTEMPTS, retryStrategy={"attempts": 5})
    job_id = batch.submit()
    job = batch.wait(job_id)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [7, 7, 0]
    assert len({attempt["container"]["logStreamName"] for attempt in job["attempts"]}) == 3
    assert batch.log_of(job) == ["3"]
    assert batch.statuses_of(job_id) == [*["RUNNABLE", "STARTING", "RUNNING"] * 3, "SUCCEEDED"]


def test_last_attempt_fails_the_job(batch: LocalBatch) -> None:
    batch.define("false", retryStrategy={"attempts": 2})
    job = batch.wait(batch.submit())
    assert (job["status"], len(job["attempts"])) == ("FAILED", 2)


def test_d10_rule_that_ends_with_exit_stops_what_is_not_listed(batch: LocalBatch) -> None:
    strategy = {
        "attempts": 3,
        "evaluateOnExit": [
            {"onExitCode": "75", "action": "RETRY"},
            {"onStatusReason": "Host EC2*", "action": "RETRY"},
            {"onReason": "*", "action": "EXIT"},
        ],
    }
    batch.define("sh", "-c", "exit 64", retryStrategy=strategy)
    job = batch.wait(batch.submit())
    assert (job["status"], len(job["attempts"])) == ("FAILED", 1)
    interrupted = batch.wait(batch.submit(containerOverrides={"command": ["sh", "-c", "exit 75"]}))
    assert (interrupted["status"], len(interrupted["attempts"])) == ("FAILED", 3)


RULES = [
    {"onExitCode": "1*", "action": "EXIT"},
    {"onReason": "OutOfMemoryError*", "onExitCode": "137", "action": "EXIT"},
    {"onStatusReason": "Host EC2*", "action": "retry"},
    {"onReason": "", "onExitCode": "65", "action": "exit"},
]


@pytest.mark.parametrize(
    ("exit_code", "reason", "status_reason", "expected"),
    [
        (1, None, "Essential container in task exited", False),
        (12, None, "Essential container in task exited", False),
        (65, None, "Essential container in task exited", False),
        (65, "another", "Essential container in task exited", True),
        (None, None, "Host EC2 (instance i-local) terminated.", True),
        (2, None, "Essential container in task exited", True),  # D10: what no rule matches is retried
    ],
)
def test_d10_rules_match_exit_code_reason_and_status_reason(
    exit_code: int | None, reason: str | None, status_reason: str, expected: bool
) -> None:
    strategy = {"attempts": 3, "evaluateOnExit": RULES}
    decided = should_retry(strategy, num_attempts=1, exit_code=exit_code, reason=reason, status_reason=status_reason)
    assert decided is expected


def test_no_attempt_follows_the_last_one() -> None:
    strategy = {"attempts": 2, "evaluateOnExit": [{"onExitCode": "*", "action": "RETRY"}]}
    assert not should_retry(strategy, num_attempts=2, exit_code=1, reason=None, status_reason="")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"retryStrategy": {"attempts": 0}}, "between 1 and 10"),
        ({"retryStrategy": {"attempts": 11}}, "between 1 and 10"),
        ({"retryStrategy": {"evaluateOnExit": [{"onExitCode": "1", "action": "EXIT"}]}}, "needs attempts"),
        ({"retryStrategy": {"attempts": 1, "evaluateOnExit": [{"action": "EXIT"}]}}, "has to name"),
        ({"retryStrategy": {"attempts": 1, "evaluateOnExit": [{"onReason": "*", "action": "WAIT"}]}}, "neither"),
        ({"timeout": {"attemptDurationSeconds": 0}}, "at least 60"),
        ({"timeout": {"attemptDurationSeconds": -1}}, "at least 60"),
        ({"timeout": {"attemptDurationSeconds": 59}}, "at least 60"),
    ],
)
def test_c9_figures_out_of_range_are_refused(batch: LocalBatch, section: dict[str, Any], message: str) -> None:
    batch.define("true")
    with pytest.raises(RefusedError, match=message):
        batch.submit(**section)
    assert batch.call("ListJobs", jobQueue="queue", jobStatus="SUBMITTED")["jobSummaryList"] == []


def test_attempt_killed_from_outside_is_recorded_and_retried(batch: LocalBatch, tmp_path: Path) -> None:
    source = (
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path)!r}, 'pid').write_text(str(os.getpid()))\n"
        "time.sleep(0 if os.environ['AWS_BATCH_JOB_ATTEMPT'] == '2' else 60)"
    )
    batch.define_python(source, retryStrategy={"attempts": 2})
    job_id = batch.submit()
    pid = batch.wait_until(lambda: _read(tmp_path / "pid"))
    os.kill(int(pid), signal.SIGKILL)
    job = batch.wait(job_id)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [137, 0]


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
