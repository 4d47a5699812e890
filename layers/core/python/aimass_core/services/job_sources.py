"""Sources of script jobs: signed in, and found again by their digest."""

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import SignedRequest
from aimass_core.domain.job_sources import MAX_PACKED_BYTES, JobSource, JobSourceCreate
from aimass_core.errors import ConflictError, ErrorDetail
from aimass_core.ports import Ports

SIGNATURE_SECONDS = 900


def create(ports: Ports, principal: Principal, request: JobSourceCreate) -> JobSource:
    """How to send a packed source. The digest is part of the signature, so an object is what its name says."""
    key = keys.job_source(principal.workspace_id, request.sha256)
    if ports.lake.head(key) is not None:
        return JobSource(sha256=request.sha256, num_bytes=request.num_bytes)
    signed = ports.lake.sign_put(
        key, num_bytes=request.num_bytes, sha256=request.sha256, expires_seconds=SIGNATURE_SECONDS
    )
    to_send = SignedRequest(method=signed.method, url=signed.url, headers=dict(signed.headers))
    return JobSource(sha256=request.sha256, num_bytes=request.num_bytes, request=to_send)


def require(
    ports: Ports,
    workspace_id: str,
    sha256: str,
    *,
    location: str = "body.spec.source",
    max_bytes: int = MAX_PACKED_BYTES,
) -> None:
    """Raises ConflictError unless the packed source has arrived; `location` is where the request names it."""
    info = ports.lake.head(keys.job_source(workspace_id, sha256))
    if info is None or info.num_bytes > max_bytes:
        raise ConflictError(
            f"The source {sha256[:12]}... has not arrived. POST its SHA-256 and length to /v1/jobs/sources, and send "
            "the bytes as the answer says.",
            details=[ErrorDetail(location=location, message="has not arrived")],
        )
