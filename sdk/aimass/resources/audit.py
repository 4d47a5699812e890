"""The audit trail."""

from aimass.binding import Api, Pages
from aimass_core.domain.audit import AuditEntry


class AuditApi(Api):
    """`client.audit`."""

    def list(self) -> Pages[AuditEntry]:
        """Every change in the workspace, newest first."""
        return self._list(AuditEntry, "/v1/audit")
