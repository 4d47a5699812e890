"""What one workspace may ask for, so that one which submits without end never slows the others down.

Rows are counted; there is no counter that could leak. Requests that are under way in the same moment do not see each
other's jobs: a limit may be passed by as many as they are (at most one less than the API function's concurrency).
"""

import itertools
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from aimass_core.domain import keys
from aimass_core.domain.common import first_id_at
from aimass_core.domain.jobs import Job
from aimass_core.domain.settings.quotas import QuotaSettings
from aimass_core.errors import QuotaExceededError
from aimass_core.ports import Ports
from aimass_core.services import budgets, job_states

WINDOW = timedelta(seconds=10)
_RETRY_WHEN_FULL_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """Of each workspace: jobs that have not ended, and jobs that were submitted within `WINDOW`."""

    max_active: int
    max_per_window: int


def limits_of(ports: Ports, workspace_id: str) -> JobLimits:
    """As the workspace's settings say now."""
    quotas = ports.live_settings.get(QuotaSettings, workspace_id)
    return JobLimits(max_active=quotas.max_jobs_active, max_per_window=quotas.max_jobs_per_10_seconds)


def check(ports: Ports, workspace_id: str, limits: JobLimits) -> None:
    """Raises QuotaExceededError, with the time after which it is worth asking again; BudgetSpentError."""
    budgets.require(ports, workspace_id)
    _check_rate(ports, workspace_id, limits.max_per_window)
    num_active = sum(1 for _ in itertools.islice(job_states.list_active_ids(ports, workspace_id), limits.max_active))
    if num_active >= limits.max_active:
        raise QuotaExceededError(
            f"This workspace has {num_active} jobs that have not ended; at most {limits.max_active} are allowed. "
            "Wait for some to end, or stop some (aimass jobs stop).",
            retry_after_seconds=_RETRY_WHEN_FULL_SECONDS,
        )


def _check_rate(ports: Ports, workspace_id: str, max_per_window: int) -> None:
    """Reads only the jobs of the window: ids sort by time."""
    now = ports.clock()
    start = keys.row(workspace_id, Job.resource, first_id_at(Job.prefix, now - WINDOW)).sort
    prefix = keys.row_prefix(Job.resource)
    recent = ports.registry.query(keys.partition(workspace_id), prefix, limit=max_per_window, start=start).rows
    if len(recent) < max_per_window:
        return
    until_one_leaves = datetime.fromisoformat(recent[0].data["created_at"]) + WINDOW - now
    raise QuotaExceededError(
        f"This workspace has submitted {len(recent)} jobs within {WINDOW.total_seconds():.0f} seconds, which is as "
        "many as are taken. Submit the next ones a little later.",
        retry_after_seconds=max(1, math.ceil(until_one_leaves.total_seconds())),
    )
