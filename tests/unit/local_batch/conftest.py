"""One service per test, closed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.local_batch.harness import LocalBatch


@pytest.fixture
def start_batch(tmp_path: Path) -> Iterator[Callable[..., LocalBatch]]:
    """Starts services; all work in the same folder, one after the other."""
    started: list[LocalBatch] = []

    def start(**options: Any) -> LocalBatch:
        batch = LocalBatch(tmp_path / "batch", **options)
        started.append(batch)
        return batch

    yield start
    for batch in started:
        if not batch.loop.is_closed():
            batch.close()


@pytest.fixture
def batch(start_batch: Callable[..., LocalBatch]) -> LocalBatch:
    """A service with a compute environment and the queue `queue`."""
    service = start_batch(stop_grace_seconds=2.0)
    service.set_up()
    return service
