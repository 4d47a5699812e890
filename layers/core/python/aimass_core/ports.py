"""What the use cases need from the outside, as protocols. Adapters implement them; tests use the ones in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from aimass_core.domain.common import Clock, NewId
from aimass_core.domain.compute import Compute as ComputeRequest
from aimass_core.domain.compute_states import ComputeState as ComputeState  # noqa: PLC0414 - part of the port
from aimass_core.domain.engines import HostState
from aimass_core.domain.keys import RowKey
from aimass_core.domain.queries import QueryColumn, QueryStatus
from aimass_core.domain.settings.contract import SettingsT
from aimass_core.domain.spark_runs import SparkStatus
from aimass_core.domain.tables import TableDefinition, TableName

if TYPE_CHECKING:
    # NOTE: the kinds of jobs and studies take a third of a second to import, and most functions have no use for them.
    from aimass_core.domain.jobs import LogLine
    from aimass_core.domain.studies import Trial

# --- registry --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One item of the registry. `data` is JSON; `resource`, `status` and `at` feed the stream filters and gsi1."""

    key: RowKey
    data: Mapping[str, Any]
    revision: int
    resource: str | None = None
    status: str | None = None
    at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Writes a row if the stored revision is `expected` (None: the row must not exist)."""

    row: Row
    expected: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Deletes a row if the stored revision is `expected`."""

    key: RowKey
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Requires that a row exists at `expected` (None: that it does not exist)."""

    key: RowKey
    expected: int | None


Write = Put | Delete | Check


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPage:
    """A part of a query; `next_start` is the sort key to go on after, None at the end."""

    rows: Sequence[Row]
    next_start: str | None


class WriteConflictError(Exception):
    """A condition of a write did not hold; nothing was written. `failed` are the indexes of the writes."""

    def __init__(self, failed: Sequence[int]) -> None:
        super().__init__(f"condition failed for writes {list(failed)}")
        self.failed = tuple(failed)


class Registry(Protocol):
    """The one table. Every write is conditional; several writes are one transaction (at most 100)."""

    def get(self, key: RowKey) -> Row | None:
        """Strongly consistent."""

    def write(self, *writes: Write) -> None:
        """All or nothing. Raises WriteConflictError. Safe to repeat after an answer was lost: a Put whose row is
        already stored exactly as asked, or a Delete whose row is gone, is not a conflict.
        (Rows of two writers differ by `updated_at`; one who writes rows without it must make them differ.)"""

    def query(
        self, partition: str, prefix: str, *, limit: int, start: str | None = None, newest_first: bool = False
    ) -> RowPage:
        """Rows of a partition whose sort key begins with the prefix ("": all), in its order, after `start`."""

    def query_status(self, partition: str, *, before: datetime | None = None, limit: int) -> Sequence[Row]:
        """Rows of a gsi1 partition (`keys.status_partition`), oldest `at` first. Eventually consistent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterRow:
    """Sums under one key. `data` says what they are of; it is written with the first of them and does not change."""

    key: RowKey
    data: Mapping[str, Any]
    amounts: Mapping[str, int]


class Counters(Protocol):
    """Sums that many processes add to at the same time. They lie beside the registry's rows, in partitions of their
    own (`keys.counters_partition`)."""

    def add(self, row: CounterRow, *, resource: str, expires_at: datetime) -> None:
        """Atomic, each amount for itself. NOTE: a repeat after a lost answer counts twice."""

    def query(self, partition: str, *, first: str, last: str) -> Sequence[CounterRow]:
        """Rows of a partition whose sort key is from `first` to `last`, both included, in its order."""


# --- blobs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """What HEAD tells of an object. `sha256` is hex, where S3 knows it."""

    key: str
    num_bytes: int
    etag: str
    modified_at: datetime
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedUrl:
    """A presigned request."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part of a multipart upload that has arrived."""

    number: int
    num_bytes: int
    etag: str


class BlobNotFoundError(Exception):
    """There is no object with that key."""


