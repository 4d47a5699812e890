"""Frees the bytes of dataset versions: of those that a source's policy has outlived, and of those that users delete.

First a version becomes EXPIRED, in one write that conflicts with every job that is being submitted for it. After a
grace time, when no job reads it any more, its files go, as far as no other version shares them, and its row says how
many bytes that freed. The row stays: it is what jobs and models of the past name.

Beside the versions lie EXPIRED_VERSION (one whose bytes are still there) and SOURCE_RETENTION (when a source is looked
at next).
"""

import logging
from collections.abc import Iterator
from datetime import timedelta

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus, Manifest
from aimass_core.domain.sources import SourceRecord
from aimass_core.errors import AimassError, ConflictError, NotFoundError, StaleRevisionError
from aimass_core.ports import BlobNotFoundError, Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import jobs, platform, records, source_datasets, tables

EVERY = timedelta(hours=1)
GRACE = timedelta(minutes=1)
_DUE = "DUE"
_EXPIRED, _RETENTION = "expired_version", "source_retention"
_PAGE = 100
# One source or dataset that cannot be treated keeps no other one from it.
_FAULTS = (AimassError, WriteConflictError, BlobNotFoundError, ValueError)

_log = logging.getLogger(__name__)


def plan_writes(ports: Ports, record: SourceRecord) -> list[Write]:
    """What a source's policy means for when its versions are looked at: written with the source, or its deletion."""
    key = keys.row(record.workspace_id, _RETENTION, record.id)
    stored = ports.registry.get(key)
    if record.policy.retention_days is not None:
        return [] if stored is not None else [Put(row=_retention_row(ports, record))]
    return [] if stored is None else [Delete(key=key, expected=stored.revision)]


def unplan_writes(ports: Ports, record: SourceRecord) -> list[Write]:
    """What is deleted with a source."""
    stored = ports.registry.get(keys.row(record.workspace_id, _RETENTION, record.id))
    return [] if stored is None else [Delete(key=stored.key, expected=stored.revision)]


def delete_version(ports: Ports, principal: Principal, dataset: str, number: int) -> DatasetVersion:
    """Lets a version expire now; `freed_bytes` says what that freed, some minutes later. Idempotent.

    Raises ConflictError for the latest version, for one that is not finished, and while a job uses it.
    """
    found = records.find(ports, Dataset, principal.workspace_id, dataset)
    version = records.get(ports, DatasetVersion, principal.workspace_id, found.id, number)
    if version.status is DatasetVersionStatus.EXPIRED:
        return version
    if number == found.latest_version:
        raise ConflictError(
            f"Version {number} is the latest of the dataset {found.name!r}. Upload a newer one first, or delete the "
            "dataset."
        )
    if version.status is not DatasetVersionStatus.READY:
        raise ConflictError(f"Version {number} of the dataset {found.name!r} is {version.status} and holds no bytes.")
    users = sorted(_pinned(ports, version.workspace_id).get((found.id, number), ()))
    if users:
        raise ConflictError(f"Version {number} of {found.name!r} is used by {users[0]}, which has not ended.")
    return _expire(ports, principal, version, reason=f"Deleted by {principal.actor}.")


def run(ports: Ports, *, limit: int = 200) -> int:
    """Lets versions expire that are due, and frees the bytes of those that have. Returns how many bytes.

    For the reconciler, each minute.
    """
    now = ports.clock()
    for row in ports.registry.query_status(keys.status_partition(_RETENTION, _DUE), before=now, limit=limit):
        try:
            _look_at(ports, row)
        except _FAULTS:
            _log.exception("retention cannot look at a source", extra={"row": row.key.sort})
    before = now - GRACE
    expired = ports.registry.query_status(keys.status_partition(_EXPIRED, _DUE), before=before, limit=limit)
    by_dataset: dict[tuple[str, str], list[Row]] = {}
    for row in expired:
        by_dataset.setdefault((str(row.data["workspace_id"]), str(row.data["dataset_id"])), []).append(row)
    num_bytes = 0
    for (workspace_id, dataset_id), rows in by_dataset.items():
        try:
            num_bytes += _free(ports, workspace_id, dataset_id, rows)
        except _FAULTS:
            _log.exception("retention cannot free a dataset's versions", extra={"dataset_id": dataset_id})
    return num_bytes


def _look_at(ports: Ports, row: Row) -> None:
    """Lets expire what one source's policy has outlived, and says when to look again."""
    workspace_id, source_id = str(row.data["workspace_id"]), str(row.data["source_id"])
    try:
        record = records.get(ports, SourceRecord, workspace_id, source_id)
    except NotFoundError:
        return
    if record.policy.retention_days is not None:
        oldest = ports.clock() - timedelta(days=record.policy.retention_days)
        reason = f"Older than the {record.policy.retention_days} days for which the source {record.name!r} keeps it."
        principal = platform.principal("retention", workspace_id)
        pinned = _pinned(ports, workspace_id)
        for filled in {each.dataset_id: each for each in source_datasets.list_all(ports, record)}.values():
            for version in _versions(ports, workspace_id, filled.dataset_id):
                is_old = version.status is DatasetVersionStatus.READY and version.created_at < oldest
                is_free = (version.dataset_id, version.number) not in pinned
                if is_old and is_free and version.number != filled.latest_version:
                    _expire(ports, principal, version, reason=reason)
    try:
        ports.registry.write(Put(row=_retention_row(ports, record, row.revision), expected=row.revision))
    except WriteConflictError:
        _log.info("retention was changed meanwhile", extra={"source_id": source_id})


