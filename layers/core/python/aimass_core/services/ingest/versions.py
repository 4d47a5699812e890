"""The life of a dataset version: files land in it, its window closes, one worker claims it, and it ends.

PENDING -> INGESTING -> READY or REJECTED. Every step is one conditional transaction, and a message to the ingest queue
only hints that a step is due: a lost one is found by `close_due`, a repeated one changes nothing.

Beside a version lie the rows LANDED_FILES (what it is made from: those that were taken together, in one row),
LANDED_OBJECT (which version took an object, so that an event that comes three times lands once) and VERSION_LEASE (who
converts it, and how often that was tried).
"""

import contextlib
import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus, LandedFile, Upload, WriteMode
from aimass_core.domain.jobs import Job, JobKind, JobStatus
from aimass_core.errors import ConflictError, NotFoundError, StaleRevisionError, UnavailableError
from aimass_core.ports import Check, Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import platform, records, tables

MAX_ATTEMPTS = 5
_MAX_WRITES = 10
_SCAN_PAGE, _FILE_PAGE = 100, 100
# Each is a row, and a transaction has at most 100: beside them one of the files, and those of a new version.
_MAX_TOGETHER = 90
_GRACE = timedelta(seconds=30)
_RETRY_GRACE = timedelta(minutes=10)
# Who is busy for so long is broken.
_MAX_BUSY = timedelta(days=1)
# By which a container asks to be tried again (`batch_jobs.runtime.exit_codes`).
_GIVEN_BACK_EXIT_CODE = 75
_UNFINISHED = (DatasetVersionStatus.PENDING, DatasetVersionStatus.INGESTING)

_log = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """Another worker has taken the version over; this one's result is not needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to convert a version."""

    version: DatasetVersion
    base_number: int | None
    lease: Row


def close_message(version: DatasetVersion) -> dict[str, Any]:
    """What the ingest queue carries when a version's window should close."""
    return {
        "type": "close_version",
        "workspace_id": version.workspace_id,
        "dataset_id": version.dataset_id,
        "number": version.number,
    }


def open_for_upload(
    ports: Ports, principal: Principal, upload: Upload, landed: LandedFile, *, completed: dict[str, Any]
) -> DatasetVersion:
    """Makes the version of a completed upload, in one transaction with the upload's row.

    Raises StaleRevisionError where the upload was changed meanwhile: read it again.
    """
    for _ in range(_MAX_WRITES):
        dataset = records.get(ports, Dataset, upload.workspace_id, upload.dataset_id)
        version = _new_version(ports, principal, dataset, upload.mode, window_seconds=0)
        writes = _opening_writes(ports, dataset, version, landed)
        try:
            records.save(
                ports,
                upload,
                upload.dataset_id,
                upload.id,
                principal=principal,
                action="upload.complete",
                also=writes,
                **completed,
                dataset_version=version.number,
            )
        except WriteConflictError:
            continue
        ports.ingest_queue.send(close_message(version))
        return version
    raise UnavailableError(f"The dataset {upload.dataset_id!r} changes too quickly. Try again.")


def open_landed(
    ports: Ports,
    principal: Principal,
    dataset: Dataset,
    mode: WriteMode,
    landed: LandedFile,
    *,
    also: Sequence[Write],
) -> DatasetVersion | None:
    """Makes the version of an object that the platform itself has put there, in one transaction with `also`; None where
    a row was changed meanwhile."""
    version = _new_version(ports, principal, dataset, mode, window_seconds=0)
    try:
        ports.registry.write(*_opening_writes(ports, dataset, version, landed), *also)
    except WriteConflictError:
        return None
    ports.ingest_queue.send(close_message(version))
    return version


def land(ports: Ports, dataset_id: str, workspace_id: str, landed: LandedFile) -> DatasetVersion:
    """Takes a dropped file into the version whose window is open, or opens one. Idempotent.

    In a dataset that files are appended to, the same content under the same name is taken once; in one that they
    replace, once for each time that it was written.
    """
    for _ in range(_MAX_WRITES):
        dataset = records.get(ports, Dataset, workspace_id, dataset_id)
        taken = ports.registry.get(_object_key(dataset, landed))
        if taken is not None:
            return records.get(ports, DatasetVersion, workspace_id, dataset_id, int(taken.data["number"]))
        version = _take(ports, dataset, [landed])
        if version is not None:
            return version
    raise UnavailableError(f"The dataset {dataset_id!r} changes too quickly. Try again.")


