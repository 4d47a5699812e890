"""Checkpoints on a disk that loses, damages and mixes up files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from aimass_core.errors import InvalidRequestError
from batch_jobs.runtime.checkpoints import CheckpointFolder
from batch_jobs.runtime.storage.digests import sha256_of

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path: Path, messages: list[str]) -> CheckpointFolder:
    return CheckpointFolder(path=tmp_path / "fit", job="job_1", message=messages.append)


def _state(epoch: int) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"epoch": epoch, "best": float("inf")}, {
        "weight": np.full((2, 3), epoch, np.float32),
        "step": np.array(epoch),
    }


def _epoch(folder: CheckpointFolder) -> int | None:
    stored = folder.load()
    if stored is None:
        return None
    assert stored.arrays["weight"].tolist() == [[stored.document["epoch"]] * 3] * 2
    return int(stored.document["epoch"])


def test_the_newest_comes_back_and_two_are_kept(folder: CheckpointFolder) -> None:
    assert folder.load() is None
    for epoch in range(1, 6):
        folder.save(*_state(epoch))
    assert _epoch(folder) == 5
    assert [path.name[:8] for path in sorted(folder.path.iterdir())] == ["00000004", "00000005"]


def test_every_kind_of_array_comes_back_as_it_was(folder: CheckpointFolder) -> None:
    arrays = {
        "strided": np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),
        "bytes": np.arange(5, dtype=np.uint8),
        "flag": np.array([True, False]),
        "number": np.array(7, dtype=np.int64),
        "nothing": np.empty(0, dtype=np.uint8),
        "nan": np.array([np.nan, -0.0, np.inf], dtype=np.float64),
    }
    folder.save({}, arrays)
    stored = folder.load()
    assert stored is not None
    for name, array in arrays.items():
        found = stored.arrays[name]
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tobytes() == array.tobytes()


def test_d3_one_that_is_cut_at_any_byte_is_passed_over(folder: CheckpointFolder, messages: list[str]) -> None:
    first, second = (folder.save(*_state(epoch)) for epoch in (1, 2))
    older, whole = first.read_bytes(), second.read_bytes()
    for length in range(len(whole)):
        second.write_bytes(whole[:length])
        assert _epoch(folder) == 1
        assert first.read_bytes() == older
    assert len(messages) == len(whole)
    assert "is damaged" in messages[0]


def test_d3_one_with_any_bit_flipped_is_passed_over(folder: CheckpointFolder) -> None:
    _, second = (folder.save(*_state(epoch)) for epoch in (1, 2))
    whole = second.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        second.write_bytes(damaged)
        assert _epoch(folder) == 1


def test_where_all_are_damaged_there_is_none(folder: CheckpointFolder, messages: list[str]) -> None:
    for path in [folder.save(*_state(epoch)) for epoch in (1, 2)]:
        path.write_bytes(b"")
    assert folder.load() is None
    assert len(messages) == 2
    folder.save(*_state(3))
    assert _epoch(folder) == 3


def _write(folder: CheckpointFolder, number: int, **head: str) -> None:
    temporary = folder.path / "made"
    metadata = {"format": "1", "job": "job_1", "document": json.dumps({"epoch": 9})} | head
    save_file({"weight": np.full((2, 3), 9, np.float32)}, temporary, metadata=metadata)
    temporary.rename(folder.path / f"{number:08d}-{sha256_of(temporary)}.safetensors")


def test_d3_one_of_a_newer_format_is_passed_over(folder: CheckpointFolder, messages: list[str]) -> None:
    folder.save(*_state(1))
    _write(folder, 7, format="2")
    assert _epoch(folder) == 1
    assert "it has the format 2, and this version reads up to 1" in messages[0]


def test_d3_one_of_another_job_is_refused(folder: CheckpointFolder) -> None:
    folder.save(*_state(1))
    _write(folder, 7, job="job_2")
    with pytest.raises(InvalidRequestError, match="are those of the job 'job_2', and this is 'job_1'"):
        folder.load()


def test_foreign_files_are_let_be(folder: CheckpointFolder) -> None:
    folder.save(*_state(1))
    for name in ("00000009.unfinished", "notes.txt", "00000009-short.safetensors"):
        (folder.path / name).write_text("x")
    assert _epoch(folder) == 1
    folder.save(*_state(2))
    assert not (folder.path / "00000009.unfinished").exists()
    assert (folder.path / "notes.txt").exists()


_WRITER = """
import sys
from pathlib import Path
import numpy as np
from batch_jobs.runtime.checkpoints import CheckpointFolder

folder = CheckpointFolder(path=Path(sys.argv[1]), job="job_1", message=print)
stored = folder.load()
epoch = stored.document["epoch"] if stored else 0
while True:
    epoch += 1
    folder.save({"epoch": epoch}, {"weight": np.full((300, 300), epoch, np.float32)})
    print(epoch, flush=True)
"""


def test_d2_killed_in_the_middle_of_a_write_the_last_good_one_loads(tmp_path: Path) -> None:
    """Each writer is killed at another moment after its third save, and the next goes on from what is there."""
    last, messages = 0, list[str]()
    for delay in (0.0, 0.0003, 0.0007, 0.0011, 0.0023):
        command = [sys.executable, "-c", _WRITER, str(tmp_path / "fit")]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = [int(process.stdout.readline()) for _ in range(3)]
            assert said[0] == last + 1
            until = time.monotonic() + delay
            while time.monotonic() < until:
                pass
            os.kill(process.pid, signal.SIGKILL)
            said += [int(line) for line in process.stdout]
        stored = CheckpointFolder(path=tmp_path / "fit", job="job_1", message=messages.append).load()
        assert stored is not None
        last = stored.document["epoch"]
        assert last in (said[-1], said[-1] + 1)
        assert (stored.arrays["weight"] == last).all()
    assert messages == []
