"""Every port in memory: for unit tests, simulations and notebooks. Same contracts as on AWS, no sockets."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from aimass_core.adapters.live_settings import StoredSettings
from aimass_core.adapters.memory_hosting import MemoryHosting
from aimass_core.adapters.memory_identity import MemoryIdentity
from aimass_core.adapters.memory_operations import MemoryDeadLetters, MemoryLogSearch, MemoryWatch
from aimass_core.adapters.memory_spark import MemorySpark
from aimass_core.adapters.storable import check_storable
from aimass_core.domain import keys
from aimass_core.domain.common import Clock, NewId, new_id, utc_now
from aimass_core.domain.jobs import JobStatus, LogLine
from aimass_core.domain.queries import QueryColumn, QueryStatus
from aimass_core.domain.studies import Trial
from aimass_core.domain.tables import TableDefinition, TableName
from aimass_core.ports import (
    BlobInfo,
    BlobNotFoundError,
    Check,
    ComputeState,
    CounterRow,
    CourierAnswer,
    Delete,
    Execution,
    Mail,
    Put,
    QueryEngine,
    ResultPage,
    Row,
    RowPage,
    SecretNotFoundError,
    SignedUrl,
    StoredPart,
    Submission,
    Write,
    WriteConflictError,
)


class MemoryRegistry:
    """A dict of rows."""

    def __init__(self) -> None:
        self._rows: dict[keys.RowKey, Row] = {}
        self._lock = threading.Lock()

    def get(self, key: keys.RowKey) -> Row | None:
        """See Registry."""
        return self._rows.get(key)

    def write(self, *writes: Write) -> None:
        """See Registry."""
        for write in writes:
            if isinstance(write, Put):
                check_storable(write.row.data)
        with self._lock:
            failed = [index for index, write in enumerate(writes) if not self._holds(write)]
            if failed:
                raise WriteConflictError(failed)
            for write in writes:
                if isinstance(write, Put):
                    self._rows[write.row.key] = write.row
                elif not isinstance(write, Check):
                    self._rows.pop(write.key, None)

    def _holds(self, write: Write) -> bool:
        stored = self._rows.get(write.row.key if isinstance(write, Put) else write.key)
        if isinstance(write, Put) and stored == write.row:
            return True
        if isinstance(write, Delete) and stored is None:
            return True
        return (None if stored is None else stored.revision) == write.expected

    def query(
        self, partition: str, prefix: str, *, limit: int, start: str | None = None, newest_first: bool = False
    ) -> RowPage:
        """See Registry."""
        sorts = sorted(
            (key.sort for key in self._rows if key.partition == partition and key.sort.startswith(prefix)),
            reverse=newest_first,
        )
        if start is not None:
            sorts = [sort for sort in sorts if (sort < start if newest_first else sort > start)]
        found = sorts[:limit]
        return RowPage(
            rows=[self._rows[keys.RowKey(partition, sort)] for sort in found],
            next_start=found[-1] if len(sorts) > limit else None,
        )

    def query_status(self, partition: str, *, before: datetime | None = None, limit: int) -> Sequence[Row]:
        """See Registry."""
        return first_of_status(
            [row for row in self._rows.values() if status_of(row) == partition], before=before, limit=limit
        )


def status_of(row: Row) -> str | None:
    """The partition of the index that the row lies in."""
    return keys.status_partition(row.resource, row.status) if row.resource and row.status and row.at else None


def first_of_status(rows: list[Row], *, before: datetime | None, limit: int) -> Sequence[Row]:
    """Of a partition of the index the first rows, by time."""
    rows.sort(key=lambda row: (row.at, row.key.sort))
    return [row for row in rows if before is None or (row.at is not None and row.at < before)][:limit]


class MemoryCounters:
    """A dict of sums."""

    def __init__(self) -> None:
        self._rows: dict[keys.RowKey, CounterRow] = {}
        self._lock = threading.Lock()

    def add(self, row: CounterRow, *, resource: str, expires_at: datetime) -> None:  # noqa: ARG002
        """See Counters."""
        with self._lock:
            stored = self._rows.get(row.key)
            amounts = dict(stored.amounts) if stored else {}
            for name, amount in row.amounts.items():
                amounts[name] = amounts.get(name, 0) + amount
            self._rows[row.key] = CounterRow(key=row.key, data=stored.data if stored else row.data, amounts=amounts)

    def query(self, partition: str, *, first: str, last: str) -> Sequence[CounterRow]:
        """See Counters."""
        found = [row for key, row in self._rows.items() if key.partition == partition and first <= key.sort <= last]
        return sorted(found, key=lambda row: row.key.sort)


@dataclass
class _Blob:
    body: bytes
    info: BlobInfo


class MemoryBlobStore:
    """A dict of bytes. Signed URLs have the scheme memory: and are redeemed with `redeem`."""

    def __init__(self, bucket: str, *, clock: Clock = utc_now) -> None:
        self._bucket, self._clock = bucket, clock
        self._blobs: dict[str, _Blob] = {}
        self._parts: dict[tuple[str, str], dict[int, bytes]] = {}

    @property
    def bucket(self) -> str:
        """See BlobStore."""
        return self._bucket

    @property
    def endpoint_url(self) -> str | None:
        """See BlobStore."""
        return None

    def get(self, key: str) -> bytes:
        """See BlobStore."""
        return self._find(key).body

    def read(self, key: str) -> tuple[BlobInfo, bytes]:
        """See BlobStore."""
        body = self._find(key).body
        return self._info(key), body

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> BlobInfo:  # noqa: ARG002
        """See BlobStore."""
        return self._store(key, body)

    def head(self, key: str) -> BlobInfo | None:
        """See BlobStore."""
        return self._info(key) if key in self._blobs else None

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """See BlobStore."""
        yield from [self._info(key) for key in sorted(self._blobs) if key.startswith(prefix)]

    def delete(self, key: str) -> None:
        """See BlobStore."""
        self._blobs.pop(key, None)

    def delete_all(self, prefix: str) -> int:
        """See BlobStore."""
        doomed = [key for key in self._blobs if key.startswith(prefix)]
        for key in doomed:
            del self._blobs[key]
        return len(doomed)

    def copy(self, source_key: str, key: str) -> None:
        """See BlobStore."""
        self._store(key, self._find(source_key).body)

    def download(self, key: str, path: Path) -> None:
        """See BlobStore."""
        path.write_bytes(self.get(key))

    def upload(self, path: Path, key: str, *, content_type: str = "application/octet-stream") -> BlobInfo:
        """See BlobStore."""
        return self.put(key, path.read_bytes(), content_type=content_type)

    def sign_get(self, key: str, *, expires_seconds: int, download_name: str | None = None) -> str:  # noqa: ARG002
        """See BlobStore."""
        return f"memory://{self._bucket}/{key}"

    def sign_put(self, key: str, *, num_bytes: int, sha256: str, expires_seconds: int) -> SignedUrl:  # noqa: ARG002
        """See BlobStore."""
        headers = {
            "content-length": str(num_bytes),
            "if-none-match": "*",
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
        }
        return SignedUrl(method="PUT", url=f"memory://{self._bucket}/{key}", headers=headers)

    def redeem(self, signed: SignedUrl, body: bytes) -> int:
        """What a client's PUT with a signed request does; the HTTP status that S3 would answer."""
        address = signed.url.removeprefix(f"memory://{self._bucket}/")
        key, _, part = address.partition("?uploadId=")
        if len(body) != int(signed.headers["content-length"]):
            return 403
        if part:
            multipart_id, _, number = part.partition("&partNumber=")
            self.redeem_part(key, multipart_id, int(number), body)
            return 200
        if address in self._blobs:
            return 412
        if base64.b64encode(hashlib.sha256(body).digest()).decode() != signed.headers["x-amz-checksum-sha256"]:
            return 400
        self.put(address, body)
        return 200

    def create_multipart(self, key: str) -> str:
        """See BlobStore."""
        multipart_id = f"mpu-{len(self._parts)}"
        self._parts[key, multipart_id] = {}
        return multipart_id

    def sign_part(
        self,
        key: str,
        multipart_id: str,
        number: int,
        *,
        num_bytes: int,
        expires_seconds: int,  # noqa: ARG002
    ) -> SignedUrl:
        """See BlobStore."""
        url = f"memory://{self._bucket}/{key}?uploadId={multipart_id}&partNumber={number}"
        return SignedUrl(method="PUT", url=url, headers={"content-length": str(num_bytes)})

    def redeem_part(self, key: str, multipart_id: str, number: int, body: bytes) -> None:
        """What a client's PUT of a part does."""
        self._parts[key, multipart_id][number] = body

    def list_parts(self, key: str, multipart_id: str) -> Sequence[StoredPart]:
        """See BlobStore."""
        if (key, multipart_id) not in self._parts:
            raise BlobNotFoundError(key)
        return [
            StoredPart(number=number, num_bytes=len(body), etag=_etag(body))
            for number, body in sorted(self._parts[key, multipart_id].items())
        ]

    def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[StoredPart]) -> BlobInfo:
        """See BlobStore."""
        stored = self._parts.pop((key, multipart_id), None)
        if stored is None:
            return self._info(key)
        return self.put(key, b"".join(stored[part.number] for part in parts))

    def abort_multipart(self, key: str, multipart_id: str) -> None:
        """See BlobStore."""
        self._parts.pop((key, multipart_id), None)

    def _store(self, key: str, body: bytes) -> BlobInfo:
        info = BlobInfo(
            key=key,
            num_bytes=len(body),
            etag=_etag(body),
            modified_at=self._clock(),
            sha256=hashlib.sha256(body).hexdigest(),
        )
        self._blobs[key] = _Blob(body, info)
        return info

    def _find(self, key: str) -> _Blob:
        if key not in self._blobs:
            raise BlobNotFoundError(key)
        return self._blobs[key]

    def _info(self, key: str) -> BlobInfo:
        return self._find(key).info


