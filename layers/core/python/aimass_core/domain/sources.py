"""Sources: where data is collected from, what may be done with it, and how it is collected."""

import re
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from aimass_core.domain.collectors import Collector
from aimass_core.domain.common import Contract, Id, JsonScalar, Name, Request, Resource, Text
from aimass_core.domain.job_kinds import JobKind

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=500)]
StreamName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f#]+$")]
AUTH_FAILED_CODE = "auth_failed"
"""The failure of a run whose source refused its secret."""
SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class StreamMode(StrEnum):
    """What becomes of the rows of a run: added; in place of all; in place of those with the same primary key; or added
    as a new state of their key (a slowly changing dimension of type 2: `_valid_from`, `_valid_to`)."""

    APPEND = "append"
    REPLACE = "replace"
    MERGE = "merge"
    HISTORY = "history"


class ContractMode(StrEnum):
    """What happens to what the schema contract does not know: it is let in; the run stops; the row goes to quarantine;
    the value is left out."""

    EVOLVE = "evolve"
    FREEZE = "freeze"
    DISCARD_ROW = "discard_row"
    DISCARD_VALUE = "discard_value"


class SchemaContract(Request):
    """By what is new: whole streams, columns of a known stream, a value that its column's type does not take."""

    streams: ContractMode = ContractMode.EVOLVE
    columns: ContractMode = ContractMode.EVOLVE
    types: ContractMode = ContractMode.DISCARD_ROW


class Cursor(Request):
    """What is new since the last run: rows whose `path` is larger than the largest that was seen."""

    path: str = Field(min_length=1, max_length=500, description="A column, or a path of keys with dots.")
    initial: JsonScalar = Field(default=None, description="Where the first run begins.")
    lag_seconds: float = Field(default=0, ge=0, description="Read again what is younger than so much at each run.")
    is_closed: bool = Field(
        strict=True, default=False, description="Whether rows that equal the last value come again."
    )


class PiiAction(StrEnum):
    """What becomes of a value that names a person: hidden but for its form, replaced by a keyed hash, left out."""

    MASK = "mask"
    HASH = "hash"
    DROP = "drop"


class PiiPolicy(Request):
    """Values that name a person, in the columns that are named and in those in which they are found."""

    columns: dict[ColumnName, PiiAction] = Field(default={}, max_length=1_000)
    detected: PiiAction | None = Field(default=None, description="For what is found in other text columns.")


class StreamPolicy(Request):
    """What holds for one stream of a source; null: what holds for all."""

    dataset: Name | None = Field(default=None, description="Null: `<source>-<stream>`; of a single one `<source>`.")
    mode: StreamMode | None = None
    primary_key: list[ColumnName] | None = Field(default=None, max_length=20)
    cursor: Cursor | None = None


class OnViolation(StrEnum):
    """What becomes of a row that breaks the contract or a field's type."""

    QUARANTINE = "quarantine"
    NULL = "null"
    REJECT = "reject"
    STOP = "stop"


_TIME = r"([01]\d|2[0-3]):[0-5]\d"
_SCHEDULE = r"^(rate\([1-9]\d{0,5} (minute|hour|day)s?\)|cron\([^()]{9,90}\))$"


