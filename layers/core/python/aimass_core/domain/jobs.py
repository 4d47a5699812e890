"""Jobs: one run on Batch or SageMaker, its status machine, its events and what it leaves behind."""

import json
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, model_validator

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import AlgorithmSpec
from aimass_core.domain.common import Contract, Id, JsonScalar, Name, Request, Resource, VersionRef
from aimass_core.domain.compute import Compute as Compute  # noqa: PLC0414 - part of a job's contract
from aimass_core.domain.features import ColumnName, FeatureMode, FeatureSpec
from aimass_core.domain.schemas import MAX_SERIES_LENGTH
from aimass_core.domain.signatures import Task
from aimass_core.errors import ErrorDetail, InvalidRequestError

MAX_DEPENDENCIES = 20


class JobKind(StrEnum):
    """Which work a job does; the container is started as `python -m batch_jobs <kind>`."""

    TRAIN = "train"
    SCRIPT = "script"
    PREPARE = "prepare"


class JobStatus(StrEnum):
    """The one status machine, whichever service runs the job."""

    SUBMITTED = "SUBMITTED"
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def is_terminal(self) -> bool:
        """Whether it never changes again."""
        return self in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED)

    def may_become(self, other: "JobStatus") -> bool:
        """Monotone: a status only moves forward, and a terminal one is never left.

        RUNNING -> QUEUED is the one step back: the host went away and Batch starts a new attempt.
        """
        return other in _NEXT[self]


_TERMINAL = {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED}
_NEXT: dict[JobStatus, set[JobStatus]] = {
    JobStatus.SUBMITTED: {JobStatus.QUEUED, JobStatus.STARTING, JobStatus.RUNNING, JobStatus.STOPPING} | _TERMINAL,
    JobStatus.QUEUED: {JobStatus.STARTING, JobStatus.RUNNING, JobStatus.STOPPING} | _TERMINAL,
    JobStatus.STARTING: {JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.STOPPING} | _TERMINAL,
    JobStatus.RUNNING: {JobStatus.QUEUED, JobStatus.STOPPING} | _TERMINAL,
    JobStatus.STOPPING: set(_TERMINAL),
    JobStatus.SUCCEEDED: set(),
    JobStatus.FAILED: set(),
    JobStatus.STOPPED: set(),
}


