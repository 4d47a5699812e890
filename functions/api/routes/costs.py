"""/v1/costs and /v1/budget."""

import re
from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator

from aimass_core.domain.common import Role
from aimass_core.domain.costs import Budget, CostKind, Costs
from aimass_core.services import budgets, costs
from functions.api import request
from functions.api.routing import ResourceRouter

router = ResourceRouter("costs")


def _require_day(value: object) -> object:
    """NOTE: Pydantic would also take a number of seconds."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII) is None:
        raise ValueError(f"{value[:40]!r} is no day: write it as 2026-11-30")
    return value


Day = Annotated[date, BeforeValidator(_require_day)]
Since = Annotated[Day | None, Query(description="The first day (UTC). Default: the first of the month of `until`.")]
Until = Annotated[Day | None, Query(description="The last day, included. Default: today.")]
Kind = Annotated[CostKind | None, Query(description="Only costs of this kind.")]
Lines = Annotated[int, Query(ge=1, le=1_000, description="At most so many lines, the dearest first.")]


@router.operation("GET", "/v1/costs", role=Role.VIEWER, summary="Read what the workspace costs")
def get_costs(since: Since = None, until: Until = None, kind: Kind = None, limit: Lines = 100) -> Costs:
    """By day, by kind, and by job, endpoint, query, dataset and model. At most 92 days at once."""
    return costs.get(router.ports, router.caller, since=since, until=until, kind=kind, limit=limit)


@router.operation("GET", "/v1/budget", role=Role.VIEWER, summary="Read what is spent of the month's budget")
def get_budget() -> Response[Budget]:
    """Counted now. The budget itself is a setting of quotas."""
    return request.found(budgets.get(router.ports, router.caller))
