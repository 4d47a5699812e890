"""Settings of retention."""

from typing import ClassVar

from aimass_core.domain.settings.contract import Subsystem, SubsystemSettings, setting


class RetentionSettings(SubsystemSettings):
    """How long is kept what the platform makes beside datasets and models. Each hour what is older is deleted."""

    subsystem: ClassVar[Subsystem] = Subsystem.RETENTION

    job_artifacts_days: int | None = setting(
        None,
        title="Artifacts of jobs",
        description="Of jobs that have ended: checkpoints, outputs, TensorBoard's files. Models that were registered "
        "have files of their own and stay. Null: for good.",
        unit="days",
        ge=1,
        le=36_500,
    )
    captures_days: int = setting(90, title="Captured requests", description="Of endpoints.", unit="days", ge=1, le=90)
    queries_days: int = setting(
        7,
        title="Queries",
        description="And their rows; of queries that are started from then on.",
        unit="days",
        ge=1,
        le=7,
    )
    archives_days: int = setting(
        30,
        title="Archives of the workspace",
        description="Zips that exports have made, and those that were sent for an import.",
        unit="days",
        ge=1,
        le=365,
    )
    audit_days: int | None = setting(
        None,
        title="Entries of the audit trail",
        description="Older ones go once they are sealed, with their seals; what is left verifies from there on. Export "
        "what has to be kept longer. Null: for good.",
        unit="days",
        ge=90,
        le=36_500,
    )
    answers_hours: int = setting(
        24, title="Answers that were asked for later", description="Of predictions.", unit="hours", ge=1, le=24
    )
