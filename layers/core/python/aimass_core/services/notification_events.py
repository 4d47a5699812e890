"""What rows of the registry mean to those who want to hear of it: each change is told once, however often it is seen.

Use cases of which no row tells by its status write the notification themselves (`notifications.new_write`), in the
transaction of the change.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from aimass_core.domain.costs import Budget, BudgetStatus
from aimass_core.domain.datasets import DatasetVersion, DatasetVersionStatus
from aimass_core.domain.endpoint_watching import AlarmStatus, EndpointWatch
from aimass_core.domain.endpoints import Endpoint, EndpointEvent
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.job_statuses import JobStatus
from aimass_core.domain.keys import RowKey
from aimass_core.domain.notification_channels import Delivery
from aimass_core.domain.notifications import Notification, NotificationType, Subject
from aimass_core.errors import NotFoundError
from aimass_core.ports import Ports, Row
from aimass_core.services import notification_deliveries, notifications, records

_JOB = "job"
# Their versions and sources tell of them, or their report.
_SILENT_KINDS = frozenset({JobKind.INGEST, JobKind.COLLECT, JobKind.REPORT})
_STUDY_KINDS = frozenset({JobKind.SEARCH, JobKind.AUTOTRAIN})
_OF_JOBS = {
    JobStatus.SUCCEEDED: (NotificationType.JOB_SUCCEEDED, "has succeeded"),
    JobStatus.FAILED: (NotificationType.JOB_FAILED, "has failed"),
    JobStatus.STOPPED: (NotificationType.JOB_STOPPED, "was stopped"),
}
_OF_ENDPOINTS = {
    "deployed": (NotificationType.ENDPOINT_DEPLOYED, "serves"),
    "promoted": (NotificationType.ENDPOINT_DEPLOYED, "serves"),
    "rejected": (NotificationType.ENDPOINT_FAILED, "does not serve"),
    "rolled_back": (NotificationType.ENDPOINT_ROLLED_BACK, "was taken back from"),
}


_OF_BUDGETS = {
    BudgetStatus.WARNED: NotificationType.BUDGET_WARNED,
    BudgetStatus.SPENT: NotificationType.BUDGET_REACHED,
}


def hear(ports: Ports, key: RowKey) -> None:
    """Looks at a row that is new or has changed. Idempotent."""
    row = ports.registry.get(key)
    heard = None if row is None or row.resource is None else _HEARD.get(row.resource)
    if row is not None and heard is not None:
        heard(ports, row)


def _fan_out(ports: Ports, row: Row) -> None:
    notification_deliveries.fan_out(ports, str(row.data["workspace_id"]), str(row.data["id"]))


def _enqueue(ports: Ports, row: Row) -> None:
    notification_deliveries.enqueue(ports, Delivery.model_validate(row.data))


def _hear_job(ports: Ports, row: Row) -> None:
    """NOTE: of the row and not of its class, whose kinds take a third of a second to import."""
    job = row.data
    status = JobStatus(job["status"])
    if status not in _OF_JOBS or job["kind"] in _SILENT_KINDS or _is_history(ports, job, at=job.get("ended_at")):
        return
    kind, words = _OF_JOBS[status]
    if job["kind"] in _STUDY_KINDS and status is not JobStatus.FAILED:
        kind = NotificationType.STUDY_ENDED
    name = _name_of_job(job)
    made = job.get("model_version")
    notifications.tell_once(
        ports,
        job["workspace_id"],
        kind,
        Subject(resource=_JOB, id=job["id"], name=name),
        told=f"job {job['id']}",
        title=f"The {job['kind']} job on {name} {words}",
        text=_text_of_job(job, made),
        data={
            "job_id": job["id"],
            "kind": job["kind"],
            "status": status.value,
            "study_id": job.get("study_id"),
            "model": None if made is None else f"{made['model_name']}@{made['number']}",
            "metrics": job.get("metrics") or {},
        },
    )


def _name_of_job(job: Mapping[str, Any]) -> str:
    """As people call it: its model, or its data."""
    named = (job.get("model_version") or {}).get("model_name") or job["spec"].get("model")
    if named:
        return str(named)
    channels = list((job.get("channels") or {}).values())
    return str(channels[0]["dataset_name"]) if channels else str(job["kind"])


def _text_of_job(job: Mapping[str, Any], made: Mapping[str, Any] | None) -> str:
    reason = (job.get("failure") or {}).get("cause") or job.get("status_reason")
    if reason:
        return str(reason)
    return "" if made is None else f"It made the model version {made['model_name']}@{made['number']}."


def _hear_version(ports: Ports, row: Row) -> None:
    version = DatasetVersion.model_validate(row.data)
    name = f"{version.dataset_name}@{version.number}"
    if _is_history(ports, row.data, at=row.data["created_at"]):
        return
    if version.status is DatasetVersionStatus.READY:
        kind, title = NotificationType.VERSION_READY, f"{name} is ready"
        text = f"{version.num_rows or 0:,} rows, {version.num_quarantined or 0:,} kept apart."
    elif version.status is DatasetVersionStatus.REJECTED:
        kind, title = NotificationType.VERSION_BLOCKED, f"{name} is rejected"
        text = version.status_reason or ""
    else:
        return
    notifications.tell_once(
        ports,
        version.workspace_id,
        kind,
        Subject(resource="dataset", id=version.dataset_id, name=version.dataset_name),
        told=f"version {version.dataset_id} {version.number} {version.status}",
        title=title,
        text=text,
        data={
            "dataset_id": version.dataset_id,
            "number": version.number,
            "num_rows": version.num_rows,
            "num_quarantined": version.num_quarantined,
            "quality": None if version.quality is None else version.quality.value,
        },
    )


def _hear_endpoint(ports: Ports, row: Row) -> None:
    event = EndpointEvent.model_validate(row.data)
    if event.action not in _OF_ENDPOINTS:
        return
    kind, words = _OF_ENDPOINTS[event.action]
    name = _name_of_endpoint(ports, event.workspace_id, event.endpoint_id)
    model = event.model or event.serving or "a version"
    notifications.tell_once(
        ports,
        event.workspace_id,
        kind,
        Subject(resource=Endpoint.resource, id=event.endpoint_id, name=name),
        told=f"event {event.id}",
        title=f"The endpoint {name} {words} {model}",
        text=event.reason or "",
        data={"endpoint_id": event.endpoint_id, "model": event.model, "serving": event.serving, "number": event.number},
    )


def _hear_watch(ports: Ports, row: Row) -> None:
    watch = EndpointWatch.model_validate(row.data)
    name = _name_of_endpoint(ports, watch.workspace_id, watch.id)
    subject = Subject(resource=Endpoint.resource, id=watch.id, name=name)

    def tell(kind: NotificationType, at: datetime, title: str, reasons: list[str]) -> None:
        notifications.tell_once(
            ports,
            watch.workspace_id,
            kind,
            subject,
            told=f"{kind} {watch.id} {at.isoformat()}",
            title=title,
            text="\n".join(reasons),
            data={"endpoint_id": watch.id, "since": at.isoformat(), "reasons": reasons},
        )

    others = [reason for reason in watch.reasons if reason not in watch.drift_reasons]
    if watch.status is AlarmStatus.ALARM and watch.since and others:
        tell(NotificationType.ENDPOINT_ALARM, watch.since, f"The endpoint {name} passes its limits", others)
    if watch.status is AlarmStatus.ALARM and watch.drifted_at and watch.drift_reasons:
        title = f"What the endpoint {name} is asked has drifted"
        tell(NotificationType.ENDPOINT_DRIFTED, watch.drifted_at, title, watch.drift_reasons)
    if watch.status is AlarmStatus.OK and watch.alarm_ended_at:
        tell(
            NotificationType.ENDPOINT_ALARM_ENDED, watch.alarm_ended_at, f"The endpoint {name} is within its limits", []
        )


def _hear_budget(ports: Ports, row: Row) -> None:
    """Once a month for each status that it reaches."""
    budget = Budget.model_validate(row.data)
    if budget.status not in _OF_BUDGETS:
        return
    spent = f"{budget.spent_usd:,.2f} of {budget.monthly_budget_usd or 0:,.2f} USD"
    notifications.tell_once(
        ports,
        budget.workspace_id,
        _OF_BUDGETS[budget.status],
        Subject(resource=Budget.resource, id=budget.id, name=budget.month),
        told=f"budget {budget.month} {budget.status} {budget.monthly_budget_usd}",
        title=f"{budget.percent or 0:.0f} % of the budget of {budget.month} is spent",
        text=f"{spent}; forecast for the month: {budget.forecast_usd:,.2f} USD.",
        data=budget.model_dump(
            mode="json", include={"month", "monthly_budget_usd", "spent_usd", "forecast_usd", "percent"}
        ),
    )


def _name_of_endpoint(ports: Ports, workspace_id: str, endpoint_id: str) -> str:
    try:
        return records.get(ports, Endpoint, workspace_id, endpoint_id).name
    except NotFoundError:
        return endpoint_id


def _is_history(ports: Ports, data: Mapping[str, Any], *, at: str | None) -> bool:
    """Whether a row speaks of what was told, and forgotten that it was, long ago; or happened elsewhere, and came with
    an import."""
    horizon = notifications.KEPT - timedelta(days=1)
    is_old = at is not None and ports.clock() - datetime.fromisoformat(at) > horizon
    return is_old or data.get("imported_at") is not None


_HEARD: Mapping[str, Callable[[Ports, Row], None]] = {
    Notification.resource: _fan_out,
    Delivery.resource: _enqueue,
    _JOB: _hear_job,
    DatasetVersion.resource: _hear_version,
    EndpointEvent.resource: _hear_endpoint,
    EndpointWatch.resource: _hear_watch,
    Budget.resource: _hear_budget,
}
