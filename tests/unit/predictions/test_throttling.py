"""Limits of API keys: within a process, over several, and when the counters do not answer."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal, Role
from aimass_core.errors import QuotaExceededError, UnavailableError
from aimass_core.inference.serving.throttling import RATE_WINDOW, Throttling
from tests.unit.predictions.bench import ManualTime

START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


class World:
    """Several processes on one set of counters, and one clock."""

    def __init__(self, num_processes: int = 1) -> None:
        self.time = ManualTime()
        self.ports = MemoryPorts(clock=lambda: START + timedelta(seconds=self.time.now))
        self.processes = [Throttling(self.ports, monotonic=self.time) for _ in range(num_processes)]

    def take(self, caller: Principal, num: int, *, process: int = 0) -> int:
        """How many of so many requests are let in."""
        taken = 0
        for _ in range(num):
            try:
                self.processes[process].take(caller)
            except QuotaExceededError:
                continue
            taken += 1
        return taken


def caller_of(actor: str = "key_1", workspace_id: str = "ws_1", **limits: Any) -> Principal:
    return Principal(workspace_id=workspace_id, workspace_name="team", actor=actor, role=Role.VIEWER, **limits)


def test_rate_is_held_over_ten_seconds_and_begins_anew() -> None:
    world, caller = World(), caller_of(max_requests_per_second=2)
    assert world.take(caller, 50) == 20
    world.time.now += 9.5
    assert world.take(caller, 1) == 0
    world.time.now += 0.6
    assert world.take(caller, 50) == 20


def test_refusal_says_the_limit_and_when_to_come_again() -> None:
    world, caller = World(), caller_of(max_requests_per_second=0.1)
    world.time.now = 3.0
    assert world.take(caller, 1) == 1
    with pytest.raises(QuotaExceededError, match=r"0.1 requests a second.*Try again in 7 s") as raised:
        world.processes[0].take(caller)
    assert raised.value.retry_after_seconds == 8


def test_quota_of_a_day_ends_at_midnight() -> None:
    world, caller = World(), caller_of(max_requests_per_day=5)
    assert world.take(caller, 9) == 5
    world.time.now += 12 * 3_600 - 1
    with pytest.raises(QuotaExceededError, match="5 requests a day"):
        world.processes[0].take(caller)
    world.time.now += 1
    assert world.take(caller, 9) == 5


def test_processes_share_their_counts() -> None:
    world, caller = World(num_processes=3), caller_of(max_requests_per_day=30)
    assert [world.take(caller, 8, process=process) for process in range(3)] == [8, 8, 8]
    world.time.now += 1.1
    # Each adds what it has counted, one after the other: the last one knows of all.
    world.take(caller, 1, process=0), world.take(caller, 1, process=1)
    assert world.take(caller, 50, process=2) == 6
    world.time.now += 1.1
    assert [world.take(caller, 50, process=process) for process in (2, 0, 1)] == [0, 0, 0]


@pytest.mark.parametrize("num_processes", [2, 8, 32])
def test_h15_race_of_processes_passes_a_limit_by_no_more_than_a_second_of_theirs(num_processes: int) -> None:
    allowed, each_second = 200, 5
    world, caller = World(num_processes=num_processes), caller_of(max_requests_per_day=allowed)
    taken = 0
    for _ in range(60):
        with ThreadPoolExecutor(num_processes) as pool:
            processes = range(num_processes)
            taken += sum(pool.map(lambda process: world.take(caller, each_second, process=process), processes))
        world.time.now += 1.0
    assert allowed <= taken <= allowed + num_processes * each_second


def test_new_process_knows_what_the_others_have_counted() -> None:
    world, caller = World(), caller_of(max_requests_per_day=10)
    assert world.take(caller, 9) == 9
    world.time.now += 1.1
    assert world.take(caller, 1) == 1
    world.time.now += 1.1
    assert world.take(caller, 1) == 0
    world.processes.append(Throttling(world.ports, monotonic=world.time))
    assert world.take(caller, 5, process=1) == 0


def test_keys_do_not_count_for_each_other_and_none_without_a_limit() -> None:
    world = World()
    limit = {"max_requests_per_day": 1}
    callers = [caller_of("key_1", **limit), caller_of("key_2", **limit), caller_of("key_1", "ws_2", **limit)]
    assert [world.take(caller, 3) for caller in callers] == [1, 1, 1]
    assert world.take(caller_of("key_3"), 100) == 100


def test_counters_that_do_not_answer_refuse_nobody_else() -> None:
    world, caller = World(), caller_of(max_requests_per_day=3)

    class Broken:
        def add(self, *_: Any, **__: Any) -> None:
            raise UnavailableError("throttled")

        query = add

    world.ports.counters = Broken()  # type: ignore[assignment]
    assert world.take(caller, 2) == 2
    world.time.now += 1.1
    assert world.take(caller, 5) == 1


def test_windows_that_are_over_are_forgotten() -> None:
    world, caller = World(), caller_of(max_requests_per_second=1)
    for _ in range(5):
        world.take(caller, 1)
        world.time.now += RATE_WINDOW.total_seconds()
    assert len(world.processes[0]._windows) == 1