class BlobStore(Protocol):
    """One bucket. Reads raise BlobNotFoundError."""

    @property
    def bucket(self) -> str:
        """Its name."""

    @property
    def endpoint_url(self) -> str | None:
        """Where S3 answers; None where there is no network."""

    def get(self, key: str) -> bytes:
        """The whole object; for small ones."""

    def read(self, key: str) -> tuple[BlobInfo, bytes]:
        """The whole of a small object, and what HEAD tells of it, by one request."""

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> BlobInfo:
        """Writes (and replaces) an object; S3 checks its SHA-256."""

    def head(self, key: str) -> BlobInfo | None:
        """None where it does not exist."""

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """Every object under a prefix, page by page."""

    def delete(self, key: str) -> None:
        """Idempotent."""

    def delete_all(self, prefix: str) -> int:
        """Every object under a prefix, many by one request. Returns how many."""

    def copy(self, source_key: str, key: str) -> None:
        """Inside the bucket, without the bytes passing through here."""

    def download(self, key: str, path: Path) -> None:
        """To a file, streaming."""

    def upload(self, path: Path, key: str, *, content_type: str = "application/octet-stream") -> BlobInfo:
        """From a file, streaming, with its SHA-256 checked by S3."""

    def sign_get(self, key: str, *, expires_seconds: int, download_name: str | None = None) -> str:
        """A URL that reads one object, always as an attachment."""

    def sign_put(self, key: str, *, num_bytes: int, sha256: str, expires_seconds: int) -> SignedUrl:
        """A PUT of exactly these bytes, once: length, SHA-256 and If-None-Match are signed."""

    def create_multipart(self, key: str) -> str:
        """Starts a multipart upload; returns its id."""

    def sign_part(self, key: str, multipart_id: str, number: int, *, num_bytes: int, expires_seconds: int) -> SignedUrl:
        """A PUT of one part."""

    def list_parts(self, key: str, multipart_id: str) -> Sequence[StoredPart]:
        """The parts that have arrived. Raises BlobNotFoundError where the upload is gone."""

    def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[StoredPart]) -> BlobInfo:
        """Makes the object; idempotent where it has been made by this upload."""

    def abort_multipart(self, key: str, multipart_id: str) -> None:
        """Idempotent."""


# --- compute ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One container job. `name` is unique per job of ours, so a lost answer is found by listing; `prefix` is its place
    in the lake. `num_workers` is of a study or a batch prediction: so many containers, of which each is tried again for
    itself, also where it was killed. What becomes of worker 0 becomes of the job. `max_attempts` holds on Batch; None:
    as the job definition says."""

    name: str
    kind: str
    environment: Mapping[str, str]
    compute: ComputeRequest
    max_seconds: int
    prefix: str
    num_workers: int | None = None
    max_attempts: int | None = None


class Compute(Protocol):
    """Runs containers: AWS Batch, SageMaker Training."""

    def submit(self, submission: Submission) -> str:
        """Returns the compute service's own id. Raises UnavailableError when throttled, so that it is tried again,
        and InvalidRequestError where it will never be accepted."""

    def find(self, name: str) -> str | None:
        """The id of the job of that name, if it was submitted."""

    def describe(self, compute_job_ids: Sequence[str]) -> Sequence[ComputeState]:
        """The states of those that are still known."""

    def terminate(self, compute_job_id: str, *, reason: str) -> None:
        """Idempotent; stops the whole process tree."""


class Logs(Protocol):
    """Reads the logs of containers."""

    def read(self, stream: str, *, cursor: str | None, limit: int) -> "tuple[Sequence[LogLine], str | None]":
        """Lines from the oldest on, and a cursor to go on with (also at the present end)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLine:
    """A line of a log as it was written. `source` is a function's name, or `job`; `stream` is its log stream."""

    at: datetime
    source: str
    stream: str
    text: str


class LogSearch(Protocol):
    """Searches the logs of all functions, and of containers, at once."""

    def search(
        self,
        *,
        functions: Sequence[str],
        streams: Sequence[str] = (),
        containing: Sequence[Sequence[str]] = (),
        text: str | None = None,
        since: datetime,
        until: datetime,
        limit: int,
    ) -> Sequence[FoundLine]:
        """Lines from `since` to `until`, both included, newest first.

        Args:
            functions: short names of functions, as in functions/.
            streams: of containers, of which all lines are wanted, whatever `containing` says.
            containing: of each of these, a function's line has one.
            text: a line has it, in upper or lower case.
        """


