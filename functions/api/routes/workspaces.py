"""/v1/workspaces."""

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.workspaces import Workspace, WorkspaceCreate, WorkspaceCreated, WorkspaceUpdate
from aimass_core.services import workspaces
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
