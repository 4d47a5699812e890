"""Uploads: bytes come straight to the landing bucket by signed requests, and become a dataset version when complete.

A file below 64 MiB is one PUT whose length, SHA-256 and first-write-only condition are signed. A larger one comes in
parts; reading the upload again answers the next missing parts with fresh signatures, so an interrupted one goes on.
"""

import logging
from datetime import timedelta

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import (
    MULTIPART_THRESHOLD_BYTES,
    Dataset,
    DatasetVersion,
    LandedFile,
    Upload,
    UploadCreate,
    UploadStatus,
)
from aimass_core.domain.settings.quotas import QuotaSettings
from aimass_core.errors import (
    ConflictError,
    NotFoundError,
    PayloadTooLargeError,
    StaleRevisionError,
    UnavailableError,
    UploadIncompleteError,
)
from aimass_core.ports import BlobInfo, BlobNotFoundError, Ports
from aimass_core.services import multiparts, platform, records
from aimass_core.services.ingest import versions

SINGLE_LIFETIME = timedelta(hours=1)
MULTIPART_LIFETIME = timedelta(days=7)
SIGNATURE_SECONDS = 3600
_MAX_TRIES = 8
_FAR_EXPIRED = timedelta(minutes=5)

_log = logging.getLogger(__name__)


def create(ports: Ports, principal: Principal, dataset: str, request: UploadCreate) -> Upload:
    """Begins an upload; the answer carries the signed requests.

    Raises NotFoundError for an unknown dataset, PayloadTooLargeError for a file above the workspace's limit, and
    ConflictError where the workspace's data would be above theirs.
    """
    found = records.find(ports, Dataset, principal.workspace_id, dataset)
    _check_quotas(ports, principal.workspace_id, request.num_bytes)
    is_multipart = request.num_bytes >= MULTIPART_THRESHOLD_BYTES
    fields = records.new_fields(ports, principal, Upload)
    key = keys.upload_object(principal.workspace_id, found.id, fields["id"])
    upload = Upload(
        **fields,
        dataset_id=found.id,
        status=UploadStatus.AWAITING,
        file_name=request.file_name,
        num_bytes=request.num_bytes,
        sha256=request.sha256,
        mode=request.mode,
        expires_at=fields["created_at"] + (MULTIPART_LIFETIME if is_multipart else SINGLE_LIFETIME),
        multipart_id=ports.landing.create_multipart(key) if is_multipart else None,
    )
    return _sign(ports, records.create(ports, principal, upload, found.id, upload.id))


def list_page(
    ports: Ports, principal: Principal, dataset: str, *, limit: int, start: str | None
) -> tuple[list[Upload], str | None]:
    """A page of a dataset's uploads, newest first, without signed requests."""
    found = records.find(ports, Dataset, principal.workspace_id, dataset)
    return records.list_page(ports, Upload, principal.workspace_id, found.id, limit=limit, start=start)


def get(ports: Ports, principal: Principal, dataset: str, upload_id: str) -> Upload:
    """An upload with what is still missing, freshly signed."""
    return _sign(ports, _find(ports, principal, dataset, upload_id))


def complete(ports: Ports, principal: Principal, dataset: str, upload_id: str) -> DatasetVersion:
    """Makes the dataset version of an upload whose bytes have all arrived. Idempotent.

    Raises UploadIncompleteError where bytes are missing, ConflictError where the upload has expired.
    """
    for _ in range(_MAX_TRIES):
        upload = _find(ports, principal, dataset, upload_id)
        if upload.dataset_version is not None:
            return records.get(ports, DatasetVersion, upload.workspace_id, upload.dataset_id, upload.dataset_version)
        _require_open(upload)
        landed = _to_landed(upload, _assemble(ports, upload))
        try:
            return versions.open_for_upload(
                ports, principal, upload, landed, completed={"status": UploadStatus.COMPLETED}
            )
        except StaleRevisionError:
            continue
    raise UnavailableError(f"The upload {upload_id!r} changes too quickly. Try again.")


def complete_landed(ports: Ports, key: str) -> DatasetVersion | None:
    """What the event of an object under `uploads/` does: completes an upload whose client has gone. Idempotent."""
    parts = key.removeprefix(keys.UPLOADS_PREFIX).split("/")
    if len(parts) != 3:
        _log.warning("object is no upload of ours", extra={"key": key})
        return None
    workspace_id, dataset_id, upload_id = parts
    try:
        return complete(ports, platform.principal("ingest", workspace_id), dataset_id, upload_id)
    except (NotFoundError, ConflictError) as error:
        _log.warning("upload was not completed", extra={"upload_id": upload_id, "reason": error.message})
        return None


def abort(ports: Ports, principal: Principal, dataset: str, upload_id: str) -> None:
    """Gives an upload up; what has arrived is deleted. Idempotent. Raises ConflictError for a completed one."""
    upload = _find(ports, principal, dataset, upload_id)
    if upload.status is UploadStatus.COMPLETED:
        raise ConflictError(
            f"The upload {upload.id} is complete and became version {upload.dataset_version}. It cannot be aborted."
        )
    if upload.status is UploadStatus.AWAITING:
        records.save(
            ports,
            upload,
            upload.dataset_id,
            upload.id,
            principal=principal,
            action="upload.abort",
            status=UploadStatus.EXPIRED,
        )
    _discard(ports, upload)


