"""The audit trail."""

from aimass_core.domain.audit import AuditEntry
from aimass_core.domain.common import Principal
from aimass_core.ports import Ports
from aimass_core.services import records


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None
) -> tuple[list[AuditEntry], str | None]:
    """What was changed in the workspace, newest first."""
    return records.list_page(ports, AuditEntry, principal.workspace_id, limit=limit, start=start)
