"""Datasets as their users ask for them: create, list, change, delete, look at versions and rows."""

from datetime import timedelta
from typing import TypeVar

from pydantic import BaseModel

from aimass_core.domain import keys
from aimass_core.domain import tables as table_names
from aimass_core.domain.common import Principal, is_id
from aimass_core.domain.datasets import (
    DataFileLink,
    Dataset,
    DatasetCreate,
    DatasetFiles,
    DatasetRows,
    DatasetUpdate,
    DatasetVersion,
    DatasetVersionDetail,
    DatasetVersionStatus,
    Manifest,
    Upload,
    UploadStatus,
)
from aimass_core.domain.schemas import Profile, Schema
from aimass_core.errors import AlreadyExistsError, ConflictError, NotFoundError, StaleRevisionError
from aimass_core.ports import Delete, Ports, Put, Row, WriteConflictError
from aimass_core.services import audit, jobs, records, source_access, tables

TOMBSTONE = "dataset_tombstone"
_DELETING = "DELETING"
_PURGE_GRACE = timedelta(minutes=1)
_SCAN_PAGE = 100
_LINK_SECONDS = 900
_CHILDREN = (
    "dataset_version",
    "upload",
    "landed_files",
    "landed_object",
    "delivery",
    "version_lease",
    "expired_version",
    "quarantine",
    tables.RESOURCE,
)

ModelT = TypeVar("ModelT", bound=BaseModel)


def create(ports: Ports, principal: Principal, request: DatasetCreate) -> Dataset:
    """A dataset without versions. Raises AlreadyExistsError."""
    dataset = Dataset(
        **records.new_fields(ports, principal, Dataset),
        name=request.name,
        description=request.description,
        target=request.target,
        policy=request.policy,
        expectations=request.expectations,
    )
    return records.create(ports, principal, dataset, name=dataset.name)


def ensure(ports: Ports, principal: Principal, name: str) -> Dataset:
    """The dataset of that name, made if there is none: so a drop folder needs no preparation."""
    try:
        return records.find(ports, Dataset, principal.workspace_id, name)
    except NotFoundError:
        pass
    try:
        return create(ports, principal, DatasetCreate(name=name))
    except AlreadyExistsError:
        return records.find(ports, Dataset, principal.workspace_id, name)


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[Dataset], str | None]:
    """A page of the workspace's datasets, newest first."""
    return records.list_page(ports, Dataset, principal.workspace_id, limit=limit, start=start)


def get(ports: Ports, principal: Principal, dataset: str) -> Dataset:
    """One dataset by id or name, or by id one of another workspace whose source the caller was granted to read.

    Raises NotFoundError.
    """
    try:
        return _get_own(ports, principal, dataset)
    except NotFoundError:
        shared = source_access.find_dataset(ports, principal, dataset) if is_id(dataset) else None
        if shared is None:
            raise
        return shared


def update(ports: Ports, principal: Principal, dataset: str, request: DatasetUpdate, *, revision: int) -> Dataset:
    """Changes what the request names; it holds for versions that are made from now on. Raises StaleRevisionError."""
    found = _get_own(ports, principal, dataset)
    records.require_revision(found, revision)
    changes = {name: getattr(request, name) for name in request.model_fields_set}
    for required in ("description", "policy", "expectations"):
        if required in changes and changes[required] is None:
            del changes[required]
    if all(getattr(found, name) == value for name, value in changes.items()):
        return found
    return records.save(ports, found, principal=principal, **changes)


def delete(ports: Ports, principal: Principal, dataset: str) -> None:
    """Takes a dataset away at once; its rows and files are purged afterwards (`purge_due`).

    Raises ConflictError while a job that has not ended uses it.
    """
    found = _get_own(ports, principal, dataset)
    users = _list_users(ports, found.workspace_id, found.id)
    if users:
        raise ConflictError(
            f"The dataset {found.name!r} is used by {len(users)} jobs that have not ended, such as {users[0]}. "
            "Wait for them or stop them, then delete it."
        )
    name_key = keys.name_row(found.workspace_id, Dataset.resource, found.name)
    tombstone = Row(
        key=keys.row(found.workspace_id, TOMBSTONE, found.id),
        data={"workspace_id": found.workspace_id, "dataset_id": found.id},
        revision=1,
        resource=TOMBSTONE,
        status=_DELETING,
        at=ports.clock(),
    )
    try:
        ports.registry.write(
            Delete(key=keys.row(found.workspace_id, Dataset.resource, found.id), expected=found.revision),
            Delete(key=name_key, expected=1),
            Put(row=tombstone),
            records.audit(ports, principal, "dataset.delete", found, name=found.name),
        )
    except WriteConflictError as error:
        raise StaleRevisionError(
            f"The dataset {found.name!r} was changed in this moment. Look at it again before you delete it."
        ) from error


def list_versions(
    ports: Ports, principal: Principal, dataset: str, *, limit: int, start: str | None = None
) -> tuple[list[DatasetVersion], str | None]:
    """A page of a dataset's versions, newest first."""
    found = get(ports, principal, dataset)
    return records.list_page(ports, DatasetVersion, found.workspace_id, found.id, limit=limit, start=start)


def get_version(ports: Ports, principal: Principal, dataset: str, number: int) -> DatasetVersionDetail:
    """One version with its schema and its profile, also where expectations were not met."""
    version = _find_version(ports, principal, dataset, number)
    detail = DatasetVersionDetail.model_validate(version.model_dump())
    is_ready = version.status is DatasetVersionStatus.READY
    if not is_ready and (version.status is not DatasetVersionStatus.REJECTED or version.quality is None):
        return detail
    table = table_names.name_of(version)
    return detail.model_copy(
        update={
            "table": f"{table.database}.{table.name}" if is_ready else None,
            "data_schema": _load(ports, version, "schema.json", Schema),
            "profile": _load(ports, version, "profile.json", Profile),
        }
    )


