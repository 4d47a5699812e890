"""Seals of the audit trail, by which it shows whether somebody changed it afterwards.

A seal holds the SHA-256 of some entries, as they are stored, and signs it together with the seal before; whoever can
write to the table, but has not the secret, cannot make one. The reconciler seals entries some minutes after they were
written: a chain from entry to entry would let all changes of a workspace wait for one another.

Where a workspace keeps its trail for some time only, the oldest seals go together with their entries; a row that is
signed like a seal, the base, says after which one the chain begins.
"""

import hashlib
import hmac
import itertools
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.audit import AuditEntry, AuditFault, AuditProof
from aimass_core.domain.common import Principal, first_id_at
from aimass_core.domain.workspaces import Workspace
from aimass_core.ports import Delete, Ports, Put, Row, WriteConflictError
from aimass_core.services import platform, records, workspaces

# Longer than the time between an entry's id and its write, and than clocks are apart.
GRACE = timedelta(minutes=5)
MAX_ENTRIES = 1_000
MAX_VERIFIED = 100_000
_MAX_TRIMMED = 5_000
_BATCH = 50
_RESOURCE = "audit_seal"
# After every id.
_END = f"{AuditEntry.prefix}~"
_PAGE = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """The last seal that is gone."""

    number: int
    seal_signature: str
    last_id: str
    num_entries: int
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seal:
    number: int
    previous: str
    first_id: str
    last_id: str
    num_entries: int
    content_sha256: str
    signature: str


def seal_due(ports: Ports) -> int:
    """Seals what is old enough, of every workspace. Returns how many entries. For the reconciler."""
    return sum(seal(ports, workspace_id) for workspace_id in workspaces.list_ids(ports))


def seal(ports: Ports, workspace_id: str) -> int:
    """One seal more where there are entries to seal. Of two who do it at the same time, one has nothing to do."""
    last = _find_last(ports, workspace_id) or _as_seal(_load_base(ports, workspace_id)[0])
    end = first_id_at(AuditEntry.prefix, ports.clock() - GRACE)
    rows = list(_entries(ports, workspace_id, after=last.last_id if last else None, until=end, limit=MAX_ENTRIES))
    if not rows:
        return 0
    number, previous = (last.number + 1, last.signature) if last else (1, "")
    fields: dict[str, Any] = {
        "number": number,
        "previous": previous,
        "first_id": rows[0].data["id"],
        "last_id": rows[-1].data["id"],
        "num_entries": len(rows),
        "content_sha256": _digest(rows),
    }
    data = {**fields, "signature": _sign(ports, workspace_id, fields)}
    try:
        ports.registry.write(Put(row=Row(key=keys.audit_seal_row(workspace_id, number), data=data, revision=1)))
    except WriteConflictError:
        _log.info("sealed by somebody else", extra={"workspace_id": workspace_id, "number": number})
        return 0
    return len(rows)


def verify(ports: Ports, principal: Principal) -> AuditProof:
    """Compares the trail with its seals, the newest entries first as far as one request has time for."""
    workspace_id = principal.workspace_id
    base, _ = _load_base(ports, workspace_id)
    begin = _as_seal(base)
    # What a sweep that was cut off has left is gone already.
    seals = [found for found in _seals(ports, workspace_id) if base is None or found.number > base.number]
    faults = list(_find_broken_links(ports, workspace_id, base, seals))
    num_verified = 0
    for position in range(len(seals) - 1, -1, -1):
        found = seals[position]
        if num_verified >= MAX_VERIFIED:
            break
        before = seals[position - 1] if position else begin
        after = before.last_id if before else None
        rows = list(_entries(ports, workspace_id, after=after, until=found.last_id + "~", limit=None))
        num_verified += found.num_entries
        if _digest(rows) != found.content_sha256:
            faults.append(_to_fault(found, _words(found, len(rows))))
    last = seals[-1] if seals else begin
    unsealed = _entries(ports, workspace_id, after=last.last_id if last else None, until=_END, limit=MAX_VERIFIED)
    newest = None
    if last is not None:
        row = ports.registry.get(keys.row(workspace_id, AuditEntry.resource, last.last_id))
        newest = None if row is None else AuditEntry.model_validate(row.data).created_at
    return AuditProof(
        is_intact=not faults,
        num_seals=len(seals),
        num_entries=sum(found.num_entries for found in seals),
        num_verified=num_verified,
        num_unsealed=sum(1 for _ in unsealed),
        num_removed=base.num_entries if base else 0,
        sealed_until=newest,
        head=last.signature if last else None,
        faults=sorted(faults, key=lambda fault: fault.number),
    )


def trim(ports: Ports, workspace_id: str, *, before: datetime | None) -> int:
    """Deletes the oldest seals of which all entries are older, and these. Returns how many rows are gone.

    The base comes first: whatever interrupts what follows, the trail is intact, and the next call goes on.
    """
    base, revision = _load_base(ports, workspace_id)
    if before is not None:
        base = _move_base(ports, workspace_id, base, revision, end=first_id_at(AuditEntry.prefix, before))
    if base is None:
        return 0
    past = f"{base.last_id}~"
    entries = _entries(ports, workspace_id, after=None, until=past, limit=_MAX_TRIMMED)
    rows = [*entries, *_list_seal_rows(ports, workspace_id, up_to=base.number)]
    for first in range(0, len(rows), _BATCH):
        ports.registry.write(*(Delete(key=row.key, expected=row.revision) for row in rows[first : first + _BATCH]))
    return len(rows)