class CollectionPolicy(Request):
    """How a source is collected. All of it may be changed while it runs; the next run follows it."""

    schedule: str | None = Field(
        default=None,
        max_length=100,
        pattern=_SCHEDULE,
        description="`rate(15 minutes)`, or `cron(0 6 * * MON-FRI)`: minute, hour, day, month, weekday, in UTC. "
        "Null: by hand.",
        examples=["rate(1 hour)", "cron(0 6 * * *)"],
    )
    window: str | None = Field(
        default=None,
        pattern=f"^{_TIME}-{_TIME}$",
        description="Hours of UTC in which the schedule begins runs, 22:00-06:00.",
    )
    max_requests_per_second: float | None = Field(default=None, gt=0, le=1_000)
    max_rows_per_run: int | None = Field(strict=True, default=None, ge=1)
    max_rows_per_day: int | None = Field(strict=True, default=None, ge=1)
    max_bytes_per_run: int | None = Field(strict=True, default=None, ge=1)
    max_seconds: int = Field(strict=True, default=900, ge=10, le=86_400, description="Of a run.")
    mode: StreamMode = StreamMode.APPEND
    primary_key: list[ColumnName] = Field(default=[], max_length=20)
    cursor: Cursor | None = None
    contract: SchemaContract = SchemaContract()
    on_violation: OnViolation = OnViolation.QUARANTINE
    allowed_fields: list[ColumnName] | None = Field(default=None, max_length=10_000, description="Null: all.")
    pii: PiiPolicy = PiiPolicy()
    retention_days: int | None = Field(
        strict=True,
        default=None,
        ge=1,
        le=36_500,
        description="Versions of its datasets that are older are deleted; the latest stays, and what a job still uses.",
    )
    streams: dict[StreamName, StreamPolicy] = Field(default={}, max_length=200)

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        keyed = (StreamMode.MERGE, StreamMode.HISTORY)
        of_streams = {name: (each.mode or self.mode, each.primary_key) for name, each in self.streams.items()}
        for name, (mode, primary_key) in {"": (self.mode, self.primary_key), **of_streams}.items():
            if mode in keyed and not (self.primary_key if primary_key is None else primary_key):
                where = f"streams.{name}." if name else ""
                raise ValueError(f"the mode {mode} needs to know rows again: give {where}primary_key its columns")
        return self


class SourceStatus(StrEnum):
    """PAUSED by somebody; DEGRADED since a run failed, and tried again; AUTH_FAILED until its secret is changed."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DEGRADED = "DEGRADED"
    AUTH_FAILED = "AUTH_FAILED"


class SourceVerb(StrEnum):
    """What may be done with a source; each includes those before it. A secret can be set with EDIT, and read by nobody.

    SEE shows that it exists and how it does, READ its data.
    """

    SEE = "see"
    READ = "read"
    RUN = "run"
    EDIT = "edit"

    def includes(self, other: "SourceVerb") -> bool:
        """Whether this one allows all that the other does."""
        order = list(SourceVerb)
        return order.index(self) >= order.index(other)


class SourceRecord(Resource):
    """A source as its owners define it: what is stored. Runs never change it, so an edit never meets one."""

    resource: ClassVar[str] = "source"
    prefix: ClassVar[str] = "src"

    name: str
    description: str = ""
    owner: str = Field(default="", description="Who answers for it: a person or a team.")
    purpose: str = Field(default="", description="What the data may be used for.")
    consent: str = Field(default="", description="On what ground it is collected.")
    collector: Collector
    policy: CollectionPolicy = CollectionPolicy()
    secrets: list[SecretName] = Field(default=[], description="The names of those that are set.")


class SourceHealth(Contract):
    """How a source does; a row beside its definition, which the runs and the schedule change."""

    status: SourceStatus = SourceStatus.ACTIVE
    status_reason: str | None = None
    running_job_id: str | None = Field(default=None, description="The run whose end was not seen yet.")
    last_job_id: str | None = None
    last_run_at: AwareDatetime | None = None
    next_run_at: AwareDatetime | None = Field(default=None, description="Null: the schedule starts no run.")


class Source(SourceRecord, SourceHealth):
    """Something to collect from, and how it does. Its datasets are named by its policy."""

    verb: SourceVerb = Field(default=SourceVerb.SEE, description="What the caller may do with it.")


class SourceCreate(Request):
    """Body of POST /v1/sources."""

    name: Name
    collector: Collector
    description: Text = ""
    owner: Text = Field(default="", description="Empty: the API key that makes it.")
    purpose: Text = ""
    consent: Text = ""
    policy: CollectionPolicy = Field(default_factory=CollectionPolicy)


class SourceUpdate(Request):
    """Body of PATCH /v1/sources/{source}; what is absent stays."""

    description: Text | None = None
    owner: Text | None = None
    purpose: Text | None = None
    consent: Text | None = None
    collector: Collector | None = None
    policy: CollectionPolicy | None = None


class SourceGrant(Contract):
    """Who else may do what with a source: one API key of its workspace whose role would not let it, or a workspace.

    In another workspace a grant is bounded by the key's role there: viewers read, collectors run, developers edit.
    """

    source_id: str
    grantee: str = Field(description="Id of a workspace or of an API key.")
    verb: SourceVerb
    granted_by: str
    granted_at: AwareDatetime


class SourceGrantCreate(Request):
    """Body of PUT /v1/sources/{source}/grants/{grantee}."""

    verb: SourceVerb


class SecretValue(Request):
    """Body of PUT /v1/sources/{source}/secrets/{secret}. No answer ever holds it."""

    value: str = Field(min_length=1, max_length=10_000, repr=False)


class SourceState(Contract):
    """Where collecting goes on: what the collector left, and the largest value of every cursor. It is written after
    the data that it speaks of is durable, in the transaction that makes it a version's."""

    streams: dict[str, dict[str, JsonScalar]] = {}
    collector: dict[str, object] = {}


