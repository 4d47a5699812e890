"""Endpoints: served model versions, and friendly predictions."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from aimass_core.domain.artifacts import ModelRef
from aimass_core.domain.common import Contract, JsonScalar, Name, Request, Resource, VersionRef
from aimass_core.domain.endpoint_counters import RolloutCounts
from aimass_core.domain.endpoint_settings import EndpointSettings, EndpointSettingsChange
from aimass_core.domain.endpoint_watching import AlarmStatus
from aimass_core.domain.engines import Engine
from aimass_core.domain.rollouts import RolloutPlan, RolloutProgress
from aimass_core.domain.signatures import Signature


class EndpointStatus(StrEnum):
    """READY only after a golden request gave the golden answer."""

    CREATING = "CREATING"
    READY = "READY"
    UPDATING = "UPDATING"
    ROLLING_OUT = "ROLLING_OUT"
    FAILED = "FAILED"


class ServedMember(ModelRef):
    """A model version that a fusion loads beside itself, or a part of a decomposition that is served apart."""

    weight: float | None = Field(default=None, description="As it was fitted; null where the fusion has no weights.")
    part: str | None = Field(default=None, description="Of a decomposition; null: of a fusion.", examples=["gate"])
    host: str | None = Field(default=None, description="The SageMaker endpoint that answers for it; null: none.")


class ServedModel(Contract):
    """The model version that answers, pinned by digest."""

    model_id: str
    model_name: str
    number: int
    digest: str
    members: list[ServedMember] = Field(
        default=[], description="Of a fusion that is served apart; the parts of a decomposition that is distributed."
    )
    engine: Engine = Engine()
    host: str | None = Field(default=None, description="The SageMaker endpoint that answers for it; null: none.")

    @property
    def ref(self) -> str:
        """`adult@3`."""
        return f"{self.model_name}@{self.number}"

    @property
    def is_decomposed(self) -> bool:
        """Whether gate and experts answer apart."""
        return any(member.part is not None for member in self.members)


class Rollout(RolloutProgress):
    """A version that has given its golden answer, and takes over by a plan from `serving`, the stable version."""

    model: ServedModel
    plan: RolloutPlan


class Endpoint(Resource):
    """A name under /v2/models that answers predictions.

    `serving` is the stable version: it answers requests, during a rollout those that the new version does not get or
    fails on. `candidate` is being verified; once it has given the golden answer it takes the place of `serving`, by
    `plan` where there is one (`rollout`). While an update fails, the former version keeps serving. `previous` is what
    served before `serving`.
    """

    resource: ClassVar[str] = "endpoint"
    prefix: ClassVar[str] = "ep"

    name: str
    status: EndpointStatus
    status_reason: str | None = None
    serving: ServedModel | None = None
    candidate: ServedModel | None = None
    plan: RolloutPlan | None = Field(default=None, description="How the candidate takes over, once it is verified.")
    rollout: Rollout | None = None
    previous: ServedModel | None = Field(default=None, description="What a rollback brings back at once.")
    settings: EndpointSettings = EndpointSettings()
    weights: dict[str, float] | None = Field(
        default=None,
        description="What the members of the fusion that serves count at this endpoint. Null: as they were fitted.",
        examples=[{"adult@1": 0.7, "adult@2": 0.3}],
    )

    def list_models(self) -> list[ServedModel]:
        """All versions that answer, are about to, or may again at once."""
        rolling = self.rollout.model if self.rollout else None
        return [model for model in (self.serving, self.candidate, rolling, self.previous) if model is not None]


class EndpointCreate(Request):
    """Body of POST /v1/endpoints."""

    name: Name | None = Field(default=None, description="Null: the model's name.")
    model: VersionRef
    engine: Engine = Engine()


class EndpointUpdate(Request):
    """Body of PATCH /v1/endpoints/{endpoint}, with one of: another version to serve or another engine, the share of the
    version that is rolled out, settings, or what the members of a fusion count."""

    model: VersionRef | None = None
    engine: Engine | None = Field(
        default=None,
        description="Of `model`, or alone: of what serves, which moves there without a gap. Null: as it is.",
    )
    rollout: RolloutPlan | None = Field(
        default=None, description="With `model`: how it takes over. Null: all at once, when it is verified."
    )
    percent: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = Field(
        default=None,
        description="Of the requests, that the version that is rolled out gets from now on. Steps go on from there.",
    )
    settings: EndpointSettingsChange | None = None
    weights: dict[str, Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]] | None = Field(
        default=None,
        description="One for each member of a fusion that is served apart, by its name; only their ratio counts. They "
        "hold within seconds, without anything being loaded. Null: as they were fitted.",
        examples=[{"adult@1": 0.7, "adult@2": 0.3}],
    )

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        is_placed = self.model is not None or self.engine is not None
        given = [
            is_placed,
            self.percent is not None,
            self.settings is not None,
            "weights" in self.model_fields_set,
        ]
        if sum(given) != 1:
            raise ValueError(
                "give one of `model` (or `engine`, or both), to serve another version or elsewhere, `percent`, to "
                "shift the share of a rollout, `settings`, and `weights`, to change those of a fusion"
            )
        if self.rollout is not None and self.model is None:
            raise ValueError("`rollout` needs `model`: which version is to take over")
        return self


class SettingsRevert(Request):
    """Body of POST /v1/endpoints/{endpoint}/revert."""

    version: int | None = Field(default=None, ge=1, description="Of the settings. Null: the one before the present.")


class EndpointEvent(Resource):
    """What an endpoint was after one of its changes, and who made it. `number` is the endpoint's revision then."""

    resource: ClassVar[str] = "endpoint_event"
    prefix: ClassVar[str] = "epe"

    endpoint_id: str
    number: int
    action: str = Field(
        description="created, updating, deployed, rejected, rollout_started, rollout_step, rollout_shifted, "
        "promoted, rolled_back, settings, weights."
    )
    reason: str | None = None
    status: EndpointStatus
    serving: str | None = Field(default=None, description="`adult@3`.")
    model: str | None = Field(default=None, description="The other version that the change is about.")
    percent: float | None = Field(default=None, description="Of the requests, that `model` gets from now on.")
    counts: RolloutCounts | None = Field(default=None, description="What both versions had done, of a rollout.")
    settings: EndpointSettings
    weights: dict[str, float] | None = None


