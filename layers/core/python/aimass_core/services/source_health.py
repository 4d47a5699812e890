"""How a source does and when it is due: a row beside its definition, changed by runs, ticks and pauses."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.sources import SourceHealth, SourceRecord, SourceStatus
from aimass_core.errors import UnavailableError
from aimass_core.ports import Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import schedules

_RESOURCE = "source_health"
_SCHEDULED = "SCHEDULED"
_MAX_WRITES = 8
_RUNS_BY_SCHEDULE = (SourceStatus.ACTIVE, SourceStatus.DEGRADED)

Change = Callable[[SourceHealth], dict[str, Any] | None]


def load(ports: Ports, record: SourceRecord) -> SourceHealth:
    """As it is now."""
    return _read(_row(ports, record))[0]


def new_write(ports: Ports, record: SourceRecord, *, paused: str | None = None) -> Put:
    """What is written beside a new source; `paused` is why it does not begin."""
    if paused is None:
        health = SourceHealth(next_run_at=schedules.next_after(record.policy, ports.clock()))
    else:
        health = SourceHealth(status=SourceStatus.PAUSED, status_reason=paused)
    return Put(row=_to_row(record, health, revision=1))


def change_write(ports: Ports, record: SourceRecord, change: Change) -> Put | None:
    """The write that changes the row as it is now, for a transaction that is tried again where it conflicts."""
    health, revision = _read(_row(ports, record))
    changes = change(health)
    if not changes:
        return None
    changed = SourceHealth.model_validate({**health.model_dump(), **changes})
    return Put(row=_to_row(record, changed, revision=revision + 1), expected=revision or None)


def update(ports: Ports, record: SourceRecord, change: Change, *also: Write) -> SourceHealth:
    """Changes the row, again while somebody else is faster; `also` is written with it."""
    for _ in range(_MAX_WRITES):
        write = change_write(ports, record, change)
        if write is None and not also:
            return load(ports, record)
        try:
            ports.registry.write(*([] if write is None else [write]), *also)
        except WriteConflictError:
            continue
        return load(ports, record)
    raise UnavailableError(f"The source {record.name!r} changes too quickly. Try again.")


def delete_writes(ports: Ports, record: SourceRecord) -> list[Write]:
    """What is deleted with a source."""
    found = (
        ports.registry.get(key)
        for key in (
            keys.source_health_row(record.workspace_id, record.id),
            keys.source_lease_row(record.workspace_id, record.id),
            keys.source_state_row(record.workspace_id, record.id),
        )
    )
    return [Delete(key=row.key, expected=row.revision) for row in found if row is not None]


def reschedule(ports: Ports, record: SourceRecord, health: SourceHealth) -> dict[str, Any]:
    """What a new policy, a pause or its end does to the next start."""
    is_on = health.status in _RUNS_BY_SCHEDULE
    return {"next_run_at": schedules.next_after(record.policy, ports.clock()) if is_on else None}


def list_due(ports: Ports, *, before: datetime, limit: int) -> Iterator[tuple[str, str]]:
    """Workspace and id of the sources whose schedule is due, longest first."""
    for row in ports.registry.query_status(keys.status_partition(_RESOURCE, _SCHEDULED), before=before, limit=limit):
        _, source_id = row.key.sort.split("#")
        yield row.key.partition.removeprefix("WS#"), source_id


def _row(ports: Ports, record: SourceRecord) -> Row | None:
    return ports.registry.get(keys.source_health_row(record.workspace_id, record.id))


def _read(row: Row | None) -> tuple[SourceHealth, int]:
    return (SourceHealth(), 0) if row is None else (SourceHealth.model_validate(row.data), row.revision)


def _to_row(record: SourceRecord, health: SourceHealth, *, revision: int) -> Row:
    """NOTE: the index holds it by its next start, and not at all where there is none."""
    is_scheduled = health.next_run_at is not None
    return Row(
        key=keys.source_health_row(record.workspace_id, record.id),
        data=health.model_dump(mode="json"),
        revision=revision,
        resource=_RESOURCE,
        status=_SCHEDULED if is_scheduled else None,
        at=health.next_run_at,
    )
