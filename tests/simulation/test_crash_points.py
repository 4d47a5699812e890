"""A story of the whole platform, with a crash after each of its effects in turn."""

import logging

import pytest

from tests.simulation.faults import When
from tests.simulation.story import crash_points

SEED, NUM_STEPS = 29, 60
HANDLERS = {"api", "ingest", "dispatch", "job_events", "reconciler", "collectors", "container", "notifications"}


def test_j6_no_crash_after_any_effect_of_any_handler_loses_or_doubles_anything(
    request: pytest.FixtureRequest,
) -> None:
    """`python -m tests.simulation.soak --crash-points 3` for every other fault at each effect, and more stories."""
    logging.disable(logging.CRITICAL)
    request.addfinalizer(lambda: logging.disable(logging.NOTSET))
    places = crash_points(SEED, NUM_STEPS, [When.AFTER])
    assert places.keys() >= HANDLERS
    print(f"{places.total()} of {places.total()} crash points: {dict(places)}")
