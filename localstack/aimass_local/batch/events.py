"""The EventBridge events that Batch sends."""

from __future__ import annotations

import uuid
from datetime import datetime

from aimass_local.batch.jobs import Job, to_detail
from aimass_local.batch.wire import Document
from aimass_local.environment import ACCOUNT_ID, REGION

STATE_CHANGE = "Batch Job State Change"
QUEUE_BLOCKED = "Batch Job Queue Blocked"


def build_event(detail_type: str, job: Job, *, at: datetime) -> Document:
    """The event as a rule's target receives it."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "aws.batch",
        "account": ACCOUNT_ID,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [job.arn],
        "detail": to_detail(job),
    }
