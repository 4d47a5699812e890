"""Captured requests of endpoints: where they lie, and how they become a dataset."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from aimass_core.domain import keys
from aimass_core.domain.captures import CaptureExport
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import DatasetVersion, UploadCreate, WriteMode
from aimass_core.domain.endpoints import Endpoint
from aimass_core.errors import ConflictError, NotFoundError, PayloadTooLargeError
from aimass_core.ports import BlobInfo, BlobNotFoundError, Ports
from aimass_core.services import datasets, uploads

DEFAULT_SPAN = timedelta(days=7)
MAX_SPAN = timedelta(days=366)
MAX_EXPORT_BYTES = 48 * 1024**2
# A file is written seconds after its first row was captured.
_LATE = timedelta(minutes=5)


def list_files(ports: Ports, endpoint: Endpoint, *, since: datetime, until: datetime) -> Iterator[BlobInfo]:
    """Files with rows that were captured between, the newest days first; a file at an end may hold others too."""
    day = until.astimezone(UTC).date()
    while day >= since.astimezone(UTC).date():
        prefix = keys.captures_prefix(endpoint.workspace_id, endpoint.id, day.isoformat())
        found = sorted(ports.lake.list(prefix), key=lambda info: info.key, reverse=True)
        yield from (info for info in found if info.modified_at >= since and info.modified_at <= until + _LATE)
        day -= timedelta(days=1)


def export(ports: Ports, principal: Principal, endpoint: Endpoint, request: CaptureExport) -> DatasetVersion:
    """Makes a version of a dataset from captured rows: gzip files one behind the other are one.

    Raises:
        NotFoundError: Nothing was captured in that time.
        PayloadTooLargeError: More than can be read at once.
    """
    until = request.until or ports.clock()
    since = request.since or until - DEFAULT_SPAN
    check_span(since, until)
    found = list(list_files(ports, endpoint, since=since, until=until))
    num_bytes = sum(info.num_bytes for info in found)
    if not found:
        raise NotFoundError(_nothing(endpoint, since, until))
    if num_bytes > MAX_EXPORT_BYTES:
        raise PayloadTooLargeError(
            f"{num_bytes:,} bytes were captured in that time; at most {MAX_EXPORT_BYTES:,} become one version. Choose "
            "a shorter time by `since` and `until`."
        )
    body = b"".join(_read(ports, info) for info in reversed(found))
    return _to_version(ports, principal, request.dataset, body, file_name=f"{endpoint.name}-captured.jsonl.gz")


def check_span(since: datetime, until: datetime) -> None:
    """Raises ConflictError for a time that is empty or longer than a year."""
    if not timedelta(0) < until - since <= MAX_SPAN:
        raise ConflictError(
            f"From {since.isoformat()} to {until.isoformat()} is no time of at most {MAX_SPAN.days} days. Choose "
            "another `since`."
        )


def _nothing(endpoint: Endpoint, since: datetime, until: datetime) -> str:
    percent = endpoint.settings.capture.percent
    hint = (
        "Capturing is off: aimass endpoints set " + endpoint.name + " capture.percent=10"
        if not percent
        else f"{percent:g} % of the requests are captured; they are there some seconds after the next request."
    )
    return f"{endpoint.name!r} has captured nothing from {since.isoformat()} to {until.isoformat()}. {hint}"


def _read(ports: Ports, info: BlobInfo) -> bytes:
    try:
        return ports.lake.get(info.key)
    except BlobNotFoundError:
        return b""


def _to_version(ports: Ports, principal: Principal, name: str, body: bytes, *, file_name: str) -> DatasetVersion:
    dataset = datasets.ensure(ports, principal, name)
    request = UploadCreate(
        file_name=file_name,
        num_bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        mode=WriteMode.REPLACE,
    )
    upload = uploads.create(ports, principal, dataset.id, request)
    ports.landing.put(keys.upload_object(principal.workspace_id, dataset.id, upload.id), body)
    return uploads.complete(ports, principal, dataset.id, upload.id)
