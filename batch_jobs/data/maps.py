"""Encoded rows on the job's disk, as one array that need not fit into memory."""

import mmap
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.errors import InvalidDataError

BLOCK_BYTES = 64 * 1024
WINDOW_BYTES = 64 * 1024**2
"""Rows are read in blocks that lie together, and shuffled within windows of blocks from all over the array: so much of
it is in memory at a time."""


def write_map(parts: Iterator[NDArray[Any]], *, num_rows: int, folder: Path) -> NDArray[Any]:
    """All rows of the parts, in a file that goes with the array or the process, whatever ends it.

    Raises:
        InvalidDataError: The disk has too little space for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        part = next(parts)
        _require_space(folder, num_rows * (part.nbytes // max(len(part), 1)))
        shape = (num_rows, *part.shape[1:])
        while True:
            part.tofile(file)
            following = next(parts, None)
            if following is None:
                break
            part = following
        file.flush()
        return np.memmap(file, dtype=part.dtype, mode="r+", shape=shape)


def _require_space(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise InvalidDataError(
            f"the encoded data takes {num_bytes / 1024**3:.1f} GiB of disk and {free / 1024**3:.1f} GiB are free: give "
            "the job larger disks, or less data"
        )


def is_on_disk(array: NDArray[Any]) -> bool:
    """Whether it was written by `write_map`."""
    return isinstance(array, np.memmap)


def release(array: NDArray[Any]) -> None:
    """What was read of it leaves this process's memory; it stays in the system's cache as long as there is room."""
    found = getattr(array, "_mmap", None)  # of a view too
    if isinstance(found, mmap.mmap):
        found.madvise(mmap.MADV_DONTNEED)


def blocks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """All rows in order, some at a time; an array in memory is one block."""
    if not is_on_disk(array):
        yield array
        return
    size = max(WINDOW_BYTES // max(array[0].nbytes, 1), 1)
    for start in range(0, len(array), size):
        yield array[start : start + size]
        release(array)
