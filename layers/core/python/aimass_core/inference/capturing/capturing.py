"""What this process has captured and not yet written to the lake."""

import gzip
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aimass_core.domain import keys
from aimass_core.domain.endpoints import ServedModel
from aimass_core.errors import AimassError
from aimass_core.inference.capturing.lines import to_lines
from aimass_core.inference.capturing.observed import Observed
from aimass_core.ports import Ports
from aimass_core.services import capture_rules

FLUSH_SECONDS = 5.0
MAX_BYTES = 8 * 1024**2
FLUSH_BYTES = 1024**2
_HIDDEN_SECONDS = 60.0
_MAX_KNOWN = 1_000

_log = logging.getLogger(__name__)

# Of an endpoint on one day.
_Place = tuple[str, str, str]


@dataclass(slots=True)
class _Buffer:
    lines: list[bytes] = field(default_factory=list)
    num_bytes: int = 0

    def add(self, lines: list[bytes]) -> None:
        self.lines += lines
        self.num_bytes += sum(map(len, lines))


class Capturing:
    """Keeps a sample of the requests in memory, and writes it within a request, at most every five seconds.

    What came since is written with the next one, or by a thread after five seconds (where the process runs on: Lambda
    stops it between requests). A process that ends before loses it, and what would take more than 8 MB is dropped. No
    fault of it ever fails a request.

    Args:
        draw: a number from 0 to 1, below which the share of requests that is kept lies.
        monotonic: seconds.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        draw: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
        flush_seconds: float = FLUSH_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._ports, self._draw, self._monotonic = ports, draw, monotonic
        self._flush_seconds, self._max_bytes = flush_seconds, max_bytes
        self._lock = threading.Lock()
        self._buffers: dict[_Place, _Buffer] = {}
        self._due_at = 0.0
        self._timer: threading.Timer | None = None
        self._hidden: dict[tuple[str, str, int], tuple[float, capture_rules.Hidden]] = {}
        self.num_dropped = 0

    def take(self, observed: Observed, *, request_id: str) -> None:
        """Keeps one answered request, if it is drawn."""
        setting = observed.endpoint.settings.capture
        if not observed.rows or self._draw() * 100 >= setting.percent:
            return
        try:
            hidden = self._find_hidden(observed)
        except AimassError as error:
            # NOTE: without the rules nothing may be kept.
            self._drop(len(observed.rows), error.message)
            return
        at = self._ports.clock()
        lines = list(
            to_lines(
                observed,
                request_id=request_id or self._ports.new_id("req"),
                at=at,
                hidden=hidden.of(observed.signature) | set(setting.hidden),
            )
        )
        endpoint = observed.endpoint
        self._keep((endpoint.workspace_id, endpoint.id, at.date().isoformat()), lines)

    def flush(self, *, now: bool = False) -> None:
        """Writes what there is, where five seconds have passed since the last time, or a megabyte waits (or `now`)."""
        with self._lock:
            is_due = now or self._monotonic() >= self._due_at or self._num_bytes() >= FLUSH_BYTES
            if not self._buffers:
                return
            if not is_due:
                self._begin_timer()
                return
            self._due_at = self._monotonic() + self._flush_seconds
            taken, self._buffers = self._buffers, {}
        for place, buffer in taken.items():
            try:
                self._write(place, buffer)
            except AimassError as error:
                _log.warning("captured rows are not written yet", extra={"reason": error.message})
                self._keep(place, buffer.lines)

    def _begin_timer(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._flush_seconds, self._end_timer)
            self._timer.daemon = True
            self._timer.start()

    def _end_timer(self) -> None:
        with self._lock:
            self._timer = None
        self.flush(now=True)

    def _write(self, place: _Place, buffer: _Buffer) -> None:
        workspace_id, endpoint_id, date = place
        name = f"{self._ports.clock():%H%M%S}-{self._ports.new_id('cap')}"
        self._ports.lake.put(
            keys.capture_object(workspace_id, endpoint_id, date, name),
            gzip.compress(b"\n".join([*buffer.lines, b""]), compresslevel=1, mtime=0),
            content_type="application/gzip",
        )

    def _keep(self, place: _Place, lines: list[bytes]) -> None:
        with self._lock:
            if self._num_bytes() + sum(map(len, lines)) <= self._max_bytes:
                self._buffers.setdefault(place, _Buffer()).add(lines)
                return
        self._drop(len(lines), "too much waits to be written")

    def _drop(self, num_rows: int, reason: str) -> None:
        self.num_dropped += num_rows
        _log.warning("captured rows are dropped", extra={"num_rows": num_rows, "reason": reason})

    def _num_bytes(self) -> int:
        return sum(buffer.num_bytes for buffer in self._buffers.values())

    def _find_hidden(self, observed: Observed) -> capture_rules.Hidden:
        version: ServedModel = observed.version
        key, now = (observed.endpoint.workspace_id, version.model_id, version.number), self._monotonic()
        kept = self._hidden.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]
        found = capture_rules.find_hidden(self._ports, *key)
        if len(self._hidden) >= _MAX_KNOWN:
            self._hidden.clear()
        self._hidden[key] = (now + _HIDDEN_SECONDS, found)
        return found
