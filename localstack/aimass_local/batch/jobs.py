"""Jobs: what was asked for (`JobSpec`), what became of it (`Job`), and how Batch's API shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from aimass_local.batch.requirements import Requirements
from aimass_local.batch.resources import ARN_PREFIX
from aimass_local.batch.wire import Document
from aimass_local.environment import ACCOUNT_ID, REGION

INSTANCE_ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT_ID}:container-instance/local/i-local"


class JobStatus(StrEnum):
    """Batch's own words, in their order."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def is_final(self) -> bool:
        return self in (JobStatus.SUCCEEDED, JobStatus.FAILED)

    @property
    def is_placed(self) -> bool:
        """Whether the job holds a share of the machine."""
        return self in (JobStatus.STARTING, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What a submission asked for, settled once; the children of an array share one."""

    name: str
    queue_arn: str
    definition_arn: str
    parameters: Mapping[str, str]
    containers: tuple[Document, ...]
    """Settled container properties: one, or one for each node."""
    node_properties: Document | None = None
    retry_strategy: Document
    depends_on: tuple[Document, ...] = ()
    timeout_seconds: int | None = None
    tags: dict[str, str]
    is_propagating_tags: bool = False
    scheduling_priority: int = 0
    share_identifier: str | None = None
    platform_capabilities: tuple[str, ...] = ("EC2",)
    array_size: int | None = None

    @property
    def queue_name(self) -> str:
        return self.queue_arn.rsplit("/", 1)[-1]

    @property
    def definition_name(self) -> str:
        return self.definition_arn.rsplit("/", 1)[-1].split(":")[0]

    @property
    def main_node(self) -> int:
        return int(self.node_properties["mainNode"]) if self.node_properties else 0

    @property
    def needs(self) -> list[Requirements]:
        return [Requirements.of(container) for container in self.containers]

    def to_document(self) -> Document:
        return asdict(self)

    @classmethod
    def from_document(cls, document: Document) -> JobSpec:
        lists = {name: tuple(document[name]) for name in ("containers", "depends_on", "platform_capabilities")}
        return cls(**{**document, **lists})


@dataclass(slots=True, kw_only=True)
class Job:
    """One job, one array (the parent), or one child of an array."""

    id: str
    spec: JobSpec
    sequence: int
    """Order of submission."""
    created_at: int
    array_index: int | None = None
    status: JobStatus = JobStatus.SUBMITTED
    status_reason: str | None = None
    started_at: int | None = None
    stopped_at: int | None = None
    attempts: list[Document] = field(default_factory=list)
    nodes: list[Document] = field(default_factory=list)
    """Of the current or last attempt, one for each container: exitCode, reason, logStreamName, startedAt, ..."""
    is_cancelled: bool = False
    termination_reason: str | None = None
    """Set once somebody has asked to terminate the job, which ends as FAILED with this reason."""
    child_statuses: Counter[str] = field(default_factory=Counter)
    """Of an array: how many children are in each status. Not stored: it follows from the children."""

    @property
    def arn(self) -> str:
        return f"{ARN_PREFIX}job/{self.id}"

    @property
    def is_array(self) -> bool:
        return self.spec.array_size is not None and self.array_index is None

    @property
    def parent_id(self) -> str | None:
        return self.id.rsplit(":", 1)[0] if self.array_index is not None else None

    def child_ids(self) -> list[str]:
        return [f"{self.id}:{index}" for index in range(self.spec.array_size or 0)] if self.is_array else []

    def to_document(self) -> Document:
        """Everything but the id and the spec, which are stored apart."""
        return {name: getattr(self, name) for name in self.__slots__ if name not in ("id", "spec", "child_statuses")}

    @classmethod
    def from_document(cls, job_id: str, document: Document, spec: JobSpec) -> Job:
        return cls(id=job_id, spec=spec, **{**document, "status": JobStatus(document["status"])})


def to_detail(job: Job) -> Document:
    """`JobDetail`, as DescribeJobs and the events show it."""
    spec = job.spec
    detail: dict[str, Any] = {
        "jobArn": job.arn,
        "jobName": spec.name,
        "jobId": job.id,
        "jobQueue": spec.queue_arn,
        "status": job.status.value,
        "statusReason": job.status_reason,
        "shareIdentifier": spec.share_identifier,
        "schedulingPriority": spec.scheduling_priority,
        "attempts": job.attempts,
        "createdAt": job.created_at,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "retryStrategy": {"evaluateOnExit": [], **spec.retry_strategy},
        "dependsOn": list(spec.depends_on),
        "jobDefinition": spec.definition_arn,
        "parameters": dict(spec.parameters),
        "tags": {"resourceArn": job.arn, **spec.tags},
        "propagateTags": spec.is_propagating_tags,
        "platformCapabilities": list(spec.platform_capabilities),
        "timeout": {"attemptDurationSeconds": spec.timeout_seconds} if spec.timeout_seconds else None,
        "arrayProperties": _to_array_properties(job),
        "isCancelled": job.is_cancelled,
        "isTerminated": job.termination_reason is not None,
    }
    if spec.node_properties:
        detail["nodeProperties"] = spec.node_properties
    else:
        detail["container"] = _to_container(job, 0)
    return _without_none(detail)


def to_node_detail(job: Job, index: int) -> Document:
    """`JobDetail` of one node of a multi-node job, which Batch calls `<job id>#<index>`."""
    node = job.nodes[index] if index < len(job.nodes) else {}
    detail = to_detail(job)
    del detail["nodeProperties"]
    detail.update(
        jobId=f"{job.id}#{index}",
        jobArn=f"{job.arn}#{index}",
        status=node.get("status", job.status.value),
        startedAt=node.get("startedAt"),
        stoppedAt=node.get("stoppedAt"),
        statusReason=node.get("statusReason", job.status_reason),
        container=_to_container(job, index),
        nodeDetails={"nodeIndex": index, "isMainNode": index == job.spec.main_node},
    )
    return _without_none(detail)


def to_summary(detail: Document) -> Document:
    """`JobSummary`, as ListJobs shows it, from a job's or node's detail."""
    names = (
        "jobArn jobId jobName createdAt status statusReason startedAt stoppedAt jobDefinition shareIdentifier"
        " arrayProperties isCancelled isTerminated"
    )
    summary = {name: detail[name] for name in names.split() if name in detail}
    container = detail.get("container", {})
    summary["container"] = {name: container[name] for name in ("exitCode", "reason") if name in container}
    if node := detail.get("nodeDetails"):
        summary["nodeProperties"] = node
    if properties := detail.get("nodeProperties"):
        summary["nodeProperties"] = {"numNodes": properties["numNodes"]}
    return summary


def to_attempt_container(node: Document) -> Document:
    """`AttemptContainerDetail` of one container."""
    names = ("containerInstanceArn", "taskArn", "exitCode", "reason", "logStreamName")
    return {**{name: node[name] for name in names if name in node}, "networkInterfaces": []}


def _to_container(job: Job, index: int) -> Document:
    node = job.nodes[index] if index < len(job.nodes) else {}
    empty: Document = {"volumes": [], "mountPoints": [], "ulimits": [], "secrets": []}
    return {**empty, **job.spec.containers[index], **to_attempt_container(node)}


def _to_array_properties(job: Job) -> Document | None:
    if job.array_index is not None:
        return {"index": job.array_index}
    if not job.is_array:
        return None
    summary = {status.value: job.child_statuses[status.value] for status in JobStatus}
    return {"size": job.spec.array_size, "statusSummary": summary}


def _without_none(document: Document) -> Document:
    return {name: value for name, value in document.items() if value is not None}
