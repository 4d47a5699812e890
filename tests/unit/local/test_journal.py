"""The journal (FAULTS J15, J16): entries are there whole, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aimass_local.journal import Journal, JournalDamagedError

_ENTRIES = [b'[1, "one"]', b"[2]", '["drei \u00fc"]'.encode()]


def _write(folder: Path, entries: list[bytes]) -> Path:
    """Writes a segment and returns its file."""
    before = set(folder.iterdir())
    journal = Journal(folder)
    for entry in entries:
        journal.append(entry)
    journal.close()
    (path,) = set(folder.iterdir()) - before
    return path


def test_j15_entries_come_back_in_order_over_all_segments(tmp_path: Path) -> None:
    for number in range(12):
        _write(tmp_path, [b"%d a" % number, b"%d b" % number])
    assert list(Journal(tmp_path).read()) == [b"%d %s" % (n, c) for n in range(12) for c in (b"a", b"b")]


def test_j15_entry_that_a_kill_cut_at_any_byte_is_left_out_and_the_others_are_kept(tmp_path: Path) -> None:
    path = _write(tmp_path, _ENTRIES)
    content = path.read_bytes()
    start_of_last = len(b"".join(content.splitlines(keepends=True)[:-1]))
    for length in range(start_of_last, len(content)):
        path.write_bytes(content[:length])
        assert list(Journal(tmp_path).read()) == _ENTRIES[:-1], length
    path.write_bytes(content)
    assert list(Journal(tmp_path).read()) == _ENTRIES


def test_j15_process_after_a_cut_entry_writes_into_a_segment_of_its_own(tmp_path: Path) -> None:
    path = _write(tmp_path, _ENTRIES)
    path.write_bytes(path.read_bytes()[:-3])
    _write(tmp_path, [b"next life"])
    assert list(Journal(tmp_path).read()) == [*_ENTRIES[:-1], b"next life"]


@pytest.mark.parametrize("position", [0, 4, 12])
def test_damage_before_the_end_is_named_and_not_skipped(tmp_path: Path, position: int) -> None:
    path = _write(tmp_path, _ENTRIES)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(JournalDamagedError, match=rf"line 1 of .*{path.name}"):
        list(Journal(tmp_path).read())


def test_j15_rotation_keeps_what_came_after_it_at_every_step(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(3):
        journal.append(b"old %d" % number)
        journal.rotate()
    kept = journal.rotate()
    journal.append(b"new")
    assert list(journal.read()) == [b"old 0", b"old 1", b"old 2", b"new"]
    journal.drop_before(kept)
    assert list(journal.read()) == [b"new"]
    journal.append(b"newer")
    journal.drop_before(kept)
    assert list(Journal(tmp_path).read()) == [b"new", b"newer"]


def test_j15_oldest_segments_go_first_so_that_a_crash_leaves_the_end_of_the_story(tmp_path: Path) -> None:
    paths = [_write(tmp_path, [b"%d" % number]) for number in range(3)]
    paths[1].unlink()
    paths[1].mkdir()  # this one cannot be deleted: as far as a crash would come
    with pytest.raises(OSError):
        Journal(tmp_path).drop_before(99)
    assert [path.exists() for path in paths] == [False, True, True]


def test_rotation_of_an_empty_segment_makes_no_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for _ in range(3):
        journal.drop_before(journal.rotate())
    assert not list(tmp_path.iterdir())


def test_segments_are_private(tmp_path: Path) -> None:
    assert _write(tmp_path, [b"secret"]).stat().st_mode & 0o777 == 0o600


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from aimass_local.journal import Journal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]))
journal.append(b"before")
resource.setrlimit(resource.RLIMIT_FSIZE, (40, resource.RLIM_INFINITY))
try:
    journal.append(b"x" * 100)
except OSError:
    pass
else:
    sys.exit("the entry was taken")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(b"after")
"""


def test_j16_entry_that_does_not_fit_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    """The file may have 40 bytes: the system takes a part of the entry, and refuses the rest."""
    subprocess.run([sys.executable, "-c", _FULL_DISK, str(tmp_path)], check=True)
    assert list(Journal(tmp_path).read()) == [b"before", b"after"]
    assert len(list(tmp_path.iterdir())) == 1


_ENDLESS = """
import sys
from pathlib import Path
from aimass_local.journal import Journal

journal = Journal(Path(sys.argv[1]))
for number in range(10**9):
    journal.append(b"%d" % number)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def test_j15_entries_told_before_a_kill_are_there(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(2000)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    process.wait()
    num_told = sum(line.endswith(b"\n") for line in told)
    found = list(Journal(tmp_path).read())
    assert found == [b"%d" % number for number in range(len(found))]
    assert len(found) >= num_told >= 2000
