"""What has happened: written once each, beside the change itself where it is a use case that tells, and listed."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.notifications import Notification, NotificationType, Subject, level_of
from aimass_core.ports import Ports, Put, Row, WriteConflictError
from aimass_core.services import platform, records

KEPT = timedelta(days=30)
_PART = "notifications"


def new_write(
    ports: Ports,
    workspace_id: str,
    kind: NotificationType,
    subject: Subject,
    *,
    title: str,
    text: str = "",
    data: Mapping[str, Any] | None = None,
    channels: Sequence[str] = (),
) -> Put:
    """The write that tells of something, for the transaction of the change that it is about.

    Args:
        title: one line, without a secret.
        data: what a program wants to know; it goes to everybody who hears of it.
        channels: names of those that hear of it in any case, beside those that rules name.
    """
    words: dict[str, Any] = {"title": title, "text": text, "data": dict(data or {}), "channels": list(channels)}
    return Put(row=records.to_row(_build(ports, workspace_id, kind, subject, **words)))


def tell_once(
    ports: Ports,
    workspace_id: str,
    kind: NotificationType,
    subject: Subject,
    *,
    told: str,
    title: str,
    text: str = "",
    data: Mapping[str, Any] | None = None,
) -> Notification | None:
    """Tells of something that is seen again and again; None where it was told before.

    Args:
        told: what it is, so that the same is told once: `job.failed#job_1`.
    """
    made = _build(ports, workspace_id, kind, subject, title=title, text=text, data=dict(data or {}))
    digest = hashlib.sha256(told.encode()).hexdigest()[:32]
    mark = Row(key=keys.told_row(workspace_id, digest), data={"id": made.id}, revision=1, expires_at=made.forgotten_at)
    try:
        ports.registry.write(Put(row=mark), Put(row=records.to_row(made)))
    except WriteConflictError:
        return None
    return made


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[Notification], str | None]:
    """A page of what has happened in the workspace, newest first."""
    return records.list_page(ports, Notification, principal.workspace_id, limit=limit, start=start)


def get(ports: Ports, principal: Principal, notification_id: str) -> Notification:
    """One. Raises NotFoundError."""
    return records.get(ports, Notification, principal.workspace_id, notification_id)


def _build(ports: Ports, workspace_id: str, kind: NotificationType, subject: Subject, **words: Any) -> Notification:
    principal = platform.principal(_PART, workspace_id)
    return Notification(
        **records.new_fields(ports, principal, Notification),
        type=kind,
        level=level_of(kind),
        subject=subject,
        forgotten_at=ports.clock() + KEPT,
        **words,
    )