def _etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


class MemoryCompute:
    """Accepts submissions and lets a test move them on with `set_state`."""

    def __init__(self) -> None:
        self.submissions: dict[str, Submission] = {}
        self.states: dict[str, ComputeState] = {}

    def submit(self, submission: Submission) -> str:
        """See Compute."""
        compute_job_id = f"compute-{len(self.submissions)}"
        self.submissions[compute_job_id] = submission
        self.set_state(compute_job_id, JobStatus.QUEUED)
        return compute_job_id

    def set_state(
        self,
        compute_job_id: str,
        status: JobStatus,
        *,
        reason: str | None = None,
        exit_code: int | None = None,
        attempt: int = 1,
    ) -> ComputeState:
        """What the compute service would do."""
        self.states[compute_job_id] = ComputeState(
            compute_job_id=compute_job_id,
            name=self.submissions[compute_job_id].name,
            status=status,
            reason=reason,
            exit_code=exit_code,
            attempt=attempt,
            log_stream=f"memory/{compute_job_id}/{attempt}",
        )
        return self.states[compute_job_id]

    def find(self, name: str) -> str | None:
        """See Compute."""
        return next((key for key, submission in self.submissions.items() if submission.name == name), None)

    def describe(self, compute_job_ids: Sequence[str]) -> Sequence[ComputeState]:
        """See Compute."""
        return [self.states[key] for key in compute_job_ids if key in self.states]

    def terminate(self, compute_job_id: str, *, reason: str) -> None:
        """See Compute."""
        if not self.states[compute_job_id].status.is_terminal:
            self.set_state(compute_job_id, JobStatus.FAILED, reason=reason, exit_code=143)