def open_claimed(
    ports: Ports,
    principal: Principal,
    dataset_id: str,
    mode: WriteMode,
    *,
    key: keys.RowKey,
    job_id: str | None,
    lease_seconds: float,
) -> Claim | None:
    """Opens the version of rows that did not land as files, claimed by the caller: nobody else can finish it.

    Returns None while an append would have to wait for an older version, or while others are faster. `key` is a row
    that leads to the version's number, and of which there is one.
    """
    dataset = records.get(ports, Dataset, principal.workspace_id, dataset_id)
    version = _new_version(ports, principal, dataset, mode, window_seconds=0)
    version = version.model_copy(update={"status": DatasetVersionStatus.INGESTING, "job_id": job_id})
    is_clear, base_number = _find_base(ports, version)
    if not is_clear:
        return None
    lease = _new_lease(ports, version, 1, num_attempts=1, lease_seconds=lease_seconds)
    try:
        ports.registry.write(
            Put(row=Row(key=key, data={"number": version.number}, revision=1)),
            *_version_writes(ports, dataset, version),
            Put(row=lease),
            records.audit(ports, principal, "dataset_version.create", version),
        )
    except WriteConflictError:
        return None
    return Claim(version=version, base_number=base_number, lease=lease)


def land_all(ports: Ports, dataset_id: str, workspace_id: str, landed: Sequence[LandedFile]) -> None:
    """The same of several files, a transaction for many of them. Idempotent."""
    for start in range(0, len(landed), _MAX_TOGETHER):
        _land_together(ports, dataset_id, workspace_id, landed[start : start + _MAX_TOGETHER])


def _land_together(ports: Ports, dataset_id: str, workspace_id: str, landed: Sequence[LandedFile]) -> None:
    is_first_try = True
    for _ in range(_MAX_WRITES):
        dataset = records.get(ports, Dataset, workspace_id, dataset_id)
        files = list({_object_key(dataset, file): file for file in landed}.values())
        if not is_first_try:
            files = [file for file in files if not has_landed(ports, dataset, file)]
        if not files or _take(ports, dataset, files):
            return
        is_first_try = False
    raise UnavailableError(f"The dataset {dataset_id!r} changes too quickly. Try again.")


def _take(ports: Ports, dataset: Dataset, landed: Sequence[LandedFile]) -> DatasetVersion | None:
    """One try to take files into the version whose window is open, or into a new one; None where a row was changed
    meanwhile, or a file is taken already."""
    version = _open_window(ports, dataset)
    writes: list[Write]
    if version is None:
        principal = platform.principal("ingest", dataset.workspace_id)
        mode, window = dataset.policy.drop_mode, dataset.policy.drop_window_seconds
        version = _new_version(ports, principal, dataset, mode, window_seconds=window)
        writes = [
            *_opening_writes(ports, dataset, version, *landed),
            records.audit(ports, principal, "dataset_version.create", version),
        ]
        delay: int | None = window
    else:
        unchanged = Check(key=_version_key(version), expected=version.revision)
        writes = [unchanged, *_file_writes(dataset, version.number, landed)]
        delay = None
    try:
        ports.registry.write(*writes)
    except WriteConflictError:
        return None
    if delay is not None:
        ports.ingest_queue.send(close_message(version), delay_seconds=delay)
    return version


def has_landed(ports: Ports, dataset: Dataset, landed: LandedFile) -> bool:
    """Whether a version has taken the dropped file."""
    return ports.registry.get(_object_key(dataset, landed)) is not None


