"""What this process has answered and not yet written to the counters."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from aimass_core.domain.endpoint_counters import Counts, bucket_of
from aimass_core.errors import AimassError
from aimass_core.ports import Ports
from aimass_core.services import endpoint_counters
from aimass_core.services.endpoint_counters import CountedVersion

FLUSH_SECONDS = 2.0
_MAX_WRITTEN = 10
_TURN_SECONDS = 0.1
_log = logging.getLogger(__name__)
_CALLERS_FAULTS_BELOW = 500


@dataclass(slots=True)
class _Sums:
    amounts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


class Counting:
    """Counts in memory, written within a request, at most every two seconds; of many versions, ten after the other.

    What was counted since is written with the next request; a process that ends before loses it.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        flush_seconds: float = FLUSH_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ports, self._flush_seconds, self._monotonic = ports, flush_seconds, monotonic
        self._lock = threading.Lock()
        self._sums: dict[tuple[CountedVersion, datetime], _Sums] = {}
        self._due_at = 0.0

    def count(
        self,
        version: CountedVersion,
        *,
        seconds: float,
        rows: int = 0,
        row_errors: int = 0,
        compared: int = 0,
        disagreed: int = 0,
        status: int = 200,
    ) -> None:
        """One request to one version. `status`: the HTTP status of its answer, 500 and above: it failed."""
        minute = self._ports.clock().replace(second=0, microsecond=0)
        is_answered = status < 400
        with self._lock:
            amounts = self._sums.setdefault((version, minute), _Sums()).amounts
            amounts["requests"] += 1
            if is_answered:
                amounts["rows"] += rows
                amounts["row_errors"] += row_errors
                amounts["compared"] += compared
                amounts["disagreed"] += disagreed
                amounts["microseconds"] += round(seconds * 1e6)
                amounts[f"ms_{bucket_of(seconds * 1e3)}"] += 1
            else:
                amounts["refused" if status < _CALLERS_FAULTS_BELOW else "errors"] += 1

    def flush(self, *, now: bool = False) -> None:
        """Writes what there is, where two seconds have passed since the last time (or `now`). What cannot be written is
        kept for the next time, and fails no request."""
        with self._lock:
            if not self._sums or (not now and self._monotonic() < self._due_at):
                return
            # In turns: with many endpoints, no request waits for the writes of all.
            turn = list(self._sums) if now else list(self._sums)[:_MAX_WRITTEN]
            taken = {key: self._sums.pop(key) for key in turn}
            self._due_at = self._monotonic() + (_TURN_SECONDS if self._sums else self._flush_seconds)
        while taken:
            (version, minute), sums = taken.popitem()
            try:
                endpoint_counters.add(self._ports, version, Counts.from_amounts(sums.amounts), minute=minute)
            except AimassError as error:
                _log.warning("counts are not written yet", extra={"reason": error.message})
                for (kept_version, kept_minute), kept in [((version, minute), sums), *taken.items()]:
                    self._keep(kept_version, kept_minute, kept)
                return

    def _keep(self, version: CountedVersion, minute: datetime, sums: _Sums) -> None:
        with self._lock:
            kept = self._sums.setdefault((version, minute), _Sums()).amounts
            for name, amount in sums.amounts.items():
                kept[name] += amount