class MemoryLogs:
    """Lines by stream."""

    def __init__(self) -> None:
        self.lines: dict[str, list[LogLine]] = {}

    def read(self, stream: str, *, cursor: str | None, limit: int) -> tuple[Sequence[LogLine], str | None]:
        """See Logs."""
        start = int(cursor or 0)
        found = self.lines.get(stream, [])[start : start + limit]
        return found, str(start + len(found))


class MemoryTrials:
    """Trials by workspace and study, as a test puts them there."""

    def __init__(self) -> None:
        self.trials: dict[tuple[str, str], list[Trial]] = {}

    def list_trials(
        self, workspace_id: str, study_id: str, *, limit: int, start: int = 0
    ) -> tuple[Sequence[Trial], int | None]:
        """See Trials."""
        found = [trial for trial in self.trials.get((workspace_id, study_id), []) if trial.number >= start]
        return found[:limit], found[limit].number if len(found) > limit else None

    def delete_study(self, workspace_id: str, study_id: str) -> None:
        """See Trials."""
        self.trials.pop((workspace_id, study_id), None)

    def delete_workspace(self, workspace_id: str) -> int:
        """See Trials."""
        doomed = [key for key in self.trials if key[0] == workspace_id]
        for key in doomed:
            del self.trials[key]
        return len(doomed)


