"""Settings of collection."""

from typing import ClassVar

from aimass_core.domain.settings.contract import Applies, Subsystem, SubsystemSettings, setting
from aimass_core.domain.sources import ContractMode, OnViolation, PiiAction


class CollectionSettings(SubsystemSettings):
    """How sources are read, and what the policy of a new source says where its maker says nothing."""

    subsystem: ClassVar[Subsystem] = Subsystem.COLLECTION

    schedules_enabled: bool = setting(
        True, title="Schedules run", description="Off: no schedule of any source begins a run; by hand they can be run."
    )
    min_interval_minutes: int = setting(
        1,
        title="Shortest interval",
        description="A schedule begins the runs of a source no closer to each other, whatever its policy says.",
        unit="minutes",
        ge=1,
        le=1_440,
    )
    max_runs_active: int | None = setting(
        None,
        title="Runs at the same time",
        description="Of all sources together. What is due beyond it waits for the next minute. Null: as quotas allow.",
        ge=1,
        le=1_000,
    )
    preview_rows: int = setting(
        1_000,
        title="Rows of a preview",
        description="On so many rows a recipe is tried where the request does not say how many.",
        ge=1,
        le=10_000,
    )
    run_max_seconds: int = setting(
        900,
        title="Time of a run",
        description="What the policy of a new source allows a run.",
        applies=Applies.NEXT_JOB,
        unit="seconds",
        ge=10,
        le=86_400,
    )
    max_requests_per_second: float | None = setting(
        None,
        title="Requests to a source",
        description="What the policy of a new source allows in a second. Null: no limit.",
        applies=Applies.NEXT_JOB,
        unit="requests a second",
        gt=0,
        le=1_000,
    )
    on_violation: OnViolation = setting(
        OnViolation.QUARANTINE,
        title="Rows that break the contract",
        description="What the policy of a new source does with them.",
        applies=Applies.NEXT_JOB,
    )
    new_columns: ContractMode = setting(
        ContractMode.EVOLVE,
        title="Columns that were not there before",
        description="What the policy of a new source does with them.",
        applies=Applies.NEXT_JOB,
    )
    other_types: ContractMode = setting(
        ContractMode.DISCARD_ROW,
        title="Values of another type",
        description="What the policy of a new source does with them.",
        applies=Applies.NEXT_JOB,
    )
    detected_pii: PiiAction | None = setting(
        None,
        title="What names a person",
        description="What the policy of a new source does with what is found in text columns. Null: it stays.",
        applies=Applies.NEXT_JOB,
    )
    retention_days: int | None = setting(
        None,
        title="Versions are kept",
        description="By the policy of a new source; the latest version always stays. Null: for good.",
        applies=Applies.NEXT_JOB,
        unit="days",
        ge=1,
        le=36_500,
    )
