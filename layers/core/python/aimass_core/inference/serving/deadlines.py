"""Ends runs that take too long, by one thread for all of them: a thread for each would cost more than many a run."""

import threading
import time
from collections.abc import Callable

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

    def limit(self, seconds: float, end: Callable[[], None]) -> "_Limit":
        """For `with`: calls `end`, from another thread, where what happens inside takes longer (by up to 0.05 s)."""
        return _Limit(self, seconds, end)

    def begin(self, key: object, seconds: float, end: Callable[[], None]) -> None:
        """Watches until `stop`."""
        self._running[key] = (time.monotonic() + seconds, end)
        if self._is_asleep:
            self._rouse()

    def stop(self, key: object) -> None:
        """It is over, in time or not."""
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


class _Limit:
    """One of them. NOTE: a generator, as `contextmanager` wants it, would take twice as long."""

    __slots__ = ("_deadlines", "_end", "_seconds")

    def __init__(self, deadlines: Deadlines, seconds: float, end: Callable[[], None]) -> None:
        self._deadlines, self._seconds, self._end = deadlines, seconds, end

    def __enter__(self) -> None:
        self._deadlines.begin(self, self._seconds, self._end)

    def __exit__(self, *_error: object) -> None:
        self._deadlines.stop(self)
