"""/v1/logs."""

from datetime import timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from aimass_core.domain.common import ID_PATTERN, Page, Role
from aimass_core.domain.logs import LogEntry, LogFilter, LogSeverity
from aimass_core.services import logs
from functions.api import request
from functions.api.request import REF_PATTERN, Cursor, Moment
from functions.api.routing import ResourceRouter

router = ResourceRouter("logs")

NumLines = Annotated[int, Query(ge=1, le=1_000, description="At most so many lines.")]
RequestId = Annotated[
    str | None,
    Query(pattern=r"^[\x21-\x7e]+$", max_length=100, description="As the header X-Request-Id of an answer named it."),
]
JobId = Annotated[str | None, Query(pattern=ID_PATTERN, description="Lines about a job, and those that it printed.")]
Endpoint = Annotated[str | None, Query(pattern=REF_PATTERN, description="Requests to an endpoint, by id or name.")]
Source = Annotated[
    str | None, Query(pattern=r"^[a-z_]{1,40}$", description="The function that wrote it, or `job`.", examples=["api"])
]
Text = Annotated[
    str | None,
    Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", description="A line has it, in any case."),
]
Level = Annotated[LogSeverity | None, Query(description="Of this level or above.")]
Since = Annotated[Moment | None, Query(description="Not before this moment; absent: an hour before `until`.")]
Until = Annotated[Moment | None, Query(description="Not after this moment; absent: now.")]


@router.operation("GET", "/v1/logs", role=Role.DEVELOPER, summary="Search the logs")
def list_logs(
    *,
    limit: NumLines = 100,
    cursor: Cursor = None,
    request_id: RequestId = None,
    job_id: JobId = None,
    endpoint: Endpoint = None,
    source: Source = None,
    text: Text = None,
    level: Level = None,
    since: Since = None,
    until: Until = None,
) -> Page[LogEntry]:
    """What functions and jobs of this workspace have logged, newest first. New lines take some seconds to be found. A
    page may be short although more follow: go on while there is a cursor."""
    latest = until or router.ports.clock()
    wanted = LogFilter(
        request_id=request_id,
        job_id=job_id,
        endpoint=endpoint,
        source=source,
        text=text,
        level=level,
        since=since or latest - timedelta(hours=1),
        until=latest,
    )
    return request.page_of(
        router,
        lambda start: logs.list_page(router.ports, router.caller, wanted, limit=limit, start=start),
        cursor=cursor,
    )
