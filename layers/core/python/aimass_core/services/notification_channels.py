"""Channels as their users ask for them, and the secrets behind them.

Secrets Manager holds a channel's URL, and each secret that signs under a number of its own: so whoever sets them need
not read any.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aimass_core.domain import keys, webhook_signatures
from aimass_core.domain.common import Principal
from aimass_core.domain.notification_channels import (
    MAX_CHANNELS,
    ChannelCreate,
    ChannelCreated,
    ChannelRecord,
    ChannelUpdate,
    EmailTarget,
    NotificationChannel,
    SigningKey,
    SlackTarget,
    Target,
    WebhookTarget,
)
from aimass_core.errors import AlreadyExistsError, ConflictError, ErrorDetail, InvalidRequestError, StaleRevisionError
from aimass_core.ports import Delete, Ports, WriteConflictError
from aimass_core.services import records

# So long receivers may still know only the secret before.
OVERLAP = timedelta(days=1)
_SCAN_PAGE = 100
_HIDDEN = {"to", "signing"}
_ADDRESS = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSecrets:
    """What a delivery needs: where to, and what signs it now."""

    url: str
    signing: Sequence[str]


def create(ports: Ports, principal: Principal, request: ChannelCreate) -> ChannelCreated:
    """A channel with its signing secret, which is in this answer only. Raises AlreadyExistsError, ConflictError."""
    _check_target(ports, request.target)
    if len(list_all(ports, principal.workspace_id)) >= MAX_CHANNELS:
        raise ConflictError(f"The workspace has {MAX_CHANNELS} notification channels. Delete one first.")
    secret = webhook_signatures.new_secret() if isinstance(request.target, WebhookTarget) else None
    record = ChannelRecord(
        **records.new_fields(ports, principal, ChannelRecord),
        name=request.name,
        description=request.description,
        type=request.target.type,
        **_fields_of(request.target),
        secret_changed_at=ports.clock() if secret else None,
        signing=[SigningKey(number=1)] if secret else [],
    )
    # NOTE: secrets go first: a channel that is there can be used. What a crash leaves nobody can name.
    _set_address(ports, record, request.target)
    if secret is not None:
        ports.secrets.put(_signing_name(record, 1), secret)
    try:
        records.create(ports, principal, record, name=record.name)
    except AlreadyExistsError:
        _delete_secrets(ports, record)
        raise
    return ChannelCreated(**public(record).model_dump(), secret=secret)


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[NotificationChannel], str | None]:
    """A page of the workspace's channels, newest first."""
    found, next_start = records.list_page(ports, ChannelRecord, principal.workspace_id, limit=limit, start=start)
    return [public(record) for record in found], next_start


def get(ports: Ports, principal: Principal, channel: str) -> NotificationChannel:
    """One by id or name. Raises NotFoundError."""
    return public(find(ports, principal.workspace_id, channel))


def find(ports: Ports, workspace_id: str, channel: str) -> ChannelRecord:
    """The same, as stored."""
    return records.find(ports, ChannelRecord, workspace_id, channel)


def update(
    ports: Ports, principal: Principal, channel: str, request: ChannelUpdate, *, revision: int
) -> NotificationChannel:
    """Changes what the request names. Raises StaleRevisionError."""
    record = find(ports, principal.workspace_id, channel)
    records.require_revision(record, revision)
    changes: dict[str, Any] = request.model_dump(exclude_none=True, exclude={"target"})
    if "status" in changes:
        changes["status_reason"] = None
    if request.target is not None:
        if request.target.type != record.type:
            raise InvalidRequestError(
                f"{record.name!r} is of the type {record.type}, and stays so. Make another channel for "
                f"{request.target.type}.",
                details=[ErrorDetail(location="body.target.type", message=f"must be {record.type}")],
            )
        _check_target(ports, request.target)
        changes |= _fields_of(request.target)
    changed = records.save(ports, record, record.id, principal=principal, **changes)
    if request.target is not None:
        _set_address(ports, record, request.target)
    return public(changed)


