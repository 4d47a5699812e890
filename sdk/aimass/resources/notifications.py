"""Notifications: what has happened, where it goes, and what came of each delivery."""

from typing import Any

from aimass.binding import Api, Pages, to_request
from aimass_core.domain.notification_channels import (
    ChannelCreate,
    ChannelCreated,
    ChannelStatus,
    ChannelUpdate,
    Delivery,
    DeliveryDetail,
    DeliveryStatus,
    NotificationChannel,
    NotificationRule,
    RuleCreate,
    RuleUpdate,
)
from aimass_core.domain.notifications import Notification, NotificationTypeInfo

_CHANNELS = "/v1/notification-channels"
_RULES = "/v1/notification-rules"
_DELIVERIES = "/v1/notification-deliveries"


class NotificationsApi(Api):
    """`client.notifications`."""

    def list(self) -> Pages[Notification]:
        """What has happened in the workspace, newest first."""
        return self._list(Notification, "/v1/notifications")

    def get(self, notification_id: str) -> Notification:
        """One of them."""
        return self._get(Notification, f"/v1/notifications/{notification_id}")

    def types(self) -> Pages[NotificationTypeInfo]:
        """What rules may name."""
        return self._list(NotificationTypeInfo, "/v1/notification-types")


class NotificationChannelsApi(Api):
    """`client.notification_channels`."""

    def create_webhook(self, name: str, url: str, *, description: str = "") -> ChannelCreated:
        """A signed webhook. Its `secret` is in this answer only; `aimass.webhooks.verify` needs it."""
        return self._create(name, {"type": "webhook", "url": url}, description)

    def create_slack(self, name: str, url: str, *, description: str = "") -> ChannelCreated:
        """An incoming webhook of Slack, or of what understands its messages."""
        return self._create(name, {"type": "slack", "url": url}, description)

    def create_email(self, name: str, *to: str, description: str = "") -> ChannelCreated:
        """E-mail to these addresses. Raises ConflictError where the deployment sends none."""
        return self._create(name, {"type": "email", "to": list(to)}, description)

    def list(self) -> Pages[NotificationChannel]:
        """All of the workspace, newest first."""
        return self._list(NotificationChannel, _CHANNELS)

    def get(self, channel: str) -> NotificationChannel:
        """By name or id."""
        return self._get(NotificationChannel, f"{_CHANNELS}/{channel}")

    def update(self, channel: NotificationChannel, **changes: Any) -> NotificationChannel:
        """Changes `description`, `status` or `target`. Raises StaleRevisionError where somebody else was faster."""
        body = to_request(ChannelUpdate, **changes)
        return self._patch(NotificationChannel, f"{_CHANNELS}/{channel.id}", body, revision=channel.revision)

    def pause(self, channel: str) -> NotificationChannel:
        """Nothing goes there until it is resumed."""
        return self.update(self.get(channel), status=ChannelStatus.PAUSED)

    def resume(self, channel: str) -> NotificationChannel:
        """What happens from now on goes there again."""
        return self.update(self.get(channel), status=ChannelStatus.ACTIVE)

    def rotate(self, channel: str) -> ChannelCreated:
        """A new signing secret; for a day deliveries are signed with the former too."""
        return self._post(ChannelCreated, f"{_CHANNELS}/{channel}/secret")

    def test(self, channel: str) -> DeliveryDetail:
        """Sends a message that says so. What came of it: `client.notification_deliveries.get(delivery.id)`."""
        return self._post(DeliveryDetail, f"{_CHANNELS}/{channel}/test")

    def delete(self, channel: str) -> None:
        """With its secret."""
        self._delete(f"{_CHANNELS}/{channel}")

    def _create(self, name: str, target: dict[str, Any], description: str) -> ChannelCreated:
        body = to_request(ChannelCreate, name=name, target=target, description=description)
        return self._post(ChannelCreated, _CHANNELS, body)


class NotificationRulesApi(Api):
    """`client.notification_rules`."""

    def create(
        self, name: str, *, events: list[str], channels: list[str], subjects: list[str] | None = None
    ) -> NotificationRule:
        """Which notifications go where.

        Args:
            name: Of the rule.
            events: Types, or groups of them: `["job.failed", "endpoint.*"]`.
            channels: Their names.
            subjects: Only about these: names of datasets, models, endpoints, sources. Default: all.

        Raises InvalidRequestError, AlreadyExistsError.
        """
        given = {"name": name, "events": events, "channels": channels, "subjects": subjects or []}
        return self._post(NotificationRule, _RULES, to_request(RuleCreate, **given))

    def list(self) -> Pages[NotificationRule]:
        """All of the workspace, newest first."""
        return self._list(NotificationRule, _RULES)

    def get(self, rule: str) -> NotificationRule:
        """By name or id."""
        return self._get(NotificationRule, f"{_RULES}/{rule}")

    def update(self, rule: NotificationRule, **changes: Any) -> NotificationRule:
        """Changes `events`, `channels`, `subjects` or `is_active`. Raises StaleRevisionError."""
        body = to_request(RuleUpdate, **changes)
        return self._patch(NotificationRule, f"{_RULES}/{rule.id}", body, revision=rule.revision)

    def delete(self, rule: str) -> None:
        """At once."""
        self._delete(f"{_RULES}/{rule}")


class NotificationDeliveriesApi(Api):
    """`client.notification_deliveries`."""

    def list(self, *, status: DeliveryStatus | str | None = None, channel: str | None = None) -> Pages[Delivery]:
        """What was sent where, newest first; `status="DEAD"`: what was given up."""
        given = {"status": status, "channel": channel}
        return self._list(Delivery, _DELIVERIES, **{key: str(value) for key, value in given.items() if value})

    def get(self, delivery_id: str) -> DeliveryDetail:
        """With its payload and its last attempts."""
        return self._get(DeliveryDetail, f"{_DELIVERIES}/{delivery_id}")

    def retry(self, delivery_id: str) -> DeliveryDetail:
        """Sends it again, at once."""
        return self._post(DeliveryDetail, f"{_DELIVERIES}/{delivery_id}/retry")
