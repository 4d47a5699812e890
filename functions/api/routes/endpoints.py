"""/v1/endpoints, except predict, which the predictions function answers."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.endpoints import (
    Endpoint,
    EndpointCreate,
    EndpointDetail,
    EndpointEvent,
    EndpointUpdate,
    SettingsRevert,
)
from aimass_core.services import endpoint_records, endpoint_settings, endpoint_watches, endpoints, rollouts
from functions.api import request
from functions.api.request import Cursor, IdOrName, IfMatch, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("endpoints")


@router.operation(
    "POST", "/v1/endpoints", role=Role.DEVELOPER, summary="Deploy a model version", status=202, idempotent=True
)
def create_endpoint(body: EndpointCreate) -> Response[EndpointDetail]:
    """READY once the model has given its golden answer through the endpoint."""
    endpoint = endpoints.to_detail(router.ports, endpoints.create(router.ports, router.caller, body))
    return request.created(endpoint, location=f"/v1/endpoints/{endpoint.id}", status=HTTPStatus.ACCEPTED)


@router.operation("GET", "/v1/endpoints", role=Role.VIEWER, summary="List endpoints")
def list_endpoints(limit: Limit = 50, cursor: Cursor = None) -> Page[EndpointDetail]:
    """Newest first, without the signatures: those are in the answer for one endpoint."""
    return request.page_of(
        router,
        lambda start: endpoints.list_endpoints(router.ports, router.caller, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("GET", "/v1/endpoints/<endpoint>", role=Role.VIEWER, summary="Read an endpoint")
def get_endpoint(endpoint: IdOrName) -> Response[EndpointDetail]:
    """With the paths to call and what the model takes."""
    found = endpoints.get(router.ports, router.caller, endpoint)
    watch = endpoint_watches.get(router.ports, found)
    detail = endpoints.to_detail(router.ports, found)
    return request.found(detail.model_copy(update={"alarm": watch.status, "alarm_reasons": watch.reasons}))


@router.operation(
    "PATCH",
    "/v1/endpoints/<endpoint>",
    role=Role.DEVELOPER,
    summary="Serve another version, shift a rollout, or change settings or weights",
    status=202,
)
def update_endpoint(endpoint: IdOrName, body: EndpointUpdate, if_match: IfMatch = None) -> Response[EndpointDetail]:
    """What serves now keeps serving until the new version has given its golden answer, and if it does not. With
    `rollout` the new version then takes over by steps, and is rolled back where it breaks a guard; `percent` shifts its
    share by hand. Settings, and
    weights of a fusion that is served apart, hold within seconds."""
    revision = request.revision_of(if_match)
    updated = endpoints.update(router.ports, router.caller, endpoint, body, revision=revision)
    return request.found(endpoints.to_detail(router.ports, updated), status=HTTPStatus.ACCEPTED)


@router.operation(
    "POST", "/v1/endpoints/<endpoint>/promote", role=Role.DEVELOPER, summary="End a rollout with the new version"
)
def promote_endpoint(endpoint: IdOrName) -> Response[EndpointDetail]:
    """It answers everything from now on, whatever the guards would say."""
    found = endpoints.get(router.ports, router.caller, endpoint)
    return _answer(rollouts.promote(router.ports, router.caller, found))


@router.operation("POST", "/v1/endpoints/<endpoint>/rollback", role=Role.DEVELOPER, summary="Go back to what served")
def roll_back_endpoint(endpoint: IdOrName) -> Response[EndpointDetail]:
    """Ends a rollout or an update, else brings back the version before: at once, for it has proved itself."""
    found = endpoints.get(router.ports, router.caller, endpoint)
    return _answer(rollouts.roll_back(router.ports, router.caller, found))


@router.operation("POST", "/v1/endpoints/<endpoint>/revert", role=Role.DEVELOPER, summary="Bring back former settings")
def revert_endpoint(endpoint: IdOrName, body: SettingsRevert) -> Response[EndpointDetail]:
    """As a new version of the settings; each former one can be named."""
    found = endpoints.get(router.ports, router.caller, endpoint)
    return _answer(endpoint_settings.revert(router.ports, router.caller, found, version=body.version))


@router.operation(
    "GET", "/v1/endpoints/<endpoint>/history", role=Role.VIEWER, summary="List what became of an endpoint"
)
def list_endpoint_history(endpoint: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[EndpointEvent]:
    """Newest first: what served, why it changed, who changed it, and the settings then."""
    found = endpoints.get(router.ports, router.caller, endpoint)
    return request.page_of(
        router,
        lambda start: endpoint_records.list_history(router.ports, found, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("DELETE", "/v1/endpoints/<endpoint>", role=Role.DEVELOPER, summary="Delete an endpoint", status=204)
def delete_endpoint(endpoint: IdOrName) -> Response[None]:
    """Its address answers 404 from then on; the model stays."""
    endpoints.delete(router.ports, router.caller, endpoint)
    return request.no_content()


def _answer(endpoint: Endpoint) -> Response[EndpointDetail]:
    return request.found(endpoints.to_detail(router.ports, endpoint))
