"""SIGTERM: what Spot, SageMaker, `docker stop` and TerminateJob send before they kill."""

import os
import signal
from types import FrameType


class Interrupted(BaseException):
    """The container has seconds to leave. Like KeyboardInterrupt it passes through `except Exception`."""


def listen() -> None:
    """Raises Interrupted in the main thread with the first SIGTERM; later ones do not disturb the leaving."""
    signal.signal(signal.SIGTERM, _interrupt)


def leave() -> None:
    """Interrupts the main thread, from any thread."""
    os.kill(os.getpid(), signal.SIGTERM)


def ignore() -> None:
    """From now on the process ends by itself."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    ignore()
    raise Interrupted