# --- the platform itself ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFigures:
    """What a function did; None where nobody has counted."""

    num_invocations: int | None = None
    num_errors: int | None = None
    num_throttles: int | None = None
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """SQS's own counts, which are approximate."""

    num_waiting: int
    num_in_flight: int
    oldest_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueueState:
    """Batch's words about its queue."""

    state: str
    status: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedAlarm:
    """An alarm of CloudWatch in the state ALARM."""

    name: str
    description: str
    since: datetime | None


class Watch(Protocol):
    """What CloudWatch, SQS and Batch know of the platform's own parts."""

    def list_functions(self) -> Sequence[str]:
        """Short names, as in functions/."""

    def measure_functions(self) -> Mapping[str, FunctionFigures]:
        """Of the last hour, by short name. Cached for some seconds: CloudWatch charges for each figure."""

    def measure_queue(self) -> QueueFigures:
        """The ingest queue."""

    def read_job_queue(self) -> JobQueueState | None:
        """Of all queues that of one which does not work, if any; None where Batch knows of none."""

    def list_alarms(self) -> Sequence[RaisedAlarm]:
        """Those of ours that are raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message of a dead-letter queue. `receipt` lets it be deleted or given back, for as long as it is hidden."""

    id: str
    receipt: str
    body: str
    sent_at: datetime
    attributes: Mapping[str, str]


class DeadLetterStore(Protocol):
    """The queues of what could not be processed, by their names in `DeadLetterQueue`."""

    def measure(self, queue: str) -> QueueFigures:
        """How many there are."""

    def take(self, queue: str, *, limit: int) -> Sequence[Letter]:
        """Messages, which nobody else sees for half a minute; fewer than there are where somebody else looks."""

    def give_back(self, queue: str, letters: Sequence[Letter]) -> None:
        """At once."""

    def send_again(self, queue: str, letter: Letter) -> None:
        """To whom it was sent first, who must be able to take it twice. What tells of rows of the registry without
        naming them lets the reconciler look for them now."""

    def delete(self, queue: str, letter: Letter) -> None:
        """For good. Idempotent."""


# --- studies ---------------------------------------------------------------------------------------------------------


class Trials(Protocol):
    """What the workers of studies have written: they name a study by its id."""

    def list_trials(
        self, workspace_id: str, study_id: str, *, limit: int, start: int = 0
    ) -> "tuple[Sequence[Trial], int | None]":
        """Trials from number `start` on, in their order, and the number to go on from; None at the end.

        A study that no worker has begun has none.
        """

    def delete_study(self, workspace_id: str, study_id: str) -> None:
        """With all its trials. Idempotent."""

    def delete_workspace(self, workspace_id: str) -> int:
        """All studies, also those whose rows are gone from the registry. Returns how many. Idempotent."""


# --- SQL -------------------------------------------------------------------------------------------------------------


class Catalog(Protocol):
    """Tables as Hive knows them: Glue."""

    def put(self, definition: TableDefinition) -> None:
        """Makes the table, in place of one of that name of another dataset or content. Idempotent; a table has a digest
        only once all its files are in it. Raises InvalidRequestError where the catalogue will never take it."""

    def find(self, name: TableName, *, dataset_id: str) -> str | None:
        """The digest of the version that the table is complete of; None where there is none, or another dataset's."""

    def drop(self, name: TableName, *, dataset_id: str) -> None:
        """Idempotent; leaves a table that has become another dataset's."""

    def drop_database(self, database: str) -> bool:
        """With all its tables. Returns whether it was there. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How far a query is. `reason` is the engine's own message where it failed."""

    status: QueryStatus
    reason: str | None = None
    scanned_bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPage:
    """A part of a query's rows, each value as the engine writes it (None: null)."""

    columns: Sequence[QueryColumn]
    rows: Sequence[Sequence[str | None]]
    next_start: str | None


class QueryEngine(Protocol):
    """Runs SELECTs over the catalogue: Athena. Rows lie in the lake (`keys.query_output`) once a query SUCCEEDED."""

    def start(self, sql: str, *, database: str, token: str) -> str:
        """Returns the execution's id; the same for the same token. Raises InvalidRequestError with what it says of
        SQL that it does not understand."""

    def describe(self, execution_id: str) -> Execution:
        """How far it is."""

    def stop(self, execution_id: str) -> None:
        """Idempotent."""

    def read(self, execution_id: str, *, limit: int, start: str | None = None) -> ResultPage:
        """Rows of a query that SUCCEEDED; at most 999 at once."""


