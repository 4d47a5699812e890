"""/v1/workspaces/{workspace}/exports, /archives and /imports."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.jobs import Job
from aimass_core.domain.transfers import (
    Archive,
    ArchiveCreate,
    ExportCreate,
    ImportCreate,
    WorkspaceExport,
    WorkspaceImport,
)
from aimass_core.services import transfers
from functions.api import request
from functions.api.request import Cursor, Id, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("transfers")


@router.operation(
    "POST",
    "/v1/workspaces/<workspace>/exports",
    role=Role.ADMIN,
    summary="Export a workspace",
    status=202,
    idempotent=True,
)
def export_workspace(workspace: Id, body: ExportCreate) -> Response[Job]:
    """A job writes one zip of sources, datasets, models, studies, endpoints and triggers. No secret and no key is in
    it."""
    job = transfers.export(router.ports, router.caller, workspace, body, limits=router.job_limits)
    return _accepted(job, f"/v1/workspaces/{workspace}/exports/{job.id}")


@router.operation("GET", "/v1/workspaces/<workspace>/exports", role=Role.ADMIN, summary="List exports")
def list_workspace_exports(workspace: Id, limit: Limit = 50, cursor: Cursor = None) -> Page[WorkspaceExport]:
    """Newest first. A page may be short although more follow: go on while there is a cursor."""
    return request.page_of(
        router,
        lambda start: transfers.list_exports(router.ports, router.caller, workspace, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("GET", "/v1/workspaces/<workspace>/exports/<job>", role=Role.ADMIN, summary="Read an export")
def get_workspace_export(workspace: Id, job: Id) -> WorkspaceExport:
    """How far it is; in the end what is in the zip, its SHA-256 and a link to it that works for some minutes."""
    return transfers.get_export(router.ports, router.caller, workspace, job)


@router.operation(
    "POST", "/v1/workspaces/<workspace>/archives", role=Role.ADMIN, summary="Send an archive that is to be imported"
)
def create_workspace_archive(workspace: Id, body: ArchiveCreate) -> Archive:
    """How to send what is missing of the zip: one signed PUT, or parts (then POST the same again, until none is
    missing), or nothing where it is there."""
    return transfers.create_archive(router.ports, router.caller, workspace, body)


@router.operation(
    "POST",
    "/v1/workspaces/<workspace>/imports",
    role=Role.ADMIN,
    summary="Import what a workspace exported",
    status=202,
    idempotent=True,
)
def import_workspace(workspace: Id, body: ImportCreate) -> Response[Job]:
    """A job makes what is not there yet and changes nothing that is: done again, it does nothing. Every byte is
    checked before anything is written. With `dry_run` it says what it would do."""
    job = transfers.import_workspace(router.ports, router.caller, workspace, body, limits=router.job_limits)
    return _accepted(job, f"/v1/workspaces/{workspace}/imports/{job.id}")


@router.operation("GET", "/v1/workspaces/<workspace>/imports", role=Role.ADMIN, summary="List imports")
def list_workspace_imports(workspace: Id, limit: Limit = 50, cursor: Cursor = None) -> Page[WorkspaceImport]:
    """Newest first. A page may be short although more follow: go on while there is a cursor."""
    return request.page_of(
        router,
        lambda start: transfers.list_imports(router.ports, router.caller, workspace, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("GET", "/v1/workspaces/<workspace>/imports/<job>", role=Role.ADMIN, summary="Read an import")
def get_workspace_import(workspace: Id, job: Id) -> WorkspaceImport:
    """How far it is; in the end what it made, what it left as it was, and what remains to be done by hand."""
    return transfers.get_import(router.ports, router.caller, workspace, job)


def _accepted(job: Job, location: str) -> Response[Job]:
    return request.created(job, location=location, status=HTTPStatus.ACCEPTED)
