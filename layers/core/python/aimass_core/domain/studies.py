"""Studies: an optimisation, its trials and what came of them."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract, Resource
from aimass_core.domain.jobs import Artifact, JobStatus, PinnedDataset
from aimass_core.domain.study_specs import AutotrainSpec, Direction, SearchSpec


class Study(Resource):
    """An optimisation on pinned data. Each job that works on it adds trials; what they learned stays."""

    resource: ClassVar[str] = "study"
    prefix: ClassVar[str] = "std"

    name: str
    spec: Annotated[SearchSpec | AutotrainSpec, Field(discriminator="kind")]
    channels: dict[str, PinnedDataset] = {}
    job_ids: list[str] = Field(default=[], description="The jobs that work or worked on it, newest last.")
    status: JobStatus | None = Field(default=None, description="Of its newest job.")
    is_being_deleted: bool = Field(default=False, description="Delete it again where that was interrupted.")


class TrialState(StrEnum):
    """As Optuna names them."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"


class TrialAttribute(StrEnum):
    """The user attributes that a worker sets on a trial."""

    ALGORITHM = "algorithm"
    METRICS = "metrics"
    MODEL_BYTES = "model_bytes"
    LATENCY_MS = "latency_ms"
    SECONDS = "seconds"
    WORKER = "worker"
    NUM_STEPS = "num_steps"
    IS_SHORT = "is_short_of_time"
    FOLDS = "folds"
    REPEATS = "repeats"


class Trial(Contract):
    """One evaluation of hyperparameters."""

    number: int
    state: TrialState
    values: list[float] | None = Field(default=None, description="One for each objective.")
    hyperparameters: dict[str, Any] = {}
    intermediate_values: dict[int, float] = Field(default={}, description="By step.")
    started_at: AwareDatetime | None = None
    completed_at: AwareDatetime | None = None
    failure: str | None = None
    algorithm: str | None = None
    metrics: dict[str, float] = {}
    model_bytes: int | None = None
    latency_ms: float | None = Field(default=None, description="Of one row, median.")
    seconds: float | None = Field(default=None, description="From the first step to the exported file.")
    worker: int | None = None
    repeats: int | None = Field(
        default=None, description="The earlier trial that had the same hyperparameters: this one was not carried out."
    )


class LeaderboardRow(Contract):
    """One model of a study: of a trial, or an ensemble of several."""

    rank: int
    name: str = Field(description="`trial 17`, or `ensemble of 5`.")
    algorithm: str
    trial: int | None = None
    score: float
    latency_ms: float | None = None
    model_bytes: int | None = None
    seconds: float | None = None
    is_chosen: bool = Field(default=False, description="It is the one that was registered.")


class Leaderboard(Contract):
    """`output/leaderboard.json`: the models of a study, best first."""

    metric: str
    direction: Direction
    rows: list[LeaderboardRow]


class BestSoFar(Contract):
    """`best.json` of a study: a usable model at any moment. Its artifacts lie in the trial's folder."""

    trial: int
    values: list[float]
    metrics: dict[str, float] = {}
    artifacts: list[Artifact]
    at: AwareDatetime


class StudyBest(BestSoFar):
    """Answer of GET /v1/studies/{study}/best."""

    links: dict[str, str] = Field(default={}, description="By artifact, short-lived URLs that read it.")


class StudyFigures(Contract):
    """Answer of GET /v1/studies/{study}/figures: what the newest job drew, while it runs and in the end."""

    figures: dict[str, str] = Field(default={}, description="By name, short-lived URLs of Plotly's JSON.")
    page: str | None = Field(default=None, description="All of them as one HTML page.")
    leaderboard: str | None = Field(default=None, description="The models by now, best first.")