# --- Spark -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkSubmission:
    """One run of a program in Python. `program`, `folder` and `reads` are of the lake: a key, the prefix that the run
    is given as its argument, where alone it may write, and the prefixes that it may read beside that."""

    name: str
    token: str
    program: str
    folder: str
    reads: Sequence[str]
    max_seconds: int
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkRun:
    """How far a run is. `reason` is the service's own word; the hours are what it has billed, once it knows."""

    status: SparkStatus
    reason: str
    vcpu_hours: float | None = None
    memory_gb_hours: float | None = None


class Spark(Protocol):
    """Runs programs on Spark: EMR Serverless."""

    def start(self, submission: SparkSubmission) -> str:
        """Returns the run's id; the same for the same token, whatever has become of it. Raises UnavailableError where
        it may be tried again, and InvalidRequestError where the service will never take it."""

    def describe(self, run_id: str) -> SparkRun:
        """How far it is."""

    def cancel(self, run_id: str) -> None:
        """Idempotent; nothing happens to a run that has ended."""


# --- the other parts -------------------------------------------------------------------------------------------------


class Queue(Protocol):
    """A queue of messages of our own."""

    def send(self, message: Mapping[str, Any], *, delay_seconds: int = 0) -> None:
        """At least once, not before the delay (at most 900 s)."""


