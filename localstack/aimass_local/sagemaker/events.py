"""The EventBridge events that SageMaker sends: the whole description, with times in milliseconds."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from aimass_local.documents import Document
from aimass_local.environment import ACCOUNT_ID, REGION
from aimass_local.sagemaker.jobs import TrainingJob, to_description

STATE_CHANGE = "SageMaker Training Job State Change"


def build_event(job: TrainingJob) -> Document:
    """The event as a rule's target receives it."""
    detail = {**to_description(job), "Tags": dict(job.tags)}
    return build_state_change(STATE_CHANGE, arn=job.arn, at=job.changed_at, detail=detail)


def build_state_change(detail_type: str, *, arn: str, at: float, detail: Document) -> Document:
    """An event of SageMaker's; `at` is in seconds since 1970."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "aws.sagemaker",
        "account": ACCOUNT_ID,
        "time": datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [arn],
        "detail": _in_milliseconds(detail),
    }


def _in_milliseconds(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _in_milliseconds(entry, key) for key, entry in value.items()}
    if isinstance(value, list):
        return [_in_milliseconds(entry) for entry in value]
    return int(value * 1000) if name.endswith("Time") and isinstance(value, int | float) else value