class PredictRequest(Request):
    """Body of POST /v1/endpoints/{endpoint}/predict: rows as records of raw column values.

    A date is ISO 8601 text, an image base64 of a PNG or JPEG file or nested lists of pixel values, a series a list of
    numbers with null where one is missing (in CSV the same list as text). A missing key or a null is a missing value.
    A body of type text/csv, with a header line, is taken too.
    """

    rows: list[dict[str, Any]] = Field(min_length=1, max_length=10_000)


class Contribution(Contract):
    """What one part of a row adds to the answer: a column, a patch of an image `[top:bottom,left:right]`, a stretch of
    a series `[start:end]`, a word."""

    part: str
    value: float
    error: float | None = Field(default=None, description="Standard error where it was sampled; null where exact.")


class Explanation(Contract):
    """Shapley values: `base` is the answer for a row in which everything is typical, and the contributions add up to
    `answer` - `base`. Parts that are typical themselves contribute nothing and are left out."""

    explains: str = Field(description="What the numbers are.", examples=["probability of yes", "price"])
    base: float
    answer: float
    is_exact: bool = Field(description="Every combination of parts was asked; else a sample of them.")
    contributions: list[Contribution] = Field(description="The greatest first.")


class Prediction(Contract):
    """The answer for one row. A row that could not be read has an `error` and nothing else; the others are answered."""

    label: str | None = None
    labels: list[str] | None = Field(
        default=None, description="Of a multi-label model: those that apply, the likeliest first; there may be none."
    )
    probability: float | None = Field(default=None, description="Of the label.")
    probabilities: dict[str, float] | None = None
    value: float | None = Field(default=None, description="Of a regression.")
    values: list[float] | None = Field(default=None, description="Of a forecast, one for each step to come.")
    warnings: list[str] = []
    error: str | None = None
    explanation: Explanation | None = Field(default=None, description="Where the request asked for it (?explain=true).")


class Predictions(Contract):
    """Answer of predict; `model_version` is the one version that answered every row."""

    model_name: str
    model_version: int
    predictions: list[Prediction]
    warnings: list[str] = Field(default=[], description="Of the whole request: columns that were ignored, say.")


class EndpointDetail(Endpoint):
    """As GET answers it: with the signature of what it serves and the paths to call."""

    signature: Signature | None = None
    rollout_counts: RolloutCounts | None = Field(default=None, description="What both versions have done since.")
    infer_path: str
    predict_path: str
    alarm: AlarmStatus = Field(default=AlarmStatus.OFF, description="Of one endpoint; lists do not look.")
    alarm_reasons: list[str] = []


Row = dict[str, JsonScalar]
