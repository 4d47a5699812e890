"""Webhooks: others send the records of a source, signed as standardwebhooks.com says.

A delivery is in the drop folder of the source's dataset before it is answered, under a name that follows from its
`webhook-id`: sent again it is the same file, which is taken once.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aimass_core.domain import keys, webhook_signatures
from aimass_core.domain.collectors import WebhookCollector
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import Dataset
from aimass_core.domain.sources import (
    CollectionPolicy,
    SourceRecord,
    SourceStatus,
    SourceVerb,
    StreamMode,
    StreamPolicy,
    WebhookAddress,
)
from aimass_core.domain.workspaces import Workspace
from aimass_core.errors import (
    ConflictError,
    ErrorDetail,
    InvalidRequestError,
    NotFoundError,
    UnauthenticatedError,
)
from aimass_core.ports import Ports, SecretNotFoundError
from aimass_core.services import pii, records, source_access, source_datasets, source_health
from aimass_core.services.flattening import MAX_NESTING, TooNestedError, flatten, is_allowed
from aimass_core.services.ingest.evolution import FROZEN, Evolution, Merge

# NOTE: no name that a user can set has a hyphen.
_SECRET = "webhook-signing"  # noqa: S105 - a name, not a secret
_FOLLOWED = {"allowed_fields", "mode", "pii", "primary_key", "retention_days", "streams"}


def create_address(ports: Ports, principal: Principal, source: str) -> WebhookAddress:
    """The address of a source with a new signing secret, which replaces the former one."""
    record = source_access.find_own(ports, principal, source, SourceVerb.EDIT)
    if not isinstance(record.collector, WebhookCollector):
        raise ConflictError(
            f"The source {record.name!r} is read by a {record.collector.type} collector: it has no webhook."
        )
    secret = webhook_signatures.new_secret()
    ports.secrets.put(_secret_name(record.workspace_id, record.id), secret)
    ports.registry.write(records.audit(ports, principal, "source.webhook.create", record))
    return WebhookAddress(path=f"/v1/webhooks/{record.workspace_id}/{record.id}", secret=secret)


def delete_secret(ports: Ports, record: SourceRecord) -> None:
    """Before a source is deleted."""
    ports.secrets.delete(_secret_name(record.workspace_id, record.id))


def authenticate(
    ports: Ports, workspace_id: str, source_id: str, *, headers: Mapping[str, str], body: bytes
) -> SourceRecord:
    """The source whose secret has signed the body.

    Args:
        headers: by lower-case name.

    Raises:
        UnauthenticatedError: with the same words whatever is wrong, so that nobody learns what there is.
        ConflictError: the source is paused; the sender tries again later.
    """
    key = _load_key(ports, workspace_id, source_id, fresh=False)
    is_right = webhook_signatures.is_signed(key, headers, body)
    if not is_right and key is not None:
        # The secret may have been replaced since it was read.
        is_right = webhook_signatures.is_signed(_load_key(ports, workspace_id, source_id, fresh=True), headers, body)
    if not is_right or not webhook_signatures.is_recent(headers.get("webhook-timestamp", ""), ports.clock()):
        raise refusal()
    try:
        record = records.get(ports, SourceRecord, workspace_id, source_id)
    except NotFoundError as error:
        raise refusal() from error
    if not isinstance(record.collector, WebhookCollector):
        raise refusal()
    if source_health.load(ports, record).status is SourceStatus.PAUSED:
        raise ConflictError(f"The source {record.name!r} is paused. Send it again later.")
    return record


def refusal() -> UnauthenticatedError:
    """The answer to whatever is not signed as it should be."""
    return UnauthenticatedError(
        "This delivery is not signed for this address, or not within the last five minutes. Sign it as "
        "standardwebhooks.com says, with the secret that the source's webhook was given."
    )


def land(ports: Ports, record: SourceRecord, message_id: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Puts the rows of a delivery into the drop folder, as far as the policy allows their fields, and with what names a
    person hidden; the key.

    Raises:
        InvalidRequestError: there are none, or one that the policy cannot take.
        ConflictError: the key of the hashes is not set; the sender tries again later.
    """
    if not rows:
        raise InvalidRequestError("The body holds no record. Send a JSON object, an array of them, or JSON Lines.")
    hiding = pii.PiiFilter(record.policy.pii, lambda: _load_hash_key(ports, record))
    taken = [_take(record.policy, hiding, row, position) for position, row in enumerate(rows)]
    dataset = source_datasets.ensure(ports, record, record.name)
    workspace = records.get(ports, Workspace, record.workspace_id, record.workspace_id)
    name = hashlib.sha256(message_id.encode()).hexdigest()
    key = f"{keys.drop_prefix(workspace.name, dataset.name)}webhooks/{record.id}/{name}.jsonl"
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in taken]
    ports.landing.put(key, ("\n".join(lines) + "\n").encode(), content_type="application/x-ndjson")
    return key


