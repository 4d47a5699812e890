"""What the reconciler did when it last ran: one row of the platform, which each pass writes anew."""

from aimass_core.domain import keys
from aimass_core.domain.system import ReconcilerPass
from aimass_core.ports import Ports, Put, Row, WriteConflictError

_ROW = keys.RowKey(keys.PLATFORM, "RECONCILER")


def save(ports: Ports, done: ReconcilerPass) -> None:
    """Of two passes at the same time one is kept."""
    stored = ports.registry.get(_ROW)
    expected = None if stored is None else stored.revision
    row = Row(key=_ROW, data=done.model_dump(mode="json"), revision=(expected or 0) + 1)
    try:
        ports.registry.write(Put(row=row, expected=expected))
    except WriteConflictError:
        return


def load(ports: Ports) -> ReconcilerPass | None:
    """None where it has never run."""
    row = ports.registry.get(_ROW)
    return None if row is None else ReconcilerPass.model_validate(row.data)
