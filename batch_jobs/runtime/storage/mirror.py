"""Copies folders to the lake while a job runs, as SageMaker does of itself: checkpoints and event files."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from aimass_core.errors import AimassError
from aimass_core.ports import BlobNotFoundError, BlobStore
from batch_jobs.runtime.fence import Fence, SupersededError
from batch_jobs.runtime.storage.folders import list_files

_INTERVAL_SECONDS = 2.0
# NOTE: event files grow while they are read: what is read at once is what is sent.
_MAX_BYTES_AT_ONCE = 8 * 1024**2
_log = logging.getLogger(__name__)

Stamp = tuple[int, int]


def download_folder(lake: BlobStore, prefix: str, folder: Path) -> dict[str, Stamp]:
    """Brings back what the mirror of an earlier attempt left under the prefix; returns what need not be sent again."""
    known = {}
    for info in lake.list(prefix):
        path = folder.joinpath(*info.key.removeprefix(prefix).split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(BlobNotFoundError):  # an attempt that is about to notice that it was overtaken
            lake.download(info.key, path)
            known[info.key] = _stamp(path)
    return known


class Mirror:
    """Looks every two seconds for files that are new, have changed or are gone, in a thread of its own.

    Before it writes it asks whether this attempt still may; after that it writes no more. While the lake cannot be
    reached, it tries again.

    Args:
        fence: whose right to write is checked.
        folders: by the prefix under which their files lie in the lake.
        known: keys that lie there already; those without a file are deleted.
    """

    def __init__(
        self,
        fence: Fence,
        folders: Mapping[str, Path],
        *,
        known: Mapping[str, Stamp] | None = None,
        interval_seconds: float = _INTERVAL_SECONDS,
    ) -> None:
        self._fence, self._folders, self._interval_seconds = fence, dict(folders), interval_seconds
        self._sent: dict[str, Stamp] = dict(known or {})
        self._is_closed = threading.Event()
        self._has_failed = False
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def finish(self, *, timeout_seconds: float) -> None:
        """Looks once more, and ends."""
        self._is_closed.set()
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            _log.warning("the last checkpoint could not be copied to the lake in time")

    def _run(self) -> None:
        is_closed = False
        while not is_closed:
            is_closed = self._is_closed.wait(self._interval_seconds)
            try:
                self._look()
                self._has_failed = False
            except SupersededError as error:
                _log.warning("%s", error)
                return
            except AimassError as error:
                if not self._has_failed:
                    _log.warning("checkpoints and event files wait: %s", error.message)
                self._has_failed = True

    def _look(self) -> None:
        """New files before old ones go: at no time there is less than there was."""
        found = dict(self._list())
        changed = [key for key, (_, stamp) in found.items() if self._sent.get(key) != stamp]
        gone = [key for key in self._sent if key not in found]
        if not changed and not gone:
            return
        self._fence.check()
        for key in changed:
            path, stamp = found[key]
            if self._send(path, key, num_bytes=stamp[0]):
                self._sent[key] = stamp
        for key in gone:
            self._fence.ports.lake.delete(key)
            del self._sent[key]

    def _list(self) -> Iterator[tuple[str, tuple[Path, Stamp]]]:
        for prefix, folder in self._folders.items():
            for name, path in list_files(folder):
                with suppress(FileNotFoundError):
                    yield prefix + name, (path, _stamp(path))

    def _send(self, path: Path, key: str, *, num_bytes: int) -> bool:
        """False where the file has gone meanwhile."""
        lake = self._fence.ports.lake
        try:
            if num_bytes <= _MAX_BYTES_AT_ONCE:
                lake.put(key, path.read_bytes())
            else:
                lake.upload(path, key)
        except FileNotFoundError:
            return False
        return True


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
