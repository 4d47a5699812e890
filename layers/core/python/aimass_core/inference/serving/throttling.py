"""Holds API keys to their limits of requests, over all processes that serve."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.errors import AimassError, QuotaExceededError
from aimass_core.ports import CounterRow, Ports

RATE_WINDOW = timedelta(seconds=10)
_DAY = timedelta(days=1)
_SHARE_SECONDS = 1.0
_RESOURCE = "key_counter"
_AMOUNT = "requests"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Window:
    """Requests of one key in one span of time: those that all processes have shared, and our own since then."""

    key: keys.RowKey
    ends_at: datetime
    shared: int = 0
    own: int = 0
    due_at: float = 0.0


class Throttling:
    """Each process counts for itself, and once a second adds its count to the sum of all: a limit may be passed by what
    they answer within that second. A key without limits costs nothing."""

    def __init__(self, ports: Ports, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ports, self._monotonic = ports, monotonic
        self._windows: dict[keys.RowKey, _Window] = {}
        self._lock = threading.Lock()

    def take(self, caller: Principal) -> None:
        """Counts a request. Raises QuotaExceededError, with the time after which it is worth asking again."""
        rate, quota = caller.max_requests_per_second, caller.max_requests_per_day
        with self._lock:
            if rate is not None:
                limit = max(round(rate * RATE_WINDOW.total_seconds()), 1)
                self._take(caller, RATE_WINDOW, limit, f"{rate:g} requests a second")
            if quota is not None:
                self._take(caller, _DAY, quota, f"{quota} requests a day (UTC)")

    def _take(self, caller: Principal, span: timedelta, limit: int, words: str) -> None:
        now = self._ports.clock()
        window = self._find(caller, span, now)
        if self._monotonic() >= window.due_at:
            self._share(window)
        if window.shared + window.own >= limit:
            left = window.ends_at - now
            raise QuotaExceededError(
                f"The API key may make {words}, and has made them. Try again in {_say(left)}, or ask an admin of the "
                "workspace for a key with a higher limit.",
                retry_after_seconds=max(1, int(left.total_seconds()) + 1),
            )
        window.own += 1

    def _find(self, caller: Principal, span: timedelta, now: datetime) -> _Window:
        start = datetime.fromtimestamp(now.timestamp() // span.total_seconds() * span.total_seconds(), UTC)
        key = keys.key_counter(caller.workspace_id, caller.actor, seconds=int(span.total_seconds()), start=start)
        found = self._windows.get(key)
        if found is None:
            self._windows = {each.key: each for each in self._windows.values() if each.ends_at > now}
            found = self._windows[key] = _Window(key=key, ends_at=start + span)
        return found

    def _share(self, window: _Window) -> None:
        """What cannot be shared now is shared the next time, and refuses nobody."""
        window.due_at = self._monotonic() + _SHARE_SECONDS
        counters, key = self._ports.counters, window.key
        try:
            if window.own:
                row = CounterRow(key=key, data={}, amounts={_AMOUNT: window.own})
                counters.add(row, resource=_RESOURCE, expires_at=window.ends_at + _DAY)
                window.shared, window.own = window.shared + window.own, 0
            rows = counters.query(key.partition, first=key.sort, last=key.sort)
            window.shared = sum(row.amounts.get(_AMOUNT, 0) for row in rows)
        except AimassError as error:
            _log.warning("requests are not counted over all processes", extra={"reason": error.message})


def _say(left: timedelta) -> str:
    seconds = left.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
