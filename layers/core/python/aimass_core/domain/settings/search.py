"""Settings of search."""

from typing import ClassVar

from aimass_core.domain.settings.contract import Applies, Subsystem, SubsystemSettings, setting
from aimass_core.domain.study_specs import MAX_TRIALS, MAX_WORKERS, PrunerName, SamplerName


class SearchSettings(SubsystemSettings):
    """What holds for searches and autotrains that do not say it themselves."""

    subsystem: ClassVar[Subsystem] = Subsystem.SEARCH

    max_seconds: int | None = setting(
        None,
        title="Time of a study",
        description="Null: that of any other job (training).",
        applies=Applies.NEXT_JOB,
        unit="seconds",
        ge=60,
        le=14 * 86_400,
    )
    num_workers: int = setting(
        1,
        title="Workers",
        description="Containers that carry out trials side by side.",
        applies=Applies.NEXT_JOB,
        ge=1,
        le=MAX_WORKERS,
    )
    max_trials: int | None = setting(
        None,
        title="Trials",
        description="Of a study in all. Null: as time allows.",
        applies=Applies.NEXT_JOB,
        ge=1,
        le=MAX_TRIALS,
    )
    sampler: SamplerName | None = setting(
        None,
        title="Sampler",
        description="Who proposes the trials of a search. Null: as fits the space and the number of trials.",
        applies=Applies.NEXT_JOB,
    )
    pruner: PrunerName | None = setting(
        None,
        title="Pruner",
        description="Who ends bad trials of a search early. Null: asha where there is one objective.",
        applies=Applies.NEXT_JOB,
    )
