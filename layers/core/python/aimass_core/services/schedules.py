"""When a source is collected next, or a trigger fires: rates, cron expressions and windows, all of them in UTC."""

import re
from datetime import datetime, time, timedelta

from cronsim import CronSim, CronSimError

from aimass_core.domain.sources import CollectionPolicy
from aimass_core.errors import ErrorDetail, InvalidRequestError

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_NOTHING, _TICK = timedelta(0), timedelta(minutes=1)
_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}


def next_after(policy: CollectionPolicy, moment: datetime, *, at_least: timedelta = _NOTHING) -> datetime | None:
    """The next start after a moment, not before `at_least` has passed; None where a source has no schedule.

    What was missed meanwhile is not made up for: after a day of silence there is one run and not a day's.

    Raises InvalidRequestError where the schedule cannot be read, or has no further start.
    """
    if policy.schedule is None:
        return None
    rate = _RATE.fullmatch(policy.schedule)
    if rate is not None:
        due = moment + max(timedelta(seconds=int(rate[1]) * _SECONDS[rate[2]]), at_least)
    else:
        expression = policy.schedule.removeprefix("cron(").removesuffix(")")
        # A minute less, since ticks come some seconds late.
        due = next_of_cron(expression, moment + max(at_least - _TICK, _NOTHING), location="body.policy.schedule")
    return due if policy.window is None else _into_window(policy.window, due)


def next_of_cron(expression: str, moment: datetime, *, location: str) -> datetime:
    """The next time after a moment. `location` is where the expression stands in the request.

    Raises InvalidRequestError where it cannot be read, or never comes.
    """
    try:
        return next(CronSim(expression, moment))
    except (CronSimError, StopIteration) as error:
        words = str(error) or "it never comes"
        raise InvalidRequestError(
            f"The schedule cron({expression}) cannot be followed: {words}. Write minute, hour, day of the month, "
            "month and weekday, in UTC, such as cron(0 6 * * MON-FRI).",
            details=[ErrorDetail(location=location, message=words)],
        ) from error


def _into_window(window: str, due: datetime) -> datetime:
    """The moment itself where it lies within the window, else when that opens next. A window may span midnight."""
    opens, closes = (time.fromisoformat(part) for part in window.split("-"))
    now = due.time().replace(tzinfo=None)
    is_inside = opens <= now < closes if opens < closes else now >= opens or now < closes
    if is_inside:
        return due
    opening = due.replace(hour=opens.hour, minute=opens.minute, second=0, microsecond=0)
    return opening if opening > due else opening + timedelta(days=1)
