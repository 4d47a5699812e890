"""Workspaces."""

from aimass.binding import Api, Pages
from aimass_core.domain.workspaces import Workspace


class WorkspacesApi(Api):
    """`client.workspaces`."""

    def list(self) -> Pages[Workspace]:
        """Those that the key belongs to."""
        return self._list(Workspace, "/v1/workspaces")

    def get(self, workspace_id: str) -> Workspace:
        """One workspace."""
        return self._get(Workspace, f"/v1/workspaces/{workspace_id}")