def claim(
    ports: Ports, workspace_id: str, dataset_id: str, number: int, *, lease_seconds: float, takes_over: bool = False
) -> Claim | None:
    """Claims a version for conversion; None where there is nothing to do now.

    Args:
        lease_seconds: how long the worker lives at most.
        takes_over: the caller knows that the holder of a lease is gone (a later attempt of the same job).
    """
    for _ in range(_MAX_WRITES):
        version = _load(ports, workspace_id, dataset_id, number)
        if version is None or not _is_due(ports, version, takes_over=takes_over):
            return None
        is_clear, base_number = _find_base(ports, version)
        lease = ports.registry.get(_lease_key(version))
        is_leased = lease is not None and not takes_over and _lease_ends_at(lease) > ports.clock()
        if not is_clear or is_leased:
            _log.info("version waits", extra={"dataset_id": dataset_id, "number": number, "is_leased": is_leased})
            return None
        num_attempts = int(lease.data["num_attempts"]) + 1 if lease is not None else 1
        if num_attempts > MAX_ATTEMPTS:
            reject(ports, version, reason=f"The conversion was tried {MAX_ATTEMPTS} times and did not finish.")
            return None
        claimed = _take_lease(ports, version, lease, num_attempts=num_attempts, lease_seconds=lease_seconds)
        if claimed is not None:
            return Claim(version=claimed[0], base_number=base_number, lease=claimed[1])
    raise UnavailableError(f"The dataset version {dataset_id}/{number} changes too quickly. Try again.")


def _is_due(ports: Ports, version: DatasetVersion, *, takes_over: bool) -> bool:
    """Whether the version should be converted now; where it is too early, the message is sent again for later."""
    if version.status.is_terminal or (version.job_id is not None and not takes_over):
        return False
    seconds = _seconds_to_close(ports, version)
    if version.status is DatasetVersionStatus.PENDING and seconds > 0:
        ports.ingest_queue.send(close_message(version), delay_seconds=min(900, int(seconds) + 1))
        return False
    return True


@contextlib.contextmanager
def given_back(ports: Ports, claimed: Claim) -> Iterator[None]:
    """Gives the version back after a fault of ours, so that a repeated message finds it free.

    A service that was busy, or did not answer, says nothing of the version: that try does not count.
    """
    try:
        yield
    except UnavailableError:
        give_back(ports, claimed)
        raise
    except BaseException:
        _release(ports, claimed, num_attempts=int(claimed.lease.data["num_attempts"]))
        raise


def give_back(ports: Ports, claimed: Claim) -> None:
    """Frees the version for others, as if it had not been claimed."""
    _release(ports, claimed, num_attempts=int(claimed.lease.data["num_attempts"]) - 1)


def _release(ports: Ports, claimed: Claim, *, num_attempts: int) -> None:
    data = {"num_attempts": num_attempts, "ends_at": ports.clock().isoformat()}
    lease = Row(key=claimed.lease.key, data=data, revision=claimed.lease.revision + 1)
    try:
        ports.registry.write(Put(row=lease, expected=claimed.lease.revision))
    except WriteConflictError:
        _log.info("lease was taken over", extra={"version_id": claimed.version.id})


def finish(ports: Ports, claimed: Claim, *, also: Sequence[Write] = (), **changes: Any) -> DatasetVersion:
    """Ends a version in one transaction with its dataset's `latest_version` and `also`, and wakes those that waited.

    Raises LeaseLostError where another worker has taken over, ConflictError where a condition of `also` does not hold.
    """
    version = claimed.version
    for _ in range(_MAX_WRITES):
        lease = ports.registry.get(claimed.lease.key)
        if lease is None or lease.revision != claimed.lease.revision:
            raise LeaseLostError(version.id)
        ended = _end(ports, version, also=[*also, Delete(key=lease.key, expected=lease.revision)], **changes)
        if ended is not None:
            return ended
        version = records.get(ports, DatasetVersion, version.workspace_id, version.dataset_id, version.number)
        if version.status.is_terminal:
            return version
        _require(ports, also)
    raise UnavailableError(f"The dataset version {version.dataset_name}@{version.number} changes too quickly.")


def reject(ports: Ports, version: DatasetVersion, *, reason: str) -> DatasetVersion:
    """Ends a version that could not be converted, through no fault of its files. Idempotent."""
    for _ in range(_MAX_WRITES):
        if version.status.is_terminal:
            return version
        ended = _end(
            ports,
            version,
            status=DatasetVersionStatus.REJECTED,
            status_reason=f"{reason} Upload the file again; if that happens again, see the log of the ingest function.",
        )
        if ended is not None:
            return ended
        version = records.get(ports, DatasetVersion, version.workspace_id, version.dataset_id, version.number)
    raise UnavailableError(f"The dataset version {version.dataset_name}@{version.number} changes too quickly.")


