"""/v1/notification-channels."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.notification_channels import (
    ChannelCreate,
    ChannelCreated,
    ChannelUpdate,
    DeliveryDetail,
    NotificationChannel,
)
from aimass_core.services import notification_channels, notification_deliveries
from functions.api import request
from functions.api.request import Cursor, IdOrName, IfMatch, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("notification-channels")


@router.operation("GET", "/v1/notification-channels", role=Role.DEVELOPER, summary="List channels")
def list_notification_channels(limit: Limit = 50, cursor: Cursor = None) -> Page[NotificationChannel]:
    """Where notifications go, newest first, without secrets."""
    return request.page_of(
        router,
        lambda start: notification_channels.list_page(router.ports, router.caller, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "POST",
    "/v1/notification-channels",
    role=Role.ADMIN,
    summary="Make a channel",
    status=201,
    idempotent=True,
    stores_answer=False,
)
def create_notification_channel(body: ChannelCreate) -> Response[ChannelCreated]:
    """A signed webhook, Slack or e-mail. The secret that signs is in this answer and nowhere else."""
    made = notification_channels.create(router.ports, router.caller, body)
    return request.created(made, location=f"/v1/notification-channels/{made.id}")


@router.operation(
    "GET", "/v1/notification-channels/<notification_channel>", role=Role.DEVELOPER, summary="Read a channel"
)
def get_notification_channel(notification_channel: IdOrName) -> Response[NotificationChannel]:
    """By its id or its name."""
    return request.found(notification_channels.get(router.ports, router.caller, notification_channel))


@router.operation(
    "PATCH", "/v1/notification-channels/<notification_channel>", role=Role.ADMIN, summary="Change a channel"
)
def update_notification_channel(
    notification_channel: IdOrName, body: ChannelUpdate, if_match: IfMatch = None
) -> Response[NotificationChannel]:
    """Pause or resume it, or give it another address of the same type."""
    revision = request.revision_of(if_match)
    return request.found(
        notification_channels.update(router.ports, router.caller, notification_channel, body, revision=revision)
    )


@router.operation(
    "DELETE",
    "/v1/notification-channels/<notification_channel>",
    role=Role.ADMIN,
    summary="Delete a channel",
    status=204,
)
def delete_notification_channel(notification_channel: IdOrName) -> Response[None]:
    """With its secret. Rules that name it leave it out."""
    notification_channels.delete(router.ports, router.caller, notification_channel)
    return request.no_content()


@router.operation(
    "POST",
    "/v1/notification-channels/<notification_channel>/secret",
    role=Role.ADMIN,
    summary="Rotate a channel's secret",
)
def rotate_notification_channel(notification_channel: IdOrName) -> Response[ChannelCreated]:
    """A new one, which is in this answer only. For a day deliveries are signed with both."""
    return request.found(notification_channels.rotate(router.ports, router.caller, notification_channel))


@router.operation(
    "POST",
    "/v1/notification-channels/<notification_channel>/test",
    role=Role.ADMIN,
    summary="Try a channel",
    status=202,
)
def test_notification_channel(notification_channel: IdOrName) -> Response[DeliveryDetail]:
    """Sends a message that says so. Follow the delivery to see what came of it."""
    made = notification_deliveries.test(router.ports, router.caller, notification_channel)
    return request.created(made, location=f"/v1/notification-deliveries/{made.id}", status=HTTPStatus.ACCEPTED)
