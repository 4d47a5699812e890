"""Objects of S3 on their way into folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NUM_THREADS = 8


class TransferError(Exception):
    """S3 does not give or take what it should; the text is the job's FailureReason."""


class StoppedError(Exception):
    """The job was stopped meanwhile."""


@dataclass(frozen=True, slots=True)
class S3Object:
    """One object, and its path below the channel's folder."""

    bucket: str
    key: str
    path: str


def download_objects(s3: Any, objects: list[S3Object], folder: Path, *, is_stopped: Callable[[], bool]) -> None:
    """Raises TransferError, StoppedError, or what boto3 raises."""

    def download(item: S3Object) -> None:
        if is_stopped():
            raise StoppedError
        path = (folder / item.path).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise TransferError(f"ClientError: Data download failed:the key {item.key!r} leads out of its channel")
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(item.bucket, item.key, str(path))

    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        list(pool.map(download, objects))


def list_prefix(s3: Any, uri: str) -> Iterator[S3Object]:
    """Objects whose key begins so, in order. Below a folder the path is what follows it."""
    bucket, prefix = split_uri(uri)
    parent = prefix.rpartition("/")[0]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            key = str(item["Key"])
            base = prefix if key.startswith(f"{prefix.rstrip('/')}/") else parent
            if not key.endswith("/"):
                yield S3Object(bucket, key, key[len(base) :].lstrip("/"))


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
