"""Deliveries: one notification to one channel, tried until the other side has taken it.

The rows are the queue: the registry's stream carries each that is PENDING to the queue of `functions/notifications`,
with a delay until its next attempt is due, and the reconciler brings those whose attempt lies further off. A claim
(`next_attempt_at`, moved by a lease) comes before each attempt, so that a crash leaves one that is tried again.
"""

import hashlib
import logging
import math
import time
from datetime import datetime, timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.notification_channels import (
    ChannelRecord,
    ChannelStatus,
    Delivery,
    DeliveryAttempt,
    DeliveryDetail,
    DeliveryStatus,
)
from aimass_core.domain.notifications import (
    Notification,
    NotificationStatus,
    NotificationType,
    Subject,
    level_of,
)
from aimass_core.domain.settings.notifications import NotificationSettings
from aimass_core.errors import AimassError, InvalidRequestError, NotFoundError, StaleRevisionError, UnavailableError
from aimass_core.ports import Ports, Put, WriteConflictError
from aimass_core.services import (
    notification_channels,
    notification_messages,
    notification_rules,
    notification_sending,
    notifications,
    platform,
    records,
)

# Between one attempt and the next: after the last of them a delivery is DEAD.
PAUSES_SECONDS = (5, 30, 300, 1_800, 7_200, 18_000, 36_000)
LEASE = timedelta(minutes=2)
MAX_QUEUE_SECONDS = 900
_MAX_PAUSE = timedelta(days=1)
_KEPT_ATTEMPTS = 10
_SCAN_PAGE, _MAX_SCANNED = 100, 1_000
_MAX_DUE = 1_000
_MAX_WRITES = 5
_GRACE = timedelta(seconds=30)
# Queues and clocks are not exact, and a message that comes too early is gone.
_EARLY = timedelta(seconds=2)

_log = logging.getLogger(__name__)


# --- what users ask for ----------------------------------------------------------------------------------------------


def list_page(
    ports: Ports,
    principal: Principal,
    *,
    limit: int,
    start: str | None = None,
    status: DeliveryStatus | None = None,
    channel: str | None = None,
) -> tuple[list[Delivery], str | None]:
    """A page of the workspace's deliveries, newest first. With a filter it may be short although more follow."""
    found: list[Delivery] = []
    num_scanned = 0
    size = limit if status is None and channel is None else _SCAN_PAGE
    while True:
        page, start = records.list_page(ports, Delivery, principal.workspace_id, limit=size, start=start)
        num_scanned += len(page)
        for each in page:
            if status not in (None, each.status) or channel not in (None, each.channel_id, each.channel_name):
                continue
            found.append(each)
            if len(found) == limit:
                return found, keys.row(each.workspace_id, each.resource, each.id).sort
        if start is None or num_scanned >= _MAX_SCANNED:
            return found, start


def get(ports: Ports, principal: Principal, delivery_id: str) -> DeliveryDetail:
    """One with what is sent. Raises NotFoundError."""
    return records.get(ports, DeliveryDetail, principal.workspace_id, delivery_id)


def retry(ports: Ports, principal: Principal, delivery_id: str) -> DeliveryDetail:
    """Sends it at once, again where it was taken or given up, with as many attempts as at first."""
    for _ in range(_MAX_WRITES):
        found = get(ports, principal, delivery_id)
        try:
            return records.save(
                ports,
                found,
                found.id,
                principal=principal,
                action="notification_delivery.retry",
                status=DeliveryStatus.PENDING,
                num_tries=0,
                next_attempt_at=ports.clock(),
                delivered_at=None,
            )
        except StaleRevisionError:
            continue
    raise UnavailableError(f"The delivery {delivery_id!r} is just being tried. Ask again.")


def test(ports: Ports, principal: Principal, channel: str) -> DeliveryDetail:
    """A delivery that says that somebody tries the channel; also of one that is paused."""
    record = notification_channels.find(ports, principal.workspace_id, channel)
    kind = NotificationType.TEST
    told = Notification(
        **records.new_fields(ports, principal, Notification),
        type=kind,
        level=level_of(kind),
        title=f"AI Mass can reach {record.name}",
        text="Somebody tries this channel. Nothing has happened.",
        subject=Subject(resource=record.resource, id=record.id, name=record.name),
        forgotten_at=ports.clock() + notifications.KEPT,
    )
    made = _build(ports, principal, record, told, delivery_id=ports.new_id(Delivery.prefix), notification_id=None)
    return records.create(ports, principal, made)


