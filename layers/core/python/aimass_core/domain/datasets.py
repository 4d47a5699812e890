"""Datasets, their immutable versions, and the uploads that bring bytes in."""

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, Field, StringConstraints

from aimass_core.domain.common import Contract, Name, Request, Resource, Text
from aimass_core.domain.quality import Expectations, Outcome
from aimass_core.domain.schemas import DatasetKind, Profile, Schema

MULTIPART_THRESHOLD_BYTES = 64 * 1024**2
PART_BYTES = 16 * 1024**2
MAX_UPLOAD_BYTES = 5 * 1024**4


class BadRows(StrEnum):
    """What happens to a file with rows that do not parse."""

    REJECT = "reject"
    QUARANTINE = "quarantine"


class WriteMode(StrEnum):
    """Whether new files replace the former version's content or are added to it."""

    REPLACE = "replace"
    APPEND = "append"


class DatasetPolicy(Contract):
    """How files become versions."""

    bad_rows: BadRows = BadRows.QUARANTINE
    max_bad_fraction: float = Field(
        strict=True,
        default=0.05,
        ge=0,
        le=1,
        description="Above this share of bad rows a file is rejected even under quarantine.",
    )
    quarantine_days: int = Field(
        strict=True, default=90, ge=1, le=3_650, description="After so many days the rows of a quarantine are deleted."
    )
    missing_values: list[str] = Field(
        default=["", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None"],
        max_length=50,
        description="Cell texts, after trimming, that mean 'no value'.",
    )
    has_header: bool | None = Field(default=None, description="Null: found out from the file.")
    drop_mode: WriteMode = Field(default=WriteMode.APPEND, description="What a file in the drop folder does.")
    drop_window_seconds: int = Field(
        strict=True,
        default=5,
        ge=0,
        le=300,
        description="Files that are dropped within this window become one version, and with them those that come while "
        "the version before is converted.",
    )


class Dataset(Resource):
    """A named sequence of versions."""

    resource: ClassVar[str] = "dataset"
    prefix: ClassVar[str] = "ds"

    name: str
    description: str = ""
    target: str | None = None
    policy: DatasetPolicy = DatasetPolicy()
    expectations: Expectations = Field(default=[], description="Checked at every new version.")
    latest_version: int | None = Field(default=None, description="The newest version that is READY.")
    last_number: int = Field(default=0, description="The newest version's number, ready or not.")
    source_id: str | None = Field(default=None, description="The source that fills it.")


class DatasetCreate(Request):
    """Body of POST /v1/datasets."""

    name: Name
    description: Text = ""
    target: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    policy: DatasetPolicy = DatasetPolicy()
    expectations: Expectations = []


class DatasetUpdate(Request):
    """Body of PATCH /v1/datasets/{dataset}; what is absent stays."""

    description: Text | None = None
    target: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    policy: DatasetPolicy | None = None
    expectations: Expectations | None = None


class DatasetVersionStatus(StrEnum):
    """PENDING collects files; INGESTING converts them; REJECTED has no rows; EXPIRED had some, and they are deleted."""

    PENDING = "PENDING"
    INGESTING = "INGESTING"
    READY = "READY"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing is being made of it any more."""
        return self not in (DatasetVersionStatus.PENDING, DatasetVersionStatus.INGESTING)


class FileIssue(Contract):
    """A rejected file or a row that did not parse: what, where, and what to do."""

    file: str
    line: int | None = None
    column: str | None = None
    reason: str


class QuarantinedRow(FileIssue):
    """A line of `quarantine.jsonl`: the issue, and the row as it was found (cut after 2,000 characters), with its cells
    where they could be told apart."""

    text: str | None = None
    values: dict[str, str | None] | None = Field(default=None, description="Null where they are unknown or too long.")


class DatasetRows(Contract):
    """The first rows of a version. An image is a data: URL, or null where it is too large to show."""

    columns: list[str]
    rows: list[dict[str, Any]]


class DatasetVersion(Resource):
    """An immutable snapshot: Parquet files with one schema, named by a manifest in the lake."""

    resource: ClassVar[str] = "dataset_version"
    prefix: ClassVar[str] = "dv"

    dataset_id: str
    dataset_name: str
    number: int = Field(ge=1)
    status: DatasetVersionStatus
    status_reason: str | None = None
    mode: WriteMode
    base_number: int | None = Field(default=None, description="The version whose files an append shares.")
    window_closes_at: AwareDatetime | None = None
    job_id: str | None = Field(
        default=None, description="The job that makes it: files too large for a Lambda, or rows that a job collected."
    )
    kind: DatasetKind | None = None
    num_rows: int | None = None
    num_quarantined: int | None = None
    num_bytes: int | None = Field(default=None, description="Parquet bytes of all its files.")
    freed_bytes: int | None = Field(default=None, description="Of an EXPIRED one: what its deletion freed.")
    num_files: int | None = None
    num_columns: int | None = None
    target: str | None = None
    digest: str | None = Field(
        default=None, description="SHA-256 over the manifest: the same content, the same digest."
    )
    quality: Outcome | None = Field(default=None, description="Null where nothing is expected of the dataset.")
    issues: list[FileIssue] = Field(default=[], description="The first 20; all are in the quarantine file.")
    imported_at: AwareDatetime | None = Field(
        default=None, description="When it came with an import of a workspace. Null: it did not."
    )


class LandedFile(Contract):
    """An object in the landing bucket that a version is made from."""

    key: str
    etag: str
    num_bytes: int
    display_name: str
    landed_at: AwareDatetime
    sha256: str | None = Field(default=None, description="Declared by an upload; checked when the file is read.")


class DataFile(Contract):
    """One Parquet file of a version. Its key in the lake follows from its SHA-256 (`keys.dataset_file`)."""

    sha256: str
    num_bytes: int
    num_rows: int


class DataFileLink(DataFile):
    """A Parquet file and a short-lived URL that reads it."""

    url: str


class DatasetFiles(Contract):
    """Answer of GET /v1/datasets/{dataset}/versions/{number}/files: all rows, in this order."""

    files: list[DataFileLink]


class Manifest(Contract):
    """`manifest.json` of a dataset version."""

    dataset_id: str
    number: int
    data_schema: Schema
    files: list[DataFile]

    def digest(self) -> str:
        """SHA-256 over schema and files, hex: the same content has the same digest in every dataset and version."""
        content = {
            "schema": self.data_schema.model_dump(mode="json"),
            "files": [data_file.sha256 for data_file in self.files],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class DatasetVersionDetail(DatasetVersion):
    """A version with its schema and profile, as GET of one version answers it."""

    data_schema: Schema | None = None
    profile: Profile | None = None
    table: str | None = Field(default=None, description="Its name in the Glue catalogue, for Spark, Hive and others.")


class UploadStatus(StrEnum):
    """AWAITING its bytes, COMPLETED, or EXPIRED."""

    AWAITING = "AWAITING"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"


class UploadCreate(Request):
    """Body of POST /v1/datasets/{dataset}/uploads."""

    file_name: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    num_bytes: int = Field(gt=0, le=MAX_UPLOAD_BYTES, strict=True)
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] = Field(
        description="Of the whole file, hex. A single PUT is refused by S3 where the bytes differ; the parts of a "
        "multipart upload are each checked by S3, the whole on ingest."
    )
    mode: WriteMode = WriteMode.REPLACE


class SignedRequest(Contract):
    """A request to S3 that needs no credentials: send it with exactly these headers."""

    method: str
    url: str
    headers: dict[str, str] = {}


class UploadPart(Contract):
    """One part of a multipart upload. `etag` is null until it has arrived. Only the next missing parts have a
    `request`; when these have arrived, GET of the upload answers those of the following ones."""

    number: int
    offset: int
    num_bytes: int
    etag: str | None = None
    request: SignedRequest | None = None


class Upload(Resource):
    """Bytes on their way into a dataset."""

    resource: ClassVar[str] = "upload"
    prefix: ClassVar[str] = "upl"

    dataset_id: str
    status: UploadStatus
    file_name: str
    num_bytes: int
    sha256: str
    mode: WriteMode
    expires_at: AwareDatetime
    multipart_id: str | None = None
    dataset_version: int | None = Field(default=None, description="The version that the bytes become.")
    request: SignedRequest | None = Field(default=None, description="The one PUT of a small file.")
    parts: list[UploadPart] = Field(default=[], description="GET of the upload answers what is still missing.")
