"""/v1/notification-deliveries."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from aimass_core.domain.common import NAME_PATTERN, Page, Role
from aimass_core.domain.notification_channels import Delivery, DeliveryDetail, DeliveryStatus
from aimass_core.services import notification_deliveries
from functions.api import request
from functions.api.request import Cursor, Id, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("notification-deliveries")

Status = Annotated[DeliveryStatus | None, Query(description="Only those in this status; DEAD: what was given up.")]
Channel = Annotated[str | None, Query(pattern=NAME_PATTERN, description="Only those to this channel, by id or name.")]


@router.operation("GET", "/v1/notification-deliveries", role=Role.DEVELOPER, summary="List deliveries")
def list_notification_deliveries(
    limit: Limit = 50, cursor: Cursor = None, status: Status = None, channel: Channel = None
) -> Page[Delivery]:
    """Newest first: what was sent where, and what was answered. With a filter a page may be short although more
    follow: go on while there is a cursor."""
    return request.page_of(
        router,
        lambda start: notification_deliveries.list_page(
            router.ports, router.caller, limit=limit, start=start, status=status, channel=channel
        ),
        cursor=cursor,
    )


@router.operation(
    "GET", "/v1/notification-deliveries/<notification_delivery>", role=Role.DEVELOPER, summary="Read a delivery"
)
def get_notification_delivery(notification_delivery: Id) -> Response[DeliveryDetail]:
    """With its payload and its last attempts."""
    return request.found(notification_deliveries.get(router.ports, router.caller, notification_delivery))


@router.operation(
    "POST",
    "/v1/notification-deliveries/<notification_delivery>/retry",
    role=Role.DEVELOPER,
    summary="Send a delivery again",
    status=202,
)
def retry_notification_delivery(notification_delivery: Id) -> Response[DeliveryDetail]:
    """At once: one that was given up, one that waits, and one that was taken. The receiver knows it by its id."""
    made = notification_deliveries.retry(router.ports, router.caller, notification_delivery)
    return request.found(made, status=HTTPStatus.ACCEPTED)