def load_files(ports: Ports, version: DatasetVersion) -> list[LandedFile]:
    """The files that landed in a version, by the order in which they came."""
    prefix = keys.row_prefix("landed_files", version.dataset_id, version.number)
    partition, start = keys.partition(version.workspace_id), None
    files: list[LandedFile] = []
    while True:
        page = ports.registry.query(partition, prefix, limit=_FILE_PAGE, start=start)
        files += [LandedFile.model_validate(file) for row in page.rows for file in row.data["files"]]
        if page.next_start is None:
            return sorted(files, key=lambda file: (file.landed_at, file.key))
        start = page.next_start


def load_files_since(ports: Ports, dataset: Dataset, at: datetime) -> Iterator[LandedFile]:
    """The files of all versions that were made since then."""
    start: str | None = None
    while True:
        versions, start = records.list_page(
            ports, DatasetVersion, dataset.workspace_id, dataset.id, limit=_SCAN_PAGE, start=start
        )
        for version in versions:
            if version.created_at < at:
                return
            yield from load_files(ports, version)
        if start is None:
            return


def close_due(ports: Ports, *, limit: int = 500) -> int:
    """Repeats the messages that may have been lost; ends versions whose ingest job did not. Returns how many.

    For the reconciler, each minute.
    """
    before = ports.clock() - _GRACE
    num_due = 0
    for status in _UNFINISHED:
        partition = keys.status_partition(DatasetVersion.resource, status)
        for row in ports.registry.query_status(partition, before=before, limit=limit):
            listed = DatasetVersion.model_validate(row.data)
            version = _load(ports, listed.workspace_id, listed.dataset_id, listed.number)
            if version is not None and not version.status.is_terminal:
                num_due += _close_one(ports, version, before)
    return num_due


def _close_one(ports: Ports, version: DatasetVersion, before: datetime) -> bool:
    if version.job_id is not None:
        return _follow_job(ports, version)
    if version.status is DatasetVersionStatus.PENDING and _seconds_to_close(ports, version) > -_GRACE.total_seconds():
        return False
    lease = ports.registry.get(_lease_key(version))
    if lease is not None and _lease_ends_at(lease) > before:
        return False
    ports.ingest_queue.send(close_message(version))
    return True


def _follow_job(ports: Ports, version: DatasetVersion) -> bool:
    try:
        job = records.get(ports, Job, version.workspace_id, str(version.job_id))
    except NotFoundError:
        reject(ports, version, reason=f"Its job {version.job_id} is gone.")
        return True
    if not job.status.is_terminal or not _is_over(ports, job):
        return False
    if _met_a_busy_service(job) and ports.clock() < version.created_at + _MAX_BUSY:
        return _begin_again(ports, version)
    cause = job.failure.cause if job.failure is not None else job.status_reason or ""
    words = {JobStatus.SUCCEEDED: "ended without committing it", JobStatus.STOPPED: "was stopped"}
    reject(ports, version, reason=f"Its job {job.id} {words.get(job.status, 'failed')}. {cause}".rstrip())
    return True


def _met_a_busy_service(job: Job) -> bool:
    """Whether each attempt of a conversion gave the version back: a service was busy, or the machine was taken away.
    That says nothing of the version."""
    return (
        job.kind is JobKind.INGEST
        and job.status is JobStatus.FAILED
        and job.failure is not None
        and job.failure.exit_code == _GIVEN_BACK_EXIT_CODE
    )


def _begin_again(ports: Ports, version: DatasetVersion) -> bool:
    """Leaves a job that could not convert the version: another one is made for it."""
    try:
        version = records.save(ports, version, version.dataset_id, version.number, job_id=None)
    except StaleRevisionError:
        return False
    ports.ingest_queue.send(close_message(version))
    return True


def _is_over(ports: Ports, job: Job) -> bool:
    """A failed job may still be retried for some minutes."""
    ended_at = job.ended_at or job.updated_at
    return job.status is not JobStatus.FAILED or ended_at + _RETRY_GRACE < ports.clock()


