"""What every registry does, whatever it is made of. A test module subclasses this with its own `registry` fixture."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from aimass_core.domain import keys
from aimass_core.domain.keys import RowKey
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Check, Delete, Put, Registry, Row, WriteConflictError

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "text": "snow \u2603 \U0001f600 \x00 \r\n",
    "empty": "",
    "none": None,
    "yes": True,
    "whole": 12345678901234567890,
    "float": 0.1,
    "third": 1 / 3,
    "tiny": 5e-324,
    "inexact": 1e23,
    "huge": 1.7976931348623157e308,
    "negative": -1.5e-200,
    "list": [1, [2.5, {"deep": []}], "x"],
    "map": {"a b": {}, "$float": "a user's own key"},
}


def row(partition: str, sort: str, revision: int = 1, **data: Any) -> Row:
    """A small row."""
    return Row(key=RowKey(partition, sort), data=data, revision=revision)


class RegistryContract:
    """The suite."""

    @pytest.fixture
    def registry(self) -> Registry:
        """The registry under test, empty or shared."""
        raise NotImplementedError

    @pytest.fixture
    def here(self) -> str:
        """A partition of this test's own."""
        return f"WS#{uuid4().hex}"

    def test_a_row_comes_back_as_it_was_written(self, registry: Registry, here: str) -> None:
        written = Row(
            key=RowKey(here, "JOB#1"),
            data=VALUES,
            revision=1,
            resource="job",
            status="SUBMITTED",
            at=NOW,
            expires_at=NOW.replace(microsecond=0),
        )
        registry.write(Put(row=written))
        assert registry.get(written.key) == written

    def test_a_row_that_is_not_there_is_none(self, registry: Registry, here: str) -> None:
        assert registry.get(RowKey(here, "JOB#1")) is None

    def test_a_new_row_must_not_exist(self, registry: Registry, here: str) -> None:
        registry.write(Put(row=row(here, "A", owner="first")))
        with pytest.raises(WriteConflictError) as refused:
            registry.write(Put(row=row(here, "A", owner="second")))
        assert refused.value.failed == (0,)
        assert _stored(registry, here, "A") == {"owner": "first"}

    def test_a_change_needs_the_stored_revision(self, registry: Registry, here: str) -> None:
        registry.write(Put(row=row(here, "A", number=1)))
        registry.write(Put(row=row(here, "A", 2, number=2), expected=1))
        with pytest.raises(WriteConflictError):
            registry.write(Put(row=row(here, "A", 2, number=99), expected=1))
        assert _stored(registry, here, "A") == {"number": 2}

    def test_a_change_of_a_row_that_is_not_there_is_a_conflict(self, registry: Registry, here: str) -> None:
        with pytest.raises(WriteConflictError):
            registry.write(Put(row=row(here, "A", 2), expected=1))
        assert registry.get(RowKey(here, "A")) is None

    def test_a_repeated_write_is_no_conflict(self, registry: Registry, here: str) -> None:
        create = Put(row=row(here, "A", x=0.1))
        registry.write(create)
        registry.write(create)
        change = Put(row=row(here, "A", 2, x=5e-324), expected=1)
        registry.write(change)
        registry.write(change)
        registry.write(Delete(key=create.row.key, expected=2))
        registry.write(Delete(key=create.row.key, expected=2))
        assert registry.get(create.row.key) is None

    def test_a_repeated_transaction_is_no_conflict(self, registry: Registry, here: str) -> None:
        registry.write(Put(row=row(here, "GONE")), Put(row=row(here, "GUARD")))
        writes = (
            Put(row=row(here, "A", x=1)),
            Put(row=row(here, "B", x=2)),
            Delete(key=RowKey(here, "GONE"), expected=1),
            Check(key=RowKey(here, "GUARD"), expected=1),
        )
        registry.write(*writes)
        registry.write(*writes)
        assert _stored(registry, here, "A") == {"x": 1}

    def test_a_transaction_goes_on_where_one_of_its_rows_is_stored_already(self, registry: Registry, here: str) -> None:
        registry.write(Put(row=row(here, "A", x=1)))
        registry.write(Put(row=row(here, "A", x=1)), Put(row=row(here, "B", x=2)))
        assert _stored(registry, here, "B") == {"x": 2}

    def test_a_transaction_is_all_or_nothing_and_names_what_failed(self, registry: Registry, here: str) -> None:
        registry.write(Put(row=row(here, "TAKEN", by="somebody")))
        with pytest.raises(WriteConflictError) as refused:
            registry.write(
                Put(row=row(here, "A")),
                Put(row=row(here, "TAKEN", by="me")),
                Check(key=RowKey(here, "ABSENT"), expected=3),
            )
        assert refused.value.failed == (1, 2)
        assert registry.get(RowKey(here, "A")) is None

    def test_a_check_guards_without_writing(self, registry: Registry, here: str) -> None:
        registry.write(Put(row=row(here, "PARENT", 4)), Put(row=row(here, "A")))
        registry.write(Check(key=RowKey(here, "PARENT"), expected=4), Put(row=row(here, "B")))
        with pytest.raises(WriteConflictError) as refused:
            registry.write(Check(key=RowKey(here, "PARENT"), expected=None), Put(row=row(here, "C")))
        assert refused.value.failed == (0,)
        assert registry.get(RowKey(here, "C")) is None
        registry.write(Check(key=RowKey(here, "PARENT"), expected=4))

    def test_a_delete_needs_the_stored_revision(self, registry: Registry, here: str) -> None:
        registry.write(Put(row=row(here, "A", 3)))
        with pytest.raises(WriteConflictError):
            registry.write(Delete(key=RowKey(here, "A"), expected=2))
        registry.write(Delete(key=RowKey(here, "A"), expected=3))
        assert registry.get(RowKey(here, "A")) is None

    def test_a_hundred_writes_are_one_transaction(self, registry: Registry, here: str) -> None:
        registry.write(*(Put(row=row(here, f"A#{number:03d}")) for number in range(100)))
        assert len(registry.query(here, "A#", limit=100).rows) == 100

    def test_concurrent_writers_lose_no_update(self, registry: Registry, here: str) -> None:
        registry.write(Put(row=row(here, "COUNTER", count=0)))
        threads = [threading.Thread(target=_increment, args=(registry, here, name)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=300)
        assert _stored(registry, here, "COUNTER")["count"] == 200

    def test_a_query_gives_the_rows_of_a_prefix_in_order(self, registry: Registry, here: str) -> None:
        for sort in ("JOB#2", "JOB#10", "JOB#1", "JOBS#1", "DATASET#1"):
            registry.write(Put(row=row(here, sort)))
        registry.write(Put(row=row(f"{here}x", "JOB#3")))
        found = [found.key.sort for found in registry.query(here, "JOB#", limit=10).rows]
        assert found == ["JOB#1", "JOB#10", "JOB#2"]
        newest = registry.query(here, "JOB#", limit=10, newest_first=True)
        assert [found.key.sort for found in newest.rows] == found[::-1]

    def test_a_query_without_a_prefix_gives_the_whole_partition(self, registry: Registry, here: str) -> None:
        registry.write(*(Put(row=row(here, sort)) for sort in ("A#1", "B#1", "C")))
        page = registry.query(here, "", limit=2)
        assert [found.key.sort for found in page.rows] == ["A#1", "B#1"]
        assert [found.key.sort for found in registry.query(here, "", limit=2, start=page.next_start).rows] == ["C"]

    @pytest.mark.parametrize("newest_first", [False, True])
    @pytest.mark.parametrize("limit", [1, 3, 4, 12, 13])
    def test_pages_cover_every_row_once(self, registry: Registry, here: str, limit: int, newest_first: bool) -> None:
        registry.write(*(Put(row=row(here, f"A#{number:02d}")) for number in range(12)))
        found, start = [], None
        while True:
            page = registry.query(here, "A#", limit=limit, start=start, newest_first=newest_first)
            assert len(page.rows) <= limit
            found += [row.key.sort for row in page.rows]
            if page.next_start is None:
                break
            start = page.next_start
        assert found == sorted((f"A#{number:02d}" for number in range(12)), reverse=newest_first)

    def test_a_page_may_be_larger_than_a_megabyte(self, registry: Registry, here: str) -> None:
        for number in range(8):
            registry.write(Put(row=row(here, f"A#{number}", text="x" * 300_000)))
        page = registry.query(here, "A#", limit=7)
        assert [found.key.sort for found in page.rows] == [f"A#{number}" for number in range(7)]
        rest = registry.query(here, "A#", limit=7, start=page.next_start)
        assert ([found.key.sort for found in rest.rows], rest.next_start) == (["A#7"], None)

    def test_a_status_is_found_across_partitions_oldest_first(self, registry: Registry, here: str) -> None:
        status = f"S{uuid4().hex}"
        for minutes, partition in ((3, here), (1, f"{here}x"), (2, here)):
            at = NOW + timedelta(minutes=minutes)
            key = RowKey(partition, f"JOB#{minutes}")
            registry.write(Put(row=Row(key=key, data={}, revision=1, resource="job", status=status, at=at)))
        index = keys.status_partition("job", status)
        assert [found.key.sort for found in registry.query_status(index, limit=10)] == ["JOB#1", "JOB#2", "JOB#3"]
        assert [found.key.sort for found in registry.query_status(index, limit=2)] == ["JOB#1", "JOB#2"]
        before = registry.query_status(index, before=NOW + timedelta(minutes=2), limit=10)
        assert [found.key.sort for found in before] == ["JOB#1"]

    def test_a_changed_status_moves_the_row_in_the_index(self, registry: Registry, here: str) -> None:
        first, second = f"S{uuid4().hex}", f"S{uuid4().hex}"
        key = RowKey(here, "JOB#1")
        registry.write(Put(row=Row(key=key, data={}, revision=1, resource="job", status=first, at=NOW)))
        registry.write(Put(row=Row(key=key, data={}, revision=2, resource="job", status=second, at=NOW), expected=1))
        assert list(registry.query_status(keys.status_partition("job", first), limit=10)) == []
        assert len(registry.query_status(keys.status_partition("job", second), limit=10)) == 1

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**38])
    def test_what_cannot_be_stored_is_refused(self, registry: Registry, here: str, value: float) -> None:
        with pytest.raises(InvalidRequestError):
            registry.write(Put(row=row(here, "A", value={"deep": [value]})))
        assert registry.get(RowKey(here, "A")) is None

    def test_a_row_over_400_kilobytes_is_refused(self, registry: Registry, here: str) -> None:
        with pytest.raises(InvalidRequestError, match="400 KB"):
            registry.write(Put(row=row(here, "A", text="x" * 420_000)))
        with pytest.raises(InvalidRequestError, match="400 KB"):
            registry.write(Put(row=row(here, "C")), Put(row=row(here, "D", text="x" * 420_000)))
        assert registry.get(RowKey(here, "C")) is None


def _stored(registry: Registry, partition: str, sort: str) -> dict[str, Any]:
    found = registry.get(RowKey(partition, sort))
    assert found is not None
    return dict(found.data)


def _increment(registry: Registry, partition: str, writer: str) -> None:
    done = 0
    while done < 100:
        found = registry.get(RowKey(partition, "COUNTER"))
        assert found is not None
        # Every writer's row is its own, as `updated_at` makes it: else a rival's equal row looks like one's own.
        changed = row(partition, "COUNTER", found.revision + 1, count=found.data["count"] + 1, writer=writer)
        try:
            registry.write(Put(row=changed, expected=found.revision))
        except WriteConflictError:
            continue
        done += 1
