"""Budgets: what is spent of a month's, counted each minute; what is refused and taken down when it is spent."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.costs import Budget, BudgetStatus
from aimass_core.domain.settings.quotas import BudgetStop, QuotaSettings
from aimass_core.errors import BudgetSpentError
from aimass_core.ports import Ports, Put, WriteConflictError
from aimass_core.services import costs, platform, records

MAX_AGE = timedelta(minutes=2)

_log = logging.getLogger(__name__)


def get(ports: Ports, principal: Principal) -> Budget:
    """The present month's, counted now."""
    return count(ports, principal.workspace_id)


def require(ports: Ports, workspace_id: str) -> None:
    """Raises BudgetSpentError where nothing more may be paid for this month.

    The reconciler counts each minute, and here it is counted where that is long ago: the budget may be passed by what
    was begun since, and by what still runs.
    """
    quotas = ports.live_settings.get(QuotaSettings, workspace_id)
    if quotas.monthly_budget_usd is None or quotas.budget_stops is BudgetStop.NOTHING:
        return
    budget = find(ports, workspace_id)
    if budget is None or ports.clock() - budget.updated_at > MAX_AGE:
        budget = count(ports, workspace_id)
    if budget.spent_usd < quotas.monthly_budget_usd:
        return
    raise BudgetSpentError(
        f"The budget of {budget.month} is spent: {budget.spent_usd:,.2f} of {quotas.monthly_budget_usd:,.2f} USD. An "
        "admin can raise it (aimass settings set quotas monthly_budget_usd=...); else it is a new one next month.",
        retry_after_seconds=_seconds_of_month_left(ports.clock()),
    )


def count(ports: Ports, workspace_id: str) -> Budget:
    """Counts what is spent, and keeps it where there is a budget. A change of its status is written once."""
    quotas = ports.live_settings.get(QuotaSettings, workspace_id)
    now = ports.clock()
    former = find(ports, workspace_id)
    spent = costs.spent_of_month(ports, workspace_id)
    limit = quotas.monthly_budget_usd
    percent = None if limit is None else round(100 * spent / limit, 2)
    today = now.astimezone(UTC).date()
    passed_days = today.day - 1 + (now.astimezone(UTC).hour * 60 + now.minute + 1) / 1_440
    changes: dict[str, Any] = {
        "monthly_budget_usd": limit,
        "spent_usd": spent,
        "forecast_usd": round(spent / passed_days * costs.days_of_month(today), 6),
        "percent": percent,
        "warn_percent": quotas.budget_warn_percent,
        "stops": quotas.budget_stops,
        "status": _status(percent, quotas.budget_warn_percent),
    }
    if former is None:
        principal = platform.principal("budgets", workspace_id)
        fields = records.new_fields(ports, principal, Budget)
        budget = Budget(**fields, month=f"{today:%Y-%m}", status_since=now, **changes)
    elif any(getattr(former, name) != value for name, value in changes.items()):
        since = former.status_since if former.status is changes["status"] else now
        changes |= {"status_since": since, "updated_at": now, "revision": former.revision + 1}
        budget = former.model_copy(update=changes)
    else:
        return former
    if limit is None:
        return budget
    try:
        ports.registry.write(
            Put(
                row=records.to_row(budget, key=_key(workspace_id, now)),
                expected=None if former is None else former.revision,
            )
        )
    except WriteConflictError:
        _log.info("somebody else counts the same budget", extra={"workspace_id": workspace_id})
    return budget


def find(ports: Ports, workspace_id: str) -> Budget | None:
    """The present month's as it was counted last."""
    row = ports.registry.get(_key(workspace_id, ports.clock()))
    return None if row is None else Budget.model_validate(row.data)


def _status(percent: float | None, warn_percent: int) -> BudgetStatus:
    if percent is None:
        return BudgetStatus.NONE
    if percent >= 100:
        return BudgetStatus.SPENT
    return BudgetStatus.WARNED if percent >= warn_percent else BudgetStatus.OK


def _key(workspace_id: str, now: datetime) -> keys.RowKey:
    return keys.row(workspace_id, Budget.resource, f"{now.astimezone(UTC):%Y-%m}")


def _seconds_of_month_left(now: datetime) -> int:
    utc = now.astimezone(UTC)
    first = utc.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return int(costs.days_of_month(utc.date()) * 86_400 - (utc - first).total_seconds())
