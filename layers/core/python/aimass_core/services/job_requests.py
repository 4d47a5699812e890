"""Jobs by the request that made them: a create that is repeated after the process that did it has died makes no second.

The answers of repeated requests are kept beside the registry (`lambda_support/idempotency`). Where a function dies
between the job and its answer, nothing is kept, and the repetition works anew; the row that is written here, in the
transaction of the job, tells it what it has made.
"""

import hashlib
from datetime import timedelta

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Job
from aimass_core.ports import Ports, Put, Row, Write
from aimass_core.services import records

KEPT = timedelta(days=1)


def find(ports: Ports, principal: Principal) -> Job | None:
    """The job that this very request has made before."""
    key = _key(principal)
    row = None if key is None else ports.registry.get(key)
    return None if row is None else records.get(ports, Job, principal.workspace_id, str(row.data["job_id"]))


def new_writes(ports: Ports, principal: Principal, job: Job) -> list[Write]:
    """What is written beside a new job; it conflicts where the request has made one."""
    key = _key(principal)
    if key is None:
        return []
    return [Put(row=Row(key=key, data={"job_id": job.id}, revision=1, expires_at=ports.clock() + KEPT))]


def _key(principal: Principal) -> keys.RowKey | None:
    if principal.request is None:
        return None
    return keys.job_request_row(principal.workspace_id, hashlib.sha256(principal.request.encode()).hexdigest()[:32])
