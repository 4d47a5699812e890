"""Jobs: one run on Batch or SageMaker, its status machine, its events and what it leaves behind."""

import json
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, model_validator

from aimass_core.domain.artifacts import Artifact as Artifact  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.artifacts import ModelRef as ModelRef  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.artifacts import PinnedDataset as PinnedDataset  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.artifacts import Sha256 as Sha256  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.batch_predictions import PredictSpec as PredictSpec  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.common import Contract, Id, Name, Request, Resource, VersionRef
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.compute import Compute as Compute  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.decomposition import DecomposeSpec
from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.job_kinds import JobKind as JobKind  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.job_statuses import JobStatus as JobStatus  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.model_imports import ImportSpec as ImportSpec  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.recipes import PrepareSpec as PrepareSpec  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.sources import CollectSpec as CollectSpec  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.study_specs import AutotrainSpec, SearchSpec, StudySpec
from aimass_core.domain.training import Resample as Resample  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.training import TrainSpec as TrainSpec  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.transfers import ExportSpec, ImportWorkspaceSpec

MAX_DEPENDENCIES = 20


ChannelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
ScriptHyperparameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]


class ScriptSpec(Request):
    """A program of the user's own, run as SageMaker runs one: hyperparameters as arguments, folders as variables."""

    kind: Literal[JobKind.SCRIPT]
    source: Sha256 = Field(description="SHA-256 of a .tar.gz that was sent as POST /v1/jobs/sources said.")
    entry_point: str = Field(
        max_length=500,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*(/[A-Za-z0-9_][A-Za-z0-9_-]*)*\.py$",
        description="A Python file within the source.",
        examples=["train.py"],
    )
    channels: dict[ChannelName, VersionRef] = Field(default={}, max_length=20, examples=[{"train": "adult@3"}])
    hyperparameters: dict[ScriptHyperparameter, str | int | float | bool] = Field(default={}, max_length=100)
    model: Name | None = Field(
        default=None,
        description="Then the job fails where the script leaves no model that can be registered. Null: one that it "
        "leaves is registered under the name of the first channel's dataset.",
    )


class IngestSpec(Request):
    """Turns landed files that are too large for a Lambda into a dataset version. Submitted by ingest only."""

    kind: Literal[JobKind.INGEST] = JobKind.INGEST
    dataset_id: Id
    number: int = Field(ge=1)


class ReportSpec(Request):
    """Makes a report of a workspace. Submitted by POST /v1/reports and by plans of reports only."""

    kind: Literal[JobKind.REPORT] = JobKind.REPORT
    report: Id


SubmittedSpec = (
    TrainSpec
    | SearchSpec
    | AutotrainSpec
    | CompressSpec
    | FuseSpec
    | DecomposeSpec
    | ScriptSpec
    | PrepareSpec
    | PredictSpec
    | ImportSpec
)
AnySpec = SubmittedSpec | IngestSpec | CollectSpec | ReportSpec | ExportSpec | ImportWorkspaceSpec
JobSpec = Annotated[AnySpec, Field(discriminator="kind")]
JOB_SPEC: TypeAdapter[AnySpec] = TypeAdapter(JobSpec)


class JobCreate(Request):
    """Body of POST /v1/jobs."""

    spec: Annotated[SubmittedSpec, Field(discriminator="kind")]
    compute: Compute = Compute()
    max_seconds: int = Field(
        default=3600,
        ge=60,
        le=14 * 86_400,
        strict=True,
        description="What each attempt may take. A training ends before, with the best model it has by then.",
    )
    max_cost_usd: float | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        description="Turned into seconds by the price of the compute; the smaller of these and max_seconds holds, for "
        "each attempt.",
    )
    depends_on: list[Id] = Field(default=[], max_length=MAX_DEPENDENCIES)

    @model_validator(mode="before")
    @classmethod
    def _default_kind(cls, body: Any) -> Any:
        """A spec without a kind trains, as its default says: a discriminator alone would insist on it."""
        if isinstance(body, dict) and isinstance(spec := body.get("spec"), dict) and "kind" not in spec:
            return body | {"spec": {"kind": JobKind.TRAIN, **spec}}
        return body

    @model_validator(mode="after")
    def _check_waiting(self) -> Self:
        longest = self.compute.max_wait_seconds
        if longest is not None and longest < self.max_seconds:
            raise ValueError(
                f"compute.max_wait_seconds is {longest}, but includes max_seconds, which is {self.max_seconds}: "
                "raise the one or lower the other"
            )
        return self


class Progress(Contract):
    """How far a job is. `fraction` is null while it cannot be known."""

    phase: str
    step: int | None = None
    num_steps: int | None = None
    fraction: float | None = Field(default=None, ge=0, le=1)
    message: str = ""


