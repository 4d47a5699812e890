"""What a spent budget ends beside new work: the containers of endpoints, where the workspace wants that."""

import logging
from collections.abc import Iterator

from aimass_core.domain import keys
from aimass_core.domain.costs import Budget, BudgetStatus
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.settings.contract import SettingsRecord
from aimass_core.domain.settings.quotas import BudgetStop
from aimass_core.errors import AimassError
from aimass_core.ports import Ports
from aimass_core.services import budgets, hosting, records, settings

_PAGE = 100
_MAX_WORKSPACES = 1_000
_log = logging.getLogger(__name__)


def run(ports: Ports) -> int:
    """Counts every budget there is, takes containers down where it is spent, and brings them back where it is not any
    more. Returns how many budgets have changed their status. For the reconciler, each minute.
    """
    num_changed = 0
    partition = keys.status_partition(SettingsRecord.resource, settings.BUDGETED)
    for row in ports.registry.query_status(partition, limit=_MAX_WORKSPACES):
        workspace_id = str(row.data["workspace_id"])
        try:
            before = budgets.find(ports, workspace_id)
            budget = budgets.count(ports, workspace_id)
            num_changed += before is None or before.status is not budget.status
            _hold(ports, workspace_id, budget)
        except AimassError:
            # NOTE: one workspace keeps no other one from it.
            _log.exception("a budget is not held", extra={"workspace_id": workspace_id})
    return num_changed


def _hold(ports: Ports, workspace_id: str, budget: Budget) -> None:
    is_down = budget.status is BudgetStatus.SPENT and budget.stops is BudgetStop.JOBS_AND_CONTAINERS
    for endpoint in _list_endpoints(ports, workspace_id):
        if endpoint.serving is None or endpoint.serving.engine.machines is None:
            continue
        if is_down:
            hosting.take_down(ports, endpoint.serving)
        elif (fault := hosting.find_fault(ports, workspace_id, endpoint.serving)) is not None:
            _log.warning("containers do not come back", extra={"endpoint_id": endpoint.id, "reason": fault})


def _list_endpoints(ports: Ports, workspace_id: str) -> Iterator[Endpoint]:
    start: str | None = None
    while True:
        found, start = records.list_page(ports, Endpoint, workspace_id, limit=_PAGE, start=start)
        yield from found
        if start is None:
            return