# --- what the stream brings ------------------------------------------------------------------------------------------


def fan_out(ports: Ports, workspace_id: str, notification_id: str) -> int:
    """Makes the deliveries of a notification, once each; how many. Idempotent.

    A channel does not hear of itself: that it cannot be reached.
    """
    try:
        told = records.get(ports, Notification, workspace_id, notification_id)
    except NotFoundError:
        return 0
    if told.status is NotificationStatus.TOLD:
        return 0
    principal = platform.principal("notifications", workspace_id)
    is_on = ports.live_settings.get(NotificationSettings, workspace_id).enabled
    names = notification_rules.channels_of(notification_rules.list_all(ports, workspace_id), told) if is_on else set()
    channels = notification_channels.list_all(ports, workspace_id) if names else []
    meant = [
        each
        for each in channels
        if each.name in names and each.status is ChannelStatus.ACTIVE and each.id != told.subject.id
    ]
    for channel in meant:
        made = _build(ports, principal, channel, told, delivery_id=_id_of(told, channel), notification_id=told.id)
        try:
            ports.registry.write(Put(row=records.to_row(made)))
        except WriteConflictError:
            _log.info("there is such a delivery already", extra={"delivery_id": made.id})
    try:
        records.save(ports, told, told.id, status=NotificationStatus.TOLD, num_deliveries=len(meant))
    except StaleRevisionError:
        _log.info("told by somebody else", extra={"notification_id": told.id})
    return len(meant)


def enqueue(ports: Ports, delivery: Delivery) -> bool:
    """Sends a PENDING delivery to the queue, to be tried when it is due. False where that is too far off."""
    if delivery.status is not DeliveryStatus.PENDING or delivery.next_attempt_at is None:
        return False
    seconds = max(0, math.ceil((delivery.next_attempt_at - ports.clock()).total_seconds()))
    if seconds > MAX_QUEUE_SECONDS:
        return False
    ports.notification_queue.send(
        {"workspace_id": delivery.workspace_id, "delivery_id": delivery.id}, delay_seconds=seconds
    )
    return True


def enqueue_due(ports: Ports) -> int:
    """Brings to the queue what is overdue: what had to wait longer than a queue keeps it, and what an event missed."""
    partition = keys.status_partition(Delivery.resource, DeliveryStatus.PENDING)
    overdue = ports.registry.query_status(partition, before=ports.clock() - _GRACE, limit=_MAX_DUE)
    return sum(enqueue(ports, Delivery.model_validate(row.data)) for row in overdue)


def fan_out_due(ports: Ports) -> int:
    """Makes the deliveries of notifications that an event missed."""
    partition = keys.status_partition(Notification.resource, NotificationStatus.PENDING)
    rows = ports.registry.query_status(partition, before=ports.clock() - timedelta(minutes=1), limit=_MAX_DUE)
    for row in rows:
        fan_out(ports, str(row.data["workspace_id"]), str(row.data["id"]))
    return len(rows)


# --- attempts --------------------------------------------------------------------------------------------------------


def attempt(ports: Ports, workspace_id: str, delivery_id: str) -> Delivery | None:
    """Tries a delivery that is due; None where it is not, or where somebody else tries it."""
    try:
        found = records.get(ports, DeliveryDetail, workspace_id, delivery_id)
    except NotFoundError:
        return None
    now = ports.clock()
    if found.status is not DeliveryStatus.PENDING or (found.next_attempt_at and found.next_attempt_at > now + _EARLY):
        return None
    changes: dict[str, Any] = {
        "num_attempts": found.num_attempts + 1,
        "num_tries": found.num_tries + 1,
        "next_attempt_at": now + LEASE,
    }
    try:
        claimed = records.save(ports, found, found.id, **changes)
    except StaleRevisionError:
        return None
    started = time.monotonic()
    sent = _send(ports, claimed)
    tried = DeliveryAttempt(
        at=now, seconds=round(time.monotonic() - started, 3), status=sent.status, answer=sent.answer
    )
    return _settle(ports, claimed, tried, sent)


