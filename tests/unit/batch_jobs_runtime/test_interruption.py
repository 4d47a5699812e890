"""SIGTERM at a bad moment waits for a good one, but not for ever."""

import os
import signal
import time

import pytest

from batch_jobs.runtime import interruption
from batch_jobs.runtime.interruption import Interrupted


@pytest.fixture(autouse=True)
def listening() -> None:
    interruption.listen()


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_without_postponement_it_interrupts_at_once() -> None:
    with pytest.raises(Interrupted):
        _terminate()


def test_postponed_it_waits_until_the_code_leaves_by_itself() -> None:
    reached = []

    def work() -> None:
        with interruption.postponed() as postponement:
            postponement.leave_if_due()
            _terminate()
            reached.append("went on")
            assert postponement.is_due
            postponement.leave_if_due()
            reached.append("too far")

    with pytest.raises(Interrupted):
        work()
    assert reached == ["went on"]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_end_of_the_block_is_a_good_moment() -> None:
    with pytest.raises(Interrupted), interruption.postponed():
        _terminate()


def test_an_error_is_not_replaced_by_the_interruption() -> None:
    def work() -> None:
        with interruption.postponed():
            _terminate()
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        work()


def test_code_that_never_leaves_is_interrupted_when_the_grace_is_over() -> None:
    deadline = time.monotonic() + 300

    def work() -> None:
        with interruption.postponed(grace_seconds=0.05):
            _terminate()
            while time.monotonic() < deadline:
                pass

    with pytest.raises(Interrupted):
        work()
    assert time.monotonic() < deadline


def test_after_the_block_it_interrupts_at_once_again() -> None:
    with interruption.postponed() as postponement:
        pass
    with pytest.raises(Interrupted):
        _terminate()
    assert not postponement.is_due
