"""What a running job's folders look like in the lake."""

from pathlib import Path

import pytest

from aimass_core.domain import keys
from batch_jobs.runtime.storage.mirror import Mirror, download_folder
from tests.stack import wait_until
from tests.unit.batch_jobs_runtime.workplace import Workplace, new_workplace


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    made = new_workplace(tmp_path)
    made.fence(1).claim()
    return made


def _prefix(workplace: Workplace) -> str:
    return keys.job_checkpoints(workplace.job.workspace_id, workplace.job.id)


def _in_lake(workplace: Workplace) -> dict[str, bytes]:
    prefix, lake = _prefix(workplace), workplace.ports.lake
    return {info.key.removeprefix(prefix): lake.get(info.key) for info in lake.list(prefix)}


def _start(workplace: Workplace, folder: Path, attempt: int = 1) -> Mirror:
    mirror = Mirror(workplace.fence(attempt), {_prefix(workplace): folder}, interval_seconds=0.01)
    mirror.start()
    return mirror


def test_files_come_change_and_go(workplace: Workplace, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "fit"
    folder.mkdir(parents=True)
    (folder / "1").write_bytes(b"one")
    mirror = _start(workplace, folder.parent)
    wait_until(lambda: _in_lake(workplace) == {"fit/1": b"one"})
    (folder / "1").write_bytes(b"one more")
    (folder / "2").write_bytes(b"two")
    wait_until(lambda: _in_lake(workplace) == {"fit/1": b"one more", "fit/2": b"two"})
    (folder / "1").unlink()
    wait_until(lambda: _in_lake(workplace) == {"fit/2": b"two"})
    (folder / "3").write_bytes(b"three")
    (folder / "link").symlink_to("/etc/passwd")
    mirror.finish(timeout_seconds=300)
    assert _in_lake(workplace) == {"fit/2": b"two", "fit/3": b"three"}


def test_a_later_attempt_gets_them_back_and_goes_on_with_them(workplace: Workplace, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "fold-1-of-2").mkdir(parents=True)
    (first / "fold-1-of-2" / "1").write_bytes(b"one")
    _start(workplace, first).finish(timeout_seconds=300)
    workplace.fence(2).claim()
    known = download_folder(workplace.ports.lake, _prefix(workplace), second)
    assert (second / "fold-1-of-2" / "1").read_bytes() == b"one"
    mirror = Mirror(workplace.fence(2), {_prefix(workplace): second}, known=known, interval_seconds=0.01)
    mirror.start()
    (second / "fold-1-of-2" / "2").write_bytes(b"two")
    (second / "fold-1-of-2" / "1").unlink()
    mirror.finish(timeout_seconds=300)
    assert _in_lake(workplace) == {"fold-1-of-2/2": b"two"}


def test_d4_an_attempt_that_was_overtaken_writes_and_deletes_nothing(workplace: Workplace, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "1").write_bytes(b"one")
    mirror = _start(workplace, folder)
    wait_until(lambda: _in_lake(workplace) == {"1": b"one"})
    workplace.fence(2).claim()
    (folder / "1").unlink()
    (folder / "2").write_bytes(b"late")
    mirror.finish(timeout_seconds=300)
    assert _in_lake(workplace) == {"1": b"one"}
