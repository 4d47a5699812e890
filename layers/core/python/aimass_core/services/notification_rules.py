"""Rules as their users ask for them, and which channels they mean."""

from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.notification_channels import MAX_RULES, NotificationRule, RuleCreate, RuleUpdate, matches
from aimass_core.domain.notifications import Notification
from aimass_core.errors import ConflictError, StaleRevisionError
from aimass_core.ports import Delete, Ports, WriteConflictError
from aimass_core.services import notification_channels, records

_SCAN_PAGE = 100


def create(ports: Ports, principal: Principal, request: RuleCreate) -> NotificationRule:
    """A rule that holds from the next notification on. Raises AlreadyExistsError, InvalidRequestError."""
    if len(list_all(ports, principal.workspace_id)) >= MAX_RULES:
        raise ConflictError(f"The workspace has {MAX_RULES} notification rules. Delete one first.")
    notification_channels.require(ports, principal.workspace_id, request.channels)
    rule = NotificationRule(**records.new_fields(ports, principal, NotificationRule), **request.model_dump())
    return records.create(ports, principal, rule, name=rule.name)


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[NotificationRule], str | None]:
    """A page of the workspace's rules, newest first."""
    return records.list_page(ports, NotificationRule, principal.workspace_id, limit=limit, start=start)


def get(ports: Ports, principal: Principal, rule: str) -> NotificationRule:
    """One by id or name. Raises NotFoundError."""
    return records.find(ports, NotificationRule, principal.workspace_id, rule)


def update(ports: Ports, principal: Principal, rule: str, request: RuleUpdate, *, revision: int) -> NotificationRule:
    """Changes what the request names. Raises StaleRevisionError, InvalidRequestError."""
    found = get(ports, principal, rule)
    records.require_revision(found, revision)
    if request.channels is not None:
        notification_channels.require(ports, principal.workspace_id, request.channels)
    changes: dict[str, Any] = request.model_dump(exclude_none=True)
    return records.save(ports, found, found.id, principal=principal, **changes)


def delete(ports: Ports, principal: Principal, rule: str) -> None:
    """At once."""
    found = get(ports, principal, rule)
    try:
        ports.registry.write(
            Delete(key=keys.row(found.workspace_id, found.resource, found.id), expected=found.revision),
            Delete(key=keys.name_row(found.workspace_id, found.resource, found.name), expected=1),
            records.audit(ports, principal, "notification_rule.delete", found, name=found.name),
        )
    except WriteConflictError as error:
        raise StaleRevisionError(f"The rule {found.name!r} was changed in this moment. Delete it again.") from error


def list_all(ports: Ports, workspace_id: str) -> list[NotificationRule]:
    """Every rule of a workspace."""
    found: list[NotificationRule] = []
    start: str | None = None
    while True:
        page, start = records.list_page(ports, NotificationRule, workspace_id, limit=_SCAN_PAGE, start=start)
        found += page
        if start is None:
            return found


def channels_of(rules: list[NotificationRule], told: Notification) -> set[str]:
    """Names of the channels that hear of a notification."""
    found = set(told.channels)
    for rule in rules:
        is_meant = any(matches(pattern, told.type) for pattern in rule.events)
        if rule.is_active and is_meant and (not rule.subjects or told.subject.name in rule.subjects):
            found.update(rule.channels)
    return found
