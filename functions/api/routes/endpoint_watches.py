"""/v1/endpoints/{endpoint}: traffic, captured requests, drift, what became true, alarms, and the page of all of it."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from aimass_core.domain.captures import CaptureExport
from aimass_core.domain.common import Role
from aimass_core.domain.datasets import DatasetVersion
from aimass_core.domain.endpoint_watching import (
    AlarmLimits,
    EndpointDrift,
    EndpointMetrics,
    EndpointPerformance,
    EndpointWatch,
    TruthSource,
)
from aimass_core.services import captures, endpoint_watches, endpoints
from aimass_core.services.watching import spans
from functions.api import request
from functions.api.request import IdOrName
from functions.api.routing import ResourceRouter

router = ResourceRouter("endpoints")

Minutes = Annotated[int, Query(ge=1, le=spans.MAX_DAYS * 1_440, description="So long is looked back.")]
_HOUR, _DAY = 60, 1_440


@router.operation("GET", "/v1/endpoints/<endpoint>/metrics", role=Role.VIEWER, summary="Read an endpoint's traffic")
def get_endpoint_metrics(endpoint: IdOrName, minutes: Minutes = _HOUR) -> EndpointMetrics:
    """Requests, errors, rows and times: altogether, by version, and step by step."""
    span = spans.last(minutes, now=router.ports.clock())
    return endpoint_watches.measure_traffic(router.ports, endpoints.get(router.ports, router.caller, endpoint), span)


@router.operation("GET", "/v1/endpoints/<endpoint>/drift", role=Role.VIEWER, summary="Read an endpoint's drift")
def get_endpoint_drift(endpoint: IdOrName, minutes: Minutes = _DAY) -> EndpointDrift:
    """Of captured rows, and of the answers to them, from the data that the model was trained on."""
    span = spans.last(minutes, now=router.ports.clock())
    return endpoint_watches.measure_drift(router.ports, endpoints.get(router.ports, router.caller, endpoint), span)


@router.operation(
    "GET", "/v1/endpoints/<endpoint>/performance", role=Role.VIEWER, summary="Read an endpoint's live metrics"
)
def get_endpoint_performance(endpoint: IdOrName, minutes: Minutes = 7 * _DAY) -> EndpointPerformance:
    """Captured answers, held against what became true: metrics over time, confusion, calibration, residuals, slices."""
    span = spans.last(minutes, now=router.ports.clock())
    found = endpoints.get(router.ports, router.caller, endpoint)
    return endpoint_watches.measure_performance(router.ports, found, span)


@router.operation(
    "PUT", "/v1/endpoints/<endpoint>/truth", role=Role.DEVELOPER, summary="Say where it is written what became true"
)
def set_endpoint_truth(endpoint: IdOrName, body: TruthSource) -> EndpointWatch:
    """A dataset with a key that captured rows have too. Its latest version counts, so it may grow."""
    found = endpoints.get(router.ports, router.caller, endpoint)
    return endpoint_watches.set_truth(router.ports, router.caller, found, body)


@router.operation("GET", "/v1/endpoints/<endpoint>/alarms", role=Role.VIEWER, summary="Read an endpoint's alarms")
def get_endpoint_alarms(endpoint: IdOrName) -> EndpointWatch:
    """The limits, and which are passed."""
    return endpoint_watches.get(router.ports, endpoints.get(router.ports, router.caller, endpoint))


@router.operation(
    "PUT", "/v1/endpoints/<endpoint>/alarms", role=Role.DEVELOPER, summary="Set the limits of an endpoint's alarms"
)
def set_endpoint_alarms(endpoint: IdOrName, body: AlarmLimits) -> EndpointWatch:
    """Instead of those that were. Traffic is looked at every minute, captured rows every ten minutes."""
    found = endpoints.get(router.ports, router.caller, endpoint)
    return endpoint_watches.set_limits(router.ports, router.caller, found, body)


@router.operation(
    "POST",
    "/v1/endpoints/<endpoint>/captures",
    role=Role.DEVELOPER,
    summary="Make a dataset of captured requests",
    status=202,
    idempotent=True,
)
def export_captures(endpoint: IdOrName, body: CaptureExport) -> Response[DatasetVersion]:
    """A version of a dataset: the columns of the model, and beside them `served_at`, `served_id`, `served_by`,
    `served_answer` and `served_scores`."""
    found = endpoints.get(router.ports, router.caller, endpoint)
    version = captures.export(router.ports, router.caller, found, body)
    location = f"/v1/datasets/{version.dataset_id}/versions/{version.number}"
    return request.created(version, location=location, status=HTTPStatus.ACCEPTED)


@router.operation(
    "GET",
    "/v1/endpoints/<endpoint>/report.html",
    role=Role.VIEWER,
    summary="Read how an endpoint does, as a page",
    produces="text/html",
)
def get_endpoint_page(endpoint: IdOrName, minutes: Minutes = _DAY) -> Response[str]:
    """Traffic, times, drift, and what became true. Complete in itself, without script."""
    # NOTE: a template engine that no other request needs.
    from aimass_core.services.watching import page

    span = spans.last(minutes, now=router.ports.clock())
    text = page.render(router.ports, endpoints.get(router.ports, router.caller, endpoint), span)
    headers = {
        "Content-Disposition": "attachment; filename=endpoint.html",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }
    return Response(status_code=200, content_type="text/html", body=text, headers=dict(headers))
