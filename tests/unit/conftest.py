"""What holds for unit tests, and what none may leave behind it."""

import signal
from collections.abc import Iterator

import hypothesis
import pytest

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


@pytest.fixture(autouse=True)
def restored_signals() -> Iterator[None]:
    """A process that ignores SIGTERM bequeaths that to every process that later tests start."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
