"""Settings of inference."""

from typing import ClassVar

from aimass_core.domain.endpoint_settings import LogLevel
from aimass_core.domain.settings.contract import Applies, Subsystem, SubsystemSettings, setting


class InferenceSettings(SubsystemSettings):
    """How predictions are answered, and what a new endpoint begins with."""

    subsystem: ClassVar[Subsystem] = Subsystem.INFERENCE

    timeout_seconds: float = setting(
        28.0,
        title="Time of a request",
        description="After it a prediction is ended with 504. An endpoint's own time-out may be shorter.",
        unit="seconds",
        gt=0,
        le=28,
    )
    max_rows: int = setting(
        10_000, title="Rows of a request", description="More are refused with 413.", ge=1, le=10_000
    )
    max_body_bytes: int = setting(
        6 * 1024**2,
        title="Bytes of a request",
        description="As they are sent. More are refused with 413.",
        unit="bytes",
        ge=1_024,
        le=6 * 1024**2,
    )
    cache_seconds: float = setting(
        2.0,
        title="Endpoints are read anew",
        description="So long an endpoint's settings, weights and rollout are taken to be as they were read.",
        unit="seconds",
        ge=0,
        le=60,
    )
    requires_approval: bool = setting(
        False,
        title="Only approved versions are deployed",
        description="A version is deployed or rolled out, also by a trigger, once an admin, or a developer who did not "
        "make it, has approved it. What serves already goes on.",
        strict=True,
    )
    capture_percent: float = setting(
        0.0,
        title="Requests that are kept",
        description="Of a new endpoint. 0: none.",
        applies=Applies.NEXT_JOB,
        unit="percent",
        ge=0,
        le=100,
    )
    log_level: LogLevel = setting(
        LogLevel.INFO,
        title="What is logged of requests",
        description="Of a new endpoint: nothing of what succeeds (warning), a line, or also what was chosen and why.",
        applies=Applies.NEXT_JOB,
    )
    threads: int = setting(
        1,
        title="Threads",
        description="Of ONNX Runtime within one request, of a new endpoint on Lambda.",
        applies=Applies.NEXT_JOB,
        ge=1,
        le=64,
    )