class RunCreate(Request):
    """Body of POST /v1/sources/{source}/runs."""

    streams: list[StreamName] | None = Field(default=None, min_length=1, max_length=200, description="Null: all.")
    full_refresh: bool = Field(strict=True, default=False, description="Begin anew, as if there were no state.")


class CollectSpec(Request):
    """Reads a source once. Submitted by POST /v1/sources/{source}/runs and by the schedule only."""

    kind: Literal[JobKind.COLLECT] = JobKind.COLLECT
    source: Id
    streams: list[StreamName] | None = Field(default=None, max_length=200, description="Null: all.")
    full_refresh: bool = False


class WebhookAddress(Contract):
    """Where others send the records of a webhook source, and the secret that signs them, which is shown once.

    Signed as standardwebhooks.com says: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64>`.
    """

    path: str = Field(description="Below the API's address.", examples=["/v1/webhooks/ws_.../src_..."])
    secret: str = Field(description="`whsec_` and the key in base64.")


class SourceDataset(Contract):
    """A dataset that a source fills."""

    stream: str
    dataset_id: str
    dataset_name: str
    latest_version: int | None = None


class LineageModel(Contract):
    """A model version whose training read a dataset or what was prepared of it, or that was made of one that did."""

    model_name: str
    number: int
    job_id: str
    dataset_versions: dict[str, int] = Field(default={}, description="By channel; none where a parent read it.")
    through: list[str] = Field(default=[], description="Data that were prepared of it, and which the training read.")
    parents: list[str] = []


class DatasetLineage(Contract):
    """Answer of GET /v1/datasets/{dataset}/lineage: where it comes from, and what was made of it."""

    dataset_id: str
    dataset_name: str
    source_id: str | None = None
    source_name: str | None = Field(default=None, description="Null also where the source was deleted.")
    streams: list[str] = []
    models: list[LineageModel] = []


class SourceLineage(Contract):
    """Answer of GET /v1/sources/{source}/lineage: the datasets that it fills, and the models that were made of them."""

    source_id: str
    source_name: str
    datasets: list[DatasetLineage] = []


_NOT_IN_NAMES = re.compile(r"[^a-z0-9_-]+")


def dataset_name(source: SourceRecord, stream: str) -> str:
    """The dataset that a stream fills: the policy's, else `<source>-<stream>`, or `<source>` where the stream is called
    as the source is."""
    named = source.policy.streams.get(stream)
    if named is not None and named.dataset is not None:
        return named.dataset
    words = _NOT_IN_NAMES.sub("-", stream.lower()).strip("-_")
    return source.name if words in ("", source.name) else f"{source.name}-{words}"[:63]
