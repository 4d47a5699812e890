"""Receiving notifications: whether a delivery is ours, and new.

>>> from aimass import webhooks
>>> event = webhooks.verify(request.body, request.headers, secret="whsec_...")
>>> event["type"], event["data"]
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aimass.errors import InvalidSignatureError
from aimass_core.domain import webhook_signatures


def verify(
    body: bytes,
    headers: Mapping[str, str],
    *,
    secret: str,
    now: datetime | None = None,
    tolerance: timedelta = webhook_signatures.TOLERANCE,
) -> dict[str, Any]:
    """What a delivery says, once it is known that AI Mass sent it just now.

    A delivery may come twice: its `webhook-id` is the same then.

    Args:
        body: The bytes as they came; parsed and written again they are others.
        headers: In any case.
        secret: Of the channel, `whsec_...`.
        now: Default: the present.
        tolerance: How old a delivery may be, or ahead of this machine's clock; older ones are replays.

    Raises:
        InvalidSignatureError: Answer it with 401.
    """
    found = {name.lower(): value for name, value in headers.items()}
    try:
        key = webhook_signatures.key_of(secret)
    except ValueError as error:
        raise InvalidSignatureError(f"The secret is not one of a channel: {error}.") from error
    if not webhook_signatures.is_signed(key, found, body):
        raise InvalidSignatureError("The delivery is not signed with this secret, or was changed on its way.")
    if not webhook_signatures.is_recent(
        found.get("webhook-timestamp", ""), now or datetime.now(UTC), tolerance=tolerance
    ):
        raise InvalidSignatureError(
            f"The delivery was signed more than {tolerance.total_seconds():.0f} s ago, or ahead of this clock: it may "
            "be a replay."
        )
    event: dict[str, Any] = json.loads(body)
    return event
