"""A write-ahead journal: what changed since the last save, on disk before the change is acknowledged.

A journal is a folder of numbered segments, each a file of lines `<CRC-32> <content>`. A save begins a new segment at
the moment at which it copies the state, and the older ones are dropped once the copy is in place: state files plus the
segments that are there always give the whole state, whatever is replayed twice.

An entry is handed to the operating system, not to the disk: it survives the kill of the process at any moment. A power
cut may lose the last seconds, as with every write that is not followed by fsync, and S3's objects here.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

_SUFFIX = ".journal"
_CHECKSUM_DIGITS = 8


class JournalDamagedError(Exception):
    """An entry in the middle of a segment is not what was written: going on would lose what follows it."""


class Journal:
    """Appends entries; not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = max(self._list_segments(), default=0)
        self._descriptor: int | None = None
        self._num_bytes = 0

    @property
    def num_bytes(self) -> int:
        """Of the segment that is being written."""
        return self._num_bytes

    def read(self) -> Iterator[bytes]:
        """All entries, oldest first. The last one of a segment, where a kill has cut it, was never acknowledged.

        Raises:
            JournalDamagedError: another entry cannot be read.
        """
        for number in sorted(self._list_segments()):
            path = self._path(number)
            lines = path.read_bytes().split(b"\n")
            # What follows the last newline: nothing, or an entry that was cut.
            for position, line in enumerate(lines[:-1], start=1):
                content = _decode(line)
                if content is None:
                    raise JournalDamagedError(f"line {position} of {path} is damaged")
                yield content

    def append(self, content: bytes) -> None:
        """Writes one entry, a single line, whole or not at all.

        Raises:
            OSError: it could not be written; nothing of it is left.
        """
        if self._descriptor is None:
            self._descriptor = self._begin()
        line = b"%08x %s\n" % (zlib.crc32(content), content)
        try:
            _write_all(self._descriptor, line)
        except OSError:
            self._take_back(self._descriptor)
            raise
        self._num_bytes += len(line)

    def rotate(self) -> int:
        """Begins a new segment, unless the present one is empty, and returns its number (see `drop_before`)."""
        if self._num_bytes or self._descriptor is None:
            self.close()
            self._number += 1
        return self._number

    def drop_before(self, number: int) -> None:
        """Deletes the segments before this one: what they hold has been saved otherwise.

        NOTE: oldest first. What a crash leaves over is then the end of the story, and its replay changes nothing.
        """
        for old in sorted(self._list_segments()):
            if old < number:
                self._path(old).unlink(missing_ok=True)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor, self._num_bytes = None, 0

    def _begin(self) -> int:
        """Never goes on in a file that an earlier process may have left with half an entry at its end."""
        while self._path(self._number).exists():
            self._number += 1
        return os.open(self._path(self._number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    def _take_back(self, descriptor: int) -> None:
        try:
            os.ftruncate(descriptor, self._num_bytes)
        except OSError:
            # Half an entry stays, as after a kill: let it be the last one of its segment.
            with contextlib.suppress(OSError):
                self.close()
            self._descriptor, self._num_bytes = None, 0

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}{_SUFFIX}"

    def _list_segments(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal()]


def _decode(line: bytes) -> bytes | None:
    checksum, _, content = line.partition(b" ")
    is_whole = len(checksum) == _CHECKSUM_DIGITS and checksum == b"%08x" % zlib.crc32(content)
    return content if is_whole else None


def _write_all(descriptor: int, content: bytes) -> None:
    """A nearly full disk may take a part only, and refuse the rest at the next call."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
