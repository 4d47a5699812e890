"""The whole platform by seeds; `make soak` for more of them."""

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.story import tell

NUM_SEEDS, NUM_STEPS, TOGETHER = 500, 25, 50


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