def _move_base(ports: Ports, workspace_id: str, base: _Base | None, revision: int, *, end: str) -> _Base | None:
    number, last, num_entries = base.number if base else 0, None, base.num_entries if base else 0
    for found in _seals(ports, workspace_id):
        if found.number <= number:
            continue
        if found.last_id >= end or num_entries - (base.num_entries if base else 0) >= _MAX_TRIMMED:
            break
        last, num_entries = found, num_entries + found.num_entries
    if last is None:
        return base
    fields: dict[str, Any] = {
        "number": last.number,
        "seal_signature": last.signature,
        "last_id": last.last_id,
        "num_entries": num_entries,
    }
    data = {**fields, "signature": _sign(ports, workspace_id, fields)}
    principal = platform.principal("retention", workspace_id)
    workspace = records.get(ports, Workspace, workspace_id, workspace_id)
    entry = records.audit(ports, principal, "audit.trim", workspace, up_to=last.last_id, num_entries=num_entries)
    row = Row(key=_base_key(workspace_id), data=data, revision=revision + 1)
    ports.registry.write(Put(row=row, expected=revision or None), entry)
    return _Base(**data)


def _load_base(ports: Ports, workspace_id: str) -> tuple[_Base | None, int]:
    row = ports.registry.get(_base_key(workspace_id))
    return (None, 0) if row is None else (_Base(**row.data), row.revision)


def _base_key(workspace_id: str) -> keys.RowKey:
    return keys.row(workspace_id, "audit_base")


def _as_seal(base: _Base | None) -> _Seal | None:
    """What the chain goes on from."""
    if base is None:
        return None
    return _Seal(
        number=base.number,
        previous="",
        first_id="",
        last_id=base.last_id,
        num_entries=base.num_entries,
        content_sha256="",
        signature=base.seal_signature,
    )


def _words(found: _Seal, num_rows: int) -> str:
    if num_rows == found.num_entries:
        return "Entries were changed after they were sealed."
    return f"There are {num_rows} entries where {found.num_entries} were sealed."


def _find_broken_links(ports: Ports, workspace_id: str, base: _Base | None, seals: list[_Seal]) -> Iterator[AuditFault]:
    number, previous = 0, ""
    if base is not None:
        number, previous = base.number, base.seal_signature
        fields = {name: getattr(base, name) for name in ("number", "seal_signature", "last_id", "num_entries")}
        if not hmac.compare_digest(base.signature, _sign(ports, workspace_id, fields)):
            yield AuditFault(number=number, reason="Where the trail begins was not said by the platform.")
    for position, found in enumerate(seals, start=number + 1):
        fields = {
            name: getattr(found, name)
            for name in ("number", "previous", "first_id", "last_id", "num_entries", "content_sha256")
        }
        if not hmac.compare_digest(found.signature, _sign(ports, workspace_id, fields)):
            yield _to_fault(found, "This seal was not made by the platform.")
        elif found.number != position or found.previous != previous:
            yield _to_fault(found, "A seal before this one is missing.")
        previous = found.signature


def _to_fault(found: _Seal, reason: str) -> AuditFault:
    return AuditFault(number=found.number, reason=reason, first_id=found.first_id, last_id=found.last_id)


def _sign(ports: Ports, workspace_id: str, fields: dict[str, Any]) -> str:
    secret = ports.secrets.get(keys.AUDIT_SECRET)
    return hmac.digest(secret.encode(), _canonical([workspace_id, fields]), hashlib.sha256).hex()


def _digest(rows: list[Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(_canonical(dict(row.data)) + b"\n")
    return digest.hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _entries(ports: Ports, workspace_id: str, *, after: str | None, until: str, limit: int | None) -> Iterator[Row]:
    """In their order, with an id below `until`."""
    start = None if after is None else keys.row(workspace_id, AuditEntry.resource, after).sort
    end = keys.row(workspace_id, AuditEntry.resource, until).sort
    num_found = 0
    while True:
        page = ports.registry.query(
            keys.partition(workspace_id), keys.row_prefix(AuditEntry.resource), limit=_PAGE, start=start
        )
        for row in page.rows:
            if row.key.sort >= end or num_found == limit:
                return
            num_found += 1
            yield row
        start = page.next_start
        if start is None:
            return


def _seals(ports: Ports, workspace_id: str) -> Iterator[_Seal]:
    return (_Seal(**row.data) for row in _seal_rows(ports, workspace_id))


def _seal_rows(ports: Ports, workspace_id: str) -> Iterator[Row]:
    start: str | None = None
    while True:
        page = ports.registry.query(keys.partition(workspace_id), keys.row_prefix(_RESOURCE), limit=_PAGE, start=start)
        yield from page.rows
        start = page.next_start
        if start is None:
            return


def _list_seal_rows(ports: Ports, workspace_id: str, *, up_to: int) -> list[Row]:
    return list(itertools.takewhile(lambda row: row.data["number"] <= up_to, _seal_rows(ports, workspace_id)))


def _find_last(ports: Ports, workspace_id: str) -> _Seal | None:
    page = ports.registry.query(keys.partition(workspace_id), keys.row_prefix(_RESOURCE), limit=1, newest_first=True)
    return _Seal(**page.rows[0].data) if page.rows else None
