"""kill -9 of the server in the middle of its work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.integration.local_batch.conftest import Server, wait_until

TREE = """
import os, subprocess, sys, time
print_pid = 'import os, time; os.write(1, (str(os.getpid()) + chr(10)).encode()); '
exec(print_pid)
subprocess.Popen([sys.executable, '-c', print_pid + 'time.sleep(120)'])
time.sleep(120 if os.environ['AWS_BATCH_JOB_ATTEMPT'] == '1' else 0)
"""
ON_HOST_LOSS = {
    "attempts": 2,
    "evaluateOnExit": [
        {"onStatusReason": "Host EC2*", "action": "RETRY"},
        {"onReason": "*", "action": "EXIT"},
    ],
}


def start_tree(server: Server, **parameters: object) -> tuple[str, list[int]]:
    server.define("python", "-c", TREE)
    job_id = server.submit(**parameters)
    job = server.wait(job_id, "RUNNING")
    return job_id, [int(line) for line in wait_until(lambda: server.log_of(job), lambda lines: len(lines) == 2)]


@pytest.mark.parametrize("is_watched", [True, False])
def test_j15_jobs_of_a_killed_server_end_and_are_retried(start_server: Callable[[], Server], is_watched: bool) -> None:
    """The watchdog ends them at once; if it has been killed as well, the next server does."""
    server = start_server()
    server.set_up()
    job_id, pids = start_tree(server, retryStrategy=ON_HOST_LOSS)
    waiting = server.submit(dependsOn=[{"jobId": job_id}])
    if not is_watched:
        watchdogs = [p for p in psutil.Process(server.process.pid).children() if "watchdog.py" in " ".join(p.cmdline())]
        assert len(watchdogs) == 1
        watchdogs[0].kill()
    server.kill()
    if is_watched:
        wait_until(lambda: not any(is_alive(pid) for pid in pids))
    else:
        assert all(is_alive(pid) for pid in pids)

    server = start_server()
    assert not any(is_alive(pid) for pid in pids)
    job = server.wait(job_id)
    assert job["status"] == "SUCCEEDED"
    assert job["attempts"][0]["statusReason"] == "Host EC2 (instance i-local) terminated."
    assert server.wait(waiting, "RUNNING", "SUCCEEDED")


def test_d6_job_without_retries_fails_with_its_host(start_server: Callable[[], Server]) -> None:
    server = start_server()
    server.set_up()
    job_id, _ = start_tree(server)
    server.kill()
    server = start_server()
    job = server.wait(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Host EC2 (instance i-local) terminated.")
    events = [line["event"]["detail"]["status"] for line in server.lines if "event" in line]
    assert events == ["FAILED"]


def test_j15_no_acknowledged_submission_is_lost(start_server: Callable[[], Server]) -> None:
    server = start_server()
    server.set_up()
    server.define("true", retryStrategy=ON_HOST_LOSS)
    acknowledged = [server.submit() for _ in range(20)]
    server.kill()
    server = start_server()
    assert {server.wait(job_id)["status"] for job_id in acknowledged} == {"SUCCEEDED"}


def test_process_that_only_shares_a_name_is_left_alone(start_server: Callable[[], Server], tmp_path: Path) -> None:
    """Such as a job of another data directory."""
    variables = {**os.environ, "AIMASS_LOCAL_CONTAINER": str(tmp_path / "other" / "run" / "1")}
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=variables)
    try:
        server = start_server()
        server.set_up()
        server.define("true")
        server.wait(server.submit())
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_j14_second_server_on_the_folder_is_refused(server: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aimass_local.batch", "--port", "0", "--data-dir", str(tmp_path / "batch")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 1
    assert "Stop the other server that uses this folder" in second.stderr
    assert server.client.describe_job_queues()["jobQueues"]


def test_stopped_server_leaves_nothing_behind(start_server: Callable[[], Server]) -> None:
    server = start_server()
    server.set_up()
    job_id, pids = start_tree(server)
    family = [process.pid for process in psutil.Process(server.process.pid).children()]
    server.stop()
    assert not any(is_alive(pid) for pid in (*pids, *family))
    server = start_server()
    assert server.wait(job_id)["statusReason"].startswith("Host EC2")


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
