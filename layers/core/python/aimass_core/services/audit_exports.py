"""Entries of the audit trail in a file: JSON Lines for programs, CSV that a spreadsheet opens safely."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from aimass_core.domain import keys
from aimass_core.domain.audit import AuditEntry, AuditExport, AuditFilter, AuditFormat
from aimass_core.domain.common import Principal
from aimass_core.domain.spreadsheets import defuse
from aimass_core.domain.workspaces import Workspace
from aimass_core.ports import Ports
from aimass_core.services import audit, records

MAX_ENTRIES = 50_000
LINK_SECONDS = 900
_PAGE = 1_000
_HEADER = (
    "at", "kind", "actor", "actor_name", "action", "target_resource", "target_id", "target_name",
    "channel", "source_ip", "user_agent", "request_id", "changes", "details",
)  # fmt: skip
_TYPES = {AuditFormat.JSONL: "application/x-ndjson", AuditFormat.CSV: "text/csv"}


def export(ports: Ports, principal: Principal, wanted: AuditFilter, export_format: AuditFormat) -> AuditExport:
    """The entries that match, newest first, as a file of which the answer has a link."""
    workspace = records.get(ports, Workspace, principal.workspace_id, principal.workspace_id)
    asked = wanted.model_dump(mode="json", exclude_none=True)
    audit.record_read(ports, principal, "audit.export", workspace, filter=asked)
    now = ports.clock()
    entries, is_complete = _collect(ports, principal, wanted)
    key = keys.audit_export(principal.workspace_id, ports.new_id("exp"), f"audit.{export_format}")
    ports.lake.put(key, _WRITERS[export_format](entries), content_type=_TYPES[export_format])
    name = f"audit-{workspace.name}-{now:%Y%m%dT%H%M%SZ}.{export_format}"
    return AuditExport(
        url=ports.lake.sign_get(key, expires_seconds=LINK_SECONDS, download_name=name),
        format=export_format,
        num_entries=len(entries),
        is_complete=is_complete,
        until=None if is_complete else entries[-1].created_at,
        expires_at=now + timedelta(seconds=LINK_SECONDS),
    )


def _collect(ports: Ports, principal: Principal, wanted: AuditFilter) -> tuple[list[AuditEntry], bool]:
    found: list[AuditEntry] = []
    start: str | None = None
    while len(found) < MAX_ENTRIES:
        limit = min(_PAGE, MAX_ENTRIES - len(found))
        page, start = audit.list_page(ports, principal, wanted, limit=limit, start=start)
        found += page
        if start is None:
            return found, True
    return found, False


def _to_lines(entries: Iterable[AuditEntry]) -> bytes:
    return b"".join(entry.model_dump_json().encode() + b"\n" for entry in entries)


def _to_csv(entries: Sequence[AuditEntry]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_HEADER)
    for entry in entries:
        origin = entry.origin
        data = entry.model_dump(mode="json")
        writer.writerow(
            defuse(cell)
            for cell in (
                entry.created_at.isoformat(),
                entry.kind,
                entry.created_by,
                entry.actor_name,
                entry.action,
                entry.target_resource,
                entry.target_id,
                entry.target_name,
                origin and str(origin.channel),
                origin and origin.source_ip,
                origin and origin.user_agent,
                origin and origin.request_id,
                json.dumps(data["changes"], ensure_ascii=False),
                json.dumps(data["details"], ensure_ascii=False),
            )
        )
    return text.getvalue().encode()


_WRITERS: dict[AuditFormat, Callable[[Sequence[AuditEntry]], bytes]] = {
    AuditFormat.JSONL: _to_lines,
    AuditFormat.CSV: _to_csv,
}
