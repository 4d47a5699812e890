"""Reports as their users ask for them: a row and the job that makes its files, in one transaction."""

import logging
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Job, JobKind, JobStatus, ReportSpec
from aimass_core.domain.models import Model
from aimass_core.domain.notifications import NotificationType, Subject
from aimass_core.domain.workspace_reports import Report, ReportCreate, ReportDetail, ReportFigure, ReportStatus
from aimass_core.errors import ConflictError, NotFoundError, StaleRevisionError
from aimass_core.ports import Attachment, BlobNotFoundError, Delete, Ports, Put, WriteConflictError
from aimass_core.services import job_quotas, job_states, notification_channels, notifications, records
from aimass_core.services.job_quotas import JobLimits

HTML, PDF, SUMMARY = "report.html", "report.pdf", "report.json"
MAX_SECONDS = 1_800
LINK_SECONDS = 3_600
_MAX_MAIL_BYTES = 5 * 1024**2
_NAMES = {HTML: "html", PDF: "pdf"}

_log = logging.getLogger(__name__)


class ReportSummary(BaseModel):
    """`report.json`: what the job found, in short."""

    figures: list[ReportFigure]


def create(ports: Ports, principal: Principal, request: ReportCreate, *, limits: JobLimits) -> Report:
    """A report of the days until now. Raises NotFoundError for a model that is not there, InvalidRequestError for a
    channel that is not, QuotaExceededError."""
    job_quotas.check(ports, principal.workspace_id, limits)
    return submit(ports, principal, request, plan_id=None)


def submit(ports: Ports, principal: Principal, request: ReportCreate, *, plan_id: str | None) -> Report:
    """The same for a plan, which has its place in the quota by being one of few."""
    workspace_id = principal.workspace_id
    if request.model is not None:
        records.find(ports, Model, workspace_id, request.model)
    notification_channels.require(ports, workspace_id, request.channels)
    until = ports.clock()
    fields = records.new_fields(ports, principal, Report)
    job = Job(
        **records.new_fields(ports, principal, Job),
        kind=JobKind.REPORT,
        spec=ReportSpec(report=fields["id"]),
        max_seconds=MAX_SECONDS,
        status=JobStatus.SUBMITTED,
    )
    report = Report(
        **fields,
        model=request.model,
        since=until - timedelta(days=request.days),
        until=until,
        channels=request.channels,
        plan_id=plan_id,
        job_id=job.id,
    )
    writes = [Put(row=records.to_row(job)), records.audit(ports, principal, "job.create", job)]
    return records.create(ports, principal, report, also=[*writes, *job_states.new_writes(job)])


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[Report], str | None]:
    """A page of the workspace's reports, newest first."""
    return records.list_page(ports, Report, principal.workspace_id, limit=limit, start=start)


def get(ports: Ports, principal: Principal, report_id: str) -> ReportDetail:
    """One with links to its files. Raises NotFoundError."""
    report = records.get(ports, Report, principal.workspace_id, report_id)
    if report.status is ReportStatus.PENDING:
        report = _follow(ports, report)
    links = sign_links(ports, report.workspace_id, report.id) if report.status is ReportStatus.READY else {}
    return ReportDetail(**report.model_dump(), **links)


def delete(ports: Ports, principal: Principal, report_id: str) -> None:
    """Forgets it; its files stay with its job. Raises ConflictError while it is being made."""
    report = records.get(ports, Report, principal.workspace_id, report_id)
    if report.status is ReportStatus.PENDING:
        raise ConflictError(f"The report {report.id} is being made. Stop it first: aimass jobs stop {report.job_id}")
    try:
        ports.registry.write(
            Delete(key=keys.row(report.workspace_id, report.resource, report.id), expected=report.revision),
            records.audit(ports, principal, "report.delete", report),
        )
    except WriteConflictError as error:
        raise StaleRevisionError(f"The report {report.id!r} was changed in this moment. Delete it again.") from error


# --- what its job's end means ----------------------------------------------------------------------------------------


def settle(ports: Ports, job: Job) -> None:
    """READY or FAILED once the job has ended; those who want to hear of it are told. Idempotent."""
    if not isinstance(job.spec, ReportSpec) or not job.status.is_terminal:
        return
    try:
        report = records.get(ports, Report, job.workspace_id, job.spec.report)
    except NotFoundError:
        return
    if report.status is ReportStatus.PENDING:
        _settle(ports, report, job)