def _send(ports: Ports, delivery: DeliveryDetail) -> notification_sending.Sent:
    try:
        channel = records.get(ports, ChannelRecord, delivery.workspace_id, delivery.channel_id)
    except NotFoundError:
        return notification_sending.Sent(answer="The channel was deleted.", is_final=True)
    if channel.status is ChannelStatus.PAUSED and delivery.type is not NotificationType.TEST:
        return notification_sending.Sent(answer="The channel is paused. Resume it, then send again.", is_final=True)
    try:
        return notification_sending.send(ports, channel, delivery)
    except InvalidRequestError as error:
        return notification_sending.Sent(answer=error.message, is_final=True)
    except AimassError as error:
        return notification_sending.Sent(answer=error.message)


def _settle(
    ports: Ports, delivery: DeliveryDetail, tried: DeliveryAttempt, sent: notification_sending.Sent
) -> Delivery | None:
    now = ports.clock()
    changes: dict[str, Any] = {"attempts": [*delivery.attempts, tried][-_KEPT_ATTEMPTS:]}
    if sent.is_taken:
        changes |= {"status": DeliveryStatus.DELIVERED, "delivered_at": now, "next_attempt_at": None}
    elif sent.is_final or delivery.num_tries > len(PAUSES_SECONDS):
        changes |= {"status": DeliveryStatus.DEAD, "next_attempt_at": None}
        _tell_dead(ports, delivery, tried)
    else:
        changes["next_attempt_at"] = _next_at(now, delivery.num_tries, sent)
    if sent.is_gone:
        _pause(ports, delivery)
    try:
        return records.save(ports, delivery, delivery.id, **changes)
    except StaleRevisionError:
        # Somebody has asked for it anew meanwhile.
        return None


def _next_at(now: datetime, num_tries: int, sent: notification_sending.Sent) -> datetime:
    pause = timedelta(seconds=PAUSES_SECONDS[num_tries - 1])
    asked = timedelta(seconds=sent.retry_after_seconds or 0)
    return now + min(max(pause, asked), _MAX_PAUSE)


def _pause(ports: Ports, delivery: Delivery) -> None:
    """410: the receiver wants no more, as the specification says."""
    reason = "The receiver answers 410 Gone: it wants no more. Give it another address, then resume it."
    try:
        records.update(
            ports,
            ChannelRecord,
            delivery.workspace_id,
            delivery.channel_id,
            change=lambda now: (
                None
                if now.status is ChannelStatus.PAUSED
                else {"status": ChannelStatus.PAUSED, "status_reason": reason}
            ),
        )
    except NotFoundError:
        _log.info("the channel is gone", extra={"channel_id": delivery.channel_id})


def _tell_dead(ports: Ports, delivery: Delivery, tried: DeliveryAttempt) -> None:
    """To the other channels, once in an hour.

    NOTE: nothing is told of what could not be told of another, nor of a test, which somebody is looking at.
    """
    if delivery.type in (NotificationType.DELIVERY_DEAD, NotificationType.TEST):
        return
    notifications.tell_once(
        ports,
        delivery.workspace_id,
        NotificationType.DELIVERY_DEAD,
        Subject(resource=ChannelRecord.resource, id=delivery.channel_id, name=delivery.channel_name),
        told=f"dead {delivery.channel_id} {ports.clock():%Y-%m-%dT%H}",
        title=f"A notification to {delivery.channel_name} is given up",
        text=f"{delivery.title}. {delivery.num_attempts} attempts; the last: {tried.answer} Send it again: "
        f"aimass notifications retry {delivery.id}",
        data={"delivery_id": delivery.id, "channel": delivery.channel_name, "type": delivery.type.value},
    )


def _build(
    ports: Ports,
    principal: Principal,
    channel: ChannelRecord,
    told: Notification,
    *,
    delivery_id: str,
    notification_id: str | None,
) -> DeliveryDetail:
    fields = {**records.new_fields(ports, principal, Delivery), "id": delivery_id}
    return DeliveryDetail(
        **fields,
        channel_id=channel.id,
        channel_name=channel.name,
        notification_id=notification_id,
        type=told.type,
        title=told.title,
        next_attempt_at=ports.clock(),
        payload=notification_messages.to_payload(told, notification_id=notification_id),
        forgotten_at=ports.clock() + notifications.KEPT,
    )


def _id_of(told: Notification, channel: ChannelRecord) -> str:
    """The same for the same two; it sorts by the notification's time, of which an id has 11 digits."""
    digest = hashlib.sha256(f"{told.id} {channel.id}".encode()).hexdigest()
    return f"{Delivery.prefix}_{told.id.partition('_')[2][:11]}{digest[:16]}"
