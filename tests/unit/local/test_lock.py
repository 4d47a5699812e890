"""The lock on a data directory."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest

from aimass_local import lock
from aimass_local.lock import Holder, LockedError


def test_j14_held_directory_is_refused_with_the_pid(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.hold(path, Holder.this_process(port=4566)):
        with (
            pytest.raises(LockedError, match=f"process {os.getpid()}") as caught,
            lock.hold(path, Holder.this_process(port=1)),
        ):
            pass
        assert caught.value.holder == lock.find_holder(path)


def test_j14_file_of_a_killed_process_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": os.getpid(), "port": 1, "process_started_at": 0.0}))
    assert lock.find_holder(path) is None
    with lock.hold(path, Holder.this_process(port=2)):
        holder = lock.find_holder(path)
    assert holder is not None
    assert holder.port == 2


def test_released_lock_has_no_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.hold(path, Holder.this_process(port=1)):
        pass
    assert lock.find_holder(path) is None


def test_missing_lock_has_no_holder(tmp_path: Path) -> None:
    assert lock.find_holder(tmp_path / "lock") is None


def test_pid_of_another_process_is_not_the_holder() -> None:
    this = psutil.Process()
    assert Holder(pid=this.pid, port=1, process_started_at=this.create_time()).process() == this
    assert Holder(pid=this.pid, port=1, process_started_at=this.create_time() - 60).process() is None
