"""Stretches of time: from when to when, and in what steps."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aimass_core.errors import ErrorDetail, InvalidRequestError

MAX_DAYS = 90
_MAX_STEPS = 60
_STEPS = (60, 300, 900, 3_600, 6 * 3_600, 86_400, 7 * 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """`until` is not included."""

    since: datetime
    until: datetime

    @property
    def step_seconds(self) -> int:
        """The finest that gives at most sixty steps."""
        seconds = (self.until - self.since).total_seconds()
        return next((step for step in _STEPS if seconds / step <= _MAX_STEPS), _STEPS[-1])

    def start_of(self, at: datetime) -> datetime:
        """Of the step that a moment is in."""
        step = self.step_seconds
        return datetime.fromtimestamp(at.timestamp() // step * step, UTC)


def last(minutes: int, *, now: datetime) -> Span:
    """Up to now. Raises InvalidRequestError for more than is kept."""
    if minutes > MAX_DAYS * 1_440:
        message = f"{minutes} minutes are more than the {MAX_DAYS} days that are kept."
        raise InvalidRequestError(message, details=[ErrorDetail(location="query.minutes", message=message)])
    return Span(since=now - timedelta(minutes=minutes), until=now)
