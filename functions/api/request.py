"""What the routes share: parameter types, revisions, pages with signed cursors, and the forms of answers.

A route module looks like this::

    router = ResourceRouter("workspaces")

    @router.operation("PATCH", "/v1/workspaces/<workspace>", role=Role.ADMIN, summary="Change a workspace")
    def update_workspace(workspace: Id, body: WorkspaceUpdate, if_match: IfMatch = None) -> Response[Workspace]:
        revision = request.revision_of(if_match)
        return request.found(workspaces.update(router.ports, router.caller, workspace, body, revision=revision))
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator

from aimass_core.domain.common import ID_PATTERN, Page, Resource
from aimass_core.errors import InvalidRequestError, PreconditionRequiredError
from aimass_core.services import cursors
from functions.api.routing import ResourceRouter

ItemT = TypeVar("ItemT", bound=BaseModel)
ResourceT = TypeVar("ResourceT", bound=Resource)
AnswerT = TypeVar("AnswerT", bound=BaseModel)

REF_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"

# Parameters of the path. An address that these refuse is not found.
Id = Annotated[str, Path(pattern=ID_PATTERN, description="Its id.")]
IdOrName = Annotated[str, Path(pattern=REF_PATTERN, description="Its id or its name.")]
Number = Annotated[int, Path(ge=1, le=99_999_999, description="The version's number.")]

Limit = Annotated[int, Query(ge=1, le=100, description="At most so many items.")]
Cursor = Annotated[
    str | None,
    Query(min_length=1, max_length=1_000, description="`next_cursor` of the page before; absent: the first."),
]
IfMatch = Annotated[str | None, Header(alias="If-Match", description='The ETag of what is changed, such as "3".')]

_FIRST_YEAR, _LAST_YEAR = 2000, 2199


def _require_moment(value: object) -> object:
    """A date and a time as RFC 3339 writes them. (A number is none, and most others are typing errors.)"""
    if isinstance(value, str) and value[4:5] != "-":
        raise ValueError("must be a date and a time with its zone, such as 2026-11-26T17:30:00Z")
    return value


def _require_century(value: datetime) -> datetime:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_require_moment), AfterValidator(_require_century)]

_ETAG = re.compile(r'"([1-9][0-9]{0,17})"')


def revision_of(if_match: str | None) -> int:
    """The revision that an update is based on.

    Raises:
        PreconditionRequiredError: the header is missing.
        InvalidRequestError: it is not an ETag of ours.
    """
    if if_match is None:
        raise PreconditionRequiredError('Send the ETag of what you change in If-Match, such as If-Match: "3".')
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise InvalidRequestError('If-Match must be one ETag as GET answered it, such as "3", with the quotes.')
    return int(match[1])


def found(resource: ResourceT, *, status: HTTPStatus = HTTPStatus.OK) -> Response[ResourceT]:
    """A resource with its ETag."""
    return _json(resource, status, {"ETag": f'"{resource.revision}"'})


def created(resource: ResourceT, *, location: str, status: HTTPStatus = HTTPStatus.CREATED) -> Response[ResourceT]:
    """A new resource with its address; 202 (and `operation(status=202)`) where work goes on behind it."""
    return _json(resource, status, {"ETag": f'"{resource.revision}"', "Location": location})


def made(answer: ItemT) -> Response[ItemT]:
    """201 of what has no address."""
    return Response(status_code=HTTPStatus.CREATED, content_type=content_types.APPLICATION_JSON, body=answer)


def accepted(answer: AnswerT, *, location: str) -> Response[AnswerT]:
    """What goes on behind an answer that has no revision of its own, with its address."""
    return _json(answer, HTTPStatus.ACCEPTED, {"Location": location})


def no_content() -> Response[None]:
    """204."""
    return Response(status_code=HTTPStatus.NO_CONTENT, content_type=None, body=None)


def page_of(
    router: ResourceRouter,
    fetch: Callable[[str | None], tuple[Sequence[ItemT], str | None]],
    *,
    cursor: str | None,
) -> Page[ItemT]:
    """A page of a list.

    The cursor is signed and bound to the workspace and to this very list (its path and its filters), so that a caller
    can neither make one up nor use one elsewhere.

    Args:
        fetch: from a sort key to go on after (None: the beginning) to the items and the next such key.
        cursor: as the caller sent it.

    Raises:
        InvalidRequestError: the cursor is not one that this list gave.
    """
    items, next_start = fetch(start_of(router, cursor))
    return Page(items=list(items), next_cursor=cursor_of(router, next_start))


def start_of(router: ResourceRouter, cursor: str | None) -> str | None:
    """Where a page begins. Raises InvalidRequestError where the cursor is not one that this list gave."""
    return None if cursor is None else cursors.decode(cursor, secret=router.cursor_secret, binding=_binding(router))


def cursor_of(router: ResourceRouter, next_start: str | None) -> str | None:
    """The cursor of the next page."""
    if next_start is None:
        return None
    return cursors.encode(next_start, secret=router.cursor_secret, binding=_binding(router))


def _binding(router: ResourceRouter) -> str:
    return f"{router.caller.workspace_id} {_list_name(router)}"


def _list_name(router: ResourceRouter) -> str:
    query = router.current_event.query_string_parameters or {}
    filters = sorted((name, value) for name, value in query.items() if name not in ("cursor", "limit"))
    return f"{router.current_event.path}?{urlencode(filters)}"


def _json(answer: AnswerT, status: HTTPStatus, headers: dict[str, str]) -> Response[AnswerT]:
    return Response(
        status_code=status.value,
        content_type=content_types.APPLICATION_JSON,
        body=answer,
        headers=dict(headers),
    )
