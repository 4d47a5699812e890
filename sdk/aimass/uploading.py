"""Bytes into S3: presigned, checked by SHA-256, in parts when large, resumed when interrupted."""

from __future__ import annotations

import hashlib
import os
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from aimass.binding import to_request
from aimass.errors import ConnectionFailedError
from aimass_core.domain.datasets import (
    MAX_UPLOAD_BYTES,
    MULTIPART_THRESHOLD_BYTES,
    PART_BYTES,
    SignedRequest,
    Upload,
    UploadCreate,
    UploadPart,
    UploadStatus,
    WriteMode,
)
from aimass_core.domain.job_sources import JobSource, JobSourceCreate
from aimass_core.domain.transfers import MAX_ARCHIVE_BYTES, MAX_ARCHIVE_PARTS, Archive, ArchiveCreate
from aimass_core.errors import InvalidDataError

if TYPE_CHECKING:
    from aimass.client import Client
    from aimass.resources.datasets import DatasetVersion

OnBytes = Callable[[int, int], None]
_CHUNK_BYTES = 1024**2
_NUM_CONNECTIONS = 4
_ALREADY_THERE = 412


def send_file(
    client: Client, dataset_id: str, path: Path, *, mode: WriteMode, on_bytes: OnBytes | None = None
) -> DatasetVersion:
    """Uploads one file and returns the version that it becomes (PENDING)."""
    from aimass.resources.datasets import DatasetVersion

    base = f"/v1/datasets/{dataset_id}/uploads"
    num_bytes = path.stat().st_size
    if not 0 < num_bytes <= MAX_UPLOAD_BYTES:
        raise InvalidDataError(
            f"{path.name} has {num_bytes:,} bytes; a file of 1 byte to 5 TiB can be uploaded. "
            "Is it the right file, and was it written to its end?"
        )
    # A file's name is bytes on some systems, and need not be text.
    file_name = os.fsencode(path.name).decode("utf-8", "replace")
    sha256 = _hash_file(path)
    body = to_request(UploadCreate, file_name=file_name, num_bytes=num_bytes, sha256=sha256, mode=mode)
    upload = _find_interrupted(client, base, body) or Upload.model_validate(
        client.http.request("POST", base, body=body.model_dump(mode="json"))
    )
    progress = _Progress(num_bytes, on_bytes)
    if upload.request is not None:
        _put(client, upload.request, path, num_bytes=num_bytes, progress=progress)
    else:
        _put_parts(client, path, upload.parts, progress, read_again=lambda: _read_parts(client, f"{base}/{upload.id}"))
    answer = client.http.request("POST", f"{base}/{upload.id}/complete")
    return DatasetVersion.model_validate(answer, context={"client": client})


def send_source(client: Client, path: Path) -> str:
    """Sends a packed source of a script where it is not there already; returns its SHA-256."""
    sha256, num_bytes = _hash_file(path), path.stat().st_size
    body = to_request(JobSourceCreate, sha256=sha256, num_bytes=num_bytes)
    answer = JobSource.model_validate(client.http.request("POST", "/v1/jobs/sources", body=body.model_dump()))
    if answer.request is not None:
        _put(client, answer.request, path, num_bytes=num_bytes, progress=_Progress(num_bytes, None))
    return sha256