def rotate(ports: Ports, principal: Principal, channel: str) -> ChannelCreated:
    """A new signing secret; the one before signs beside it for a day. Raises ConflictError where nothing is signed."""
    record = find(ports, principal.workspace_id, channel)
    if record.type != "webhook":
        raise ConflictError(f"{record.name!r} is of the type {record.type}: only webhooks are signed.")
    now = ports.clock()
    secret = webhook_signatures.new_secret()
    number = record.signing[0].number + 1
    live = [each for each in record.signing if each.until is None or each.until > now]
    former = [SigningKey(number=each.number, until=each.until or now + OVERLAP) for each in live]
    ports.secrets.put(_signing_name(record, number), secret)
    changed = records.save(
        ports,
        record,
        record.id,
        principal=principal,
        action="notification_channel.rotate",
        secret_changed_at=now,
        signing=[SigningKey(number=number), *former],
    )
    for each in record.signing:
        if each not in live:
            ports.secrets.delete(_signing_name(record, each.number))
    return ChannelCreated(**public(changed).model_dump(), secret=secret)


def delete(ports: Ports, principal: Principal, channel: str) -> None:
    """With its secrets. Deliveries stay until they are forgotten; what is still to come is not sent."""
    record = find(ports, principal.workspace_id, channel)
    try:
        ports.registry.write(
            Delete(key=keys.row(record.workspace_id, record.resource, record.id), expected=record.revision),
            Delete(key=keys.name_row(record.workspace_id, record.resource, record.name), expected=1),
            records.audit(ports, principal, "notification_channel.delete", record, name=record.name),
        )
    except WriteConflictError as error:
        raise StaleRevisionError(f"The channel {record.name!r} was changed in this moment. Delete it again.") from error
    _delete_secrets(ports, record)


def load_secrets(ports: Ports, record: ChannelRecord) -> ChannelSecrets:
    """Address and keys as they are now. Raises SecretNotFoundError."""
    now = ports.clock()
    live = [each.number for each in record.signing if each.until is None or each.until > now]
    return ChannelSecrets(
        # NOTE: an address is changed in its place; a number never is.
        url=ports.secrets.get(_secret_name(record, _ADDRESS), fresh=True),
        signing=[ports.secrets.get(_signing_name(record, number)) for number in live],
    )


def list_all(ports: Ports, workspace_id: str) -> list[ChannelRecord]:
    """Every channel of a workspace."""
    found: list[ChannelRecord] = []
    start: str | None = None
    while True:
        page, start = records.list_page(ports, ChannelRecord, workspace_id, limit=_SCAN_PAGE, start=start)
        found += page
        if start is None:
            return found


def require(ports: Ports, workspace_id: str, names: list[str]) -> None:
    """Raises InvalidRequestError for a name that no channel has."""
    known = {record.name for record in list_all(ports, workspace_id)}
    unknown = [name for name in names if name not in known]
    if unknown:
        have = f"it has {', '.join(sorted(known))}" if known else "make one: aimass notifications channels create"
        raise InvalidRequestError(
            f"There is no notification channel {', '.join(map(repr, unknown))} in this workspace; {have}.",
            details=[ErrorDetail(location="body.channels", message=f"no such channel: {name}") for name in unknown],
        )


def public(record: ChannelRecord) -> NotificationChannel:
    """Without what only a delivery needs."""
    return NotificationChannel.model_validate(record.model_dump(exclude=_HIDDEN))


def _check_target(ports: Ports, target: Target) -> None:
    """Raises where nothing could be sent: a private host, plain http, no address to send e-mail from."""
    if isinstance(target, EmailTarget):
        ports.mailer.check()
    else:
        ports.courier.check(target.url)


def _fields_of(target: Target) -> dict[str, Any]:
    match target:
        case WebhookTarget(url=url):
            return {"address": webhook_signatures.shown(url)}
        case SlackTarget(url=url):
            return {"address": webhook_signatures.shown(url, only_host=True)}
        case EmailTarget(to=to):
            return {"address": ", ".join(to), "to": to}


def _set_address(ports: Ports, record: ChannelRecord, target: Target) -> None:
    if not isinstance(target, EmailTarget):
        ports.secrets.put(_secret_name(record, _ADDRESS), target.url)


def _delete_secrets(ports: Ports, record: ChannelRecord) -> None:
    for name in (_secret_name(record, _ADDRESS), *(_signing_name(record, each.number) for each in record.signing)):
        ports.secrets.delete(name)


def _signing_name(record: ChannelRecord, number: int) -> str:
    return _secret_name(record, f"signing-{number}")


def _secret_name(record: ChannelRecord, name: str) -> str:
    return keys.channel_secret(record.workspace_id, record.id, name)
