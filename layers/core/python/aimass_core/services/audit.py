"""The audit trail: searching it, and recording who reads data."""

from datetime import timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.audit import AuditEntry, AuditFilter, AuditKind
from aimass_core.domain.common import Principal, Resource, first_id_at
from aimass_core.domain.redaction import redact_value
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Ports, Put
from aimass_core.services import records

EVERYTHING = AuditFilter()
_SCAN_PAGE = 500
_MAX_SCANNED = 5_000
_MOMENT = timedelta(milliseconds=1)


def list_page(
    ports: Ports, principal: Principal, wanted: AuditFilter = EVERYTHING, *, limit: int, start: str | None
) -> tuple[list[AuditEntry], str | None]:
    """What was done in the workspace, newest first.

    Where few entries match, a page may be short although more follow: one request looks at a bounded number of them.
    Raises InvalidRequestError where `since` is not before `until`.
    """
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise InvalidRequestError(f"since is {wanted.since.isoformat()}: it must be before until.")
    if start is None and wanted.until is not None:
        # NOTE: the list goes on after this key, towards older ones; ids of the moment itself are still in it.
        start = _sort_key(principal.workspace_id, first_id_at(AuditEntry.prefix, wanted.until + _MOMENT))
    first = None if wanted.since is None else _sort_key(principal.workspace_id, first_id_at("aud", wanted.since))
    found: list[AuditEntry] = []
    for _ in range(_MAX_SCANNED // _SCAN_PAGE):
        page = ports.registry.query(
            keys.partition(principal.workspace_id),
            keys.row_prefix(AuditEntry.resource),
            limit=min(_SCAN_PAGE, limit) if wanted == EVERYTHING else _SCAN_PAGE,
            start=start,
            newest_first=True,
        )
        for row in page.rows:
            if first is not None and row.key.sort < first:
                return found, None
            entry = AuditEntry.model_validate(row.data)
            if matches(entry, wanted):
                found.append(entry)
            if len(found) == limit:
                is_last = page.next_start is None and row is page.rows[-1]
                return found, None if is_last else row.key.sort
        start = page.next_start
        if start is None:
            return found, None
    return found, start


def matches(entry: AuditEntry, wanted: AuditFilter) -> bool:
    """Whether an entry is one that is wanted. Actors and targets are named by their id or their name."""
    if wanted.since is not None and entry.created_at < wanted.since:
        return False
    if wanted.until is not None and entry.created_at > wanted.until:
        return False
    return (
        wanted.kind in (None, entry.kind)
        and wanted.actor in (None, entry.created_by, entry.actor_name)
        and _is_target(entry, wanted.target)
        and _is_action(entry.action, wanted.action)
    )


def record_read(ports: Ports, principal: Principal, action: str, target: Resource, **details: Any) -> None:
    """Records that data is read; call it before the data is handed over.

    A read of what another workspace has granted is in the trail of both.
    """
    known = {name: redact_value(value) for name, value in details.items() if value is not None}
    readers = [principal]
    if target.workspace_id != principal.workspace_id:
        readers.append(principal.model_copy(update={"workspace_id": target.workspace_id}))
    entries = [
        records.new_entry(ports, reader, action, target, kind=AuditKind.READ, details=known) for reader in readers
    ]
    ports.registry.write(*(Put(row=records.to_row(entry)) for entry in entries))


def _is_target(entry: AuditEntry, wanted: str | None) -> bool:
    """A name without a number is that of all versions too."""
    name = entry.target_name or ""
    return wanted in (None, entry.target_id, name, name.partition("@")[0])


def _is_action(action: str, wanted: str | None) -> bool:
    if wanted is None:
        return True
    if wanted.endswith(".*"):
        return action.startswith(wanted[:-1])
    return action == wanted


def _sort_key(workspace_id: str, entry_id: str) -> str:
    return keys.row(workspace_id, AuditEntry.resource, entry_id).sort
