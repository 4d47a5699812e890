"""Grants: one dataset, model or endpoint for somebody whose role would not be enough, or for another workspace."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract, Request, Role

GRANTEE_PATTERN = r"^((usr|key|ws)_[0-9a-f]{27}|viewer|collector)$"


class GrantKind(StrEnum):
    """What can be granted beside sources, which have verbs of their own (`SourceVerb`)."""

    DATASET = "dataset"
    MODEL = "model"
    ENDPOINT = "endpoint"


class GrantVerb(StrEnum):
    """READ is for another workspace: what a viewer may read of it; an endpoint answers it too. EDIT is for those of the
    same workspace: what a developer may do with it."""

    READ = "read"
    EDIT = "edit"

    @property
    def role(self) -> Role:
        """Whose rights it gives, of this one thing."""
        return Role.VIEWER if self is GrantVerb.READ else Role.DEVELOPER


class GrantCreate(Request):
    """Body of PUT /v1/{datasets|models|endpoints}/{id}/grants/{grantee}."""

    verb: GrantVerb


class Grant(Contract):
    """Who may do what with one thing."""

    kind: GrantKind
    id: str
    name: str
    workspace_id: str = Field(description="The one that it belongs to.")
    grantee: str = Field(description="A user, an API key, a role (all who have it), or another workspace.")
    verb: GrantVerb
    granted_by: str
    granted_at: AwareDatetime
