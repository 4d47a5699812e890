"""Triggers: what a new version of a dataset, or the time, sets going, and whether what comes of it is deployed."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from aimass_core.domain.common import Name, Request, Resource, Text, split_ref
from aimass_core.domain.compute import Compute
from aimass_core.domain.jobs import ModelRef, ScriptSpec, TrainSpec
from aimass_core.domain.rollouts import RolloutPlan
from aimass_core.domain.study_specs import AutotrainSpec, SearchSpec, StudySpec

MAX_TRIGGERS = 20

Cron = Annotated[
    str,
    StringConstraints(pattern=r"^\S+( \S+){4}$", max_length=90),
    Field(
        description="Minute, hour, day of the month, month and weekday, in UTC: on the newest version, at these times.",
        examples=["0 6 * * MON-FRI"],
    ),
]


class Gate(Request):
    """What a model must reach before it is deployed: a score of its own, and no less than what is served."""

    metric: str | None = Field(default=None, max_length=63, description="Null: the task's primary metric.")
    worst: float | None = Field(default=None, description="It must be as good as this at least.")
    min_gain: float | None = Field(
        default=0.0,
        description="So much better than the model that the endpoint serves; 0: as good. Null: they are not compared.",
    )


class Deployment(Request):
    """Where a model goes that passes the gate."""

    endpoint: Name | None = Field(default=None, description="Null: the model's name.")
    gate: Gate = Gate()
    rollout: RolloutPlan | None = Field(
        default=None, description="How it takes over from what is served. Null: all at once."
    )


class TriggeredJob(Request):
    """The job, as POST /v1/jobs takes it. Where its spec names the trigger's dataset, it gets the version."""

    spec: Annotated[TrainSpec | SearchSpec | AutotrainSpec | ScriptSpec, Field(discriminator="kind")]
    compute: Compute = Compute()
    max_seconds: int = Field(default=3600, ge=60, le=14 * 86_400)
    max_cost_usd: float | None = Field(default=None, gt=0, le=1_000_000)

    def find_misfit(self, dataset: str) -> str | None:
        """Why it cannot be run for every version of the dataset; None where it can."""
        references = self.spec.channels.values() if isinstance(self.spec, ScriptSpec) else [self.spec.dataset]
        if dataset not in references:
            pinned = [reference for reference in references if split_ref(reference)[0] == dataset]
            words = f"names {pinned[0]!r}: leave the version out" if pinned else f"does not read {dataset!r}"
            return f"the job {words}, as it gets the newest one"
        if isinstance(self.spec, StudySpec) and self.spec.study is not None:
            return f"a study is of one version: leave study {self.spec.study!r} out, so that each run has its own"
        return None


_ONE_TIME = "give `every_seconds` or `cron`, not both"


class TriggerCreate(Request):
    """Body of POST /v1/triggers."""

    name: Name
    description: Text = ""
    dataset: Name
    job: TriggeredJob
    every_seconds: int | None = Field(
        default=None, ge=300, le=366 * 86_400, description="Null: at each new version. Else on the newest, so often."
    )
    cron: Cron | None = None
    needs_passed: bool = Field(
        default=False, strict=True, description="Leave out versions whose expectations gave warnings, or have none."
    )
    deploy: Deployment | None = Field(default=None, description="Null: the model is registered, no more.")

    @model_validator(mode="after")
    def _check_job(self) -> Self:
        misfit = self.job.find_misfit(self.dataset)
        if misfit is not None:
            raise ValueError(misfit)
        if self.every_seconds is not None and self.cron is not None:
            raise ValueError(_ONE_TIME)
        return self


class TriggerStatus(StrEnum):
    """Whether it fires."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class TriggerUpdate(Request):
    """Body of PATCH /v1/triggers/{trigger}; what is absent stays."""

    status: TriggerStatus | None = None
    description: Text | None = None
    job: TriggeredJob | None = None
    every_seconds: int | None = Field(default=None, ge=300, le=366 * 86_400)
    cron: Cron | None = None
    needs_passed: bool | None = None
    deploy: Deployment | None = None

    @model_validator(mode="after")
    def _check_times(self) -> Self:
        if self.every_seconds is not None and self.cron is not None:
            raise ValueError(_ONE_TIME)
        return self


class Trigger(Resource):
    """It has one run at a time: versions that come meanwhile wait, and the newest of them is next."""

    resource: ClassVar[str] = "trigger"
    prefix: ClassVar[str] = "trg"

    name: str
    description: str = ""
    dataset_id: str
    dataset_name: str
    status: TriggerStatus = TriggerStatus.ACTIVE
    status_reason: str | None = None
    job: TriggeredJob
    every_seconds: int | None = None
    cron: str | None = None
    needs_passed: bool = False
    deploy: Deployment | None = None
    last_number: int = Field(default=0, description="The newest version that it has fired for, or was made after.")
    last_fired_at: AwareDatetime | None = None
    num_runs: int = 0
    active_run: int | None = Field(default=None, description="The run whose job has not ended.")


class RunStatus(StrEnum):
    """RUNNING until its job has ended; then what came of it. HELD: the gate did not let the model through. PROMOTED:
    the endpoint has it as candidate, and serves it once its golden request is answered."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PROMOTED = "PROMOTED"
    HELD = "HELD"
    FAILED = "FAILED"


class TriggerRun(Resource):
    """One time that a trigger fired."""

    resource: ClassVar[str] = "trigger_run"
    prefix: ClassVar[str] = "trr"

    trigger_id: str
    number: int = Field(ge=1, description="Of the run.")
    dataset_version: int
    job_id: str
    status: RunStatus
    reason: str | None = None
    model_version: ModelRef | None = None
    endpoint_id: str | None = None
