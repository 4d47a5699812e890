"""Counts of an endpoint's versions: added to by whoever serves, read by whoever watches.

A version has one row a minute, and during a rollout one row for the whole of it, by which its guards are judged. The
stream carries the latter to dispatch.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.endpoint_counters import Counts, MinuteCounts, RolloutCounts, total
from aimass_core.domain.endpoints import Endpoint, ServedModel
from aimass_core.ports import CounterRow, Ports

MINUTE_RESOURCE = "minute_counter"
ROLLOUT_RESOURCE = "rollout_counter"
KEPT = timedelta(days=90)
_LAST = "\U0010ffff"
_STABLE, _CANDIDATE = "stable", "candidate"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedVersion:
    """What counts belong to. `rollout_id`: of the rollout in which it was asked; None outside of one."""

    workspace_id: str
    endpoint_id: str
    model_id: str
    model_name: str
    number: int
    is_shadow: bool = False
    rollout_id: str | None = None
    is_candidate: bool = False


def to_counted(
    endpoint: Endpoint, version: ServedModel, *, is_shadow: bool = False, in_rollout: bool = True
) -> CountedVersion:
    """A version of an endpoint. `in_rollout`: in the present one, if there is one."""
    rollout = endpoint.rollout if in_rollout else None
    return CountedVersion(
        workspace_id=endpoint.workspace_id,
        endpoint_id=endpoint.id,
        model_id=version.model_id,
        model_name=version.model_name,
        number=version.number,
        is_shadow=is_shadow,
        rollout_id=rollout.id if rollout else None,
        is_candidate=rollout is not None and version == rollout.model,
    )


def add(ports: Ports, version: CountedVersion, counts: Counts, *, minute: datetime) -> None:
    """Adds counts to those of a minute, and of the rollout."""
    partition = keys.counters_partition(version.workspace_id, version.endpoint_id)
    data: dict[str, Any] = {
        "workspace_id": version.workspace_id,
        "endpoint_id": version.endpoint_id,
        "model_id": version.model_id,
        "model_name": version.model_name,
        "number": version.number,
    }
    kind = "shadow" if version.is_shadow else "served"
    start = minute.replace(second=0, microsecond=0)
    sort = f"{keys.minute_counter(start)}{version.model_id}#{version.number:08d}#{kind}"
    _add(ports, keys.RowKey(partition, sort), {**data, "minute": start.isoformat(), "kind": kind}, counts, start)
    if version.rollout_id is not None:
        side = _CANDIDATE if version.is_candidate else _STABLE
        sort = f"{keys.rollout_counter(version.rollout_id)}{side}"
        _add(ports, keys.RowKey(partition, sort), {**data, "rollout_id": version.rollout_id}, counts, start)


def list_minutes(
    ports: Ports, workspace_id: str, endpoint_id: str, *, since: datetime, until: datetime
) -> list[MinuteCounts]:
    """Counts of the minutes from `since` to `until`, both included, oldest first: one for each version, and another one
    where it was also asked as a shadow."""
    rows = ports.counters.query(
        keys.counters_partition(workspace_id, endpoint_id),
        first=keys.minute_counter(since),
        last=keys.minute_counter(until) + _LAST,
    )
    return [
        MinuteCounts(
            minute=datetime.fromisoformat(row.data["minute"]),
            model_id=row.data["model_id"],
            model_name=row.data["model_name"],
            number=row.data["number"],
            is_shadow=row.data["kind"] == "shadow",
            counts=Counts.from_amounts(row.amounts),
        )
        for row in rows
    ]


def of_rollout(ports: Ports, workspace_id: str, endpoint_id: str, rollout_id: str) -> RolloutCounts:
    """What both versions have done since the rollout began."""
    prefix = keys.rollout_counter(rollout_id)
    rows = ports.counters.query(keys.counters_partition(workspace_id, endpoint_id), first=prefix, last=prefix + _LAST)
    sides = {
        side: total(Counts.from_amounts(row.amounts) for row in rows if row.key.sort == f"{prefix}{side}")
        for side in (_STABLE, _CANDIDATE)
    }
    return RolloutCounts(stable=sides[_STABLE], candidate=sides[_CANDIDATE])


def _add(ports: Ports, key: keys.RowKey, data: dict[str, Any], counts: Counts, now: datetime) -> None:
    row = CounterRow(key=key, data=data, amounts=counts.to_amounts())
    resource = ROLLOUT_RESOURCE if "rollout_id" in data else MINUTE_RESOURCE
    ports.counters.add(row, resource=resource, expires_at=now + KEPT)
