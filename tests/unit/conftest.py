"""What no unit test may leave behind it."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def restored_signals() -> Iterator[None]:
    """A process that ignores SIGTERM bequeaths that to every process that later tests start."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
