"""/v1/query and /v1/queries."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query as QueryParameter

from aimass_core.domain.common import Page, Role
from aimass_core.domain.queries import Query, QueryCreate, QueryFormat, QueryResult, QueryRows
from aimass_core.services import queries
from functions.api import request
from functions.api.request import Cursor, Id, IdOrName, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("queries")

NumRows = Annotated[int, QueryParameter(ge=1, le=500, description="At most so many rows.")]
ResultFormat = Annotated[
    QueryFormat, QueryParameter(alias="format", description="CSV for spreadsheets, Parquet for programs.")
]


@router.operation("POST", "/v1/query", role=Role.VIEWER, summary="Query datasets with SQL", status=202, idempotent=True)
def create_query(body: QueryCreate) -> Response[Query]:
    """One SELECT over the workspace's datasets, which it only reads. Look at the query until it has ended."""
    return _started(body, dataset=None)


@router.operation(
    "POST",
    "/v1/datasets/<dataset>/query",
    role=Role.VIEWER,
    summary="Query one dataset with SQL",
    status=202,
    idempotent=True,
)
def query_dataset(dataset: IdOrName, body: QueryCreate) -> Response[Query]:
    """One SELECT over this dataset alone, which it calls by its name or `data`."""
    return _started(body, dataset=dataset)


@router.operation("GET", "/v1/queries", role=Role.VIEWER, summary="List queries")
def list_queries(limit: Limit = 50, cursor: Cursor = None) -> Page[Query]:
    """Of the last week, newest first."""
    return request.page_of(
        router, lambda start: queries.list_page(router.ports, router.caller, limit=limit, start=start), cursor=cursor
    )


@router.operation("GET", "/v1/queries/<query>", role=Role.VIEWER, summary="Read a query")
def get_query(query: Id) -> Response[Query]:
    """How far it is, what it has read and what that costs."""
    return request.found(queries.get(router.ports, router.caller, query))


@router.operation("POST", "/v1/queries/<query>/stop", role=Role.VIEWER, summary="Stop a query")
def stop_query(query: Id) -> Response[Query]:
    """Nothing happens to one that has ended."""
    return request.found(queries.stop(router.ports, router.caller, query))


@router.operation("GET", "/v1/queries/<query>/rows", role=Role.VIEWER, summary="Read a query's rows")
def get_query_rows(query: Id, limit: NumRows = 100, cursor: Cursor = None) -> QueryRows:
    """Page by page, in the order of the query."""
    start = request.start_of(router, cursor)
    rows, next_start = queries.load_rows(router.ports, router.caller, query, limit=limit, start=start)
    return rows.model_copy(update={"next_cursor": request.cursor_of(router, next_start)})


@router.operation("GET", "/v1/queries/<query>/result", role=Role.VIEWER, summary="Download a query's rows")
def get_query_result(query: Id, result_format: ResultFormat = QueryFormat.PARQUET) -> QueryResult:
    """A link to all of them in one file, which works for some minutes."""
    return queries.export(router.ports, router.caller, query, result_format)


def _started(body: QueryCreate, *, dataset: str | None) -> Response[Query]:
    made = queries.create(router.ports, router.caller, body, dataset=dataset)
    return request.created(made, location=f"/v1/queries/{made.id}", status=HTTPStatus.ACCEPTED)