class TrainSpec(Request):
    """What to train, as the user asks for it."""

    kind: Literal[JobKind.TRAIN] = JobKind.TRAIN
    dataset: VersionRef
    validation: VersionRef | None = Field(default=None, description="Null: a part of the dataset is held out.")
    test: VersionRef | None = None
    algorithm: str = Field(max_length=63, description="See GET /v1/algorithms.", examples=["xgboost"])
    framework: str | None = Field(default=None, max_length=63, description="Null: the algorithm's first.")
    hyperparameters: dict[str, JsonScalar | list[JsonScalar]] = {}
    target: ColumnName | list[ColumnName] | None = Field(
        default=None,
        description="Null: the dataset's target. Several columns of 0 and 1 are the labels of a multi-label task.",
    )
    task: Task | None = Field(default=None, description="Null: found out from the target.")
    label_separator: str = Field(
        default="|", min_length=1, max_length=10, description="Between the labels of a multi-label target that is text."
    )
    horizon: int | None = Field(
        default=None, ge=1, le=10_000, description="Forecast the target so many rows ahead. Null: no forecast is made."
    )
    window: int | None = Field(
        default=None,
        ge=1,
        le=MAX_SERIES_LENGTH,
        description="From so many of the latest rows. Null: four times the horizon, at least 32.",
    )
    time_column: str | None = Field(
        default=None, max_length=500, description="Rows are in the order of this column. Null: as they are."
    )
    features: FeatureSpec | None = Field(default=None, description="Null: plain. Of tables only.")
    exclude_columns: list[str] = Field(default=[], max_length=10_000)
    validation_fraction: float = Field(default=0.2, gt=0, lt=0.9, strict=True)
    folds: int | None = Field(
        default=None, ge=2, le=20, strict=True, description="Null: hold-out. Else k-fold cross-validation."
    )
    seed: int = Field(default=0, ge=0, lt=2**32, strict=True)
    model: Name | None = Field(default=None, description="Null: the model has the dataset's name.")
    checkpoint_seconds: int = Field(
        default=60, ge=1, le=86_400, description="An interrupted training loses at most so much."
    )

    def resolve_algorithm(self) -> AlgorithmSpec:
        """What the algorithm declares. Raises InvalidRequestError where there is none of that name."""
        return registry.find(self.algorithm)

    def resolve_framework(self) -> str:
        """The framework asked for, or the algorithm's first."""
        return self.framework or self.resolve_algorithm().default_framework

    def resolve_hyperparameters(self) -> Request:
        """An instance of the algorithm's own class, with defaults filled in. Raises InvalidRequestError."""
        return self.resolve_algorithm().resolve_hyperparameters(self.hyperparameters)

    def check(self) -> None:
        """Holds the request against what the algorithm declares.

        Not a validator: a reader need not have the package that an algorithm comes from, and a stored job stays
        readable when ranges change.

        Raises:
            InvalidRequestError: Unknown algorithm, framework, hyperparameter; a value or task that it cannot do.
        """
        algorithm = self.resolve_algorithm()
        algorithm.check_framework(self.resolve_framework())
        self._check_forecast()
        task = Task.FORECASTING if self.horizon else self.resolve_task()
        if task is not None:
            algorithm.check_task(task)
        self.resolve_hyperparameters()

    def resolve_task(self) -> Task | None:
        """The task as far as the request says it. Raises InvalidRequestError for several targets of another task."""
        if not isinstance(self.target, list):
            return self.task
        if len(set(self.target)) < max(len(self.target), 2):
            raise _refuse("target", f"Several target columns are different labels, two at least; got {self.target}.")
        if self.task not in (None, Task.MULTILABEL):
            raise _refuse("task", f"Several target columns are the labels of a multi-label task, not {self.task}.")
        return Task.MULTILABEL

    def check_machines(self, num_machines: int) -> None:
        """Raises InvalidRequestError where so many cannot train this together."""
        algorithm, framework = self.resolve_algorithm(), self.resolve_framework()
        if num_machines == 1:
            return
        if not algorithm.implementations[framework].is_distributed:
            message = (
                f"{algorithm.name} ({framework}) trains on one machine, and {num_machines} are asked for. Several "
                f"machines can train: {', '.join(registry.distributed())}. Choose one of them, or one machine."
            )
            raise InvalidRequestError(message, details=[ErrorDetail(location="body.compute", message=message)])
        if self.features is not None and self.features.default is FeatureMode.AUTO:
            raise _refuse(
                "features",
                f"auto tries features on one machine, and {num_machines} are asked for. Declare the features, or take "
                "one machine.",
            )

    def _check_forecast(self) -> None:
        if self.horizon is None:
            only = self.resolve_algorithm().tasks == (Task.FORECASTING,)
            if self.task is Task.FORECASTING or only or self.window or self.time_column:
                raise _refuse("horizon", "A forecast needs a horizon: how many rows ahead the target is predicted.")
            return
        task = self.resolve_task()
        if task not in (None, Task.FORECASTING):
            raise _refuse("task", f"With a horizon the task is a forecast, not {task}. Leave one of them out.")
        if self.folds is not None:
            raise _refuse("folds", "Folds would train on what comes after the rows that judge. Leave folds out.")

    @property
    def num_window_rows(self) -> int:
        """The window of a forecast, with the default filled in."""
        return self.window or max(4 * (self.horizon or 1), 32)


def _refuse(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details=[ErrorDetail(location=f"body.spec.{field}", message=message)])


ChannelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
ScriptHyperparameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


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


class PrepareSpec(Request):
    """Turns landed files that are too large for a Lambda into a dataset version. Submitted by ingest only."""

    kind: Literal[JobKind.PREPARE] = JobKind.PREPARE
    dataset_id: Id
    number: int = Field(ge=1)


AnySpec = TrainSpec | ScriptSpec | PrepareSpec
JobSpec = Annotated[AnySpec, Field(discriminator="kind")]
JOB_SPEC: TypeAdapter[AnySpec] = TypeAdapter(JobSpec)


class JobCreate(Request):
    """Body of POST /v1/jobs."""

    spec: Annotated[TrainSpec | ScriptSpec, Field(discriminator="kind")]
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


class PinnedDataset(Contract):
    """The exact version that a channel was given at submit."""

    dataset_id: str
    dataset_name: str
    number: int
    digest: str


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


class ModelRef(Contract):
    """The model version that a job made."""

    model_id: str
    model_name: str
    number: int


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
    log_stream: str | None = None
    last_event: int = 0


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


class Artifact(Contract):
    """One file that a job left."""

    name: str
    num_bytes: int
    sha256: str


class ArtifactLink(Artifact):
    """An artifact and a short-lived URL that reads it."""

    url: str


class JobArtifacts(Contract):
    """Answer of GET /v1/jobs/{job}/artifacts: what the attempt that succeeded left."""

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


def to_hyperparameters(spec: AnySpec) -> dict[str, str]:
    """The spec as `hyperparameters.json` of the SageMaker contract: flat, every value a string of JSON."""
    return {name: json.dumps(value) for name, value in spec.model_dump(mode="json").items()}


def from_hyperparameters(values: dict[str, str]) -> AnySpec:
    """The reverse of `to_hyperparameters`."""
    return JOB_SPEC.validate_python({name: json.loads(value) for name, value in values.items()})
