"""Ids: strictly ascending within a process, whatever the clock does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

from aimass_core.domain.common import MonotonicIds, first_id_at, is_id, new_id
from tests.factories.platform import ManualClock


def test_ids_of_one_millisecond_ascend() -> None:
    make = MonotonicIds(clock=ManualClock())
    made = [make("job") for _ in range(10_000)]
    assert all(first < second for first, second in pairwise(made))
    assert all(is_id(one) for one in (made[0], made[-1]))
    assert len({one[:15] for one in made}) == 1, "the time is still the time"


def test_ids_ascend_when_the_clock_goes_back() -> None:
    clock = ManualClock()
    make = MonotonicIds(clock=clock)
    before = make("job")
    clock.advance(-3600)
    assert make("job") > before
    clock.advance(7200)
    after = make("job")
    assert first_id_at("job", clock()) <= after < first_id_at("job", clock() + timedelta(milliseconds=1))


def test_a_random_part_that_is_full_keeps_the_order() -> None:
    make = MonotonicIds(clock=ManualClock())
    make("job")
    make._last |= 2**64 - 1
    full = f"job_{make._last:027x}"
    assert make("job") > full


def test_threads_never_make_the_same_id() -> None:
    def many(_: int) -> list[str]:
        return [new_id("job") for _ in range(2_000)]

    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(many, range(8)))
    made = [one for part in parts for one in part]
    assert len(set(made)) == len(made)
    assert all(part == sorted(part) for part in parts)