def _new_version(
    ports: Ports, principal: Principal, dataset: Dataset, mode: WriteMode, *, window_seconds: int
) -> DatasetVersion:
    fields = records.new_fields(ports, principal, DatasetVersion)
    return DatasetVersion(
        **{**fields, "workspace_id": dataset.workspace_id},
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        number=dataset.last_number + 1,
        status=DatasetVersionStatus.PENDING,
        mode=mode,
        window_closes_at=fields["created_at"] + timedelta(seconds=window_seconds),
    )


def _opening_writes(ports: Ports, dataset: Dataset, version: DatasetVersion, *landed: LandedFile) -> list[Write]:
    return [*_version_writes(ports, dataset, version), *_file_writes(dataset, version.number, landed)]


def _version_writes(ports: Ports, dataset: Dataset, version: DatasetVersion) -> list[Write]:
    changed = dataset.model_copy(
        update={"last_number": version.number, "updated_at": ports.clock(), "revision": dataset.revision + 1}
    )
    return [
        Put(row=records.to_row(changed), expected=dataset.revision),
        Put(row=records.to_row(version, dataset.id, version.number)),
    ]


def _file_writes(dataset: Dataset, number: int, landed: Sequence[LandedFile]) -> list[Write]:
    told = "\n".join(f"{file.key}\n{file.etag}\n{file.landed_at.isoformat()}" for file in landed)
    name = hashlib.sha256(told.encode()).hexdigest()[:32]
    key = keys.row(dataset.workspace_id, "landed_files", dataset.id, number, name)
    files = [file.model_dump(mode="json") for file in landed]
    # NOTE: a write that would leave a row as it is counts as done: so an object's row says among which files it came.
    taken = {"number": number, "together": name}
    return [
        Put(row=Row(key=key, data={"files": files}, revision=1)),
        *(Put(row=Row(key=_object_key(dataset, file), data=taken, revision=1)) for file in landed),
    ]


def _object_key(dataset: Dataset, landed: LandedFile) -> keys.RowKey:
    identity = [landed.key, landed.etag]
    if dataset.policy.drop_mode is WriteMode.REPLACE:
        identity.append(landed.landed_at.isoformat())
    name = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:32]
    return keys.row(dataset.workspace_id, "landed_object", dataset.id, name)


def _version_key(version: DatasetVersion) -> keys.RowKey:
    return keys.row(version.workspace_id, DatasetVersion.resource, version.dataset_id, version.number)


def _lease_key(version: DatasetVersion) -> keys.RowKey:
    return keys.row(version.workspace_id, "version_lease", version.dataset_id, version.number)


def _lease_ends_at(lease: Row) -> datetime:
    return datetime.fromisoformat(str(lease.data["ends_at"]))


def _load(ports: Ports, workspace_id: str, dataset_id: str, number: int) -> DatasetVersion | None:
    """None where the dataset was deleted while a message was on its way."""
    try:
        records.get(ports, Dataset, workspace_id, dataset_id)
        return records.get(ports, DatasetVersion, workspace_id, dataset_id, number)
    except NotFoundError:
        return None


def _seconds_to_close(ports: Ports, version: DatasetVersion) -> float:
    if version.window_closes_at is None:
        return 0.0
    return (version.window_closes_at - ports.clock()).total_seconds()


def _open_window(ports: Ports, dataset: Dataset) -> DatasetVersion | None:
    """The newest version, if files may still be dropped into it."""
    if not dataset.last_number:
        return None
    version = records.get(ports, DatasetVersion, dataset.workspace_id, dataset.id, dataset.last_number)
    if version.status is not DatasetVersionStatus.PENDING or version.mode is not dataset.policy.drop_mode:
        return None
    return version if _seconds_to_close(ports, version) > 0 or _waits_for_former(ports, version) else None


def _waits_for_former(ports: Ports, version: DatasetVersion) -> bool:
    """Whether a window that is over goes on taking files: an append cannot begin before the version before it has
    ended, and each of many short ones would read its base anew. One that an upload made has no window."""
    has_window = version.window_closes_at is not None and version.window_closes_at > version.created_at
    if version.mode is WriteMode.REPLACE or not has_window or version.number == 1:
        return False
    former = records.get(ports, DatasetVersion, version.workspace_id, version.dataset_id, version.number - 1)
    return not former.status.is_terminal


