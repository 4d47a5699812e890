"""Sources of script jobs and of imports: a packed folder, sent straight to the lake and named by its SHA-256."""

from pydantic import Field

from aimass_core.domain.common import Contract, Request
from aimass_core.domain.datasets import SignedRequest
from aimass_core.domain.jobs import Sha256

MAX_PACKED_BYTES = 64 * 1024**2
MAX_MODEL_BYTES = 512 * 1024**2
MAX_UNPACKED_BYTES = 512 * 1024**2
MAX_FILES = 10_000
REQUIREMENTS = "requirements.txt"


class JobSourceCreate(Request):
    """Body of POST /v1/jobs/sources."""

    sha256: Sha256 = Field(description="Of the packed file, hex; S3 refuses other bytes.")
    num_bytes: int = Field(gt=0, le=MAX_MODEL_BYTES, strict=True)


class JobSource(Contract):
    """Where the bytes go; `request` is null where they are there already."""

    sha256: str
    num_bytes: int
    request: SignedRequest | None = None
