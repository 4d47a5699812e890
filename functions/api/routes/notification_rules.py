"""/v1/notification-rules."""

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.notification_channels import NotificationRule, RuleCreate, RuleUpdate
from aimass_core.services import notification_rules
from functions.api import request
from functions.api.request import Cursor, IdOrName, IfMatch, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("notification-rules")


@router.operation("GET", "/v1/notification-rules", role=Role.DEVELOPER, summary="List rules of notifications")
def list_notification_rules(limit: Limit = 50, cursor: Cursor = None) -> Page[NotificationRule]:
    """Which notifications go where, newest first."""
    return request.page_of(
        router,
        lambda start: notification_rules.list_page(router.ports, router.caller, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "POST",
    "/v1/notification-rules",
    role=Role.ADMIN,
    summary="Make a rule of notifications",
    status=201,
    idempotent=True,
)
def create_notification_rule(body: RuleCreate) -> Response[NotificationRule]:
    """It holds from the next notification on."""
    made = notification_rules.create(router.ports, router.caller, body)
    return request.created(made, location=f"/v1/notification-rules/{made.id}")


@router.operation("GET", "/v1/notification-rules/<notification_rule>", role=Role.DEVELOPER, summary="Read a rule")
def get_notification_rule(notification_rule: IdOrName) -> Response[NotificationRule]:
    """By its id or its name."""
    return request.found(notification_rules.get(router.ports, router.caller, notification_rule))


@router.operation("PATCH", "/v1/notification-rules/<notification_rule>", role=Role.ADMIN, summary="Change a rule")
def update_notification_rule(
    notification_rule: IdOrName, body: RuleUpdate, if_match: IfMatch = None
) -> Response[NotificationRule]:
    """From the next notification on."""
    revision = request.revision_of(if_match)
    return request.found(
        notification_rules.update(router.ports, router.caller, notification_rule, body, revision=revision)
    )


@router.operation(
    "DELETE", "/v1/notification-rules/<notification_rule>", role=Role.ADMIN, summary="Delete a rule", status=204
)
def delete_notification_rule(notification_rule: IdOrName) -> Response[None]:
    """At once."""
    notification_rules.delete(router.ports, router.caller, notification_rule)
    return request.no_content()
