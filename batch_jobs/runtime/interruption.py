"""SIGTERM: what Spot, SageMaker, `docker stop` and TerminateJob send before they kill."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Half of what ECS leaves between SIGTERM and SIGKILL; the other half is for handing over what was saved.
_GRACE_SECONDS = 15.0


class Interrupted(BaseException):
    """The container has seconds to leave. Like KeyboardInterrupt it passes through `except Exception`."""


class Postponement:
    """Code that leaves where it likes to: it looks at `is_due` from time to time."""

    def __init__(self, grace_seconds: float) -> None:
        self.grace_seconds = grace_seconds
        self.is_due = False

    def leave_if_due(self) -> None:
        """Raises Interrupted where SIGTERM has come."""
        if self.is_due:
            raise Interrupted


_postponements: list[Postponement] = []


def listen() -> None:
    """Raises Interrupted in the main thread with the first SIGTERM; later ones do not disturb the leaving."""
    signal.signal(signal.SIGTERM, _interrupt)


@contextmanager
def postponed(grace_seconds: float = _GRACE_SECONDS) -> Iterator[Postponement]:
    """Within it, Interrupted is not raised by SIGTERM but by `leave_if_due`, by the end of the block, or when the
    grace is over.
    """
    postponement = Postponement(grace_seconds)
    _postponements.append(postponement)
    try:
        yield postponement
    finally:
        _postponements.remove(postponement)
        if postponement.is_due:
            signal.setitimer(signal.ITIMER_REAL, 0)
    postponement.leave_if_due()


def leave() -> None:
    """Interrupts the main thread, from any thread."""
    os.kill(os.getpid(), signal.SIGTERM)


def ignore() -> None:
    """From now on the process ends by itself."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    ignore()
    if not _postponements:
        raise Interrupted
    _postponements[-1].is_due = True
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, _postponements[-1].grace_seconds)


def _give_up(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise Interrupted
