"""/v1/notifications, and /v1/notification-types: what has happened, and what can."""

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.notifications import TYPES, Notification, NotificationTypeInfo
from aimass_core.services import notifications
from functions.api import request
from functions.api.request import Cursor, Id, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("notifications")


@router.operation("GET", "/v1/notifications", role=Role.VIEWER, summary="List what has happened")
def list_notifications(limit: Limit = 50, cursor: Cursor = None) -> Page[Notification]:
    """In the workspace within thirty days, newest first, whether or not a channel hears of it."""
    return request.page_of(
        router,
        lambda start: notifications.list_page(router.ports, router.caller, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("GET", "/v1/notification-types", role=Role.VIEWER, summary="List what rules may name")
def list_notification_types() -> Page[NotificationTypeInfo]:
    """Each type of notification, with what it means."""
    return Page(items=list(TYPES))


@router.operation("GET", "/v1/notifications/<notification>", role=Role.VIEWER, summary="Read a notification")
def get_notification(notification: Id) -> Response[Notification]:
    """With what a program wants to know of it."""
    return request.found(notifications.get(router.ports, router.caller, notification))
