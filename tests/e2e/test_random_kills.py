"""J15: kill -9 of the local cloud at random moments, with several writers at work; nothing acknowledged is lost.

Three kills; `make kills` for the 200 that FAULTS asks for (tests/chaos/kills.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.kills import Kills
from tests.stack import Stack, run_stack


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    yield from run_stack(tmp_path / "stack")


@pytest.mark.timeout(600)
def test_j15_kills_at_random_moments_lose_nothing_that_was_acknowledged(own_stack: Stack) -> None:
    ledger = Kills(own_stack, seed=15).run(3)
    assert (ledger.kills, ledger.kills_in_start) == (3, 1)
    assert (ledger.lost, ledger.doubled, ledger.refused) == (set(), set(), [])
    assert min(ledger.acknowledged.values()) > 0