def _find_base(ports: Ports, version: DatasetVersion) -> tuple[bool, int | None]:
    """Whether all that an append waits for has ended, and the version that it builds upon."""
    if version.mode is WriteMode.REPLACE:
        return True, None
    start: str | None = _version_key(version).sort
    while start is not None:
        former, start = records.list_page(
            ports, DatasetVersion, version.workspace_id, version.dataset_id, limit=_SCAN_PAGE, start=start
        )
        for each in former:
            if each.status is DatasetVersionStatus.READY:
                return True, each.number
            if not each.status.is_terminal:
                return False, None
    return True, None


def _take_lease(
    ports: Ports, version: DatasetVersion, lease: Row | None, *, num_attempts: int, lease_seconds: float
) -> tuple[DatasetVersion, Row] | None:
    revision = 1 if lease is None else lease.revision + 1
    taken = _new_lease(ports, version, revision, num_attempts=num_attempts, lease_seconds=lease_seconds)
    take = Put(row=taken, expected=None if lease is None else lease.revision)
    try:
        if version.status is DatasetVersionStatus.INGESTING:
            ports.registry.write(take, Check(key=_version_key(version), expected=version.revision))
            return version, taken
        changes: dict[str, Any] = {"status": DatasetVersionStatus.INGESTING}
        return records.save(ports, version, version.dataset_id, version.number, also=[take], **changes), taken
    except (WriteConflictError, StaleRevisionError):
        return None


def _new_lease(ports: Ports, version: DatasetVersion, revision: int, *, num_attempts: int, lease_seconds: float) -> Row:
    ends_at = ports.clock() + timedelta(seconds=lease_seconds)
    data = {"num_attempts": num_attempts, "ends_at": ends_at.isoformat()}
    return Row(key=_lease_key(version), data=data, revision=revision)


def _require(ports: Ports, writes: Sequence[Write]) -> None:
    """Raises ConflictError where a row is not at the revision that a write expects."""
    for write in writes:
        key = write.row.key if isinstance(write, Put) else write.key
        stored = ports.registry.get(key)
        if (None if stored is None else stored.revision) != write.expected:
            raise ConflictError(
                f"{key.sort.split('#')[0].lower()} was changed while the version was made: it is at revision "
                f"{None if stored is None else stored.revision}, not {write.expected}. Do it again from what it is now."
            )


def _end(ports: Ports, version: DatasetVersion, *, also: Sequence[Write] = (), **changes: Any) -> DatasetVersion | None:
    """One try to end a version; None where a row was changed meanwhile."""
    dataset = records.get(ports, Dataset, version.workspace_id, version.dataset_id)
    writes = list(also)
    if changes["status"] is DatasetVersionStatus.READY:
        writes.append(tables.announce(ports, version))
    if changes["status"] is DatasetVersionStatus.READY and version.number > (dataset.latest_version or 0):
        update = {"latest_version": version.number, "updated_at": ports.clock(), "revision": dataset.revision + 1}
        writes.append(Put(row=records.to_row(dataset.model_copy(update=update)), expected=dataset.revision))
    principal = platform.principal("ingest", version.workspace_id)
    action = f"dataset_version.{changes['status'].lower()}"
    try:
        ended = records.save(
            ports,
            version,
            version.dataset_id,
            version.number,
            principal=principal,
            action=action,
            also=writes,
            **changes,
        )
    except (WriteConflictError, StaleRevisionError):
        return None
    _wake_next(ports, ended)
    return ended


def _wake_next(ports: Ports, ended: DatasetVersion) -> None:
    """Appends that waited for this version may go on."""
    following, _ = records.list_page(
        ports,
        DatasetVersion,
        ended.workspace_id,
        ended.dataset_id,
        limit=_SCAN_PAGE,
        start=_version_key(ended).sort,
        newest_first=False,
    )
    for version in following:
        if version.status is DatasetVersionStatus.PENDING and _seconds_to_close(ports, version) <= 0:
            ports.ingest_queue.send(close_message(version))
            return
