"""How often it may be tried to sign in: guesses are counted before they are judged, by account, by address, by both."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from aimass_core.domain import keys
from aimass_core.errors import QuotaExceededError
from aimass_core.ports import Ports, Put, Row, WriteConflictError

_MAX_ATTEMPTS = 5
_KEPT = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most so many in a span of minutes, which begins with a full one."""

    count: int
    minutes: int


# One who guesses at an account from one place; from many places; at many accounts from one place.
OF_BOTH = Limit(count=10, minutes=5)
OF_ACCOUNT = Limit(count=100, minutes=60)
OF_ADDRESS = Limit(count=60, minutes=5)


def count(ports: Ports, *, account: str, address: str) -> None:
    """Counts an attempt. Raises QuotaExceededError, also for the right password, with the time until another one.

    Two at the same moment are counted one after the other: nobody gets more by asking at once.
    """
    spans = (
        (f"both {account} {address}", OF_BOTH),
        (f"account {account}", OF_ACCOUNT),
        (f"from {address}", OF_ADDRESS),
    )
    for _ in range(_MAX_ATTEMPTS):
        try:
            ports.registry.write(*(_add(ports, of, limit) for of, limit in spans))
        except WriteConflictError:
            continue
        return
    raise QuotaExceededError("Too many try to sign in at once. Try again in a second.", retry_after_seconds=1)


def _add(ports: Ports, of: str, limit: Limit) -> Put:
    now = ports.clock()
    start = _start(now, limit)
    key = keys.sign_in_row(hashlib.sha256(of.encode()).hexdigest(), start)
    row = ports.registry.get(key)
    num_before = 0 if row is None else int(row.data["count"])
    if num_before >= limit.count:
        seconds = int((start + timedelta(minutes=limit.minutes) - now).total_seconds()) + 1
        raise QuotaExceededError(
            f"It was tried too often to sign in. Wait {seconds} seconds, then try again.", retry_after_seconds=seconds
        )
    data = {"count": num_before + 1, "nonce": ports.new_id("nc")}
    counted = Row(key=key, data=data, revision=num_before + 1, expires_at=start + _KEPT + timedelta(hours=1))
    return Put(row=counted, expected=num_before or None)


def _start(now: datetime, limit: Limit) -> datetime:
    minutes = int(now.timestamp()) // 60
    return now.fromtimestamp((minutes - minutes % limit.minutes) * 60, tz=now.tzinfo)
