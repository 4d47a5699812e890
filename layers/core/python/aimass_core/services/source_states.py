"""Where the collecting of a source goes on. A run writes it in the transaction that makes its data a version."""

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.sources import SourceRecord, SourceState, SourceVerb
from aimass_core.errors import ConflictError
from aimass_core.ports import Delete, Ports, Put, Row, WriteConflictError
from aimass_core.services import records, source_access, source_leases


def load(ports: Ports, record: SourceRecord) -> tuple[SourceState, int]:
    """The state, and the revision that `write` replaces; empty at revision 0 before the first run."""
    row = ports.registry.get(keys.source_state_row(record.workspace_id, record.id))
    return (SourceState(), 0) if row is None else (SourceState.model_validate(row.data), row.revision)


def write(record: SourceRecord, state: SourceState, *, expected: int) -> Put:
    """Moves the state: for the transaction of the data that it speaks of, beside `source_leases.fence`."""
    key = keys.source_state_row(record.workspace_id, record.id)
    row = Row(key=key, data=state.model_dump(mode="json"), revision=expected + 1)
    return Put(row=row, expected=expected or None)


def get(ports: Ports, principal: Principal, source: str) -> SourceState:
    """For its users."""
    return load(ports, source_access.find(ports, principal, source, SourceVerb.READ))[0]


def reset(ports: Ports, principal: Principal, source: str) -> None:
    """The next run begins anew. Idempotent. Raises ConflictError while a run goes on."""
    record = source_access.find(ports, principal, source, SourceVerb.EDIT)
    source_leases.require_idle(ports, record)
    key = keys.source_state_row(record.workspace_id, record.id)
    row = ports.registry.get(key)
    if row is None:
        return
    try:
        ports.registry.write(
            Delete(key=key, expected=row.revision), records.audit(ports, principal, "source.state.reset", record)
        )
    except WriteConflictError as error:
        raise ConflictError(f"The state of the source {record.name!r} moved in this moment. Reset it again.") from error
