"""/v1/datasets/{dataset}/quality."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from aimass_core.domain.common import Role
from aimass_core.domain.datasets import DatasetVersion
from aimass_core.domain.quality import ExpectationSet, QualityReport, QualityTrend
from aimass_core.services.quality import reports
from functions.api import request
from functions.api.request import IdOrName, Number
from functions.api.routing import ResourceRouter

router = ResourceRouter("quality")

NumVersions = Annotated[int, Query(ge=1, le=50, description="At most so many versions.")]


@router.operation("GET", "/v1/datasets/<dataset>/quality", role=Role.VIEWER, summary="Read the trend of quality")
def get_quality_trend(dataset: IdOrName, limit: NumVersions = 20) -> QualityTrend:
    """What is expected of the dataset, and what was observed of its newest versions. Expectations are changed with
    PATCH of the dataset."""
    return reports.get_trend(router.ports, router.caller, dataset, limit=limit)


@router.operation(
    "GET",
    "/v1/datasets/<dataset>/versions/<number>/expectations",
    role=Role.VIEWER,
    summary="Let a version suggest expectations",
)
def suggest_expectations(dataset: IdOrName, number: Number) -> ExpectationSet:
    """What its profile suggests; nothing is changed."""
    return reports.suggest(router.ports, router.caller, dataset, number)


@router.operation(
    "GET", "/v1/datasets/<dataset>/versions/<number>/quality", role=Role.VIEWER, summary="Read a quality report"
)
def get_quality_report(dataset: IdOrName, number: Number) -> QualityReport:
    """What was expected of a version, and what was found; also of one that was rejected for it."""
    return reports.get_report(router.ports, router.caller, dataset, number)


@router.operation(
    "GET",
    "/v1/datasets/<dataset>/versions/<number>/quality.html",
    role=Role.VIEWER,
    summary="Read a quality report as a page",
    produces="text/html",
)
def get_quality_page(dataset: IdOrName, number: Number, limit: NumVersions = 20) -> Response[str]:
    """With charts and the trend; complete in itself, without script."""
    text = reports.render_page(router.ports, router.caller, dataset, number, limit=limit)
    headers = {
        "Content-Disposition": "attachment; filename=quality.html",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }
    return Response(status_code=200, content_type="text/html", body=text, headers=dict(headers))


@router.operation(
    "POST",
    "/v1/datasets/<dataset>/versions/<number>/quality",
    role=Role.COLLECTOR,
    summary="Check a version again",
    status=202,
)
def check_quality(dataset: IdOrName, number: Number) -> Response[DatasetVersion]:
    """Against what is expected now. It stays READY; the report is replaced when the check is done."""
    version = reports.check_again(router.ports, router.caller, dataset, number)
    location = f"/v1/datasets/{version.dataset_id}/versions/{number}/quality"
    return request.created(version, location=location, status=HTTPStatus.ACCEPTED)
