"""The audit trail: who did what to which resource, and when."""

from typing import Any, ClassVar

from aimass_core.domain.common import Resource


class AuditEntry(Resource):
    """One change, written in the same transaction as the change itself. Never changed, never deleted by the API."""

    resource: ClassVar[str] = "audit"
    prefix: ClassVar[str] = "aud"

    action: str
    target_resource: str
    target_id: str
    details: dict[str, Any] = {}