class Predictor(Protocol):
    """Calls the predictions function, as the platform itself."""

    def predict(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Sends an invocation payload and returns the answer's payload."""

    def start(self, payload: Mapping[str, Any]) -> None:
        """Sends one without waiting for an answer; it is tried again where the function breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Containers that answer with one model version, whose artifacts lie under `prefix` of the lake."""

    name: str
    prefix: str
    instance_type: str
    instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAnswer:
    """What a container answered: status, type and body are its own."""

    status: int
    content_type: str
    content: bytes


class Hosting(Protocol):
    """Containers that are there all the time: SageMaker's endpoints."""

    def create(self, host: Host) -> None:
        """Idempotent. Raises UnavailableError when throttled or out of quota, so that it is tried again, and
        InvalidRequestError where it will never be accepted."""

    def find(self, name: str) -> HostState | None:
        """None where there is none, or where it is being deleted."""

    def list(self) -> Iterator[HostState]:
        """Every host of this platform."""

    def delete(self, name: str) -> None:
        """Idempotent; while it is still starting too."""

    def ask(self, name: str, body: bytes, *, content_type: str, attributes: str | None = None) -> HostAnswer:
        """One request to one of its containers, with SageMaker's custom attributes. Raises UnavailableError where none
        answers, DeadlineExceededError."""


class Previewer(Protocol):
    """Calls the previews function."""

    def preview(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Sends a PreviewRequest; `preview` of the answer is a Preview, `error` has a code and a message."""


class LiveSettings(Protocol):
    """Settings of subsystems, by workspace."""

    @property
    def deployment(self) -> Mapping[str, Mapping[str, Any]]:
        """What whoever deployed the platform has said, by subsystem and field."""

    def get(self, cls: type[SettingsT], workspace_id: str) -> SettingsT:
        """As they hold now, or held some seconds ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierAnswer:
    """What somebody else's server answered: its status, the beginning of its body, and when to come again."""

    status: int
    text: str = ""
    retry_after_seconds: float | None = None


class Courier(Protocol):
    """Brings messages to servers of others, whose addresses users have written."""

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> CourierAnswer:
        """One POST, to an address that was judged and no other; nothing is followed. Raises InvalidRequestError where
        that is not public, UnavailableError where nobody answers in time."""

    def check(self, url: str) -> None:
        """Raises what `post` would where it cannot be brought there at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file of an e-mail."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """An e-mail from the deployment's own address."""

    to: Sequence[str]
    subject: str
    text: str
    attachments: Sequence[Attachment] = ()


class Mailer(Protocol):
    """Sends e-mails: SES."""

    def send(self, mail: Mail) -> str:
        """Returns its id. Raises ConflictError where the deployment has no address to send from, InvalidRequestError
        where it is refused, UnavailableError."""

    def check(self) -> None:
        """Raises ConflictError where the deployment has no address to send from."""


class SecretNotFoundError(Exception):
    """There is no secret of that name."""


class Secrets(Protocol):
    """Secrets of the deployment, and those that users set for their sources. Nobody but the parts that need one may
    read it: who may do what is in the role of each."""

    def get(self, name: str, *, fresh: bool = False) -> str:
        """Cached for some minutes, unless it is asked for `fresh`. Raises SecretNotFoundError."""

    def put(self, name: str, value: str) -> None:
        """Makes a secret or gives it another value."""

    def delete(self, name: str) -> None:
        """At once and for good. Idempotent."""

    def list(self, prefix: str) -> Sequence[str]:
        """The names of those that begin so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityTokens:
    """What the identity provider gives who signs in. The access token is a JWT (RS256); it says nothing of rights."""

    access_token: str
    refresh_token: str
    expires_in: int


class AccountExistsError(Exception):
    """There is an account with that e-mail address."""


class Identity(Protocol):
    """Accounts of people, and the keys that their tokens are signed with: a Cognito user pool.

    Wrong credentials raise UnauthenticatedError, always with the same words; a password that its policy refuses
    InvalidRequestError.
    """

    @property
    def issuer(self) -> str:
        """`iss` of its tokens."""

    @property
    def client_id(self) -> str:
        """Of the tokens that are meant for us."""

    def keys(self, *, fresh: bool = False) -> Mapping[str, Mapping[str, Any]]:
        """Its public keys (JWK) by their id. Cached for an hour; `fresh` asks again, but at most once a minute."""

    def create(self, email: str, password: str) -> str:
        """An account, ready to sign in; returns its subject. Raises AccountExistsError."""

    def find(self, email: str) -> str | None:
        """The subject of the account with that address."""

    def set_password(self, subject: str, password: str) -> None:
        """In place of the one it has."""

    def delete(self, subject: str) -> None:
        """Idempotent."""

    def sign_in(
        self, email: str, password: str, *, new_password: str | None = None, second_factor: str | None = None
    ) -> IdentityTokens:
        """Raises NewPasswordRequiredError where the password holds for one sign-in only and no new one is given,
        SecondFactorRequiredError where the account has one and no code is given."""

    def begin_second_factor(self, access_token: str) -> str:
        """The secret (Base32) that an authenticator makes codes of: TOTP, RFC 6238, six digits, 30 s."""

    def confirm_second_factor(self, subject: str, access_token: str, code: str) -> None:
        """Asked for from now on. Raises InvalidRequestError where the code is not one of the secret's."""

    def end_second_factor(self, subject: str) -> None:
        """Idempotent."""

    def refresh(self, refresh_token: str) -> IdentityTokens:
        """A new access token; the refresh token stays."""


class Ports(Protocol):
    """Everything, as `bootstrap` builds it; each member is made when it is first used."""

    @property
    def registry(self) -> Registry: ...
    @property
    def counters(self) -> Counters: ...
    @property
    def landing(self) -> BlobStore: ...
    @property
    def lake(self) -> BlobStore: ...
    @property
    def compute(self) -> Compute: ...
    @property
    def logs(self) -> Logs: ...
    @property
    def sagemaker(self) -> Compute: ...
    @property
    def sagemaker_logs(self) -> Logs: ...
    @property
    def log_search(self) -> LogSearch: ...
    @property
    def watch(self) -> Watch: ...
    @property
    def dead_letters(self) -> DeadLetterStore: ...
    @property
    def trials(self) -> Trials: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def query_engine(self) -> QueryEngine: ...
    @property
    def spark(self) -> Spark: ...
    @property
    def ingest_queue(self) -> Queue: ...
    @property
    def notification_queue(self) -> Queue: ...
    @property
    def courier(self) -> Courier: ...
    @property
    def mailer(self) -> Mailer: ...
    @property
    def predictor(self) -> Predictor: ...
    @property
    def hosting(self) -> Hosting: ...
    @property
    def previewer(self) -> Previewer: ...
    @property
    def secrets(self) -> Secrets: ...
    @property
    def live_settings(self) -> LiveSettings: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def new_id(self) -> NewId: ...
