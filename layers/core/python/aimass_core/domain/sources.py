"""Sources: where data is collected from, what may be done with it, and how it is collected."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field, StringConstraints

from aimass_core.domain.collectors import Collector
from aimass_core.domain.common import Contract, Id, JsonScalar, Name, Request, Resource, Text

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=500)]
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
    is_closed: bool = Field(default=False, description="Whether rows that equal the last value come again.")


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


class CollectionPolicy(Request):
    """How a source is collected. All of it may be changed while it runs; the next run follows it."""

    schedule: str | None = Field(
        default=None,
        max_length=100,
        description="`rate(1 hour)` or `cron(0 6 * * ? *)`, as of EventBridge Scheduler, in UTC. Null: by hand.",
    )
    window: str | None = Field(default=None, pattern=r"^\d\d:\d\d-\d\d:\d\d$", description="Hours of UTC, 22:00-06:00.")
    max_requests_per_second: float | None = Field(default=None, gt=0, le=1_000)
    max_rows_per_run: int | None = Field(default=None, ge=1)
    max_rows_per_day: int | None = Field(default=None, ge=1)
    max_bytes_per_run: int | None = Field(default=None, ge=1)
    max_seconds: int = Field(default=900, ge=10, le=86_400, description="Of a run.")
    mode: StreamMode = StreamMode.APPEND
    primary_key: list[ColumnName] = Field(default=[], max_length=20)
    cursor: Cursor | None = None
    contract: SchemaContract = SchemaContract()
    on_violation: OnViolation = OnViolation.QUARANTINE
    allowed_fields: list[ColumnName] | None = Field(default=None, max_length=10_000, description="Null: all.")
    pii: PiiPolicy = PiiPolicy()
    retention_days: int | None = Field(default=None, ge=1, le=36_500, description="Versions older than so are deleted.")
    streams: dict[str, StreamPolicy] = Field(default={}, max_length=200)


class SourceStatus(StrEnum):
    """PAUSED by somebody; DEGRADED after runs that failed, and tried again; AUTH_FAILED until its secret is changed."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DEGRADED = "DEGRADED"
    AUTH_FAILED = "AUTH_FAILED"


class SourceVerb(StrEnum):
    """What a grant allows; each includes those before it. Secrets can be set with EDIT, and read by nobody."""

    SEE = "see"
    READ = "read"
    RUN = "run"
    EDIT = "edit"


class Source(Resource):
    """Something to collect from. Its datasets are named by its policy."""

    resource: ClassVar[str] = "source"
    prefix: ClassVar[str] = "src"

    name: str
    description: str = ""
    owner: str = Field(description="Who answers for it: a person or a team.")
    purpose: str = Field(default="", description="What the data may be used for.")
    consent: str = Field(default="", description="On what ground it is collected.")
    collector: Collector
    policy: CollectionPolicy = CollectionPolicy()
    status: SourceStatus = SourceStatus.ACTIVE
    status_reason: str | None = None
    secrets: list[SecretName] = Field(default=[], description="The names of those that are set.")
    last_job_id: str | None = None
    last_run_at: AwareDatetime | None = None


class SourceCreate(Request):
    """Body of POST /v1/sources."""

    name: Name
    collector: Collector
    description: Text = ""
    owner: Text = ""
    purpose: Text = ""
    consent: Text = ""
    policy: CollectionPolicy = CollectionPolicy()


class SourceGrant(Contract):
    """Who else may do what with a source: one API key of its workspace that its role would not let, or a workspace."""

    source_id: str
    grantee: Id = Field(description="Of a workspace or of an API key.")
    verb: SourceVerb


class SourceState(Contract):
    """Where collecting goes on: what the collector left, and the largest value of every cursor. It is written after
    the data that it speaks of is durable, in the transaction that makes it a version's."""

    streams: dict[str, dict[str, JsonScalar]] = {}
    collector: dict[str, object] = {}
