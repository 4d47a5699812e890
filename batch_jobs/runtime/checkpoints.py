"""Checkpoints in a folder: one safetensors file each, named by its SHA-256, with its own description in its head.

    <fit>/00000012-<sha256>.safetensors

A file is written under another name, flushed to the disk and renamed, so that what has such a name is whole, or was
damaged afterwards and does not have the digest that it is named by. Nothing is unpickled. The folder is a plain one:
SageMaker copies it to S3 by itself, on Batch `storage/mirror.py` does.
"""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from aimass_core.errors import InvalidRequestError
from batch_jobs.runtime.storage.digests import sha256_of

FORMAT = 1
KEPT = 2
_NAME = re.compile(r"(\d{8})-([0-9a-f]{64})\.safetensors")
_TEMPORARY = ".unfinished"
_log = logging.getLogger(__name__)


class UnusableError(Exception):
    """A checkpoint that cannot be gone on from; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a checkpoint holds."""

    document: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFolder:
    """The checkpoints of one fit of one job.

    Args:
        path: of the fit's own folder; made with the first checkpoint.
        job: whose they are; a checkpoint of another job is refused.
        message: told of every checkpoint that could not be used.
    """

    path: Path
    job: str
    message: Callable[[str], None]

    def save(self, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Path:
        """Keeps it, and the one before it."""
        from safetensors.numpy import save_file

        self.path.mkdir(parents=True, exist_ok=True)
        for left in self.path.glob(f"*{_TEMPORARY}"):
            left.unlink(missing_ok=True)
        number = max((int(name[1]) for _, name in self._list()), default=0) + 1
        temporary = self.path / f"{number:08d}{_TEMPORARY}"
        head = {"format": str(FORMAT), "job": self.job, "document": json.dumps(document)}
        # NOTE: safetensors writes an array's memory as it lies, so that one with strides has to be laid in order.
        save_file({name: array.copy(order="C") for name, array in arrays.items()}, temporary, metadata=head)
        path = self.path / f"{number:08d}-{sha256_of(temporary)}.safetensors"
        _flush(temporary)
        temporary.rename(path)
        _flush(self.path)
        for old, _ in self._list()[KEPT:]:
            old.unlink(missing_ok=True)
        return path

    def load(self) -> Stored | None:
        """The newest that can be used; those that are newer and damaged are removed.

        Raises:
            InvalidRequestError: The folder holds the checkpoints of another job.
        """
        for path, name in self._list():
            try:
                return self._read(path, digest=name[2])
            except UnusableError as error:
                self.message(f"The checkpoint {path.name[:16]}... cannot be used: {error}. The one before it is tried.")
                path.unlink(missing_ok=True)
        return None

    def _read(self, path: Path, *, digest: str) -> Stored:
        """NOTE: the digest is looked at first: what follows reads bytes that we wrote."""
        from safetensors import safe_open

        if (found := sha256_of(path)) != digest:
            raise UnusableError(f"it is damaged, its SHA-256 is {found[:12]}...")
        with safe_open(path, framework="numpy") as file:
            head = file.metadata() or {}
            if int(head["format"]) > FORMAT:
                raise UnusableError(f"it has the format {head['format']}, and this version reads up to {FORMAT}")
            if head["job"] != self.job:
                raise InvalidRequestError(
                    f"The checkpoints in {path.parent} are those of the job {head['job']!r}, and this is "
                    f"{self.job!r}. Give every job a checkpoint folder of its own."
                )
            names = file.keys()
            return Stored(document=json.loads(head["document"]), arrays={name: file.get_tensor(name) for name in names})

    def _list(self) -> list[tuple[Path, re.Match[str]]]:
        """Newest first. Where two attempts have written the same number, both are of the same training."""
        return sorted(self._iterate(), key=lambda found: found[0].name, reverse=True)

    def _iterate(self) -> Iterator[tuple[Path, re.Match[str]]]:
        if self.path.is_dir():
            for path in self.path.iterdir():
                if match := _NAME.fullmatch(path.name):
                    yield path, match


def _flush(path: Path) -> None:
    """To the disk itself, whatever the power does."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
