"""Starting and stopping real servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from aimass_local import lifecycle, lock
from aimass_local.environment import DataDirectory
from tests.integration.local.conftest import Cloud, Start, free_port


def test_j14_second_server_on_one_data_directory_is_refused_with_the_pid(cloud: Cloud) -> None:
    command = [
        sys.executable,
        "-m",
        "aimass_local.server",
        "--port",
        str(free_port()),
        "--data-dir",
        str(cloud.data.root),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert f"process {cloud.process.pid}" in done.stderr
    assert cloud.invoke(do="echo", value=1) == 1


def test_j14_taken_port_is_refused_with_the_pid(cloud: Cloud, tmp_path: Path) -> None:
    with pytest.raises(lifecycle.LifecycleError, match=f"process {cloud.process.pid}"):
        lifecycle.start(DataDirectory.at(tmp_path), port=cloud.port)


def test_j14_lock_of_a_killed_server_does_not_block(start_cloud: Start, tmp_path: Path) -> None:
    first = start_cloud(tmp_path)
    first.kill()
    assert first.data.lock_path.read_text()
    assert lifecycle.find(first.data) is None
    assert start_cloud(tmp_path).invoke(do="echo", value="again") == "again"


def test_down_never_kills_a_process_that_took_over_the_pid(cloud: Cloud, tmp_path: Path) -> None:
    """The lock names this very test process, but with another start time."""
    data = DataDirectory.at(tmp_path)
    data.create()
    this = psutil.Process()
    stranger = lock.Holder(pid=this.pid, port=cloud.port, process_started_at=this.create_time() - 1000)
    with lock.hold(data.lock_path, stranger):
        assert lifecycle.down(data) is None
    assert this.is_running()


def test_down_saves_and_ends(start_cloud: Start, tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path)
    running = lifecycle.find(cloud.data)
    assert running is not None
    assert lifecycle.is_healthy(running)
    cloud.client("ssm").put_parameter(Name="/last", Value="moment", Type="String")
    assert lifecycle.down(cloud.data) == cloud.process.pid
    cloud.process.wait()
    assert lifecycle.find(cloud.data) is None
    assert "moment" in (cloud.data.state / "ssm.json").read_text()


def test_status_of_nothing_is_nothing(tmp_path: Path) -> None:
    assert lifecycle.find(DataDirectory.at(tmp_path)) is None
    assert lifecycle.down(DataDirectory.at(tmp_path)) is None
