"""Predictions that one request cannot carry: large inputs, large answers, and answers that take long."""

from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract, Request
from aimass_core.domain.datasets import SignedRequest
from aimass_core.domain.jobs import Sha256

INPUT_HEADER = "x-aimass-input"
MAX_INPUT_BYTES = 64 * 1024**2


class PredictionInputCreate(Request):
    """Body of POST /v1/predictions/inputs: a request's body that is too large to be sent with it."""

    sha256: Sha256 = Field(description="Of the body, hex; S3 refuses other bytes.")
    num_bytes: int = Field(gt=0, le=MAX_INPUT_BYTES, strict=True)


class PredictionInput(Contract):
    """Where the bytes go; `request` is null where they are there already.

    The prediction then names them in its header X-Aimass-Input by their SHA-256, and has no body.
    """

    sha256: str
    num_bytes: int
    request: SignedRequest | None = None


class DeferredStatus(StrEnum):
    """SUBMITTED until it has been answered."""

    SUBMITTED = "SUBMITTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class PredictionAnswerLink(Contract):
    """An answer in S3. `url` needs no key and works for an hour."""

    url: str
    num_bytes: int
    content_type: str
    header_bytes: int | None = Field(
        default=None, description="Inference-Header-Content-Length of an answer with binary tensors."
    )


class DeferredPrediction(Contract):
    """A prediction that was asked for with `Prefer: respond-async`. It is kept for a day."""

    prefix: ClassVar[str] = "pr"

    id: str
    status: DeferredStatus
    path: str = Field(description="What was asked.")
    created_at: AwareDatetime
    expires_at: AwareDatetime
    code: str | None = Field(default=None, description="Of the error, where it FAILED.")
    status_reason: str | None = None
    answer: PredictionAnswerLink | None = None
