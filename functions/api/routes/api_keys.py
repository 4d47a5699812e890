"""/v1/api-keys."""

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.api_keys import ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyRotate
from aimass_core.domain.common import Page, Role
from aimass_core.services import api_keys
from functions.api import request
from functions.api.request import Cursor, Id, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("api-keys")


@router.operation("GET", "/v1/api-keys", role=Role.ADMIN, summary="List API keys")
def list_api_keys(limit: Limit = 50, cursor: Cursor = None) -> Page[ApiKey]:
    """The workspace's, newest first, without their secrets."""
    return request.page_of(
        router,
        lambda start: api_keys.list_page(router.ports, router.caller, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "POST",
    "/v1/api-keys",
    role=Role.ADMIN,
    summary="Make an API key",
    status=201,
    idempotent=True,
    stores_answer=False,
)
def create_api_key(body: ApiKeyCreate) -> Response[ApiKeyCreated]:
    """The secret is in this answer and nowhere else, ever."""
    made = api_keys.create(router.ports, router.caller, body)
    return request.created(made, location=f"/v1/api-keys/{made.id}")


@router.operation("GET", "/v1/api-keys/<api_key>", role=Role.ADMIN, summary="Read an API key")
def get_api_key(api_key: Id) -> Response[ApiKey]:
    """Without its secret."""
    return request.found(api_keys.get(router.ports, router.caller, api_key))


@router.operation("DELETE", "/v1/api-keys/<api_key>", role=Role.ADMIN, summary="Revoke an API key", status=204)
def revoke_api_key(api_key: Id) -> Response[None]:
    """Ends it at once; it stays listed. The last admin key cannot be revoked."""
    api_keys.revoke(router.ports, router.caller, api_key)
    return request.no_content()


@router.operation(
    "POST",
    "/v1/api-keys/<api_key>/rotate",
    role=Role.ADMIN,
    summary="Give an API key another secret",
    status=201,
    idempotent=True,
    stores_answer=False,
)
def rotate_api_key(api_key: Id, body: ApiKeyRotate) -> Response[ApiKeyCreated]:
    """The key stays what it is, with its role, limits and grants. The former secret holds on for the overlap, so that
    programs can be changed one after the other."""
    made = api_keys.rotate(router.ports, router.caller, api_key, body)
    return request.created(made, location=f"/v1/api-keys/{made.id}")
