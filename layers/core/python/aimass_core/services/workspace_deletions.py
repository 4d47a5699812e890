"""The deletion of a workspace as its admins ask for it; `workspace_purge` does it once the grace is over.

Its row lies outside the workspace and outlives it: in the end it holds the proof that nothing is left.
"""

from datetime import timedelta

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.workspaces import (
    DeletionStage,
    DeletionStatus,
    Workspace,
    WorkspaceDeletion,
    WorkspaceDeletionCreate,
)
from aimass_core.errors import ConflictError, ErrorDetail, InvalidRequestError, NotFoundError
from aimass_core.ports import Delete, Ports, Put, Row, WriteConflictError
from aimass_core.services import records, workspaces


def schedule(
    ports: Ports, principal: Principal, workspace_id: str, request: WorkspaceDeletionCreate
) -> WorkspaceDeletion:
    """Begins the grace. Raises InvalidRequestError where the name is not the workspace's, ConflictError where it is
    being deleted already."""
    workspace = workspaces.get(ports, principal, workspace_id)
    if request.confirm != workspace.name:
        raise InvalidRequestError(
            f"confirm is {request.confirm!r}, and the workspace is called {workspace.name!r}: name it, so that no "
            "other one is deleted.",
            details=[ErrorDetail(location="body.confirm", message="is not the workspace's name")],
        )
    now = ports.clock()
    deletion = WorkspaceDeletion(
        workspace_id=workspace.id,
        workspace_name=workspace.name,
        status=DeletionStatus.SCHEDULED,
        stage=DeletionStage.GRACE,
        requested_by=principal.actor,
        requested_at=now,
        delete_at=now + timedelta(hours=request.grace_hours),
    )
    try:
        _save_workspace(ports, principal, workspace, deletion, Put(row=to_row(deletion)))
    except WriteConflictError as error:
        raise ConflictError(f"The workspace {workspace.name!r} is being deleted already. Read its deletion.") from error
    return deletion


def get(ports: Ports, principal: Principal, workspace_id: str) -> WorkspaceDeletion:
    """How far it is. Raises NotFoundError where nobody asked for it."""
    if workspace_id != principal.workspace_id:
        raise NotFoundError(f"There is no workspace {workspace_id!r} that this API key belongs to.")
    row = ports.registry.get(keys.workspace_deletion_row(workspace_id))
    if row is None:
        raise NotFoundError("This workspace is not being deleted.")
    return WorkspaceDeletion.model_validate(row.data)


def cancel(ports: Ports, principal: Principal, workspace_id: str) -> None:
    """Keeps the workspace. Raises NotFoundError where it is not being deleted, ConflictError once it is too late."""
    workspace = workspaces.get(ports, principal, workspace_id)
    deletion = get(ports, principal, workspace_id)
    begun = ConflictError(f"The deletion of {workspace.name!r} has begun, and cannot be taken back.")
    if deletion.status is not DeletionStatus.SCHEDULED:
        raise begun
    taken_back = Delete(key=keys.workspace_deletion_row(workspace_id), expected=deletion.revision)
    try:
        _save_workspace(ports, principal, workspace, None, taken_back)
    except WriteConflictError as error:
        raise begun from error


def to_row(deletion: WorkspaceDeletion) -> Row:
    """Its row, which the reconciler finds by its status once it is due."""
    return Row(
        key=keys.workspace_deletion_row(deletion.workspace_id),
        data=deletion.model_dump(mode="json"),
        revision=deletion.revision,
        resource=deletion.resource,
        status=deletion.status,
        at=deletion.delete_at,
    )


def _save_workspace(
    ports: Ports, principal: Principal, workspace: Workspace, deletion: WorkspaceDeletion | None, also: Put | Delete
) -> None:
    records.save(
        ports,
        workspace,
        principal=principal,
        action="workspace.keep" if deletion is None else "workspace.delete",
        also=[also],
        delete_at=None if deletion is None else deletion.delete_at,
    )
