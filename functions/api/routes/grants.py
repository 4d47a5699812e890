"""/v1/{datasets|models|endpoints}/<one>/grants, and what other workspaces let this one read."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from aimass_core.domain.common import Page, Role
from aimass_core.domain.grants import GRANTEE_PATTERN, Grant, GrantCreate, GrantKind
from aimass_core.services import grants
from functions.api import request
from functions.api.request import Cursor, IdOrName, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("grants")

Grantee = Annotated[
    str,
    Path(
        pattern=GRANTEE_PATTERN,
        description="A user (usr_...), an API key (key_...), a role (viewer, collector) or a workspace (ws_...).",
    ),
]
GranteeFilter = Annotated[str | None, Query(pattern=GRANTEE_PATTERN, description="Only what was granted to it.")]


@router.operation("GET", "/v1/grants", role=Role.VIEWER, summary="List what other workspaces let this one read")
def list_shared(limit: Limit = 50, cursor: Cursor = None) -> Page[Grant]:
    """It is read under its own address, by its id: GET /v1/datasets/{id}; endpoints also answer."""
    return request.page_of(
        router, lambda start: grants.list_shared(router.ports, router.caller, limit=limit, start=start), cursor=cursor
    )


@router.operation("GET", "/v1/grants/given", role=Role.ADMIN, summary="List what this workspace has granted")
def list_given(grantee: GranteeFilter = None, limit: Limit = 50, cursor: Cursor = None) -> Page[Grant]:
    """Of all datasets, models and endpoints, or to one `grantee` alone, where a page may be short although more follow.
    Grants of sources are listed by source."""
    return request.page_of(
        router,
        lambda start: grants.list_given(router.ports, router.caller, grantee=grantee, limit=limit, start=start),
        cursor=cursor,
    )


def _list(kind: GrantKind, ref: str, limit: int, cursor: str | None) -> Page[Grant]:
    return request.page_of(
        router,
        lambda start: grants.list_of(router.ports, router.caller, kind, ref, limit=limit, start=start),
        cursor=cursor,
    )


def _delete(kind: GrantKind, ref: str, grantee: str) -> Response[None]:
    grants.delete(router.ports, router.caller, kind, ref, grantee)
    return request.no_content()


@router.operation("GET", "/v1/datasets/<dataset>/grants", role=Role.ADMIN, summary="List the grants of a dataset")
def list_dataset_grants(dataset: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[Grant]:
    """Who may do more with it than their role says."""
    return _list(GrantKind.DATASET, dataset, limit, cursor)


@router.operation("PUT", "/v1/datasets/<dataset>/grants/<grantee>", role=Role.ADMIN, summary="Grant a dataset")
def grant_dataset(dataset: IdOrName, grantee: Grantee, body: GrantCreate) -> Grant:
    """`read` to another workspace, `edit` to somebody of this one; it replaces the grant that there is."""
    return grants.put(router.ports, router.caller, GrantKind.DATASET, dataset, grantee=grantee, verb=body.verb)


@router.operation(
    "DELETE",
    "/v1/datasets/<dataset>/grants/<grantee>",
    role=Role.ADMIN,
    summary="Revoke a grant of a dataset",
    status=204,
)
def revoke_dataset_grant(dataset: IdOrName, grantee: Grantee) -> Response[None]:
    """At once."""
    return _delete(GrantKind.DATASET, dataset, grantee)


@router.operation("GET", "/v1/models/<model>/grants", role=Role.ADMIN, summary="List the grants of a model")
def list_model_grants(model: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[Grant]:
    """Who may do more with it than their role says."""
    return _list(GrantKind.MODEL, model, limit, cursor)


@router.operation("PUT", "/v1/models/<model>/grants/<grantee>", role=Role.ADMIN, summary="Grant a model")
def grant_model(model: IdOrName, grantee: Grantee, body: GrantCreate) -> Grant:
    """`read` to another workspace, `edit` to somebody of this one; it replaces the grant that there is."""
    return grants.put(router.ports, router.caller, GrantKind.MODEL, model, grantee=grantee, verb=body.verb)


@router.operation(
    "DELETE", "/v1/models/<model>/grants/<grantee>", role=Role.ADMIN, summary="Revoke a grant of a model", status=204
)
def revoke_model_grant(model: IdOrName, grantee: Grantee) -> Response[None]:
    """At once."""
    return _delete(GrantKind.MODEL, model, grantee)


@router.operation("GET", "/v1/endpoints/<endpoint>/grants", role=Role.ADMIN, summary="List the grants of an endpoint")
def list_endpoint_grants(endpoint: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[Grant]:
    """Who may do more with it than their role says."""
    return _list(GrantKind.ENDPOINT, endpoint, limit, cursor)


@router.operation("PUT", "/v1/endpoints/<endpoint>/grants/<grantee>", role=Role.ADMIN, summary="Grant an endpoint")
def grant_endpoint(endpoint: IdOrName, grantee: Grantee, body: GrantCreate) -> Grant:
    """`read` to another workspace, which it then answers too; `edit` to somebody of this one."""
    return grants.put(router.ports, router.caller, GrantKind.ENDPOINT, endpoint, grantee=grantee, verb=body.verb)


@router.operation(
    "DELETE",
    "/v1/endpoints/<endpoint>/grants/<grantee>",
    role=Role.ADMIN,
    summary="Revoke a grant of an endpoint",
    status=204,
)
def revoke_endpoint_grant(endpoint: IdOrName, grantee: Grantee) -> Response[None]:
    """Within seconds where it has just answered."""
    return _delete(GrantKind.ENDPOINT, endpoint, grantee)
