"""The watermark of a stream: the largest value of its cursor that was seen, and which rows are new by it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aimass_core.domain.common import Clock, JsonScalar
from aimass_core.domain.sources import Cursor
from aimass_core.services.flattening import find
from batch_jobs.collect.contract import RowRefusedError

_AHEAD = timedelta(hours=1)
_EPOCH_SECONDS = 86_400 * 366 * 10


@dataclass(slots=True)
class Watermark:
    """Of one stream and one run.

    Attributes:
        last: where the run before ended; None where there was none.
        highest: the largest value until now, and never one of the future: a clock that is wrong must not hide what
            comes after it.
    """

    cursor: Cursor
    last: JsonScalar
    clock: Clock
    highest: JsonScalar = field(init=False)
    num_ahead: int = field(default=0, init=False)
    is_ascending: bool = field(default=True, init=False)
    _start: Any = field(init=False)
    _previous: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.highest = self.last
        self._start = _comparable(self.start)

    @property
    def start(self) -> JsonScalar:
        """The value from which on rows are asked for."""
        first = self.cursor.initial if self.last is None else self.last
        if self.last is None or not self.cursor.lag_seconds:
            return first
        return _before(first, self.cursor.lag_seconds)

    def takes(self, record: dict[str, Any]) -> bool:
        """Whether the row is new. Raises RowRefusedError where it has no cursor."""
        value = record.get(self.cursor.path)
        if value is None or isinstance(value, list | dict):
            raise RowRefusedError(
                f"There is no value in {self.cursor.path!r}, by which new rows are told from old ones.",
                self.cursor.path,
            )
        found = _comparable(value)
        if self._start is not None:
            if type(found) is not type(self._start):
                raise RowRefusedError(
                    f"{value!r} cannot be compared with {self.start!r}, where the cursor stands.", self.cursor.path
                )
            if found < self._start or (found == self._start and self._is_seen()):
                return False
        self._move(value, found)
        return True

    def is_beyond(self, record: dict[str, Any]) -> bool:
        """Whether the rows until now came in order, and this one begins another value."""
        value, highest = _comparable(find(record, self.cursor.path)), _comparable(self.highest)
        return self.is_ascending and type(value) is type(highest) and value is not None and value > highest

    def _is_seen(self) -> bool:
        """Whether rows that equal the last value came in the run before."""
        return self.last is not None and not self.cursor.is_closed and not self.cursor.lag_seconds

    def _move(self, value: Any, found: Any) -> None:
        if self._previous is not None and type(found) is type(self._previous) and found < self._previous:
            self.is_ascending = False
        self._previous = found
        if isinstance(found, datetime) and found > self.clock() + _AHEAD:
            self.num_ahead += 1
            return
        highest = _comparable(self.highest)
        if highest is None or (type(found) is type(highest) and found > highest):
            self.highest = value


def _comparable(value: Any) -> Any:
    """Times as times, whatever zone they are written in; numbers as numbers; other text as it is."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return float(value)
    return _to_time(value) or value


def _to_time(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) < 10 or value[4:5] != "-":
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _before(value: JsonScalar, seconds: float) -> JsonScalar:
    found = _to_time(value)
    if found is not None:
        return (found - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    if isinstance(value, int | float) and not isinstance(value, bool) and value > _EPOCH_SECONDS:
        return value - seconds
    return value
