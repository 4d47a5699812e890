"""Runs that take too long, all watched by one thread."""

import threading

from aimass_core.inference.serving.deadlines import Deadlines


def test_what_takes_too_long_is_ended_and_nothing_else() -> None:
    deadlines, ended, other = Deadlines(), threading.Event(), threading.Event()
    with deadlines.limit(60, other.set):
        for _ in range(3):
            ended.clear()
            with deadlines.limit(0.01, ended.set):
                assert ended.wait(120)
    with deadlines.limit(0.2, other.set):
        pass
    with deadlines.limit(0.3, ended.set):
        assert ended.wait(120)
    assert not other.is_set()


def test_one_thread_watches_them_all() -> None:
    deadlines = Deadlines()
    before = threading.active_count()
    for _ in range(50):
        with deadlines.limit(60, lambda: None):
            assert threading.active_count() <= before + 1
