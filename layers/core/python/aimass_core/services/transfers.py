"""Exports and imports of a workspace as its admins ask for them; what they do, `batch_jobs/transfer` does.

The zip holds all that the workspace has, so it is none of its job's artifacts, which every viewer may read.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

from pydantic import BaseModel

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import UploadPart
from aimass_core.domain.jobs import Job, JobKind, JobStatus
from aimass_core.domain.settings.retention import RetentionSettings
from aimass_core.domain.transfers import (
    EXPORT_REPORT,
    IMPORT_REPORT,
    Archive,
    ArchiveCreate,
    ExportCreate,
    ExportReport,
    ExportSpec,
    ImportCreate,
    ImportReport,
    ImportWorkspaceSpec,
    WorkspaceExport,
    WorkspaceImport,
)
from aimass_core.errors import ConflictError, ErrorDetail, NotFoundError
from aimass_core.ports import BlobNotFoundError, Ports, Put, Row, StoredPart, WriteConflictError
from aimass_core.services import jobs, multiparts, workspaces
from aimass_core.services.job_quotas import JobLimits

MAX_SECONDS = 6 * 3600
_SIGNATURE_SECONDS = 3600
_LINK_SECONDS = 900
# So long S3 keeps parts of what is not complete (infra/cdk/components/storage.py).
_MULTIPART_LIFETIME = timedelta(days=7)

ReportT = TypeVar("ReportT", bound=BaseModel)


def export(ports: Ports, principal: Principal, workspace_id: str, request: ExportCreate, *, limits: JobLimits) -> Job:
    """Queues the job that writes the zip. Raises QuotaExceededError."""
    workspaces.get(ports, principal, workspace_id)
    spec = ExportSpec(with_data=request.with_data)
    return jobs.submit_transfer(ports, principal, spec, max_seconds=MAX_SECONDS, limits=limits)


def create_archive(ports: Ports, principal: Principal, workspace_id: str, request: ArchiveCreate) -> Archive:
    """How to send what is missing of a zip. In one request the digest is signed; in parts the import compares it."""
    workspaces.get(ports, principal, workspace_id)
    key = keys.workspace_archive(workspace_id, request.sha256)
    answer = Archive(sha256=request.sha256, num_bytes=request.num_bytes)
    if ports.lake.head(key) is not None:
        return answer
    if request.part_bytes is not None:
        parts = _missing_parts(ports, workspace_id, key, request, size=request.part_bytes)
        return answer.model_copy(update={"parts": parts})
    signed = ports.lake.sign_put(
        key, num_bytes=request.num_bytes, sha256=request.sha256, expires_seconds=_SIGNATURE_SECONDS
    )
    return answer.model_copy(update={"request": multiparts.to_request(signed)})


def import_workspace(
    ports: Ports, principal: Principal, workspace_id: str, request: ImportCreate, *, limits: JobLimits
) -> Job:
    """Queues the job that takes the zip in. Raises ConflictError where it has not arrived, QuotaExceededError."""
    workspaces.get(ports, principal, workspace_id)
    if ports.lake.head(keys.workspace_archive(workspace_id, request.archive)) is None:
        raise ConflictError(
            f"The archive {request.archive[:12]}... has not arrived. POST its SHA-256 and length to "
            f"/v1/workspaces/{workspace_id}/archives, and send the bytes as the answer says.",
            details=[ErrorDetail(location="body.archive", message="has not arrived")],
        )
    spec = ImportWorkspaceSpec(**request.model_dump())
    return jobs.submit_transfer(ports, principal, spec, max_seconds=MAX_SECONDS, limits=limits)


def list_exports(
    ports: Ports, principal: Principal, workspace_id: str, *, limit: int, start: str | None = None
) -> tuple[list[WorkspaceExport], str | None]:
    """A page of the exports, newest first, without their reports."""
    workspaces.get(ports, principal, workspace_id)
    found, next_start = jobs.list_jobs(ports, principal, limit=limit, start=start, kind=JobKind.EXPORT)
    return [_to_export(job) for job in found], next_start


def list_imports(
    ports: Ports, principal: Principal, workspace_id: str, *, limit: int, start: str | None = None
) -> tuple[list[WorkspaceImport], str | None]:
    """A page of the imports, newest first, without their reports."""
    workspaces.get(ports, principal, workspace_id)
    found, next_start = jobs.list_jobs(ports, principal, limit=limit, start=start, kind=JobKind.IMPORT_WORKSPACE)
    return [_to_import(job) for job in found], next_start


def get_export(ports: Ports, principal: Principal, workspace_id: str, job_id: str) -> WorkspaceExport:
    """One export; once it has SUCCEEDED with its report and a link to the zip. Raises NotFoundError."""
    workspace = workspaces.get(ports, principal, workspace_id)
    job = jobs.get(ports, principal, job_id)
    found = _to_export(job)
    if job.status is not JobStatus.SUCCEEDED:
        return found
    report = _load_report(ports, job, EXPORT_REPORT, ExportReport)
    name = f"{workspace.name}-{job.created_at:%Y%m%d-%H%M%S}.zip"
    key = keys.workspace_export(job.workspace_id, job.id)
    stored = ports.lake.head(key)
    if stored is None:
        return found.model_copy(update={"report": report})
    kept = timedelta(days=ports.live_settings.get(RetentionSettings, workspace_id).archives_days)
    url = ports.lake.sign_get(key, expires_seconds=_LINK_SECONDS, download_name=name)
    return found.model_copy(update={"report": report, "url": url, "expires_at": stored.modified_at + kept})


def get_import(ports: Ports, principal: Principal, workspace_id: str, job_id: str) -> WorkspaceImport:
    """One import; once it has ended with its report, also where it failed for a conflict. Raises NotFoundError."""
    workspaces.get(ports, principal, workspace_id)
    job = jobs.get(ports, principal, job_id)
    found = _to_import(job)
    if not job.status.is_terminal:
        return found
    return found.model_copy(update={"report": _load_report(ports, job, IMPORT_REPORT, ImportReport)})


def _missing_parts(ports: Ports, workspace_id: str, key: str, request: ArchiveCreate, *, size: int) -> list[UploadPart]:
    """Those that have not arrived, the next of them signed; empty once the zip is put together."""
    begun = keys.row(workspace_id, "archive_upload", request.sha256)
    row = ports.registry.get(begun)
    wanted = {"num_bytes": request.num_bytes, "part_bytes": size}
    if row is not None and wanted.items() <= row.data.items():
        multipart_id = str(row.data["multipart_id"])
        try:
            parts = multiparts.plan(request.num_bytes, ports.lake.list_parts(key, multipart_id), size=size)
        except BlobNotFoundError:
            # S3 has given it up; or somebody else has put it together in this moment.
            if ports.lake.head(key) is not None:
                return []
        else:
            return _sign_or_join(ports, key, multipart_id, parts)
    multipart_id = ports.lake.create_multipart(key)
    data = {**wanted, "multipart_id": multipart_id}
    revision = 0 if row is None else row.revision
    begun_row = Row(key=begun, data=data, revision=revision + 1, expires_at=ports.clock() + _MULTIPART_LIFETIME)
    try:
        ports.registry.write(Put(row=begun_row, expected=revision or None))
    except WriteConflictError as error:
        ports.lake.abort_multipart(key, multipart_id)
        raise ConflictError("Somebody else sends the same archive in this moment. Try again.") from error
    return _sign_or_join(ports, key, multipart_id, multiparts.plan(request.num_bytes, [], size=size))


def _sign_or_join(ports: Ports, key: str, multipart_id: str, parts: Sequence[UploadPart]) -> list[UploadPart]:
    if any(part.etag is None for part in parts):
        return multiparts.sign_missing(ports.lake, key, multipart_id, parts, expires_seconds=_SIGNATURE_SECONDS)
    arrived = [StoredPart(number=part.number, num_bytes=part.num_bytes, etag=str(part.etag)) for part in parts]
    ports.lake.complete_multipart(key, multipart_id, arrived)
    return []


def _to_export(job: Job) -> WorkspaceExport:
    if not isinstance(job.spec, ExportSpec):
        raise NotFoundError(f"There is no export {job.id!r} in this workspace: that is a job of the kind {job.kind}.")
    return WorkspaceExport(**_common(job), with_data=job.spec.with_data)


def _to_import(job: Job) -> WorkspaceImport:
    spec = job.spec
    if not isinstance(spec, ImportWorkspaceSpec):
        raise NotFoundError(f"There is no import {job.id!r} in this workspace: that is a job of the kind {job.kind}.")
    return WorkspaceImport(**_common(job), archive=spec.archive, dry_run=spec.dry_run, on_conflict=spec.on_conflict)


def _common(job: Job) -> dict[str, object]:
    return {
        "job_id": job.id,
        "status": job.status,
        "status_reason": job.failure.cause if job.failure is not None else job.status_reason,
        "created_at": job.created_at,
        "created_by": job.created_by,
    }


def _load_report(ports: Ports, job: Job, name: str, cls: type[ReportT]) -> ReportT | None:
    key = keys.job_attempt(job.workspace_id, job.id, job.attempt, f"output/{name}")
    try:
        return cls.model_validate_json(ports.lake.get(key))
    except BlobNotFoundError:
        return None