def expire_due(ports: Ports, *, limit: int = 500) -> int:
    """Ends uploads whose time is over: complete where the bytes are there, else EXPIRED. Returns how many.

    For the reconciler, each minute.
    """
    now = ports.clock()
    partition = keys.status_partition(Upload.resource, UploadStatus.AWAITING)
    num_ended = 0
    for row in ports.registry.query_status(partition, before=now - _FAR_EXPIRED, limit=limit):
        upload = Upload.model_validate(row.data)
        key = _key(upload)
        if ports.landing.head(key) is not None:
            num_ended += complete_landed(ports, key) is not None
        elif upload.expires_at + _FAR_EXPIRED < now:
            num_ended += _expire(ports, upload)
    return num_ended


def refuse_to_store(ports: Ports, workspace_id: str, num_bytes: int) -> str | None:
    """Why the workspace may not keep so much more data; None where it may."""
    limit = ports.live_settings.get(QuotaSettings, workspace_id).max_stored_bytes
    if limit is None:
        return None
    # NOTE: what costs needs takes long to import, and few workspaces have such a limit.
    from aimass_core.services import costs

    stored = costs.stored_bytes(ports, workspace_id)
    if stored + num_bytes <= limit:
        return None
    return (
        f"The workspace keeps {stored:,} bytes of data, and may keep {limit:,}: {num_bytes:,} more are too many. "
        "Delete datasets or old versions, or ask an admin to raise max_stored_bytes (quotas)."
    )


def _check_quotas(ports: Ports, workspace_id: str, num_bytes: int) -> None:
    """NOTE: uploads side by side do not see each other: a limit may be passed by as much as they bring."""
    quotas = ports.live_settings.get(QuotaSettings, workspace_id)
    if num_bytes > quotas.max_upload_bytes:
        raise PayloadTooLargeError(
            f"The file has {num_bytes:,} bytes; at most {quotas.max_upload_bytes:,} are taken in this workspace. Send "
            "it in parts, or ask an admin to raise max_upload_bytes (aimass settings set quotas)."
        )
    refused = refuse_to_store(ports, workspace_id, num_bytes)
    if refused is not None:
        raise ConflictError(refused)


def _expire(ports: Ports, upload: Upload) -> bool:
    try:
        records.save(ports, upload, upload.dataset_id, upload.id, status=UploadStatus.EXPIRED)
    except StaleRevisionError:
        return False
    _discard(ports, upload)
    return True


def _discard(ports: Ports, upload: Upload) -> None:
    if upload.multipart_id is not None:
        ports.landing.abort_multipart(_key(upload), upload.multipart_id)
    ports.landing.delete(_key(upload))


def _find(ports: Ports, principal: Principal, dataset: str, upload_id: str) -> Upload:
    found = records.find(ports, Dataset, principal.workspace_id, dataset)
    return records.get(ports, Upload, principal.workspace_id, found.id, upload_id)


def _key(upload: Upload) -> str:
    return keys.upload_object(upload.workspace_id, upload.dataset_id, upload.id)


def _require_open(upload: Upload) -> None:
    if upload.status is UploadStatus.EXPIRED:
        raise ConflictError(f"The upload {upload.id} has expired or was aborted. Begin a new one.")


def _assemble(ports: Ports, upload: Upload) -> BlobInfo:
    """The uploaded object, put together from its parts if need be."""
    stored = ports.landing.head(_key(upload))
    if stored is None and upload.multipart_id is not None:
        stored = _join_parts(ports, upload, upload.multipart_id)
    if stored is None:
        raise UploadIncompleteError(
            f"None of the {upload.num_bytes:,} bytes of {upload.file_name!r} have arrived. "
            "Send the signed request of the upload first."
        )
    if stored.num_bytes != upload.num_bytes:
        raise UploadIncompleteError(
            f"{stored.num_bytes:,} bytes have arrived, {upload.num_bytes:,} were declared. Begin a new upload."
        )
    return stored


def _join_parts(ports: Ports, upload: Upload, multipart_id: str) -> BlobInfo | None:
    key = _key(upload)
    try:
        arrived = ports.landing.list_parts(key, multipart_id)
    except BlobNotFoundError:
        return ports.landing.head(key)
    planned = multiparts.plan(upload.num_bytes, arrived, size=multiparts.part_bytes(upload.num_bytes))
    missing = [part.number for part in planned if part.etag is None]
    if missing:
        raise UploadIncompleteError(
            f"{len(missing)} of {len(planned)} parts of {upload.file_name!r} have not arrived: the first is part "
            f"{missing[0]}. GET the upload for fresh signed requests, and send them."
        )
    try:
        return ports.landing.complete_multipart(key, multipart_id, arrived)
    except BlobNotFoundError:
        # It was aborted in this moment.
        return None


def _to_landed(upload: Upload, stored: BlobInfo) -> LandedFile:
    return LandedFile(
        key=stored.key,
        etag=stored.etag,
        num_bytes=stored.num_bytes,
        display_name=upload.file_name,
        landed_at=stored.modified_at,
        sha256=upload.sha256,
    )


def _sign(ports: Ports, upload: Upload) -> Upload:
    """The upload with signed requests for what is missing."""
    if upload.status is not UploadStatus.AWAITING:
        return upload
    seconds = max(1, min(SIGNATURE_SECONDS, int((upload.expires_at - ports.clock()).total_seconds())))
    key = _key(upload)
    if upload.multipart_id is None:
        signed = ports.landing.sign_put(key, num_bytes=upload.num_bytes, sha256=upload.sha256, expires_seconds=seconds)
        return upload.model_copy(update={"request": multiparts.to_request(signed)})
    try:
        arrived = ports.landing.list_parts(key, upload.multipart_id)
    except BlobNotFoundError:
        return upload
    parts = multiparts.plan(upload.num_bytes, arrived, size=multiparts.part_bytes(upload.num_bytes))
    signed_parts = multiparts.sign_missing(ports.landing, key, upload.multipart_id, parts, expires_seconds=seconds)
    return upload.model_copy(update={"parts": signed_parts})
