"""Brings what a job made to S3: model.tar.gz, output.tar.gz and its checkpoints."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aimass_local.objects import TransferError, download_objects, list_prefix, split_uri


def upload_artifacts(s3: Any, roots: list[Path], output_uri: str, *, is_compressed: bool) -> str:
    """Uploads what all hosts left in /opt/ml/model and /opt/ml/output/data; the address of the model. Blocks.

    Where two hosts left files of one name, the first host's count.

    Raises:
        TransferError: S3 does not take them.
    """
    try:
        model_uri = _upload(s3, _merge(roots, "model"), f"{output_uri}/model", is_compressed=is_compressed)
        data = _merge(roots, "output/data")
        if data:
            _upload(s3, data, f"{output_uri}/output", is_compressed=is_compressed)
    except (ClientError, BotoCoreError, OSError) as error:
        raise TransferError(f"ClientError: Artifact upload failed:{error}") from error
    return model_uri


class CheckpointSync:
    """Keeps the checkpoints of one host in S3: what is there at the start comes down, what is written goes up."""

    def __init__(self, s3: Any, uri: str, folder: Path) -> None:
        self._s3, self._uri, self._folder = s3, uri.rstrip("/"), folder
        self._seen: dict[str, tuple[int, int]] = {}

    def download(self) -> None:
        """Blocks. Raises TransferError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            objects = list(list_prefix(self._s3, f"{self._uri}/"))
            download_objects(self._s3, objects, self._folder, is_stopped=lambda: False)
        except (ClientError, BotoCoreError) as error:
            raise TransferError(f"ClientError: Checkpoint download failed:{error}") from error
        self._seen = {name: _mark(path) for name, path in _list_files(self._folder)}

    def upload(self) -> None:
        """What has changed since the last time. Blocks. Raises TransferError."""
        bucket, prefix = split_uri(self._uri)
        try:
            for name, path in _list_files(self._folder):
                mark = _mark(path)
                if self._seen.get(name) != mark:
                    self._s3.upload_file(str(path), bucket, f"{prefix}/{name}")
                    self._seen[name] = mark
        except FileNotFoundError:
            return  # removed or renamed by the container meanwhile: the next time finds what there is
        except (ClientError, BotoCoreError) as error:
            raise TransferError(f"ClientError: Checkpoint upload failed:{error}") from error


def _upload(s3: Any, files: dict[str, Path], uri: str, *, is_compressed: bool) -> str:
    bucket, key = split_uri(uri)
    if not is_compressed:
        for name, path in files.items():
            s3.upload_file(str(path), bucket, f"{key}/{name}")
        return f"{uri}/"
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as archive:
        with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as writer:
            for name, path in files.items():
                writer.add(path, name, recursive=False)
        archive.flush()
        s3.upload_file(archive.name, bucket, f"{key}.tar.gz")
    return f"{uri}.tar.gz"


def _merge(roots: list[Path], folder: str) -> dict[str, Path]:
    merged: dict[str, Path] = {}
    for root in roots:
        for name, path in _list_files(root / folder):
            merged.setdefault(name, path)
    return merged


def _list_files(folder: Path) -> Iterable[tuple[str, Path]]:
    return [(path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file()]


def _mark(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_mtime_ns, state.st_size
