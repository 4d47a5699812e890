"""One attempt: a signed POST, a message to Slack, or an e-mail."""

from dataclasses import dataclass
from typing import Any

from aimass_core.domain import webhook_signatures
from aimass_core.domain.notification_channels import ChannelRecord, DeliveryDetail
from aimass_core.domain.notifications import NotificationType
from aimass_core.domain.workspaces import Workspace
from aimass_core.errors import NotFoundError
from aimass_core.ports import Attachment, CourierAnswer, Mail, Ports, SecretNotFoundError
from aimass_core.services import notification_channels, notification_messages, records, workspace_reports

_GONE = 410
_MAX_ANSWER = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of it. `is_final`: no further attempt would do better."""

    status: int | None = None
    answer: str = ""
    retry_after_seconds: float | None = None
    is_taken: bool = False
    is_final: bool = False

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more."""
        return self.status == _GONE


def send(ports: Ports, channel: ChannelRecord, delivery: DeliveryDetail) -> Sent:
    """Raises AimassError where nothing was heard: it is tried again."""
    payload = _with_links(ports, delivery)
    if channel.type == "email":
        return _mail(ports, channel, delivery, payload)
    try:
        secrets = notification_channels.load_secrets(ports, channel)
    except SecretNotFoundError:
        return Sent(answer="The channel has no address any more. Give it one again.", is_final=True)
    if channel.type == "slack":
        body, headers = notification_messages.to_slack(payload), {}
    else:
        body = notification_messages.to_body(payload)
        headers = webhook_signatures.sign(secrets.signing, message_id=delivery.id, at=ports.clock(), body=body)
    answer = ports.courier.post(secrets.url, headers={**headers, "content-type": "application/json"}, body=body)
    return _judge(answer)


def _judge(answer: CourierAnswer) -> Sent:
    words = answer.text[:_MAX_ANSWER]
    if 300 <= answer.status < 400:
        words = "It redirects, which is not followed: give the channel the address where it ends."
    return Sent(
        status=answer.status,
        answer=words,
        retry_after_seconds=answer.retry_after_seconds,
        is_taken=200 <= answer.status < 300,
        is_final=answer.status == _GONE,
    )


def _mail(ports: Ports, channel: ChannelRecord, delivery: DeliveryDetail, payload: dict[str, Any]) -> Sent:
    workspace = records.get(ports, Workspace, delivery.workspace_id, delivery.workspace_id)
    attachments: list[Attachment] = []
    if delivery.type is NotificationType.REPORT_READY:
        attachments = workspace_reports.load_attachments(ports, delivery.workspace_id, payload["data"]["report_id"])
    message_id = ports.mailer.send(
        Mail(
            to=channel.to,
            subject=notification_messages.to_subject(payload, workspace=workspace.name),
            text=notification_messages.to_text(payload),
            attachments=attachments,
        )
    )
    return Sent(answer=f"SES has taken it as {message_id}.", is_taken=True)


def _with_links(ports: Ports, delivery: DeliveryDetail) -> dict[str, Any]:
    """Addresses of a report's files are short-lived, so that they are made with each attempt."""
    if delivery.type is not NotificationType.REPORT_READY:
        return delivery.payload
    report_id = str(delivery.payload["data"]["report_id"])
    try:
        links = workspace_reports.sign_links(ports, delivery.workspace_id, report_id)
    except NotFoundError:
        return delivery.payload
    return {**delivery.payload, "data": {**delivery.payload["data"], **links}}
