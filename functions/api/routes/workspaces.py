"""/v1/workspaces."""

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.workspaces import (
    Workspace,
    WorkspaceCreate,
    WorkspaceCreated,
    WorkspaceDeletion,
    WorkspaceDeletionCreate,
    WorkspaceUpdate,
)
from aimass_core.services import workspace_deletions, workspaces
from functions.api import request
from functions.api.request import Cursor, Id, IfMatch, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("workspaces")


@router.operation("GET", "/v1/workspaces", role=Role.VIEWER, summary="List the key's workspaces")
def list_workspaces(limit: Limit = 50, cursor: Cursor = None) -> Page[Workspace]:
    """Those that the API key belongs to."""
    return request.page_of(
        router,
        lambda start: workspaces.list_page(router.ports, router.caller, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "POST",
    "/v1/workspaces",
    role=Role.ADMIN,
    summary="Make a workspace",
    status=201,
    idempotent=True,
    stores_answer=False,
)
def create_workspace(body: WorkspaceCreate) -> Response[WorkspaceCreated]:
    """The answer carries the new workspace's first admin key, once. Work goes on with that key."""
    made = workspaces.create(router.ports, router.caller, body)
    return request.created(made, location=f"/v1/workspaces/{made.id}")


@router.operation("GET", "/v1/workspaces/<workspace>", role=Role.VIEWER, summary="Read a workspace")
def get_workspace(workspace: Id) -> Response[Workspace]:
    """The key's own; another one is not found."""
    return request.found(workspaces.get(router.ports, router.caller, workspace))


@router.operation("PATCH", "/v1/workspaces/<workspace>", role=Role.ADMIN, summary="Change a workspace")
def update_workspace(workspace: Id, body: WorkspaceUpdate, if_match: IfMatch = None) -> Response[Workspace]:
    """Its description. The name stays, because drop folders are built from it."""
    revision = request.revision_of(if_match)
    return request.found(workspaces.update(router.ports, router.caller, workspace, body, revision=revision))


@router.operation(
    "POST",
    "/v1/workspaces/<workspace>/deletion",
    role=Role.ADMIN,
    summary="Delete a workspace",
    status=202,
)
def delete_workspace(workspace: Id, body: WorkspaceDeletionCreate) -> Response[WorkspaceDeletion]:
    """With everything in it, once the grace is over; until then nothing changes and it can be kept. Its other keys end
    first, then jobs, endpoints, tables, secrets, objects and rows go, and in the end a listing has to be empty."""
    scheduled = workspace_deletions.schedule(router.ports, router.caller, workspace, body)
    return request.accepted(scheduled, location=f"/v1/workspaces/{workspace}/deletion")


@router.operation("GET", "/v1/workspaces/<workspace>/deletion", role=Role.VIEWER, summary="Read how far a deletion is")
def get_workspace_deletion(workspace: Id) -> WorkspaceDeletion:
    """Its stage, what was deleted and what a listing still finds. The key that asked for the deletion reads the proof
    for a day after it, and can do nothing else."""
    return workspace_deletions.get(router.ports, router.caller, workspace)


@router.operation(
    "DELETE", "/v1/workspaces/<workspace>/deletion", role=Role.ADMIN, summary="Keep a workspace", status=204
)
def keep_workspace(workspace: Id) -> Response[None]:
    """Takes the deletion back while its grace lasts."""
    workspace_deletions.cancel(router.ports, router.caller, workspace)
    return request.no_content()
