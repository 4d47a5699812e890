"""/v1/datasets and their versions."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from aimass_core.domain.common import Page, Role
from aimass_core.domain.datasets import (
    Dataset,
    DatasetCreate,
    DatasetFiles,
    DatasetRows,
    DatasetUpdate,
    DatasetVersion,
    DatasetVersionDetail,
)
from aimass_core.domain.recipes import Preview, PreviewCreate
from aimass_core.domain.sources import DatasetLineage
from aimass_core.services import datasets, preparations, retention, source_datasets
from functions.api import request
from functions.api.request import Cursor, IdOrName, IfMatch, Limit, Number
from functions.api.routing import ResourceRouter

router = ResourceRouter("datasets")

NumRows = Annotated[int, Query(ge=1, le=100, description="At most so many rows.")]


@router.operation("GET", "/v1/datasets", role=Role.VIEWER, summary="List datasets")
def list_datasets(limit: Limit = 50, cursor: Cursor = None) -> Page[Dataset]:
    """Newest first."""
    return request.page_of(
        router, lambda start: datasets.list_page(router.ports, router.caller, limit=limit, start=start), cursor=cursor
    )


@router.operation("POST", "/v1/datasets", role=Role.COLLECTOR, summary="Make a dataset", status=201, idempotent=True)
def create_dataset(body: DatasetCreate) -> Response[Dataset]:
    """Without data; upload files into it, or drop them into its folder."""
    made = datasets.create(router.ports, router.caller, body)
    return request.created(made, location=f"/v1/datasets/{made.id}")


@router.operation("GET", "/v1/datasets/<dataset>", role=Role.VIEWER, summary="Read a dataset")
def get_dataset(dataset: IdOrName) -> Response[Dataset]:
    """By its id or its name."""
    return request.found(datasets.get(router.ports, router.caller, dataset))


@router.operation("PATCH", "/v1/datasets/<dataset>", role=Role.DEVELOPER, summary="Change a dataset")
def update_dataset(dataset: IdOrName, body: DatasetUpdate, if_match: IfMatch = None) -> Response[Dataset]:
    """Description, target or policy, for the versions to come; what is absent stays."""
    revision = request.revision_of(if_match)
    return request.found(datasets.update(router.ports, router.caller, dataset, body, revision=revision))


@router.operation("DELETE", "/v1/datasets/<dataset>", role=Role.DEVELOPER, summary="Delete a dataset", status=204)
def delete_dataset(dataset: IdOrName) -> Response[None]:
    """With all its versions. Refused while a job that has not ended uses it."""
    datasets.delete(router.ports, router.caller, dataset)
    return request.no_content()


@router.operation(
    "DELETE",
    "/v1/datasets/<dataset>/versions/<number>",
    role=Role.DEVELOPER,
    summary="Delete a dataset version",
    status=202,
)
def delete_dataset_version(dataset: IdOrName, number: Number) -> Response[DatasetVersion]:
    """It is EXPIRED at once; some minutes later its bytes are freed, and `freed_bytes` says how many. The latest one
    stays, and one that a job uses."""
    expired = retention.delete_version(router.ports, router.caller, dataset, number)
    return request.found(expired, status=HTTPStatus.ACCEPTED)


@router.operation("GET", "/v1/datasets/<dataset>/lineage", role=Role.VIEWER, summary="Read where a dataset comes from")
def get_dataset_lineage(dataset: IdOrName) -> DatasetLineage:
    """Its source, and the models that were made of it."""
    return source_datasets.lineage(router.ports, router.caller, dataset)


@router.operation("GET", "/v1/datasets/<dataset>/versions", role=Role.VIEWER, summary="List a dataset's versions")
def list_dataset_versions(dataset: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[DatasetVersion]:
    """Newest first, also those that were rejected, with the reasons."""
    return request.page_of(
        router,
        lambda start: datasets.list_versions(router.ports, router.caller, dataset, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("GET", "/v1/datasets/<dataset>/versions/<number>", role=Role.VIEWER, summary="Read a dataset version")
def get_dataset_version(dataset: IdOrName, number: Number) -> Response[DatasetVersionDetail]:
    """With its schema and its profile, once it is READY."""
    return request.found(datasets.get_version(router.ports, router.caller, dataset, number))


@router.operation(
    "GET", "/v1/datasets/<dataset>/versions/<number>/rows", role=Role.VIEWER, summary="Look at the first rows"
)
def get_dataset_rows(dataset: IdOrName, number: Number, limit: NumRows = 20) -> DatasetRows:
    """As JSON; images as data: URLs."""
    return datasets.load_rows(router.ports, router.caller, dataset, number, limit=limit)


@router.operation(
    "GET", "/v1/datasets/<dataset>/versions/<number>/files", role=Role.VIEWER, summary="Download a dataset version"
)
def list_dataset_files(dataset: IdOrName, number: Number) -> DatasetFiles:
    """All rows, as Parquet files with links that work for some minutes."""
    return datasets.list_files(router.ports, router.caller, dataset, number)


@router.operation(
    "GET",
    "/v1/datasets/<dataset>/versions/<number>/rows.csv",
    role=Role.VIEWER,
    summary="Export the first rows as CSV",
    produces="text/csv",
)
def export_dataset_rows(dataset: IdOrName, number: Number, limit: NumRows = 20) -> Response[str]:
    """For a spreadsheet: a text that it would run as a formula gets a leading apostrophe."""
    text = datasets.load_rows_csv(router.ports, router.caller, dataset, number, limit=limit)
    headers = {"Content-Disposition": "attachment; filename=rows.csv", "X-Content-Type-Options": "nosniff"}
    return Response(status_code=200, content_type="text/csv", body=text, headers=dict(headers))


@router.operation("POST", "/v1/datasets/<dataset>/preview", role=Role.DEVELOPER, summary="Try a recipe on a sample")
def preview_dataset(dataset: IdOrName, body: PreviewCreate) -> Preview:
    """What each step would do to some rows, and the first of those that come of it. Nothing is stored."""
    return preparations.preview(router.ports, router.caller, dataset, body)
