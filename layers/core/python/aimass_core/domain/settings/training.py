"""Settings of training."""

from typing import ClassVar, Self

from pydantic import model_validator

from aimass_core.domain.compute import INSTANCE_TYPE, Backend
from aimass_core.domain.settings.contract import Applies, Subsystem, SubsystemSettings, setting
from aimass_core.domain.training import DEFAULT_VALIDATION_FRACTION


class TrainingSettings(SubsystemSettings):
    """What holds for jobs that do not say it themselves: their time, their machines, how training is done."""

    subsystem: ClassVar[Subsystem] = Subsystem.TRAINING

    max_seconds: int = setting(
        3_600,
        title="Time of a job",
        description="Of each attempt, of every kind of job.",
        applies=Applies.NEXT_JOB,
        unit="seconds",
        ge=60,
        le=14 * 86_400,
    )
    checkpoint_seconds: int = setting(
        60,
        title="Between checkpoints",
        description="An interrupted training loses at most so much.",
        applies=Applies.NEXT_JOB,
        unit="seconds",
        ge=1,
        le=86_400,
    )
    validation_fraction: float = setting(
        DEFAULT_VALIDATION_FRACTION,
        title="Rows held out",
        description="The share of the rows that judge, where no channel of them is given. Autotrain goes by the number "
        "of rows.",
        applies=Applies.NEXT_JOB,
        gt=0,
        lt=0.9,
    )
    refit: bool = setting(
        False,
        title="Fit again on all rows",
        description="After validation, those of validation included.",
        applies=Applies.NEXT_JOB,
    )
    backend: Backend = setting(
        Backend.BATCH,
        title="Compute service",
        description="Of jobs that name none, and no field that belongs to one.",
        applies=Applies.NEXT_JOB,
    )
    vcpus: int | None = setting(
        None,
        title="Processors on Batch",
        description="Null: the job definition's.",
        applies=Applies.NEXT_JOB,
        ge=1,
        le=192,
    )
    memory_mib: int | None = setting(
        None,
        title="Memory on Batch",
        description="Null: the job definition's.",
        applies=Applies.NEXT_JOB,
        unit="MiB",
        ge=512,
        le=1_572_864,
    )
    instance_type: str | None = setting(
        None,
        title="Machine on SageMaker",
        description="Such as ml.m5.xlarge. Null: a job on SageMaker has to name one.",
        applies=Applies.NEXT_JOB,
        pattern=INSTANCE_TYPE,
    )
    spot: bool = setting(
        False,
        title="Spot machines on SageMaker",
        description="Cheaper; they may be taken away, and the job then goes on.",
        applies=Applies.NEXT_JOB,
    )
    max_wait_seconds: int = setting(
        86_400,
        title="Wait for spot machines",
        description="To the end of the job, which is included; at least as long as it may run.",
        applies=Applies.NEXT_JOB,
        unit="seconds",
        ge=60,
        le=28 * 86_400,
    )
    max_attempts: int | None = setting(
        None,
        title="Attempts on Batch",
        description="So often a job is begun that was interrupted, or whose machine was taken away; of a study each "
        "worker. Null: as the job definition says, three times.",
        applies=Applies.NEXT_JOB,
        ge=1,
        le=10,
    )

    @model_validator(mode="after")
    def _check_backend(self) -> Self:
        if self.backend is Backend.SAGEMAKER and self.instance_type is None:
            raise ValueError("backend is sagemaker, which needs an instance_type, such as ml.m5.xlarge: set both")
        return self