def _follow(ports: Ports, report: Report) -> Report:
    """Where the event of its job's end was missed."""
    try:
        settle(ports, records.get(ports, Job, report.workspace_id, report.job_id))
    except NotFoundError:
        _log.warning("the job of a report is gone", extra={"report_id": report.id})
    return records.get(ports, Report, report.workspace_id, report.id)


def _settle(ports: Ports, report: Report, job: Job) -> None:
    changes = _read(ports, report, job) if job.status is JobStatus.SUCCEEDED else _failed(job)
    changed = report.model_copy(update=changes)
    try:
        records.save(ports, report, also=[_tell(ports, changed)], **changes)
    except StaleRevisionError:
        _log.info("settled by somebody else", extra={"report_id": report.id})


def _read(ports: Ports, report: Report, job: Job) -> dict[str, Any]:
    try:
        summary = ReportSummary.model_validate_json(ports.lake.get(_output(job, SUMMARY)))
    except (BlobNotFoundError, ValidationError):
        _log.exception("a report has no summary", extra={"report_id": report.id})
        return {"status": ReportStatus.FAILED, "status_reason": "Its job has left no report. Make it again."}
    found = {name: ports.lake.head(_output(job, name)) for name in _NAMES}
    sizes = {f"{_NAMES[name]}_bytes": None if info is None else info.num_bytes for name, info in found.items()}
    return {"status": ReportStatus.READY, "figures": summary.figures, **sizes}


def _failed(job: Job) -> dict[str, Any]:
    return {"status": ReportStatus.FAILED, "status_reason": job.status_reason or f"Its job is {job.status}."}


def _tell(ports: Ports, report: Report) -> Put:
    is_ready = report.status is ReportStatus.READY
    about = f"the model {report.model}" if report.model else "the workspace"
    span = f"{report.since:%Y-%m-%d} to {report.until:%Y-%m-%d}"
    lines = [
        f"{each.name}: {each.value}" + (f" (before: {each.before})" if each.before else "") for each in report.figures
    ]
    return notifications.new_write(
        ports,
        report.workspace_id,
        NotificationType.REPORT_READY if is_ready else NotificationType.REPORT_FAILED,
        Subject(resource=Report.resource, id=report.id, name=report.model or ""),
        title=f"The report on {about}, {span}" + ("" if is_ready else ", could not be made"),
        text="\n".join(lines) if is_ready else report.status_reason or "",
        data={"report_id": report.id, "since": report.since.isoformat(), "until": report.until.isoformat()},
        channels=report.channels,
    )


# --- its files -------------------------------------------------------------------------------------------------------


def sign_links(ports: Ports, workspace_id: str, report_id: str) -> dict[str, str]:
    """`html_url` and `pdf_url`, for an hour. Raises NotFoundError."""
    report = records.get(ports, Report, workspace_id, report_id)
    job = records.get(ports, Job, workspace_id, report.job_id)
    return {
        f"{kind}_url": ports.lake.sign_get(
            _output(job, name), expires_seconds=LINK_SECONDS, download_name=file_name(report, kind)
        )
        for name, kind in _NAMES.items()
    }


def load_attachments(ports: Ports, workspace_id: str, report_id: str) -> list[Attachment]:
    """The PDF, as an e-mail takes it; nothing where it is too large or gone."""
    try:
        report = records.get(ports, Report, workspace_id, report_id)
        if report.pdf_bytes is None or report.pdf_bytes > _MAX_MAIL_BYTES:
            return []
        job = records.get(ports, Job, workspace_id, report.job_id)
        content = ports.lake.get(_output(job, PDF))
    except (NotFoundError, BlobNotFoundError):
        return []
    return [Attachment(name=file_name(report, "pdf"), content=content, media_type="application/pdf")]


def file_name(report: Report, kind: str) -> str:
    """`report-adult-2026-11-23.pdf`."""
    return "-".join(["report", *([report.model] if report.model else []), f"{report.until:%Y-%m-%d}"]) + f".{kind}"


def _output(job: Job, name: str) -> str:
    return keys.job_attempt(job.workspace_id, job.id, job.attempt, f"output/{name}")
