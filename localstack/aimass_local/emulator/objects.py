"""S3: what is acknowledged is on disk, objects as well as the parts of uploads that are not finished."""

from __future__ import annotations

import json
import mmap
import shutil
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ministack.core import persistence, responses
from ministack.services import s3

from aimass_local.emulator.contract import require
from aimass_local.state import write_atomically

Handler = Callable[..., Any]


def patch_objects(multipart_path: Path) -> None:
    """Applies the patches of this module."""
    _patch_object_writes()
    _patch_ranges()
    _patch_multipart_uploads(multipart_path)


def _patch_object_writes() -> None:
    """An object that could not be written is an error; the emulator logs a warning and acknowledges it."""
    require(callable(getattr(s3, "_persist_object", None)), "s3._persist_object is gone")
    persist = s3._persist_object

    def persist_object(bucket: str, key: str, record: dict[str, Any]) -> None:
        persist(bucket, key, record)
        # The emulator drops the body from memory once it is on disk.
        if record.get("body") is not None and s3._object_disk_path(bucket, key) is not None:
            raise OSError(f"the object {key!r} could not be written to disk")

    s3._persist_object = persist_object


def _patch_ranges() -> None:
    """A range is read alone; the emulator reads the whole object for each, of which a download asks for many."""
    for name in ("_get_object", "_read_body"):
        require(callable(getattr(s3, name, None)), f"s3.{name} is gone")
    get, read = s3._get_object, s3._read_body
    is_sliced = ContextVar("is_sliced", default=False)

    def get_object(bucket: str, key: str, headers: dict[str, str], query: Mapping[str, Any] | None = None) -> Any:
        token = is_sliced.set(bool(headers.get("range")) and "partNumber" not in (query or {}))
        try:
            return get(bucket, key, headers, query)
        finally:
            is_sliced.reset(token)

    def read_body(bucket: str, key: str, record: dict[str, Any]) -> Any:
        path = s3._object_disk_path(bucket, key) if is_sliced.get() and record.get("body") is None else None
        if path is None or not record["size"]:
            return read(bucket, key, record)
        with Path(path).open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)

    s3._get_object, s3._read_body = get_object, read_body


def _patch_multipart_uploads(folder: Path) -> None:
    """Parts are on disk before they are acknowledged; the emulator keeps them in memory only."""
    uploads = _UnfinishedUploads(folder)
    uploads.load()
    for name, keep in (
        ("_create_multipart_upload", uploads.keep_uploads),
        ("_upload_part", uploads.keep_part),
        ("_upload_part_copy", uploads.keep_part),
        ("_complete_multipart_upload", uploads.keep_uploads),
        ("_abort_multipart_upload", uploads.keep_uploads),
    ):
        require(callable(getattr(s3, name, None)), f"s3.{name} is gone")
        setattr(s3, name, _then(getattr(s3, name), keep))


def _then(handle: Handler, keep: Callable[[Mapping[str, Any]], None]) -> Handler:
    def handle_and_keep(*arguments: Any, **named: Any) -> Any:
        answer = handle(*arguments, **named)
        if answer[0] < 300:
            keep(next((argument for argument in arguments if isinstance(argument, dict)), {}))
        return answer

    return handle_and_keep


class _UnfinishedUploads:
    """A folder per upload: `upload.json`, and for each part its bytes and `<number>.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: set[tuple[str, str]] = set()

    def load(self) -> None:
        for path in self._folder.glob("*/*/upload.json"):
            upload = self._decode(path)
            for part_path in path.parent.glob("[0-9]*.json"):
                body = part_path.with_suffix(".bin").read_bytes()
                upload["parts"][int(part_path.stem)] = {**self._decode(part_path), "body": body}
            scoped_id = (path.parent.parent.name, path.parent.name)
            s3._multipart_uploads._data[scoped_id] = upload
            self._kept.add(scoped_id)

    def keep_uploads(self, _query: Mapping[str, Any]) -> None:
        """Brings the folders in line with the uploads that there are."""
        present = set(s3._multipart_uploads._data)
        for scoped_id in present - self._kept:
            self._write(scoped_id, "upload.json", {**s3._multipart_uploads._data[scoped_id], "parts": {}})
        for account, upload_id in self._kept - present:
            shutil.rmtree(self._folder / account / upload_id, ignore_errors=True)
        self._kept = present

    def keep_part(self, query: Mapping[str, Any]) -> None:
        scoped_id = (responses.get_account_id(), s3._qp(query, "uploadId"))
        number = int(s3._qp(query, "partNumber"))
        parts = s3._multipart_uploads._data[scoped_id]["parts"]
        # NOTE: UploadPartCopy numbers its parts in text, UploadPart in numbers.
        part = parts.pop(str(number), None) or parts[number]
        parts[number] = part
        write_atomically(self._folder.joinpath(*scoped_id, f"{number}.bin"), part["body"])
        self._write(scoped_id, f"{number}.json", {key: value for key, value in part.items() if key != "body"})

    def _write(self, scoped_id: tuple[str, str], name: str, content: Mapping[str, Any]) -> None:
        path = self._folder.joinpath(*scoped_id, name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, json.dumps(content, default=persistence._json_default).encode())

    def _decode(self, path: Path) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(path.read_bytes(), object_hook=persistence._json_object_hook)
        return content
