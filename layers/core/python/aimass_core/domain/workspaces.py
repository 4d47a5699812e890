"""Workspaces: the boundary of every permission."""

from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract, Name, Request, Resource, Text

MAX_GRACE_HOURS = 30 * 24


class Workspace(Resource):
    """Everything that one team owns. Nobody outside sees that it exists."""

    resource: ClassVar[str] = "workspace"
    prefix: ClassVar[str] = "ws"

    name: str
    description: str = ""
    delete_at: AwareDatetime | None = Field(
        default=None,
        description="From then on it is deleted with all that is in it; until then that can be taken back.",
    )


class WorkspaceCreate(Request):
    """Body of POST /v1/workspaces. The answer carries the new workspace's first admin key, once."""

    name: Name
    description: Text = ""


class WorkspaceCreated(Workspace):
    """The only answer that ever carries the secret of the new workspace's first admin key."""

    secret: str


class WorkspaceUpdate(Request):
    """Body of PATCH /v1/workspaces/{id}."""

    description: Text


class WorkspaceDeletionCreate(Request):
    """Body of POST /v1/workspaces/{workspace}/deletion."""

    confirm: str = Field(max_length=63, description="The workspace's name.")
    grace_hours: int = Field(
        default=72, ge=0, le=MAX_GRACE_HOURS, strict=True, description="So long it stays as it is, and can be kept."
    )


class DeletionStatus(StrEnum):
    """SCHEDULED until its grace is over; DONE when nothing was found any more, twice."""

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    DONE = "DONE"


class DeletionStage(StrEnum):
    """In this order; what an interruption leaves is done again."""

    GRACE = "grace"
    KEYS = "keys"
    JOBS = "jobs"
    ENDPOINTS = "endpoints"
    TABLES = "tables"
    SECRETS = "secrets"
    OBJECTS = "objects"
    ROWS = "rows"
    VERIFY = "verify"
    DONE = "done"


class WorkspaceDeletion(Contract):
    """How far a workspace's deletion is, and in the end the proof. The key that asked for it reads this for a day."""

    resource: ClassVar[str] = "workspace_deletion"

    workspace_id: str
    workspace_name: str
    status: DeletionStatus
    stage: DeletionStage
    requested_by: str
    requested_at: AwareDatetime
    delete_at: AwareDatetime
    deleted: dict[str, int] = Field(default={}, description="How many rows, objects, ... were deleted.")
    remaining: dict[str, int] = Field(
        default={}, description="What a listing of everything found last: all zero once it is DONE."
    )
    waiting_for: str | None = Field(default=None, description="What keeps it: jobs that are being stopped, say.")
    empty_since: AwareDatetime | None = Field(default=None, description="When a listing was empty for the first time.")
    finished_at: AwareDatetime | None = None
    revision: int = 1
