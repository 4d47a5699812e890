"""/v1/audit."""

from aimass_core.domain.audit import AuditEntry
from aimass_core.domain.common import Page, Role
from aimass_core.services import audit
from functions.api import request
from functions.api.request import Cursor, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("audit")


@router.operation("GET", "/v1/audit", role=Role.ADMIN, summary="List changes")
def list_audit(limit: Limit = 50, cursor: Cursor = None) -> Page[AuditEntry]:
    """Who changed what, and when; newest first."""
    return request.page_of(
        router, lambda start: audit.list_page(router.ports, router.caller, limit=limit, start=start), cursor=cursor
    )
