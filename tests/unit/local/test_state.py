"""The state saver, on a source of the test's own."""

from __future__ import annotations

import asyncio
import errno
import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aimass_local import state
from aimass_local.state import Snapshot, StateSaver

_PLENTY = 10**12


@dataclass
class _Source:
    folder: Path
    states: dict[str, Any] = field(
        default_factory=lambda: {"dynamodb": 1, "sqs": 1, "ssm": 1, "lambda": 1, "cloudformation": 1}
    )
    num_confirmed: int = 0
    asked: list[frozenset[str]] = field(default_factory=list)
    encoded: list[str] = field(default_factory=list)
    num_trims: int = 0
    failing: OSError | None = None
    has_short_journal: bool = False

    def is_journal_short(self) -> bool:
        return self.has_short_journal

    def state_keys(self) -> frozenset[str]:
        return frozenset(self.states) | {"cloudwatch_logs"}

    async def snapshot(self, keys: Collection[str]) -> Snapshot:
        self.asked.append(frozenset(keys))
        return Snapshot(states={key: self.states[key] for key in keys if key in self.states})

    def confirm(self, snapshot: Snapshot) -> None:
        for key, copied in snapshot.states.items():
            assert json.loads((self.folder / f"{key}.json").read_text()) == copied
        self.num_confirmed += 1

    def encode_state(self, key: str, content: object) -> bytes:
        if self.failing:
            raise self.failing
        self.encoded.append(key)
        return json.dumps(content).encode()

    def trim_logs(self, *, max_streams: int, max_events: int) -> None:
        self.num_trims += 1


def _saver(folder: Path, source: _Source, **options: Any) -> StateSaver:
    return StateSaver(folder, source, delay_seconds=0.01, **{"free_bytes": lambda _: _PLENTY, **options})


def _read(folder: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in folder.iterdir()}


def test_j15_a_change_is_written_soon_after_it_is_marked(tmp_path: Path) -> None:
    async def change() -> None:
        saver = _saver(tmp_path, _Source(tmp_path))
        running = asyncio.create_task(saver.run())
        saver.mark_changed("dynamodb")
        await _until((tmp_path / "dynamodb.json").exists)
        running.cancel()

    asyncio.run(change())


def test_data_calls_save_data_only(tmp_path: Path) -> None:
    source = _Source(tmp_path)
    saver = _saver(tmp_path, source)
    for services in (("dynamodb",), ("ssm", "sqs"), ("batch",)):
        for service in services:
            saver.mark_changed(service)
        asyncio.run(saver.save_changes())
    assert source.asked == [frozenset({"dynamodb", "sqs"}), frozenset({"dynamodb", "sqs", "ssm"})]


def test_snapshot_is_confirmed_once_its_files_are_there(tmp_path: Path) -> None:
    source = _Source(tmp_path)
    saver = _saver(tmp_path, source)
    saver.mark_changed("dynamodb")
    asyncio.run(saver.save_changes())
    assert source.num_confirmed == 1
    source.failing = OSError(errno.ENOSPC, "No space left on device")
    saver.mark_changed("dynamodb")
    asyncio.run(saver.save_changes())
    assert source.num_confirmed == 1


def test_j15_settled_change_is_on_disk(tmp_path: Path) -> None:
    source = _Source(tmp_path)
    assert asyncio.run(_saver(tmp_path, source).settle("ssm")) is None
    assert _read(tmp_path) == {"ssm": 1}


def test_j15_settled_changes_of_several_callers_are_on_disk(tmp_path: Path) -> None:
    """One may come while another's save has copied the state already."""
    source = _Source(tmp_path)
    saver = _saver(tmp_path, source)

    async def change(value: int) -> None:
        for _ in range(value):
            await asyncio.sleep(0)
        source.states["ssm"] = max(value, source.states["ssm"])
        assert await saver.settle("ssm") is None
        assert _read(tmp_path)["ssm"] >= value

    async def change_all() -> None:
        await asyncio.gather(*(change(value) for value in range(30)))

    asyncio.run(change_all())


def test_j15_save_whose_caller_is_gone_is_done_again(tmp_path: Path) -> None:
    source = _Source(tmp_path)
    saver = _saver(tmp_path, source)

    async def leave_and_save() -> None:
        leaving = asyncio.create_task(saver.settle("ssm"))
        while not source.asked:
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        await saver.save_changes()

    asyncio.run(leave_and_save())
    assert len(source.asked) == 2
    assert source.num_confirmed == 1