def find_rules(ports: Ports, dataset: Dataset) -> tuple[Evolution, Merge | None]:
    """How the rows of deliveries may differ from those before, and come together with them (None: they are appended),
    where a webhook fills the dataset."""
    try:
        record = records.get(ports, SourceRecord, dataset.workspace_id, str(dataset.source_id))
    except NotFoundError:
        return FROZEN, None
    policy = record.policy
    if not isinstance(record.collector, WebhookCollector):
        return FROZEN, None
    # Whoever was answered 202 sends it never again: what has other fields, or others' types, is no less taken.
    evolution = Evolution(columns=True, types=True)
    if policy.mode is StreamMode.APPEND:
        return evolution, None
    return evolution, Merge(key=policy.primary_key, at=ports.clock() if policy.mode is StreamMode.HISTORY else None)


def check_policy(record: SourceRecord) -> None:
    """Raises InvalidRequestError where a webhook is asked for what only a run could do."""
    if not isinstance(record.collector, WebhookCollector):
        return
    unfollowed = [
        name
        for name in CollectionPolicy.model_fields
        if name not in _FOLLOWED and getattr(record.policy, name) != getattr(CollectionPolicy(), name)
    ]
    if record.policy.mode is StreamMode.REPLACE:
        unfollowed.append("mode")
    if any(policy != StreamPolicy(dataset=policy.dataset) for policy in record.policy.streams.values()):
        unfollowed.append("streams")
    if unfollowed:
        raise InvalidRequestError(
            "The records of a webhook are taken as they come: of the policy only allowed_fields, pii, retention_days, "
            "the modes append, merge and history with a primary_key, and the dataset's name are followed. Leave out "
            + ", ".join(unfollowed)
            + ".",
            details=[ErrorDetail(location=f"body.policy.{name}", message="not for webhooks") for name in unfollowed],
        )


def _load_key(ports: Ports, workspace_id: str, source_id: str, *, fresh: bool) -> bytes | None:
    try:
        secret = ports.secrets.get(_secret_name(workspace_id, source_id), fresh=fresh)
    except SecretNotFoundError:
        return None
    return webhook_signatures.key_of(secret)


def _load_hash_key(ports: Ports, record: SourceRecord) -> str:
    name = keys.source_secret(record.workspace_id, record.id, pii.KEY_NAME)
    try:
        return ports.secrets.get(name)
    except SecretNotFoundError as error:
        raise ConflictError(
            f"The policy of the source {record.name!r} hashes what names a person, and its secret {pii.KEY_NAME} is "
            f"not set: aimass sources secrets set {record.name} {pii.KEY_NAME}. Send it again after that."
        ) from error


def _take(policy: CollectionPolicy, hiding: pii.PiiFilter, row: Mapping[str, Any], position: int) -> dict[str, Any]:
    """As a run takes a record, but for its quarantine: what cannot be taken is refused, and its sender hears of it."""
    try:
        flat = flatten(dict(row))
    except TooNestedError as error:
        raise InvalidRequestError(f"Record {position} nests objects more than {MAX_NESTING} deep.") from error
    if policy.allowed_fields is not None:
        allowed = frozenset(policy.allowed_fields)
        flat = {name: value for name, value in flat.items() if is_allowed(name, allowed)}
    flat = hiding.apply(flat)
    missing = [name for name in policy.primary_key if flat.get(name) is None]
    if missing:
        raise InvalidRequestError(f"Record {position} has no value for {missing[0]!r}, which is of the primary key.")
    return flat


def _secret_name(workspace_id: str, source_id: str) -> str:
    return keys.source_secret(workspace_id, source_id, _SECRET)
