"""The objects that a run may touch, as folders: PySpark has no S3 of its own, and gets from PyPI none.

What the run's policy lets it read is brought before it begins, and what it lets it write goes back while it runs. In
between Hadoop's own ViewFileSystemOverloadScheme shows the folders under the addresses that a run on AWS uses,
`s3://<bucket>/<key>`: whatever the policy does not name is not there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aimass_local.objects import TransferError, download_objects, list_prefix

_ARN = ":s3:::"
# A file that was changed within so many seconds may not be whole.
_SETTLED_SECONDS = 0.3

Prefix = tuple[str, str]
Mark = tuple[int, int]


def read_policy(policy: str, action: str) -> list[Prefix]:
    """Buckets and prefixes for which a policy allows an action, such as `s3:GetObject`.

    Raises:
        ValueError: it names objects otherwise than by what their keys begin with.
    """
    found = []
    for statement in json.loads(policy)["Statement"]:
        if statement["Effect"] != "Allow" or action not in statement["Action"]:
            continue
        for resource in statement["Resource"]:
            bucket, _, prefix = resource.partition(_ARN)[2].partition("/")
            if not bucket or not prefix.endswith("/*"):
                raise ValueError(f"{resource} is no folder of a bucket")
            found.append((bucket, prefix.removesuffix("*")))
    return found


class Buckets:
    """Those of one run, below one folder. Its methods block, and raise TransferError."""

    def __init__(self, s3: Any, policy: str, root: Path) -> None:
        self._s3, self._root = s3, root
        self._readable = read_policy(policy, "s3:GetObject")
        self._writable = read_policy(policy, "s3:PutObject")
        self._marks: dict[Prefix, Mark] = {}

    @property
    def settings(self) -> dict[str, str]:
        """Of Spark; makes the folders. NOTE: a link of a bucket's root (linkMergeSlash) lists under other addresses."""
        settings = {"spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"}
        for bucket, prefix in (*self._readable, *self._writable):
            top = prefix.partition("/")[0]
            folder = self._root / bucket / top
            folder.mkdir(parents=True, exist_ok=True)
            settings[f"spark.hadoop.fs.viewfs.mounttable.{bucket}.link./{top}"] = folder.as_uri()
        return settings

    def download(self, *, is_stopped: Callable[[], bool]) -> None:
        """Raises StoppedError too."""
        try:
            for bucket, prefix in self._readable:
                objects = list(list_prefix(self._s3, f"s3://{bucket}/{prefix}"))
                download_objects(self._s3, objects, self._root / bucket / prefix, is_stopped=is_stopped)
        except (ClientError, BotoCoreError) as error:
            raise TransferError(f"Objects could not be read: {error}") from error
        self._marks = {(bucket, key): _mark(path) for bucket, key, path in self._list()}

    def upload(self, *, is_last: bool = False) -> None:
        """What has changed since the last time; at the end also what is gone."""
        seen = set()
        try:
            for bucket, key, path in self._list():
                seen.add((bucket, key))
                mark = _mark(path)
                is_settled = is_last or time.time() - mark[0] / 1e9 > _SETTLED_SECONDS
                if is_settled and self._marks.get((bucket, key)) != mark:
                    self._s3.upload_file(str(path), bucket, key)
                    self._marks[bucket, key] = mark
            for bucket, key in self._marks.keys() - seen if is_last else ():
                self._s3.delete_object(Bucket=bucket, Key=key)
        except FileNotFoundError:
            return  # moved meanwhile: the next time finds what there is
        except (ClientError, BotoCoreError) as error:
            raise TransferError(f"Objects could not be written: {error}") from error

    def _list(self) -> Iterator[tuple[str, str, Path]]:
        """Files that may go back: neither Hadoop's checksums nor what a task has not finished."""
        for bucket, prefix in self._writable:
            base = self._root / bucket
            for path in sorted((base / prefix).rglob("*")):
                inner = path.relative_to(base / prefix)
                if path.is_file() and not path.name.startswith(".") and "_temporary" not in inner.parts:
                    yield bucket, path.relative_to(base).as_posix(), path


def _mark(path: Path) -> Mark:
    state = path.stat()
    return state.st_mtime_ns, state.st_size
