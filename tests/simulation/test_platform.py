"""The whole platform by seeds, and at every crash point; `make soak` for more of them."""

import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.simulation.faults import When
from tests.simulation.story import crash_points, tell

NUM_SEEDS, NUM_STEPS, TOGETHER = 500, 25, 50
CRASH_SEEDS, CRASH_STEPS = (8,), 60
HANDLERS = {"api", "ingest", "dispatch", "job_events", "reconciler", "collectors", "container", "notifications"}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The handlers log every fault."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, NUM_SEEDS, TOGETHER))
def test_j3_nothing_acknowledged_is_lost_or_doubled_whatever_the_seed_lets_go_wrong(first: int) -> None:
    acks = sum(tell(seed, NUM_STEPS).acks for seed in range(first, first + TOGETHER))
    assert acks > TOGETHER


def test_j6_no_crash_after_any_effect_of_any_handler_loses_or_doubles_anything() -> None:
    """`python -m tests.simulation.soak --crash-points` for the other faults at each effect."""
    places = sum((crash_points(seed, CRASH_STEPS, [When.AFTER]) for seed in CRASH_SEEDS), start=Counter())
    assert places.keys() >= HANDLERS
    print(f"{sum(places.values())} of {sum(places.values())} crash points: {dict(places)}")
