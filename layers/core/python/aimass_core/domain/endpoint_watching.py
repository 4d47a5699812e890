"""How an endpoint does: traffic, drift, what became true, and the limits at which somebody wants to hear of it."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AwareDatetime, Field, model_validator

from aimass_core.domain.common import Contract, Name, Request, Resource
from aimass_core.domain.endpoint_settings import ColumnName
from aimass_core.domain.quality import Chart
from aimass_core.domain.reports import Calibration, Residuals, Slices
from aimass_core.domain.signatures import ConfusionMatrix

# --- traffic ---------------------------------------------------------------------------------------------------------


class Traffic(Contract):
    """Requests, and how long the answered ones took. Times are interpolated within buckets."""

    requests: int
    errors: int = Field(description="Could not be answered, by no fault of the caller.")
    refused: int = Field(description="Were wrong.")
    rows: int
    row_errors: int
    error_rate: float | None = Field(description="Of the requests that were right; null where there were none.")
    disagreement: float | None = Field(
        description="Of the rows that two versions were asked about; null where none were."
    )
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class TrafficPoint(Traffic):
    """From `at` on, for one step."""

    at: AwareDatetime


class VersionTraffic(Traffic):
    """Of one version. `is_shadow`: nobody was given its answers, and they are in no sum."""

    model: str = Field(examples=["adult@3"])
    is_shadow: bool = False


class EndpointMetrics(Contract):
    """Counted by everybody who serves, and some seconds late."""

    endpoint: str
    since: AwareDatetime
    until: AwareDatetime
    step_seconds: int
    total: Traffic
    versions: list[VersionTraffic]
    points: list[TrafficPoint] = Field(description="Oldest first; steps without a request are left out.")


# --- drift -----------------------------------------------------------------------------------------------------------


class ColumnDrift(Contract):
    """How far the values of a column have moved from those of training. The limits are raised to what chance does with
    so few rows."""

    name: str
    psi: float = Field(description="Population stability index.")
    psi_limit: float
    ks: float | None = Field(default=None, description="Kolmogorov-Smirnov distance, of numbers.")
    ks_limit: float | None = None
    is_drift: bool
    chart: Chart


class EndpointDrift(Contract):
    """Captured rows of what serves now, held against the data that it was trained on."""

    endpoint: str
    model: str
    since: AwareDatetime
    until: AwareDatetime
    num_rows: int
    training: str | None = Field(description="The dataset version of training.", examples=["adult@2"])
    columns: list[ColumnDrift] = Field(description="The farthest first.")
    answers: ColumnDrift | None = Field(
        default=None, description="Labels, beside those that it gave to test data; numbers, beside the true ones."
    )
    notes: list[str] = Field(default=[], description="What could not be compared, and why.")


# --- what became true ------------------------------------------------------------------------------------------------


class TruthSource(Request):
    """Body of PUT /v1/endpoints/{endpoint}/truth: where it is written what became true of captured rows."""

    dataset: Name = Field(description="Its latest version is read; a later row of the same key counts.")
    key: ColumnName = Field(
        description="A column of the dataset and of the captured rows: one of the settings `capture.keys`, a column of "
        "the model, or `served_id`, which is `<x-request-id of the answer>-<row>`.",
        examples=["customer_id"],
    )
    column: ColumnName | None = Field(default=None, description="Null: the model's target.")


class PerformancePoint(Contract):
    """Of rows that were answered from `at` on, for one step."""

    at: AwareDatetime
    num_rows: int
    metrics: dict[str, float]


class EndpointPerformance(Contract):
    """Captured answers of what serves now, held against what became true."""

    endpoint: str
    model: str
    since: AwareDatetime
    until: AwareDatetime
    num_captured: int
    num_rows: int = Field(description="Of which it is known what became true.")
    metrics: dict[str, float]
    in_training: dict[str, float] = Field(description="The same metrics, as the model's card has them.")
    step_seconds: int
    points: list[PerformancePoint]
    confusion_matrix: ConfusionMatrix | None = None
    calibration: Calibration | None = None
    residuals: Residuals | None = None
    slices: Slices | None = None
    notes: list[str] = []


# --- alarms ----------------------------------------------------------------------------------------------------------

Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class AlarmLimits(Request):
    """Body of PUT /v1/endpoints/{endpoint}/alarms. Null: nobody wants to hear of it."""

    max_error_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    max_p95_ms: Limit | None = None
    max_drift: Limit | None = Field(
        default=None, description="PSI of any column or of the answers; 0.25 is a great change."
    )
    metric: str | None = Field(default=None, description="Of what became true.", examples=["roc_auc"])
    worst_metric: float | None = Field(default=None, description="The metric may not be worse.")
    window_minutes: int = Field(default=5, ge=1, le=1_440, description="Of traffic: so long is looked back.")
    min_requests: int = Field(default=20, ge=1, description="Fewer in the window say nothing.")
    window_hours: int = Field(default=24, ge=1, le=8_784, description="Of drift and metrics.")
    min_rows: int = Field(default=100, ge=1, description="Fewer captured rows say nothing.")

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        if (self.metric is None) is not (self.worst_metric is None):
            raise ValueError("give `metric` and `worst_metric` together: metric=accuracy, worst_metric=0.8")
        return self

    @property
    def needs_rows(self) -> bool:
        """Whether captured rows are read for it."""
        return self.max_drift is not None or self.metric is not None


class AlarmStatus(StrEnum):
    """OFF without limits; OK also while too little was seen."""

    OFF = "OFF"
    OK = "OK"
    ALARM = "ALARM"


class EndpointWatch(Resource):
    """What is watched of an endpoint, and how it is. Its id is the endpoint's."""

    resource: ClassVar[str] = "endpoint_watch"
    prefix: ClassVar[str] = "epw"

    limits: AlarmLimits = AlarmLimits()
    status: AlarmStatus = AlarmStatus.OFF
    reasons: list[str] = Field(default=[], description="Each limit that is passed, with what was observed.")
    since: AwareDatetime | None = Field(default=None, description="When the status became what it is.")
    checked_at: AwareDatetime | None = None
    rows_checked_at: AwareDatetime | None = Field(
        default=None, description="Drift and metrics are looked at less often."
    )
    row_reasons: list[str] = Field(default=[], description="Those of `reasons` that drift and metrics gave.")
    drift_reasons: list[str] = Field(default=[], description="Those of `row_reasons` that drift gave.")
    drifted_at: AwareDatetime | None = Field(default=None, description="When drift passed its limit.")
    alarm_ended_at: AwareDatetime | None = Field(default=None, description="Null: no alarm has, with these limits.")
    truth: TruthSource | None = None