def list_files(ports: Ports, principal: Principal, dataset: str, number: int) -> DatasetFiles:
    """Every row, as Parquet files with short-lived links. Raises ConflictError where the version is not READY."""
    version = _find_ready(ports, principal, dataset, number)
    manifest = _load(ports, version, "manifest.json", Manifest)
    links = []
    for position, file in enumerate(manifest.files, start=1):
        key = keys.dataset_file(version.workspace_id, version.dataset_id, file.sha256)
        name = f"{version.dataset_name}-{number}-{position:04d}.parquet"
        url = ports.lake.sign_get(key, expires_seconds=_LINK_SECONDS, download_name=name)
        links.append(DataFileLink(**file.model_dump(), url=url))
    return DatasetFiles(files=links)


def load_rows(ports: Ports, principal: Principal, dataset: str, number: int, *, limit: int) -> DatasetRows:
    """The first rows of a version. Raises ConflictError where it is not READY."""
    # NOTE: pyarrow takes longer to import than any other request takes to answer.
    from aimass_core.services.ingest import previewing

    version = _find_ready(ports, principal, dataset, number)
    manifest = _load(ports, version, "manifest.json", Manifest)
    audit.record_read(ports, principal, "dataset.rows.read", version, limit=limit)
    return previewing.load_rows(ports.lake, version.workspace_id, manifest, limit=limit)


def load_rows_csv(ports: Ports, principal: Principal, dataset: str, number: int, *, limit: int) -> str:
    """The same as CSV that a spreadsheet opens safely."""
    from aimass_core.services.ingest import previewing

    return previewing.to_csv(load_rows(ports, principal, dataset, number, limit=limit))


def purge_due(ports: Ports, *, limit: int = 20) -> int:
    """Removes what deleted datasets leave: objects first, rows next, the tombstone last. Returns how many.

    For the reconciler. A crash in between leaves the tombstone, so the next call goes on. A job whose submission met
    the deletion keeps its data until it has ended: the grace time is longer than any request that still saw the
    dataset.
    """
    before = ports.clock() - _PURGE_GRACE
    stones = ports.registry.query_status(keys.status_partition(TOMBSTONE, _DELETING), before=before, limit=limit)
    num_purged = 0
    for stone in stones:
        workspace_id, dataset_id = str(stone.data["workspace_id"]), str(stone.data["dataset_id"])
        if _list_users(ports, workspace_id, dataset_id):
            continue
        _purge(ports, workspace_id, dataset_id)
        _delete_row(ports, stone)
        num_purged += 1
    return num_purged


def _get_own(ports: Ports, principal: Principal, dataset: str) -> Dataset:
    return records.find(ports, Dataset, principal.workspace_id, dataset)


def _list_users(ports: Ports, workspace_id: str, dataset_id: str) -> list[str]:
    """Ids of the jobs that have not ended and read or make versions of the dataset."""
    return [
        job.id
        for job in jobs.list_active(ports, workspace_id)
        if any(pin.dataset_id == dataset_id for pin in job.channels.values())
        or getattr(job.spec, "dataset_id", None) == dataset_id
    ]


def _purge(ports: Ports, workspace_id: str, dataset_id: str) -> None:
    for upload_row in _rows(ports, workspace_id, "upload", dataset_id):
        upload = Upload.model_validate(upload_row.data)
        if upload.multipart_id is not None and upload.status is UploadStatus.AWAITING:
            ports.landing.abort_multipart(keys.upload_object(workspace_id, dataset_id, upload.id), upload.multipart_id)
    for blob in list(ports.landing.list(keys.upload_object(workspace_id, dataset_id, ""))):
        ports.landing.delete(blob.key)
    for version_row in _rows(ports, workspace_id, DatasetVersion.resource, dataset_id):
        tables.drop(ports, DatasetVersion.model_validate(version_row.data))
    for blob in list(ports.lake.list(keys.dataset_prefix(workspace_id, dataset_id))):
        ports.lake.delete(blob.key)
    for resource in _CHILDREN:
        for row in _rows(ports, workspace_id, resource, dataset_id):
            _delete_row(ports, row)


def _rows(ports: Ports, workspace_id: str, resource: str, dataset_id: str) -> list[Row]:
    found: list[Row] = []
    start: str | None = None
    while True:
        page = ports.registry.query(
            keys.partition(workspace_id), keys.row_prefix(resource, dataset_id), limit=_SCAN_PAGE, start=start
        )
        found += page.rows
        if page.next_start is None:
            return found
        start = page.next_start


def _delete_row(ports: Ports, row: Row) -> None:
    try:
        ports.registry.write(Delete(key=row.key, expected=row.revision))
    except WriteConflictError:
        # Somebody else deleted or changed it; the next purge sees which.
        return


def _find_version(ports: Ports, principal: Principal, dataset: str, number: int) -> DatasetVersion:
    found = get(ports, principal, dataset)
    return records.get_version(ports, DatasetVersion, found, number)


def _find_ready(ports: Ports, principal: Principal, dataset: str, number: int) -> DatasetVersion:
    version = _find_version(ports, principal, dataset, number)
    if version.status is not DatasetVersionStatus.READY:
        raise ConflictError(
            f"Version {number} of the dataset {version.dataset_name!r} is {version.status} and has no rows to show. "
            "Wait until it is READY; for a REJECTED one, see its issues."
        )
    return version


def _load(ports: Ports, version: DatasetVersion, name: str, cls: type[ModelT]) -> ModelT:
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, name)
    return cls.model_validate_json(ports.lake.get(key))