def _expire(ports: Ports, principal: Principal, version: DatasetVersion, *, reason: str) -> DatasetVersion:
    """NOTE: a job that is submitted in this moment has checked the version's revision, so one of the two conflicts."""
    work = Row(
        key=keys.row(version.workspace_id, _EXPIRED, version.dataset_id, version.number),
        data={"workspace_id": version.workspace_id, "dataset_id": version.dataset_id, "number": version.number},
        revision=1,
        resource=_EXPIRED,
        status=_DUE,
        at=ports.clock(),
    )
    return records.save(
        ports,
        version,
        version.dataset_id,
        version.number,
        principal=principal,
        action="dataset_version.expire",
        also=[Put(row=work)],
        status=DatasetVersionStatus.EXPIRED,
        status_reason=reason,
    )


def _free(ports: Ports, workspace_id: str, dataset_id: str, rows: list[Row]) -> int:
    """Deletes the files of the versions that no other version shares; later, while one is being made of them."""
    versions = list(_versions(ports, workspace_id, dataset_id))
    if any(not version.status.is_terminal for version in versions):
        return 0
    pinned = _pinned(ports, workspace_id)
    freed = {int(row.data["number"]): row for row in rows if (dataset_id, int(row.data["number"])) not in pinned}
    holding = [version for version in versions if _holds_bytes(version) and version.number not in freed]
    kept = {file.sha256 for version in holding for file in _manifest(ports, version).files}
    num_bytes = 0
    for version in versions:
        if version.number in freed:
            num_bytes += _free_one(ports, version, freed[version.number], kept)
    return num_bytes


def _free_one(ports: Ports, version: DatasetVersion, row: Row, kept: set[str]) -> int:
    """Files first, the row last: what a crash leaves is done again, and counted by what is still there."""
    try:
        files = [file.sha256 for file in _manifest(ports, version).files if file.sha256 not in kept]
    except BlobNotFoundError:
        # A crash came between the last object and the row.
        files = []
    doomed = [keys.dataset_file(version.workspace_id, version.dataset_id, sha256) for sha256 in files]
    prefix = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "")
    tables.drop(ports, version)
    num_bytes = 0
    # NOTE: the manifest goes last, since it names the files.
    beside = sorted((blob.key for blob in ports.lake.list(prefix)), key=lambda key: key.endswith("manifest.json"))
    for key in [*doomed, *beside]:
        found = ports.lake.head(key)
        num_bytes += 0 if found is None else found.num_bytes
        ports.lake.delete(key)
    try:
        records.save(
            ports,
            version,
            version.dataset_id,
            version.number,
            also=[Delete(key=row.key, expected=row.revision)],
            freed_bytes=num_bytes,
        )
    except (StaleRevisionError, WriteConflictError):
        return 0
    _log.info("freed", extra={"dataset_id": version.dataset_id, "number": version.number, "num_bytes": num_bytes})
    return num_bytes


def _holds_bytes(version: DatasetVersion) -> bool:
    is_expired = version.status is DatasetVersionStatus.EXPIRED
    return version.status is DatasetVersionStatus.READY or (is_expired and version.freed_bytes is None)


def _manifest(ports: Ports, version: DatasetVersion) -> Manifest:
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "manifest.json")
    return Manifest.model_validate_json(ports.lake.get(key))


def _versions(ports: Ports, workspace_id: str, dataset_id: str) -> Iterator[DatasetVersion]:
    start: str | None = None
    while True:
        page, start = records.list_page(
            ports, DatasetVersion, workspace_id, dataset_id, limit=_PAGE, start=start, newest_first=False
        )
        yield from page
        if start is None:
            return


def _pinned(ports: Ports, workspace_id: str) -> dict[tuple[str, int], set[str]]:
    """Dataset and number of what jobs that have not ended read, and which jobs these are."""
    pinned: dict[tuple[str, int], set[str]] = {}
    for job in jobs.list_active(ports, workspace_id):
        for pin in job.channels.values():
            pinned.setdefault((pin.dataset_id, pin.number), set()).add(job.id)
    return pinned


def _retention_row(ports: Ports, record: SourceRecord, revision: int = 0) -> Row:
    return Row(
        key=keys.row(record.workspace_id, _RETENTION, record.id),
        data={"workspace_id": record.workspace_id, "source_id": record.id},
        revision=revision + 1,
        resource=_RETENTION,
        status=_DUE,
        at=ports.clock() + EVERY,
    )