class Failure(Contract):
    """Why a job failed: the cause first."""

    code: str
    cause: str
    traceback: str | None = Field(default=None, description="The tail of it, for code that the user owns or debugs.")
    exit_code: int | None = None


class Budget(Contract):
    """How `max_cost_usd` became a limit in seconds."""

    max_cost_usd: float
    usd_per_hour: float
    seconds: int = Field(description="What the money buys.")
    explanation: str


class PinnedModel(ModelRef):
    """The exact model version that a job was given at submit."""

    digest: str = Field(description="SHA-256 of its model.onnx.")


class Job(Resource):
    """One run."""

    resource: ClassVar[str] = "job"
    prefix: ClassVar[str] = "job"

    kind: JobKind
    spec: JobSpec
    compute: Compute = Compute()
    max_seconds: int = Field(description="Of each attempt; less than was asked for where the budget buys less.")
    budget: Budget | None = None
    status: JobStatus
    status_reason: str | None = None
    attempt: int = Field(default=0, description="The attempt that may write; 0 before the first has started.")
    num_attempts_ended: int = Field(default=0, description="Attempts after which the compute service began another.")
    channels: dict[str, PinnedDataset] = {}
    models: dict[str, PinnedModel] = Field(
        default={}, description="The model versions that it works on: `parent`, `member-1`, ..., `single`, `predictor`."
    )
    depends_on: list[str] = []
    retry_of: str | None = None
    compute_job_id: str | None = Field(default=None, description="The compute service's own id.")
    dispatched_at: AwareDatetime | None = Field(default=None, description="When it was last claimed for submission.")
    dispatch_attempts: int = 0
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    progress: Progress | None = None
    metrics: dict[str, float] = {}
    failure: Failure | None = None
    model_version: ModelRef | None = None
    study_id: str | None = Field(default=None, description="The study that it works on.")
    trigger_id: str | None = Field(default=None, description="The trigger that submitted it.")
    log_stream: str | None = None
    last_event: int = 0
    imported_at: AwareDatetime | None = Field(
        default=None, description="When it came with an import of a workspace: it ran elsewhere. Null: it did not."
    )


class EventType(StrEnum):
    """What an event of a job says."""

    STATUS = "status"
    PROGRESS = "progress"
    METRICS = "metrics"
    MESSAGE = "message"
    FAILURE = "failure"


class JobEvent(Contract):
    """One line of a job's story. `number` grows within a job; pass the last one seen as `after`."""

    number: int
    at: AwareDatetime
    attempt: int
    type: EventType
    data: dict[str, Any]


class JobEvents(Contract):
    """Answer of GET /v1/jobs/{job}/events: what came after `after`, and the job as it is now."""

    events: list[JobEvent]
    job: Job
    last: int


class LogLine(Contract):
    """One line of a container's log."""

    at: AwareDatetime
    message: str


class JobLogs(Contract):
    """Answer of GET /v1/jobs/{job}/logs."""

    lines: list[LogLine]
    next_cursor: str | None = None


class ArtifactLink(Artifact):
    """An artifact and a short-lived URL that reads it."""

    url: str


class JobArtifacts(Contract):
    """Answer of GET /v1/jobs/{job}/artifacts: what the last attempt left; of one that failed, `output/` alone."""

    artifacts: list[ArtifactLink]


class EventFile(Contract):
    """One of TensorBoard's event files, `<attempt>/<phase>/events...`, which grows while the job runs."""

    name: str
    num_bytes: int
    url: str = Field(description="Short-lived. Ask for `Range: bytes=<what you have>-` to get what is new.")


class JobTensorBoard(Contract):
    """Answer of GET /v1/jobs/{job}/tensorboard: what there is until now, also of attempts that were interrupted."""

    files: list[EventFile]


class JobResult(Contract):
    """`result.json`: written last, so its presence means that everything it names is in place."""

    job_id: str
    attempt: int
    artifacts: list[Artifact]
    metrics: dict[str, float] = {}


class FailureRecord(Failure):
    """`failure.json`: why an attempt failed, and what it left even so."""

    artifacts: list[Artifact] = []


def num_workers_of(spec: AnySpec) -> int | None:
    """How many containers share the work of a study or a batch prediction; None of jobs that have one or a cluster."""
    return spec.num_workers if isinstance(spec, StudySpec | PredictSpec) else None


def to_hyperparameters(spec: AnySpec) -> dict[str, str]:
    """The spec as `hyperparameters.json` of the SageMaker contract: flat, every value a string of JSON."""
    return {name: json.dumps(value) for name, value in spec.model_dump(mode="json").items()}


def from_hyperparameters(values: dict[str, str]) -> AnySpec:
    """The reverse of `to_hyperparameters`."""
    return JOB_SPEC.validate_python({name: json.loads(value) for name, value in values.items()})
