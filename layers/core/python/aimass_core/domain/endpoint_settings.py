"""Live parameters of an endpoint: changed while it serves, within seconds, versioned and reversible."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from aimass_core.domain.common import Contract, Request

MAX_TIMEOUT_SECONDS = 3_600.0


class LogLevel(StrEnum):
    """What is logged of each request: nothing of what succeeds (warning), a line, or also what was chosen and why."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"


class Batching(Contract):
    """Requests that wait for each other, to be answered at once. Never of two versions."""

    max_rows: Annotated[int, Field(ge=1, le=10_000)] = 64
    max_wait_ms: Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)] = 2.0


ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Capture(Contract):
    """Which requests are kept, with their answers; off at 0 percent."""

    percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 0.0
    hidden: list[ColumnName] = Field(
        default=[],
        max_length=1_000,
        description="Columns that are never kept, beside those that name a person by the policy of the data's source.",
    )
    keys: list[ColumnName] = Field(
        default=[],
        max_length=20,
        description="Columns of friendly rows that are kept although the model does not use them: they say which row "
        "it is, so that what became true can be joined later.",
        examples=[["customer_id"]],
    )


class FanOut(Contract):
    """How far the members of a distributed fusion may fail."""

    seconds: Annotated[float, Field(gt=0, le=MAX_TIMEOUT_SECONDS, allow_inf_nan=False)] | None = Field(
        default=None, description="A member that has not answered by then is left out. Null: all the request's time."
    )
    quorum: Annotated[int, Field(ge=1, le=50)] | None = Field(
        default=None,
        description="So many members have to answer; the others are left out, and the answer says which. Null: all. "
        "A fusion without weights (stacking) needs all of them in any case.",
    )


Threads = Annotated[int, Field(ge=1, le=64)]
Threshold = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
Timeout = Annotated[float, Field(gt=0, le=MAX_TIMEOUT_SECONDS, allow_inf_nan=False)]
StickyBy = Annotated[
    str,
    StringConstraints(pattern=r"^(api-key|header:[a-z0-9][a-z0-9-]{0,99})$"),
    Field(
        description="Who always gets the same version during a rollout: requests of one API key (`api-key`), or with "
        "one value of a header (`header:x-customer`). Null: each request is drawn for itself.",
        examples=["api-key", "header:x-customer"],
    ),
]


class EndpointSettings(Contract):
    """What holds now. `version` counts the changes; each former one can be brought back."""

    version: int = 1
    threads: Threads = Field(default=1, description="Of ONNX Runtime, within one request.")
    threshold: Threshold | None = Field(
        default=None,
        description="From which probability on the second label of a binary model applies, or each label of a "
        "multi-label one. Null: as the model says.",
    )
    timeout_seconds: Timeout | None = Field(default=None, description="Of a request. Null: the transport's limit.")
    batching: Batching | None = Field(
        default=None, description="Null: nothing waits; a container answers together what came while it was busy."
    )
    capture: Capture = Field(default_factory=Capture)
    log_level: LogLevel = LogLevel.INFO
    sticky_by: StickyBy | None = None
    fan_out: FanOut = FanOut()
    warm: bool = Field(
        default=False,
        description="The function is asked each minute, so that a process with the model in memory awaits requests.",
    )


class BatchingChange(Request):
    """Those that are given change."""

    max_rows: Annotated[int, Field(ge=1, le=10_000)] | None = None
    max_wait_ms: Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)] | None = None


class CaptureChange(Request):
    """Those that are given change."""

    percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    hidden: list[ColumnName] | None = Field(default=None, max_length=1_000)
    keys: list[ColumnName] | None = Field(default=None, max_length=20)


class FanOutChange(Request):
    """Those that are given change."""

    seconds: Annotated[float, Field(gt=0, le=MAX_TIMEOUT_SECONDS, allow_inf_nan=False)] | None = None
    quorum: Annotated[int, Field(ge=1, le=50)] | None = None


class EndpointSettingsChange(Request):
    """Those that are given change; null brings back the default."""

    threads: Threads | None = None
    threshold: Threshold | None = None
    timeout_seconds: Timeout | None = None
    batching: BatchingChange | None = None
    capture: CaptureChange | None = None
    log_level: LogLevel | None = None
    sticky_by: StickyBy | None = None
    fan_out: FanOutChange | None = None
    warm: bool | None = None

    @model_validator(mode="after")
    def _check_some(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one setting: " + ", ".join(type(self).model_fields))
        return self

    def apply(self, present: EndpointSettings) -> EndpointSettings:
        """The settings with these changes, as the next version; the same where nothing changes."""
        fields = present.model_dump()
        for name in self.model_fields_set:
            value = getattr(self, name)
            default = EndpointSettings.model_fields[name].get_default(call_default_factory=True)
            if isinstance(value, BatchingChange | CaptureChange | FanOutChange):
                kept = fields[name] or {}
                fields[name] = {**kept, **value.model_dump(exclude_unset=True, exclude_none=True)}
            else:
                fields[name] = default if value is None else value
        changed = EndpointSettings.model_validate(fields)
        return present if changed == present else changed.model_copy(update={"version": present.version + 1})
