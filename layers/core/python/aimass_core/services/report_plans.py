"""Reports that are made every week."""

import logging
from datetime import datetime, timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.models import Model
from aimass_core.domain.workspace_reports import (
    MAX_PLANS,
    PlanStatus,
    ReportCreate,
    ReportPlan,
    ReportPlanCreate,
    ReportPlanUpdate,
    Weekday,
)
from aimass_core.errors import AimassError, ConflictError, StaleRevisionError
from aimass_core.ports import Delete, Ports, WriteConflictError
from aimass_core.services import notification_channels, platform, records, workspace_reports

_SCAN_PAGE = 100
_MAX_DUE = 1_000
_log = logging.getLogger(__name__)


def create(ports: Ports, principal: Principal, request: ReportPlanCreate) -> ReportPlan:
    """The first report is made when the day comes. Raises NotFoundError, InvalidRequestError, AlreadyExistsError."""
    found, _ = records.list_page(ports, ReportPlan, principal.workspace_id, limit=_SCAN_PAGE)
    if len(found) >= MAX_PLANS:
        raise ConflictError(f"The workspace has {MAX_PLANS} plans of reports. Delete one first.")
    if request.model is not None:
        records.find(ports, Model, principal.workspace_id, request.model)
    notification_channels.require(ports, principal.workspace_id, request.channels)
    plan = ReportPlan(
        **records.new_fields(ports, principal, ReportPlan),
        **request.model_dump(),
        next_at=next_after(ports.clock(), request.weekday, request.hour),
    )
    return records.create(ports, principal, plan, name=plan.name)


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[ReportPlan], str | None]:
    """A page of the workspace's plans, newest first."""
    return records.list_page(ports, ReportPlan, principal.workspace_id, limit=limit, start=start)


def get(ports: Ports, principal: Principal, plan: str) -> ReportPlan:
    """One by id or name. Raises NotFoundError."""
    return records.find(ports, ReportPlan, principal.workspace_id, plan)


def update(ports: Ports, principal: Principal, plan: str, request: ReportPlanUpdate, *, revision: int) -> ReportPlan:
    """Changes what the request names, for the reports to come. Raises StaleRevisionError."""
    found = get(ports, principal, plan)
    records.require_revision(found, revision)
    if request.channels is not None:
        notification_channels.require(ports, principal.workspace_id, request.channels)
    changes: dict[str, Any] = request.model_dump(exclude_none=True)
    changed = found.model_copy(update=changes)
    changes["next_at"] = next_after(ports.clock(), changed.weekday, changed.hour)
    return records.save(ports, found, found.id, principal=principal, **changes)


def delete(ports: Ports, principal: Principal, plan: str) -> None:
    """The reports that came of it stay."""
    found = get(ports, principal, plan)
    try:
        ports.registry.write(
            Delete(key=keys.row(found.workspace_id, found.resource, found.id), expected=found.revision),
            Delete(key=keys.name_row(found.workspace_id, found.resource, found.name), expected=1),
            records.audit(ports, principal, "report_plan.delete", found, name=found.name),
        )
    except WriteConflictError as error:
        raise StaleRevisionError(f"The plan {found.name!r} was changed in this moment. Delete it again.") from error


def make_due(ports: Ports) -> int:
    """Begins the reports whose time has come; how many. What was missed meanwhile is not made up for."""
    partition = keys.status_partition(ReportPlan.resource, PlanStatus.ACTIVE)
    due = ports.registry.query_status(partition, before=ports.clock(), limit=_MAX_DUE)
    return sum(_make(ports, ReportPlan.model_validate(row.data)) for row in due)


def _make(ports: Ports, plan: ReportPlan) -> bool:
    """NOTE: the plan moves on first: of two that come at once one makes the report, and what a crash loses is a week's
    report and no more."""
    try:
        claimed = records.save(ports, plan, next_at=next_after(ports.clock(), plan.weekday, plan.hour))
    except StaleRevisionError:
        return False
    principal = platform.principal("reports", plan.workspace_id)
    known = {each.name for each in notification_channels.list_all(ports, plan.workspace_id)}
    request = ReportCreate(model=plan.model, days=plan.days, channels=[name for name in plan.channels if name in known])
    changes: dict[str, Any] = {"status_reason": None}
    try:
        changes["last_report_id"] = workspace_reports.submit(ports, principal, request, plan_id=plan.id).id
    except AimassError as error:
        _log.warning("a planned report is not made", extra={"plan_id": plan.id, "reason": error.message})
        changes = {"status_reason": error.message}
    try:
        records.save(ports, claimed, **changes)
    except StaleRevisionError:
        _log.info("the plan was changed meanwhile", extra={"plan_id": plan.id})
    return "last_report_id" in changes


def next_after(moment: datetime, weekday: Weekday, hour: int) -> datetime:
    """The next such hour of the week, in UTC."""
    days = (list(Weekday).index(weekday) - moment.weekday()) % 7
    due = (moment + timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0)
    return due if due > moment else due + timedelta(days=7)