class MemoryQueue:
    """Messages in the order in which they were sent, with their delays."""

    def __init__(self) -> None:
        self.messages: list[tuple[Mapping[str, Any], int]] = []

    def send(self, message: Mapping[str, Any], *, delay_seconds: int = 0) -> None:
        """See Queue."""
        self.messages.append((message, delay_seconds))


class MemoryCourier:
    """Keeps what was posted, and answers with a function."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Mapping[str, str], bytes]] = []
        self.answer: Callable[[str], CourierAnswer] = lambda _: CourierAnswer(status=200, text="ok")

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> CourierAnswer:
        """See Courier."""
        self.posts.append((url, headers, body))
        return self.answer(url)

    def check(self, url: str) -> None:
        """See Courier."""


class MemoryMailer:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> str:
        """See Mailer."""
        self.mails.append(mail)
        return f"mail-{len(self.mails)}"

    def check(self) -> None:
        """See Mailer."""


class MemoryCatalog:
    """Tables by name."""

    def __init__(self) -> None:
        self.tables: dict[TableName, TableDefinition] = {}

    def put(self, definition: TableDefinition) -> None:
        """See Catalog."""
        self.tables[definition.name] = definition

    def find(self, name: TableName, *, dataset_id: str) -> str | None:
        """See Catalog."""
        found = self.tables.get(name)
        return found.digest if found is not None and found.dataset_id == dataset_id else None

    def drop(self, name: TableName, *, dataset_id: str) -> None:
        """See Catalog."""
        if name in self.tables and self.tables[name].dataset_id == dataset_id:
            del self.tables[name]

    def drop_database(self, database: str) -> bool:
        """See Catalog."""
        doomed = [name for name in self.tables if name.database == database]
        for name in doomed:
            del self.tables[name]
        return bool(doomed)


class MemoryQueryEngine:
    """Accepts queries and lets a test end them with `set_state`; every answer is one column, `n`."""

    def __init__(self) -> None:
        self.queries: dict[str, str] = {}
        self.executions: dict[str, Execution] = {}
        self.rows: list[list[str | None]] = []
        self._tokens: dict[str, str] = {}

    def start(self, sql: str, *, database: str, token: str) -> str:
        """See QueryEngine."""
        execution_id = self._tokens.setdefault(token, f"{database}-{len(self._tokens)}")
        self.queries.setdefault(execution_id, sql)
        self.executions.setdefault(execution_id, Execution(status=QueryStatus.RUNNING))
        return execution_id

    def set_state(
        self, execution_id: str, status: QueryStatus, *, reason: str | None = None, scanned_bytes: int | None = None
    ) -> None:
        """What the engine would do."""
        self.executions[execution_id] = Execution(status=status, reason=reason, scanned_bytes=scanned_bytes)

    def describe(self, execution_id: str) -> Execution:
        """See QueryEngine."""
        return self.executions[execution_id]

    def stop(self, execution_id: str) -> None:
        """See QueryEngine."""
        if not self.executions[execution_id].status.is_terminal:
            self.set_state(execution_id, QueryStatus.STOPPED, reason="Query was cancelled by user")

    def read(self, execution_id: str, *, limit: int, start: str | None = None) -> ResultPage:  # noqa: ARG002
        """See QueryEngine."""
        first = int(start or 0)
        end = first + limit
        return ResultPage(
            columns=[QueryColumn(name="n", type="bigint")],
            rows=self.rows[first:end],
            next_start=str(end) if end < len(self.rows) else None,
        )


class MemoryPredictor:
    """Answers with a function."""

    def __init__(self, answer: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        self._answer = answer
        self.started: list[Mapping[str, Any]] = []

    def predict(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Predictor."""
        return self._answer(payload)

    def start(self, payload: Mapping[str, Any]) -> None:
        """See Predictor. What was started waits for `run_started`."""
        self.started.append(payload)

    def run_started(self) -> None:
        """Answers what waits."""
        while self.started:
            self._answer(self.started.pop(0))


