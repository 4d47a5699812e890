"""The platform as a principal: what it does by itself is audited like what a user does."""

from aimass_core.domain.common import Principal, Role


def principal(part: str, workspace_id: str) -> Principal:
    """The part of the platform (`dispatch`, `job_events`, ...) that acts within a workspace."""
    return Principal(workspace_id=workspace_id, workspace_name="", actor=f"platform:{part}", role=Role.ADMIN)
