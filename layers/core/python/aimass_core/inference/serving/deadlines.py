"""Ends runs that take too long, by one thread for all of them: a thread for each would cost more than many a run."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_SECONDS = 0.05
_LOOKS_BEFORE_SLEEP = 100


class Deadlines:
    """Runs, and when each has to be over. The thread starts with the first, and sleeps while there are none."""

    def __init__(self) -> None:
        self._running: dict[object, tuple[float, Callable[[], None]]] = {}
        self._is_asleep = True
        self._wake = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def limit(self, seconds: float, end: Callable[[], None]) -> Iterator[None]:
        """Calls `end`, from another thread, where what happens inside takes longer (by up to 0.05 s)."""
        key = object()
        self._running[key] = (time.monotonic() + seconds, end)
        if self._is_asleep:
            self._rouse()
        try:
            yield
        finally:
            self._running.pop(key, None)

    def _rouse(self) -> None:
        self._wake.set()
        with self._start:
            # A process that was forked has the object, and not the thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        idle = 0
        while True:
            # NOTE: said before it is looked at: whoever comes in between sees it and wakes this thread.
            self._is_asleep = idle >= _LOOKS_BEFORE_SLEEP
            if self._is_asleep and not self._running:
                self._wake.wait()
                self._wake.clear()
                idle = 0
            self._is_asleep = False
            idle = 0 if self._running else idle + 1
            now = time.monotonic()
            for key, (until, end) in list(self._running.items()):
                if now >= until and self._running.pop(key, None) is not None:
                    end()
            time.sleep(_LOOK_SECONDS)
