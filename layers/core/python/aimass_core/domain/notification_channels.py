"""Where notifications go: signed webhooks, Slack and what understands its messages, e-mail; and which go where."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, field_validator, model_validator

from aimass_core.domain.common import Contract, Name, Request, Resource, Text
from aimass_core.domain.notifications import NotificationType

MAX_CHANNELS = 50
MAX_RULES = 100
MAX_RECIPIENTS = 20


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"it is no URL: {error}") from error
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("it must begin with https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it may not hold a user or a password: sign with the channel's secret instead")
    if parts.fragment or port == 0 or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("write it in printable ASCII (percent-encoded, a host as xn--...), without a #fragment")
    return url


Url = Annotated[str, StringConstraints(min_length=10, max_length=2_000), AfterValidator(_check_url)]
# NOTE: no character that ends a header, and nothing that a mailer would take for a list. The host as in HTML's own
# pattern of addresses: clients test it as well, with engines that would try nested repetitions for ever.
Address = Annotated[
    str,
    StringConstraints(
        max_length=254,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
        r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
    ),
    Field(examples=["data-team@example.org"]),
]


class WebhookTarget(Request):
    """A POST of JSON, signed as standardwebhooks.com says."""

    type: Literal["webhook"]
    url: Url = Field(description="https; plain http only where the deployment allows the host.")


class SlackTarget(Request):
    """An incoming webhook of Slack, Mattermost, Rocket.Chat, or of Discord (its address with /slack)."""

    type: Literal["slack"]
    url: Url = Field(description="It is a secret: afterwards only its host is shown.")


class EmailTarget(Request):
    """By SES, from the deployment's own address."""

    type: Literal["email"]
    to: list[Address] = Field(min_length=1, max_length=MAX_RECIPIENTS)


Target = Annotated[WebhookTarget | SlackTarget | EmailTarget, Field(discriminator="type")]


class ChannelStatus(StrEnum):
    """Whether anything goes there."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class NotificationChannel(Resource):
    """Where notifications go."""

    resource: ClassVar[str] = "notification_channel"
    prefix: ClassVar[str] = "nch"

    name: str
    description: str = ""
    type: Literal["webhook", "slack", "email"]
    address: str = Field(description="The URL without its query, the host of a Slack address, or who gets the e-mail.")
    status: ChannelStatus = ChannelStatus.ACTIVE
    status_reason: str | None = None
    secret_changed_at: AwareDatetime | None = Field(
        default=None, description="When the signing secret was made. The one before is signed with for a day more."
    )


class SigningKey(Contract):
    """A signing secret by its number; `until` once there is another."""

    number: int
    until: AwareDatetime | None = None


class ChannelRecord(NotificationChannel):
    """As stored. URLs, which may hold a secret, are not here but in Secrets Manager, beside what signs."""

    to: list[str] = []
    signing: list[SigningKey] = Field(default=[], description="Newest first.")


class ChannelCreate(Request):
    """Body of POST /v1/notification-channels."""

    name: Name
    description: Text = ""
    target: Target


class ChannelCreated(NotificationChannel):
    """The only answer that ever carries the signing secret."""

    secret: str | None = Field(
        default=None, description="Of a webhook: what verifies its signatures (`aimass.webhooks.verify`)."
    )


class ChannelUpdate(Request):
    """Body of PATCH /v1/notification-channels/{channel}; what is absent stays."""

    description: Text | None = None
    status: ChannelStatus | None = None
    target: Target | None = Field(default=None, description="Of the same type as before.")


# --- rules -----------------------------------------------------------------------------------------------------------


def _check_pattern(pattern: str) -> str:
    if not any(matches(pattern, kind) for kind in NotificationType):
        raise ValueError(
            f"{pattern!r} names no event: write one of {', '.join(NotificationType)}, or a group such as job.*"
        )
    return pattern


def matches(pattern: str, kind: NotificationType) -> bool:
    """Whether `job.failed`, `job.*` or `*` means a type. A test goes only to the channel that is tried."""
    if kind is NotificationType.TEST:
        return False
    group = kind.partition(".")[0]
    return pattern in ("*", kind.value, f"{group}.*")


EventPattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=63),
    AfterValidator(_check_pattern),
    Field(examples=["job.failed", "endpoint.*"]),
]
SubjectName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class NotificationRule(Resource):
    """Which notifications go to which channels."""

    resource: ClassVar[str] = "notification_rule"
    prefix: ClassVar[str] = "nru"

    name: str
    events: list[str]
    channels: list[str] = Field(description="Their names. One that is gone is left out.")
    subjects: list[str] = Field(default=[], description="Names of datasets, models, endpoints, sources. Empty: all.")
    is_active: bool = True


class RuleCreate(Request):
    """Body of POST /v1/notification-rules."""

    name: Name
    events: list[EventPattern] = Field(min_length=1, max_length=50, examples=[["job.failed", "endpoint.*"]])
    channels: list[Name] = Field(min_length=1, max_length=20)
    subjects: list[SubjectName] = Field(
        default=[], max_length=100, description="Only about these: names of datasets, models, endpoints, sources."
    )
    is_active: bool = Field(default=True, strict=True)

    @field_validator("events", "channels", "subjects")
    @classmethod
    def _once_each(cls, values: list[str]) -> list[str]:
        return list(dict.fromkeys(values))


class RuleUpdate(Request):
    """Body of PATCH /v1/notification-rules/{rule}; what is absent stays."""

    events: list[EventPattern] | None = Field(default=None, min_length=1, max_length=50)
    channels: list[Name] | None = Field(default=None, min_length=1, max_length=20)
    subjects: list[SubjectName] | None = Field(default=None, max_length=100)
    is_active: bool | None = Field(default=None, strict=True)

    @model_validator(mode="after")
    def _check_some(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("name at least one of " + ", ".join(type(self).model_fields))
        return self


# --- deliveries ------------------------------------------------------------------------------------------------------


class DeliveryStatus(StrEnum):
    """PENDING is tried, again and again; DEAD is not tried any more, unless somebody asks for it."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"


class DeliveryAttempt(Contract):
    """One try."""

    at: AwareDatetime
    seconds: float
    status: int | None = Field(default=None, description="What the other side answered, by HTTP.")
    answer: str = Field(default="", description="The beginning of its answer, or why there was none.")


class Delivery(Resource):
    """One notification to one channel. It is kept for thirty days."""

    resource: ClassVar[str] = "notification_delivery"
    prefix: ClassVar[str] = "ndl"

    channel_id: str
    channel_name: str
    notification_id: str | None = Field(description="Null: somebody tries the channel.")
    type: NotificationType
    title: str
    status: DeliveryStatus = DeliveryStatus.PENDING
    num_attempts: int = 0
    num_tries: int = Field(default=0, description="Those since somebody last asked for it.")
    attempts: list[DeliveryAttempt] = Field(default=[], description="The last ten, newest last.")
    next_attempt_at: AwareDatetime | None = None
    delivered_at: AwareDatetime | None = None
    forgotten_at: AwareDatetime

    @property
    def due_at(self) -> datetime | None:
        """When something is to be done about it."""
        return self.next_attempt_at


class DeliveryDetail(Delivery):
    """With what is sent."""

    payload: dict[str, Any] = Field(description="The body of a webhook; the other channels say it in words.")
