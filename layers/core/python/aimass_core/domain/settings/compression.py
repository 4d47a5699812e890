"""Settings of compression."""

from typing import ClassVar

from aimass_core.domain.compression import CompressionMethod
from aimass_core.domain.model_jobs import Device
from aimass_core.domain.settings.contract import Applies, Subsystem, SubsystemSettings, setting


class CompressionSettings(SubsystemSettings):
    """What holds for compressions that do not say it themselves."""

    subsystem: ClassVar[Subsystem] = Subsystem.COMPRESSION

    max_seconds: int | None = setting(
        None,
        title="Time of a compression",
        description="Null: that of any other job (training).",
        applies=Applies.NEXT_JOB,
        unit="seconds",
        ge=60,
        le=14 * 86_400,
    )
    max_metric_drop: float = setting(
        0.01,
        title="What the metric may lose",
        description="On validation rows, in its own unit; of errors (rmse, mae) as a share of the original's.",
        applies=Applies.NEXT_JOB,
        ge=0,
        le=1,
    )
    methods: list[CompressionMethod] | None = setting(
        None,
        title="Methods",
        description="Null: all that fit the model, alone and combined.",
        applies=Applies.NEXT_JOB,
        min_length=1,
    )
    device: Device = setting(
        Device.LAMBDA_1769MB,
        title="Target device",
        description="Where the model is to answer; it is measured with as many threads as it has there.",
        applies=Applies.NEXT_JOB,
    )
