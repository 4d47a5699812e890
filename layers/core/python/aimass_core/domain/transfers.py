"""Exports and imports of a workspace: one zip that another one or another installation takes in, repeatedly."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from aimass_core.domain.artifacts import Sha256
from aimass_core.domain.common import Contract, Request
from aimass_core.domain.datasets import SignedRequest, UploadPart
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.job_statuses import JobStatus

SCHEMA_VERSION = 1
"""Of the archives that this release writes; it reads this one."""
MAX_ARCHIVE_BYTES = 1024**4
"""More is moved without the rows, and the datasets one by one."""
MAX_SINGLE_BYTES = 5 * 1024**3
"""What S3 takes in one PUT."""
MAX_ARCHIVE_PARTS = 1_000
EXPORT_REPORT = "export.json"
IMPORT_REPORT = "import.json"


class OnConflict(StrEnum):
    """What becomes of a thing whose name another one has: nothing at all is imported, or all but it and what needs it,
    or it gets another name."""

    FAIL = "fail"
    SKIP = "skip"
    RENAME = "rename"


class ExportCreate(Request):
    """Body of POST /v1/workspaces/{workspace}/exports."""

    with_data: bool = Field(
        default=False, strict=True, description="The rows of datasets too; else their names, policies and expectations."
    )


class ExportSpec(ExportCreate):
    """Writes the workspace as one zip. Submitted by POST /v1/workspaces/{workspace}/exports only."""

    kind: Literal[JobKind.EXPORT] = JobKind.EXPORT


class ArchiveCreate(Request):
    """Body of POST /v1/workspaces/{workspace}/archives."""

    sha256: Sha256 = Field(description="Of the zip, hex; S3 refuses other bytes.")
    num_bytes: int = Field(gt=0, le=MAX_ARCHIVE_BYTES, strict=True)
    part_bytes: int | None = Field(
        default=None,
        ge=5 * 1024**2,
        le=MAX_SINGLE_BYTES,
        strict=True,
        description="Send it in parts of so many bytes, at most 1,000. Null: in one request, up to 5 GiB.",
    )

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.part_bytes is None and self.num_bytes > MAX_SINGLE_BYTES:
            raise ValueError(
                f"{self.num_bytes} bytes are more than one request takes ({MAX_SINGLE_BYTES}): give `part_bytes`"
            )
        if self.part_bytes is not None and self.num_bytes > self.part_bytes * MAX_ARCHIVE_PARTS:
            raise ValueError(
                f"{self.num_bytes} bytes are more than {MAX_ARCHIVE_PARTS} parts of {self.part_bytes}: choose larger "
                f"ones, of {-(-self.num_bytes // MAX_ARCHIVE_PARTS)} bytes or more"
            )
        return self


class Archive(Contract):
    """What of the zip is still to be sent; nothing where it is there. In parts: send those that have a `request`, then
    POST the same again, which answers the next ones, and in the end puts them together."""

    sha256: str
    num_bytes: int
    request: SignedRequest | None = None
    parts: list[UploadPart] = []


class ImportCreate(Request):
    """Body of POST /v1/workspaces/{workspace}/imports."""

    archive: Sha256 = Field(description="SHA-256 of a zip that was sent as POST .../archives said.")
    dry_run: bool = Field(default=False, strict=True, description="Say what would be done, and do nothing.")
    on_conflict: OnConflict = OnConflict.FAIL


class ImportWorkspaceSpec(ImportCreate):
    """Takes in what another workspace exported. Submitted by POST /v1/workspaces/{workspace}/imports only."""

    kind: Literal[JobKind.IMPORT_WORKSPACE] = JobKind.IMPORT_WORKSPACE


ResourceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,62}$")]


class TransferAction(StrEnum):
    """CREATE it, RENAME it as it is made, SKIP what is there already, LEAVE_OUT what cannot be had or is not wanted;
    CONFLICT: its name is another one's."""

    CREATE = "create"
    RENAME = "rename"
    SKIP = "skip"
    LEAVE_OUT = "leave_out"
    CONFLICT = "conflict"


class TransferItem(Contract):
    """What an import does with one thing, and why."""

    resource: ResourceName = Field(description="source, dataset, dataset_version, job, study, model, ...")
    id: str
    name: str = Field(description="`adult`, or `adult@3`.")
    action: TransferAction
    new_name: str | None = None
    reason: str = ""


class ExportReport(Contract):
    """`output/export.json` of an export."""

    workspace_name: str
    exported_at: AwareDatetime
    schema_version: int = SCHEMA_VERSION
    with_data: bool
    num_bytes: int
    sha256: str
    counts: dict[ResourceName, int] = Field(description="How many of each are in it.")
    left_out: list[str] = Field(default=[], description="What is not in it, and why.")


class ImportReport(Contract):
    """`output/import.json` of an import: the plan, which has been carried out unless it was a dry run."""

    workspace_name: str = Field(description="Of the workspace that was exported.")
    exported_at: AwareDatetime
    dry_run: bool
    counts: dict[TransferAction, int]
    items: list[TransferItem]
    to_do: list[str] = Field(default=[], description="What the archive cannot hold: secrets to set, what is paused.")


class _Transfer(Contract):
    job_id: str
    status: JobStatus
    status_reason: str | None = None
    created_at: AwareDatetime
    created_by: str


class WorkspaceExport(_Transfer):
    """An export and what came of it. `url` is short-lived, and null until it has SUCCEEDED, once the zip has expired,
    and in lists."""

    with_data: bool
    expires_at: AwareDatetime | None = Field(default=None, description="Of the zip; null in lists.")
    report: ExportReport | None = None
    url: str | None = None


class WorkspaceImport(_Transfer):
    """An import and what came of it; no report in lists."""

    archive: str
    dry_run: bool
    on_conflict: OnConflict
    report: ImportReport | None = None
