"""When a source is read next."""

from datetime import UTC, datetime

import pytest

from aimass_core.domain.sources import CollectionPolicy
from aimass_core.errors import InvalidRequestError
from aimass_core.services import schedules

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("schedule", "window", "expected"),
    [
        (None, None, None),
        ("rate(1 minute)", None, "2026-11-23T12:01:00"),
        ("rate(15 minutes)", None, "2026-11-23T12:15:00"),
        ("rate(2 days)", None, "2026-11-25T12:00:00"),
        ("cron(0 6 * * *)", None, "2026-11-24T06:00:00"),
        ("cron(0 12 * * *)", None, "2026-11-24T12:00:00"),
        ("cron(*/20 * * * SAT)", None, "2026-11-28T00:00:00"),
        ("cron(0 0 L * *)", None, "2026-11-30T00:00:00"),
        ("cron(0 0 29 2 *)", None, "2028-02-29T00:00:00"),
        ("rate(1 hour)", "22:00-06:00", "2026-11-23T22:00:00"),
        ("rate(11 hours)", "22:00-06:00", "2026-11-23T23:00:00"),
        ("rate(17 hours)", "22:00-06:00", "2026-11-24T05:00:00"),
        ("rate(18 hours)", "22:00-06:00", "2026-11-24T22:00:00"),
        ("rate(1 hour)", "09:00-10:30", "2026-11-24T09:00:00"),
    ],
)
def test_b10_next_start_is_in_utc_and_within_the_window(
    schedule: str | None, window: str | None, expected: str | None
) -> None:
    due = schedules.next_after(CollectionPolicy(schedule=schedule, window=window), NOON)
    assert due == (None if expected is None else datetime.fromisoformat(expected).replace(tzinfo=UTC))


@pytest.mark.parametrize("schedule", ["cron(0 6 * * ? *)", "cron(61 6 * * *)", "cron(0 0 30 2 *)", "cron(a b c d e)"])
def test_schedule_that_cannot_be_followed_is_refused_with_an_example(schedule: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"cron\(0 6 \* \* MON-FRI\)") as caught:
        schedules.next_after(CollectionPolicy(schedule=schedule), NOON)
    assert schedule in caught.value.message


@pytest.mark.parametrize("schedule", ["hourly", "rate(0 minutes)", "rate(1 second)", "cron()", "cron(0 6 * * *); x"])
def test_what_is_no_schedule_is_refused_by_the_contract(schedule: str) -> None:
    with pytest.raises(ValueError, match="schedule"):
        CollectionPolicy(schedule=schedule)
