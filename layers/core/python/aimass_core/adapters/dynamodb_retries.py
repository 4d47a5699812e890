"""Repeats writes that met another transaction on the same rows, which botocore's own retries leave alone.

It happens on real DynamoDB only: the emulator works on one request after the other. botocore sends the very same
request again, so a transaction keeps its ClientRequestToken: had the first one been done after all, it is not done
twice.
"""

import random
from collections.abc import Mapping
from typing import Any

from botocore.client import BaseClient

TRY_AGAIN_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
CONDITION_FAILED = "ConditionalCheckFailed"
MAX_ATTEMPTS = 8
_FIRST_SECONDS, _MAX_SECONDS = 0.05, 1.0
_WRITES = ("TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem")


def retry_conflicts(client: BaseClient) -> None:
    """Makes a DynamoDB client repeat such writes, at most `MAX_ATTEMPTS` times in all, with growing random pauses.

    A client that does so already stays as it is.
    """
    for operation in _WRITES:
        event = f"needs-retry.dynamodb.{operation}"
        client.meta.events.register(event, _seconds_to_wait, unique_id=f"aimass-conflicts-{operation}")


def pause_seconds(attempts: int) -> float:
    """How long to wait after so many attempts: "full jitter", as those who met each other should not meet again."""
    return random.uniform(0, min(_MAX_SECONDS, _FIRST_SECONDS * 2**attempts))  # noqa: S311


def is_passing(error: Mapping[str, Any]) -> bool:
    """Whether the same write may succeed in a moment. Where a condition failed as well, it would not."""
    if error.get("Error", {}).get("Code") == "TransactionConflictException":
        return True
    reasons = {reason.get("Code") for reason in error.get("CancellationReasons") or []}
    return bool(reasons & TRY_AGAIN_REASONS) and CONDITION_FAILED not in reasons


def _seconds_to_wait(response: tuple[Any, Mapping[str, Any]] | None, attempts: int, **_: Any) -> float | None:
    """botocore's question after each answer; None leaves the decision to its own retries."""
    if response is None or attempts >= MAX_ATTEMPTS or not is_passing(response[1]):
        return None
    return pause_seconds(attempts)