def send_archive(
    client: Client, workspace_id: str, path: Path, *, part_bytes: int | None = None, on_bytes: OnBytes | None = None
) -> str:
    """Sends the zip of an export where it is not there already; returns its SHA-256.

    A large one goes in parts, and sent again goes on where it stopped.
    """
    sha256, num_bytes = _hash_file(path), path.stat().st_size
    if num_bytes > MAX_ARCHIVE_BYTES:
        raise InvalidDataError(
            f"{path.name} has {num_bytes:,} bytes; an archive of at most {MAX_ARCHIVE_BYTES:,} is taken. Export "
            "without the rows, and move the datasets one by one (aimass datasets export)."
        )
    if part_bytes is None and num_bytes >= MULTIPART_THRESHOLD_BYTES:
        part_bytes = max(PART_BYTES, -(-num_bytes // MAX_ARCHIVE_PARTS))
    body = to_request(ArchiveCreate, sha256=sha256, num_bytes=num_bytes, part_bytes=part_bytes)

    def ask() -> Archive:
        url = f"/v1/workspaces/{workspace_id}/archives"
        return Archive.model_validate(client.http.request("POST", url, body=body.model_dump()))

    answer, progress = ask(), _Progress(num_bytes, on_bytes)
    if answer.request is not None:
        _put(client, answer.request, path, num_bytes=num_bytes, progress=progress)
    _put_parts(client, path, answer.parts, progress, read_again=lambda: ask().parts)
    return sha256


@contextmanager
def pack_folder(folder: Path) -> Iterator[Path]:
    """A tar of a folder, in a temporary place."""
    with TemporaryDirectory(prefix="aimass-") as temporary:
        packed = Path(temporary) / f"{folder.resolve().name}.tar"
        with tarfile.open(packed, "w") as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file() and not file.is_symlink():
                    archive.add(file, arcname=str(file.relative_to(folder)), recursive=False)
        yield packed


class _Progress:
    def __init__(self, total: int, on_bytes: OnBytes | None) -> None:
        self._total, self._on_bytes, self._sent, self._lock = total, on_bytes, 0, threading.Lock()

    def add(self, num_bytes: int) -> None:
        """Adds bytes that were sent (negative: an attempt begins anew)."""
        with self._lock:
            self._sent += num_bytes
            if self._on_bytes:
                self._on_bytes(self._sent, self._total)


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_interrupted(client: Client, base: str, body: UploadCreate) -> Upload | None:
    """An upload of the same bytes that still waits for some of them."""
    page = client.http.request("GET", base, params={"limit": 20})
    for item in page["items"]:
        upload = Upload.model_validate(item)
        is_same = (upload.sha256, upload.num_bytes, upload.mode) == (body.sha256, body.num_bytes, body.mode)
        if is_same and upload.status is UploadStatus.AWAITING:
            return Upload.model_validate(client.http.request("GET", f"{base}/{upload.id}"))
    return None


def _read_parts(client: Client, url: str) -> Sequence[UploadPart]:
    return Upload.model_validate(client.http.request("GET", url)).parts


def _put_parts(
    client: Client,
    path: Path,
    parts: Sequence[UploadPart],
    progress: _Progress,
    *,
    read_again: Callable[[], Sequence[UploadPart]],
) -> None:
    progress.add(sum(part.num_bytes for part in parts if part.etag))

    def send(part: UploadPart) -> None:
        if part.request is not None:
            _put(client, part.request, path, offset=part.offset, num_bytes=part.num_bytes, progress=progress)

    while missing := [part for part in parts if part.etag is None]:
        with ThreadPoolExecutor(_NUM_CONNECTIONS) as pool:
            list(pool.map(send, missing))
        # The server signs the parts that are next.
        before, parts = len(missing), read_again()
        if sum(part.etag is None for part in parts) >= before:
            raise ConnectionFailedError(
                f"{before} parts of {path.name} did not arrive. Repeat the upload: it goes on where it stopped."
            )


def _put(
    client: Client, request: SignedRequest, path: Path, *, num_bytes: int, progress: _Progress, offset: int = 0
) -> None:
    def content() -> Iterator[bytes]:
        sent = 0
        try:
            with path.open("rb") as file:
                file.seek(offset)
                while sent < num_bytes:
                    chunk = file.read(min(_CHUNK_BYTES, num_bytes - sent))
                    if not chunk:
                        raise ConnectionFailedError(f"{path} became shorter while it was uploaded.")
                    sent += len(chunk)
                    progress.add(len(chunk))
                    yield chunk
        except GeneratorExit:
            progress.add(-sent)
            raise

    headers = {**request.headers, "content-length": str(num_bytes)}
    response = client.http.send_signed(request.method, request.url, content=content, headers=headers)
    if response.status_code >= 300 and response.status_code != _ALREADY_THERE:
        raise ConnectionFailedError(
            f"S3 refused {path.name} with {response.status_code}: {response.text[:300]}. Repeat the upload."
        )