def test_j16_change_that_cannot_be_settled_says_why(tmp_path: Path) -> None:
    source = _Source(tmp_path, failing=OSError(errno.ENOSPC, "No space left on device"))
    assert "No space left on device" in (asyncio.run(_saver(tmp_path, source).settle("ssm")) or "")


def test_what_a_short_journal_holds_is_left_to_it(tmp_path: Path) -> None:
    source = _Source(tmp_path, has_short_journal=True)
    saver = _saver(tmp_path, source)
    for service in ("dynamodb", "sqs", "ssm"):
        saver.mark_changed(service)
    asyncio.run(saver.save_changes(waits_for_journal=True))
    assert source.asked == [frozenset({"ssm"})]

    source.has_short_journal = False
    asyncio.run(saver.save_changes(waits_for_journal=True))
    assert source.asked[1:] == [frozenset({"dynamodb", "sqs"})]


def test_a_table_that_is_made_is_saved_whatever_the_journal_is(tmp_path: Path) -> None:
    source = _Source(tmp_path, has_short_journal=True)
    saver = _saver(tmp_path, source)
    assert asyncio.run(saver.settle("dynamodb")) is None
    assert source.asked == [frozenset({"dynamodb", "sqs"})]


def test_other_calls_save_everything_but_logs(tmp_path: Path) -> None:
    source = _Source(tmp_path)
    saver = _saver(tmp_path, source)
    saver.mark_changed("dynamodb")
    saver.mark_changed("cloudformation")
    asyncio.run(saver.save_changes())
    assert source.asked == [frozenset(source.states)]


def test_cloudformation_is_written_last(tmp_path: Path) -> None:
    source = _Source(tmp_path)
    asyncio.run(_saver(tmp_path, source).save_all())
    assert source.encoded[-1] == "cloudformation"


def test_logs_are_trimmed_and_saved_at_intervals(tmp_path: Path) -> None:
    source = _Source(tmp_path)
    saver = _saver(tmp_path, source, log_interval_seconds=3600.0)
    for _ in range(3):
        saver.mark_changed("lambda-invoke")
        asyncio.run(saver.save_changes())
    assert source.asked == [frozenset({"cloudwatch_logs"})]
    assert source.num_trims == 1


def test_unchanged_content_is_not_written_again(tmp_path: Path) -> None:
    source = _Source(tmp_path, states={"dynamodb": 1})
    saver = _saver(tmp_path, source)
    asyncio.run(saver.save_all())
    before = (tmp_path / "dynamodb.json").stat()
    asyncio.run(saver.save_all())
    assert (tmp_path / "dynamodb.json").stat() == before
    source.states["dynamodb"] = 2
    asyncio.run(saver.save_all())
    assert _read(tmp_path) == {"dynamodb": 2}


def test_j16_failed_save_refuses_changes_until_it_succeeds(tmp_path: Path) -> None:
    source = _Source(tmp_path)
    saver = _saver(tmp_path, source)
    source.failing = OSError(errno.ENOSPC, "No space left on device")
    saver.mark_changed("dynamodb")
    asyncio.run(saver.save_changes())
    assert "No space left on device" in (saver.refusal(0) or "")

    source.failing = None
    asyncio.run(saver.save_changes())  # the change was kept
    assert saver.refusal(0) is None
    assert _read(tmp_path)["dynamodb"] == 1


def test_j16_nearly_full_disk_refuses_large_changes_first(tmp_path: Path) -> None:
    large = state.SMALL_CHANGE_BYTES + 1
    saver = _saver(tmp_path, _Source(tmp_path), free_bytes=lambda _: state.DISK_RESERVE_BYTES + large)
    assert saver.refusal(large) is None
    assert "free some space" in (saver.refusal(large + 1) or "")
    assert saver.refusal(100) is None


def test_j16_full_disk_refuses_every_change(tmp_path: Path) -> None:
    saver = _saver(tmp_path, _Source(tmp_path), free_bytes=lambda _: state.DISK_MINIMUM_BYTES - 1)
    assert "free some space" in (saver.refusal(0) or "")


def test_j16_failed_write_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    state.write_atomically(path, b"old")
    (tmp_path / "file.partial").mkdir()  # nothing can be opened there
    with pytest.raises(OSError):
        state.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_written_files_are_private(tmp_path: Path) -> None:
    state.write_atomically(tmp_path / "file", b"secret")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
