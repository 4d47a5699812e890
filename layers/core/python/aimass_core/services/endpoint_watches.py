"""What is watched of endpoints: limits, alarms, and where it is written what became true.

A watch is a row beside the endpoint's, which the reconciler looks at every minute: traffic each time, captured rows
every ten minutes.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.endpoint_watching import (
    AlarmLimits,
    AlarmStatus,
    EndpointDrift,
    EndpointMetrics,
    EndpointPerformance,
    EndpointWatch,
    TruthSource,
)
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.metrics import LOWER_IS_BETTER, check_metric
from aimass_core.domain.models import ModelVersion
from aimass_core.errors import AimassError, ConflictError, NotFoundError, StaleRevisionError, UnavailableError
from aimass_core.ports import Delete, Ports, Row, WriteConflictError
from aimass_core.services import models, platform, records
from aimass_core.services.watching import captured, drifting, performing, traffic, truths
from aimass_core.services.watching.spans import Span

ROWS_EVERY = timedelta(minutes=10)
_MAX_TRIES = 8
_MAX_REASONS = 10

_log = logging.getLogger(__name__)


# --- what users ask for ----------------------------------------------------------------------------------------------


def get(ports: Ports, endpoint: Endpoint) -> EndpointWatch:
    """What is watched; nothing where nobody has said anything."""
    row = ports.registry.get(keys.row(endpoint.workspace_id, EndpointWatch.resource, endpoint.id))
    if row is not None:
        return EndpointWatch.model_validate(row.data)
    return EndpointWatch(
        id=endpoint.id,
        workspace_id=endpoint.workspace_id,
        created_at=endpoint.created_at,
        updated_at=endpoint.created_at,
        created_by=endpoint.created_by,
    )


def set_limits(ports: Ports, principal: Principal, endpoint: Endpoint, limits: AlarmLimits) -> EndpointWatch:
    """Instead of those that were. Raises InvalidRequestError for a metric that the model has not, ConflictError for one
    that nobody will know."""
    if limits.metric is not None:
        version = _served(ports, endpoint)
        check_metric(limits.metric, [version.task], location="body.metric")
        if get(ports, endpoint).truth is None:
            raise ConflictError(
                f"Nobody says yet what became true of the answers of {endpoint.name!r}, so {limits.metric} cannot be "
                f"known. First: aimass endpoints truth {endpoint.name} <file> --key <column>"
            )
    has_limits = any(
        limit is not None for limit in (limits.max_error_rate, limits.max_p95_ms, limits.max_drift, limits.metric)
    )
    status = AlarmStatus.OK if has_limits else AlarmStatus.OFF
    return _change(
        ports,
        principal,
        endpoint,
        "endpoint.set_alarms",
        limits=limits,
        status=status,
        reasons=[],
        row_reasons=[],
        drift_reasons=[],
        drifted_at=None,
        alarm_ended_at=None,
        since=ports.clock(),
        checked_at=None,
        rows_checked_at=None,
    )


def set_truth(ports: Ports, principal: Principal, endpoint: Endpoint, source: TruthSource) -> EndpointWatch:
    """Instead of what was. Raises InvalidRequestError where the dataset has not the columns."""
    signature = models.load_signature(ports, _served(ports, endpoint))
    truths.check(ports, principal, source, signature.target)
    return _change(ports, principal, endpoint, "endpoint.set_truth", truth=source, rows_checked_at=None)


def measure_traffic(ports: Ports, endpoint: Endpoint, span: Span) -> EndpointMetrics:
    """Requests, errors and times."""
    return traffic.measure(ports, endpoint, span)


def measure_drift(ports: Ports, endpoint: Endpoint, span: Span) -> EndpointDrift:
    """Of captured rows, from training."""
    return drifting.measure(ports, captured.load(ports, endpoint, span))


def measure_performance(ports: Ports, endpoint: Endpoint, span: Span) -> EndpointPerformance:
    """Of captured rows that became true or not. Raises ConflictError where nobody says what did."""
    truth = get(ports, endpoint).truth
    if truth is None:
        raise ConflictError(
            f"Nobody says yet what became true of the answers of {endpoint.name!r}. First: "
            f"aimass endpoints truth {endpoint.name} <file> --key <column>"
        )
    return performing.measure(ports, captured.load(ports, endpoint, span), truth)


def _served(ports: Ports, endpoint: Endpoint) -> ModelVersion:
    if endpoint.serving is None:
        raise ConflictError(f"The endpoint {endpoint.name!r} serves nothing yet: it is {endpoint.status}.")
    serving = endpoint.serving
    return records.get(ports, ModelVersion, endpoint.workspace_id, serving.model_id, serving.number)


def _change(ports: Ports, principal: Principal, endpoint: Endpoint, action: str, **changes: Any) -> EndpointWatch:
    for _ in range(_MAX_TRIES):
        watch = get(ports, endpoint)
        try:
            if ports.registry.get(keys.row(watch.workspace_id, watch.resource, watch.id)) is not None:
                return records.save(ports, watch, principal=principal, action=action, **changes)
            now = ports.clock()
            fields = {"created_at": now, "updated_at": now, "created_by": principal.actor}
            return records.create(ports, principal, watch.model_copy(update={**fields, **changes}))
        except (StaleRevisionError, ConflictError):
            continue
    raise UnavailableError(f"What is watched of {endpoint.name!r} changes too quickly. Try again.")


# --- what the reconciler does ----------------------------------------------------------------------------------------


def check_due(ports: Ports, *, limit: int = 1_000) -> int:
    """Looks at every endpoint with limits; how many alarms have begun or ended. One that fails keeps no other."""
    changed = 0
    for status in (AlarmStatus.OK, AlarmStatus.ALARM):
        for row in ports.registry.query_status(keys.status_partition(EndpointWatch.resource, status), limit=limit):
            try:
                changed += _check_row(ports, row)
            except (AimassError, WriteConflictError):
                _log.exception("cannot check an endpoint", extra={"row": f"{row.key.partition} {row.key.sort}"})
    return changed


def _check_row(ports: Ports, row: Row) -> bool:
    watch = EndpointWatch.model_validate(row.data)
    try:
        endpoint = records.get(ports, Endpoint, watch.workspace_id, watch.id)
    except NotFoundError:
        ports.registry.write(Delete(key=row.key, expected=watch.revision))
        return False
    return check(ports, endpoint, watch).status is not watch.status


def check(ports: Ports, endpoint: Endpoint, watch: EndpointWatch) -> EndpointWatch:
    """Holds what is observed against the limits. The change of a status is in the audit log."""
    now = ports.clock()
    changes: dict[str, Any] = {"checked_at": now}
    row_reasons = watch.row_reasons
    is_due = watch.rows_checked_at is None or now - watch.rows_checked_at >= ROWS_EVERY
    if watch.limits.needs_rows and is_due:
        drift, others = _judge_rows(ports, endpoint, watch, now=now)
        row_reasons = [*drift, *others]
        began = watch.drifted_at if watch.drift_reasons else now
        changes |= {
            "rows_checked_at": now,
            "row_reasons": row_reasons,
            "drift_reasons": drift,
            "drifted_at": began if drift else None,
        }
    reasons = [*_judge_traffic(ports, endpoint, watch.limits, now=now), *row_reasons][:_MAX_REASONS]
    status = AlarmStatus.ALARM if reasons else AlarmStatus.OK
    changes |= {"status": status, "reasons": reasons}
    principal = None
    if status is not watch.status:
        changes |= {"since": now, "alarm_ended_at": None if status is AlarmStatus.ALARM else now}
        principal = platform.principal("reconciler", watch.workspace_id)
        _log.warning(
            "endpoint alarm", extra={"endpoint_id": endpoint.id, "status": str(status), "reasons": "; ".join(reasons)}
        )
    action = "endpoint.alarm" if status is AlarmStatus.ALARM else "endpoint.alarm_ended"
    try:
        return records.save(ports, watch, principal=principal, action=action, **changes)
    except StaleRevisionError:
        return get(ports, endpoint)


def _judge_traffic(ports: Ports, endpoint: Endpoint, limits: AlarmLimits, *, now: datetime) -> list[str]:
    span = Span(since=now - timedelta(minutes=limits.window_minutes), until=now)
    total = traffic.measure(ports, endpoint, span).total
    if total.requests < limits.min_requests:
        return []
    words = f"of {total.requests:,} requests in {limits.window_minutes} minutes"
    found = []
    rate, most = total.error_rate, limits.max_error_rate
    if most is not None and rate is not None and rate > most:
        found.append(f"{rate:.2%} {words} failed; allowed: {most:.2%}.")
    if limits.max_p95_ms is not None and total.p95_ms is not None and total.p95_ms > limits.max_p95_ms:
        found.append(f"95 % {words} took up to {total.p95_ms:.4g} ms; allowed: {limits.max_p95_ms:.4g} ms.")
    return found


def _judge_rows(
    ports: Ports, endpoint: Endpoint, watch: EndpointWatch, *, now: datetime
) -> tuple[list[str], list[str]]:
    """What drift gives, and what the metric does.

    NOTE: what cannot be judged (nothing serves, a dataset is gone) is no alarm: the report says it.
    """
    limits = watch.limits
    try:
        rows = captured.load(ports, endpoint, Span(since=now - timedelta(hours=limits.window_hours), until=now))
        if len(rows.rows) < limits.min_rows:
            return [], []
        return _judge_drift(ports, rows, limits), list(_judge_metric(ports, rows, watch))
    except (ConflictError, NotFoundError) as error:
        _log.warning("rows cannot be judged", extra={"endpoint_id": endpoint.id, "reason": error.message})
        return [], []


def _judge_drift(ports: Ports, rows: captured.Captured, limits: AlarmLimits) -> list[str]:
    if limits.max_drift is None:
        return []
    found = drifting.measure(ports, rows)
    moved = [each for each in [*found.columns, found.answers] if each is not None]
    return [
        f"{each.name} has moved by a PSI of {each.psi:.3f}; allowed: {limits.max_drift:g}."
        for each in moved
        # What chance does with so few rows is no drift.
        if each.psi > max(limits.max_drift, each.psi_limit if each.psi_limit > drifting.LIMITS.max_psi else 0.0)
    ]


def _judge_metric(ports: Ports, rows: captured.Captured, watch: EndpointWatch) -> Sequence[str]:
    name, worst = watch.limits.metric, watch.limits.worst_metric
    if name is None or worst is None or watch.truth is None:
        return []
    found = performing.measure(ports, rows, watch.truth)
    value = found.metrics.get(name)
    if value is None or found.num_rows < watch.limits.min_rows:
        return []
    is_worse = value > worst if name in LOWER_IS_BETTER else value < worst
    return [f"{name} of {found.num_rows:,} rows is {value:.4g}; the worst allowed: {worst:g}."] if is_worse else []
