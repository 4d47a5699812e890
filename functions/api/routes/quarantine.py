"""/v1/datasets/{dataset}/quarantine, and below the versions."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.datasets import DatasetVersion
from aimass_core.domain.quarantine import Quarantine, QuarantineItem, QuarantineReplay
from aimass_core.services import quarantine
from functions.api import request
from functions.api.request import Cursor, IdOrName, Limit, Number
from functions.api.routing import ResourceRouter

router = ResourceRouter("quarantine")


@router.operation("GET", "/v1/datasets/<dataset>/quarantine", role=Role.VIEWER, summary="List quarantines")
def list_quarantines(dataset: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[Quarantine]:
    """Of a dataset's versions that left rows out, newest first: how many, until when they are kept, the replays."""
    return request.page_of(
        router,
        lambda start: quarantine.list_page(router.ports, router.caller, dataset, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "GET", "/v1/datasets/<dataset>/versions/<number>/quarantine", role=Role.VIEWER, summary="List quarantined rows"
)
def list_quarantined_rows(
    dataset: IdOrName, number: Number, limit: Limit = 50, cursor: Cursor = None
) -> Page[QuarantineItem]:
    """The rows and files that did not parse or were refused, with the reason, the line and the column."""
    return request.page_of(
        router,
        lambda start: quarantine.list_rows(router.ports, router.caller, dataset, number, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "POST",
    "/v1/datasets/<dataset>/versions/<number>/quarantine/replay",
    role=Role.COLLECTOR,
    summary="Replay corrected rows",
    status=202,
    idempotent=True,
)
def replay_quarantine(dataset: IdOrName, number: Number, body: QuarantineReplay) -> Response[DatasetVersion]:
    """They are appended to the dataset as a version, and marked in the same transaction: none comes twice."""
    version = quarantine.replay(router.ports, router.caller, dataset, number, body)
    location = f"/v1/datasets/{version.dataset_id}/versions/{version.number}"
    return request.created(version, location=location, status=HTTPStatus.ACCEPTED)


@router.operation(
    "DELETE",
    "/v1/datasets/<dataset>/versions/<number>/quarantine",
    role=Role.DEVELOPER,
    summary="Discard quarantined rows",
    status=204,
)
def discard_quarantine(dataset: IdOrName, number: Number) -> Response[None]:
    """Before their time is over (`policy.quarantine_days`)."""
    quarantine.discard(router.ports, router.caller, dataset, number)
    return request.no_content()
