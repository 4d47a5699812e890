"""/v1/reports and /v1/report-plans."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.workspace_reports import (
    Report,
    ReportCreate,
    ReportDetail,
    ReportPlan,
    ReportPlanCreate,
    ReportPlanUpdate,
)
from aimass_core.services import report_plans, workspace_reports
from functions.api import request
from functions.api.request import Cursor, Id, IdOrName, IfMatch, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("reports")


@router.operation("GET", "/v1/reports", role=Role.VIEWER, summary="List reports")
def list_reports(limit: Limit = 50, cursor: Cursor = None) -> Page[Report]:
    """Newest first."""
    return request.page_of(
        router,
        lambda start: workspace_reports.list_page(router.ports, router.caller, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("POST", "/v1/reports", role=Role.DEVELOPER, summary="Make a report", status=202, idempotent=True)
def create_report(body: ReportCreate) -> Response[Report]:
    """On the workspace, or on one model: a job makes it, as HTML and as PDF."""
    made = workspace_reports.create(router.ports, router.caller, body, limits=router.job_limits)
    return request.created(made, location=f"/v1/reports/{made.id}", status=HTTPStatus.ACCEPTED)


@router.operation("GET", "/v1/reports/<report>", role=Role.VIEWER, summary="Read a report")
def get_report(report: Id) -> Response[ReportDetail]:
    """Its figures, and where its files are read for an hour."""
    return request.found(workspace_reports.get(router.ports, router.caller, report))


@router.operation("DELETE", "/v1/reports/<report>", role=Role.DEVELOPER, summary="Delete a report", status=204)
def delete_report(report: Id) -> Response[None]:
    """Its files stay among the artifacts of its job."""
    workspace_reports.delete(router.ports, router.caller, report)
    return request.no_content()


@router.operation("GET", "/v1/report-plans", role=Role.VIEWER, summary="List plans of reports")
def list_report_plans(limit: Limit = 50, cursor: Cursor = None) -> Page[ReportPlan]:
    """Newest first."""
    return request.page_of(
        router,
        lambda start: report_plans.list_page(router.ports, router.caller, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "POST",
    "/v1/report-plans",
    role=Role.DEVELOPER,
    summary="Plan a weekly report",
    status=201,
    idempotent=True,
)
def create_report_plan(body: ReportPlanCreate) -> Response[ReportPlan]:
    """Every week on its day and hour, to the channels that it names."""
    made = report_plans.create(router.ports, router.caller, body)
    return request.created(made, location=f"/v1/report-plans/{made.id}")


@router.operation("GET", "/v1/report-plans/<report_plan>", role=Role.VIEWER, summary="Read a plan of reports")
def get_report_plan(report_plan: IdOrName) -> Response[ReportPlan]:
    """By its id or its name."""
    return request.found(report_plans.get(router.ports, router.caller, report_plan))


@router.operation("PATCH", "/v1/report-plans/<report_plan>", role=Role.DEVELOPER, summary="Change a plan of reports")
def update_report_plan(report_plan: IdOrName, body: ReportPlanUpdate, if_match: IfMatch = None) -> Response[ReportPlan]:
    """Pause or resume it, or change what the next reports are."""
    revision = request.revision_of(if_match)
    return request.found(report_plans.update(router.ports, router.caller, report_plan, body, revision=revision))


@router.operation(
    "DELETE", "/v1/report-plans/<report_plan>", role=Role.DEVELOPER, summary="Delete a plan of reports", status=204
)
def delete_report_plan(report_plan: IdOrName) -> Response[None]:
    """The reports that came of it stay."""
    report_plans.delete(router.ports, router.caller, report_plan)
    return request.no_content()
