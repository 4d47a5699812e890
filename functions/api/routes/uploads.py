"""/v1/datasets/{dataset}/uploads."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.datasets import DatasetVersion, Upload, UploadCreate
from aimass_core.services import uploads
from functions.api import request
from functions.api.request import Cursor, Id, IdOrName, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("uploads")


@router.operation("GET", "/v1/datasets/<dataset>/uploads", role=Role.COLLECTOR, summary="List a dataset's uploads")
def list_uploads(dataset: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[Upload]:
    """Newest first, without signed requests: read one upload for those."""
    return request.page_of(
        router,
        lambda start: uploads.list_page(router.ports, router.caller, dataset, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "POST",
    "/v1/datasets/<dataset>/uploads",
    role=Role.COLLECTOR,
    summary="Begin an upload",
    status=201,
    idempotent=True,
)
def create_upload(dataset: IdOrName, body: UploadCreate) -> Response[Upload]:
    """The answer says how to send the bytes: one signed PUT, or from 64 MiB on several parts."""
    made = uploads.create(router.ports, router.caller, dataset, body)
    return request.created(made, location=f"/v1/datasets/{made.dataset_id}/uploads/{made.id}")


@router.operation("GET", "/v1/datasets/<dataset>/uploads/<upload>", role=Role.COLLECTOR, summary="Read an upload")
def get_upload(dataset: IdOrName, upload: Id) -> Response[Upload]:
    """With fresh signed requests for what has not arrived, so that an interrupted upload goes on."""
    return request.found(uploads.get(router.ports, router.caller, dataset, upload))


@router.operation(
    "POST",
    "/v1/datasets/<dataset>/uploads/<upload>/complete",
    role=Role.COLLECTOR,
    summary="Complete an upload",
    status=202,
)
def complete_upload(dataset: IdOrName, upload: Id) -> Response[DatasetVersion]:
    """Makes a dataset version of the bytes. It may be repeated: the answer is the same version."""
    version = uploads.complete(router.ports, router.caller, dataset, upload)
    location = f"/v1/datasets/{version.dataset_id}/versions/{version.number}"
    return request.created(version, location=location, status=HTTPStatus.ACCEPTED)


@router.operation(
    "DELETE", "/v1/datasets/<dataset>/uploads/<upload>", role=Role.COLLECTOR, summary="Abort an upload", status=204
)
def delete_upload(dataset: IdOrName, upload: Id) -> Response[None]:
    """What has arrived is deleted. Refused for a completed upload."""
    uploads.abort(router.ports, router.caller, dataset, upload)
    return request.no_content()
