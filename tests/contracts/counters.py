"""What all counters do, whatever they are made of. A test module subclasses this with its own `counters` fixture."""

import threading
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from aimass_core.domain.keys import RowKey
from aimass_core.ports import CounterRow, Counters

EXPIRES_AT = datetime(2026, 12, 24, tzinfo=UTC)
DATA = {"endpoint_id": "ep_1", "number": 3, "minute": "2026-11-23T12:00:00+00:00"}


class CountersContract:
    """The suite."""

    @pytest.fixture
    def counters(self) -> Counters:
        """The counters under test."""
        raise NotImplementedError

    @pytest.fixture
    def here(self) -> str:
        """A partition of this test's own."""
        return f"COUNTERS#{uuid4().hex}"

    def test_amounts_add_up_each_for_itself(self, counters: Counters, here: str) -> None:
        add(counters, here, "a", requests=2, ms_3=1)
        add(counters, here, "a", requests=5, errors=1)
        (row,) = counters.query(here, first="a", last="a")
        assert row.amounts == {"requests": 7, "ms_3": 1, "errors": 1}
        assert row.data == DATA
        assert row.key == RowKey(here, "a")

    def test_rows_come_in_order_from_first_to_last(self, counters: Counters, here: str) -> None:
        for sort in ("M#2", "M#1", "M#3", "R#1"):
            add(counters, here, sort, requests=1)
        add(counters, f"{here}-other", "M#2", requests=1)
        assert [row.key.sort for row in counters.query(here, first="M#1", last="M#2")] == ["M#1", "M#2"]
        assert [row.key.sort for row in counters.query(here, first="M#2", last="M#\U0010ffff")] == ["M#2", "M#3"]
        assert not counters.query(f"{here}-nobody", first="M", last="N")

    def test_many_who_add_at_the_same_time_lose_nothing(self, counters: Counters, here: str) -> None:
        def work() -> None:
            for _ in range(10):
                add(counters, here, "a", requests=1, rows=3)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (row,) = counters.query(here, first="a", last="a")
        assert row.amounts == {"requests": 80, "rows": 240}


def add(counters: Counters, partition: str, sort: str, **amounts: int) -> None:
    """Adds amounts to one row."""
    row = CounterRow(key=RowKey(partition, sort), data=DATA, amounts=amounts)
    counters.add(row, resource="minute_counter", expires_at=EXPIRES_AT)