class MemoryPreviewer:
    """Answers with a function."""

    def __init__(self, answer: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        self._answer = answer

    def preview(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Previewer."""
        return self._answer(payload)


class MemorySecrets:
    """Those that were put; every name of the deployment's own has a secret from the beginning."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, name: str, *, fresh: bool = False) -> str:  # noqa: ARG002 - nothing is cached
        """See Secrets."""
        if name in self.values:
            return self.values[name]
        if "/sources/" in name or "/notification-channels/" in name:
            raise SecretNotFoundError(name)
        return f"secret of {name}"

    def put(self, name: str, value: str) -> None:
        """See Secrets."""
        self.values[name] = value

    def delete(self, name: str) -> None:
        """See Secrets."""
        self.values.pop(name, None)

    def list(self, prefix: str) -> Sequence[str]:
        """See Secrets."""
        return [name for name in self.values if name.startswith(prefix)]


def _no_function(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    raise NotImplementedError(f"give MemoryPorts a function that answers {payload}")


@dataclass(kw_only=True)
class MemoryPorts:
    """All of them. Satisfies `Ports`."""

    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    counters: MemoryCounters = field(default_factory=MemoryCounters)
    landing: MemoryBlobStore = field(default_factory=lambda: MemoryBlobStore("landing"))
    lake: MemoryBlobStore = field(default_factory=lambda: MemoryBlobStore("lake"))
    compute: MemoryCompute = field(default_factory=MemoryCompute)
    logs: MemoryLogs = field(default_factory=MemoryLogs)
    sagemaker: MemoryCompute = field(default_factory=MemoryCompute)
    sagemaker_logs: MemoryLogs = field(default_factory=MemoryLogs)
    log_search: MemoryLogSearch = field(default_factory=MemoryLogSearch)
    watch: MemoryWatch = field(default_factory=MemoryWatch)
    dead_letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)
    trials: MemoryTrials = field(default_factory=MemoryTrials)
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    query_engine: QueryEngine = field(default_factory=MemoryQueryEngine)
    spark: MemorySpark = field(default_factory=MemorySpark)
    ingest_queue: MemoryQueue = field(default_factory=MemoryQueue)
    notification_queue: MemoryQueue = field(default_factory=MemoryQueue)
    courier: MemoryCourier = field(default_factory=MemoryCourier)
    mailer: MemoryMailer = field(default_factory=MemoryMailer)
    predictor: MemoryPredictor = field(default_factory=lambda: MemoryPredictor(_no_function))
    hosting: MemoryHosting = field(default_factory=MemoryHosting)
    previewer: MemoryPreviewer = field(default_factory=lambda: MemoryPreviewer(_no_function))
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    deployment_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    identity: MemoryIdentity = field(default_factory=MemoryIdentity)
    clock: Clock = utc_now
    new_id: NewId = new_id

    @property
    def live_settings(self) -> StoredSettings:
        """Read anew each time."""
        return StoredSettings(lambda: self.registry, deployment=self.deployment_settings, ttl_seconds=0)
