"""Whether a failed attempt is followed by another one.

https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
"""

from __future__ import annotations

from aimass_local.batch.wire import Document


def should_retry(
    strategy: Document, *, num_attempts: int, exit_code: int | None, reason: str | None, status_reason: str
) -> bool:
    """Applies a job's retry strategy to its last attempt.

    Args:
        strategy: `retryStrategy` of the job.
        num_attempts: attempts made so far.
        exit_code: of the container; None if it never ended by itself, such as when its host went away.
        reason: of the container, such as `OutOfMemoryError: ...`.
        status_reason: of the attempt, such as `Host EC2 (instance i-...) terminated.`
    """
    if num_attempts >= strategy.get("attempts", 1):
        return False
    values = {
        "onExitCode": "" if exit_code is None else str(exit_code),
        "onReason": reason or "",
        "onStatusReason": status_reason,
    }
    for rule in strategy.get("evaluateOnExit", []):
        if all(_matches(rule[condition], value) for condition, value in values.items() if condition in rule):
            return bool(rule["action"].upper() == "RETRY")
    return True  # what no rule speaks of is retried: a strategy that lists what to retry has to end with EXIT on "*"


def _matches(pattern: str, value: str) -> bool:
    """Batch's globs know one star, at the end."""
    if pattern.endswith("*"):
        return value.startswith(pattern[:-1])
    return value == pattern
