"""The platform: as a caller sees it, and how it does."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract, Request


class DropFolder(Contract):
    """Where files can be dropped: an S3 put to `s3://<bucket>/<prefix><dataset>/<any name>`."""

    bucket: str
    prefix: str
    endpoint_url: str | None = None


class SystemInfo(Contract):
    """Answer of GET /v1/system."""

    version: str
    workspace_id: str
    workspace_name: str
    drop_folder: DropFolder
    limits: dict[str, int] = {}


class Health(StrEnum):
    """How a part does. STARTING: it is new, and what runs by the time has not run yet."""

    OK = "OK"
    STARTING = "STARTING"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"


class CentreName(StrEnum):
    """The four parts of the platform."""

    COLLECTION = "collection"
    TRAINING = "training"
    INFERENCE = "inference"
    MANAGEMENT = "management"


class CentreStatus(Contract):
    """How one of the four parts does, and what speaks against it."""

    name: CentreName
    health: Health
    reasons: list[str] = []


class FunctionStatus(Contract):
    """What a function did in the last hour, for all workspaces together. Null: nobody has counted."""

    name: str
    centre: CentreName
    num_invocations: int | None = None
    num_errors: int | None = Field(default=None, description="Invocations that ended with an error of ours.")
    num_throttles: int | None = None
    p95_ms: float | None = Field(default=None, description="Nineteen in twenty took no longer.")


class QueueStatus(Contract):
    """Messages of a queue, of all workspaces together. The counts are SQS's own, and approximate."""

    name: str
    num_waiting: int
    num_in_flight: int = 0
    oldest_seconds: float | None = Field(default=None, description="How long the oldest has waited, where it is known.")


class ReconcilerPass(Contract):
    """What the reconciler did when it last ran; it should each minute."""

    at: AwareDatetime
    seconds: float
    num_faults: int = Field(description="What it could not heal.")
    healed: dict[str, int] = {}
    dead_letters: dict[str, int] = Field(default={}, description="What could not be processed then, by queue.")
    num_jobs: dict[str, int] = Field(
        default={}, description="Jobs of all workspaces that had not ended then, by status."
    )


class ComputeStatus(Contract):
    """Where jobs run."""

    queue_state: str | None = Field(default=None, description="ENABLED or DISABLED, as Batch says.")
    queue_status: str | None = Field(default=None, description="VALID, UPDATING, INVALID, ..., as Batch says.")
    queue_reason: str | None = None
    num_jobs: dict[str, int] = Field(default={}, description="This workspace's jobs that have not ended, by status.")


class AlarmStatus(Contract):
    """An alarm of CloudWatch that is raised."""

    name: str
    description: str = ""
    since: AwareDatetime | None = None


class SystemStatus(Contract):
    """Answer of GET /v1/system/status.

    Counts, ages and times are of the whole installation; nothing here names or shows what belongs to a workspace, but
    for the caller's own jobs.
    """

    at: AwareDatetime
    version: str
    endpoint_url: str | None = Field(default=None, description="Where AWS's services are answered; null: AWS itself.")
    centres: list[CentreStatus]
    functions: list[FunctionStatus]
    queues: list[QueueStatus]
    dead_letters: list[QueueStatus]
    reconciler: ReconcilerPass | None = Field(default=None, description="Null: it has never run.")
    compute: ComputeStatus
    alarms: list[AlarmStatus] = []


class DeadLetterQueue(StrEnum):
    """Where events are kept that could not be processed."""

    INGEST = "ingest"
    DISPATCH = "dispatch"
    JOB_EVENTS = "job_events"
    NOTIFICATIONS = "notifications"


class DeadLetter(Contract):
    """An event that could not be processed, as somebody may see it."""

    id: str
    sent_at: AwareDatetime
    is_own: bool = Field(description="False: it belongs to no workspace. Other workspaces' are never shown.")
    reason: str | None = Field(default=None, description="Why it is here, where that was written down.")
    body: str = Field(description="Without secrets; cut where it is long.")


class DeadLetters(Contract):
    """Answer of GET /v1/system/dead-letters/{queue}: at most 100, the oldest first."""

    queue: DeadLetterQueue
    num_messages: int = Field(description="In the queue, whomever they belong to.")
    items: list[DeadLetter]


class DeadLetterSelection(Request):
    """Body of redrive and purge."""

    ids: list[str] | None = Field(
        default=None, min_length=1, max_length=100, description="Of these only. Null: of all that the caller may see."
    )


class DeadLettersDone(Contract):
    """Answer of redrive and purge."""

    queue: DeadLetterQueue
    num_done: int
    num_messages: int = Field(description="That are left, whomever they belong to; approximate.")
