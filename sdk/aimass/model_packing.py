"""Packs a model of another tool for its import: its files, sample rows, and a signature where there is one."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aimass.packing import write_archive
from aimass_core.domain.job_sources import MAX_MODEL_BYTES
from aimass_core.domain.model_imports import MODEL_FOLDER, SAMPLE_SUFFIXES, SAMPLES
from aimass_core.errors import InvalidDataError

_SIGNATURE = "signature.json"


@contextmanager
def packed(
    model: Path, *, samples: Path | None = None, signature: Path | Mapping[str, Any] | None = None
) -> Iterator[Path]:
    """A .tar.gz in a temporary place. Raises InvalidDataError where something is not there, a link, or too large."""
    files: dict[str, bytes | Path] = {f"{MODEL_FOLDER}/{name}": path for name, path in _files_of(model).items()}
    if samples is not None:
        if samples.suffix not in SAMPLE_SUFFIXES:
            raise InvalidDataError(f"{samples} is none of {', '.join(SAMPLE_SUFFIXES)}: save the sample rows as one.")
        files[f"{SAMPLES}{samples.suffix}"] = _require(samples)
    if isinstance(signature, Path):
        files[_SIGNATURE] = _require(signature)
    elif signature is not None:
        files[_SIGNATURE] = json.dumps(dict(signature)).encode()
    with TemporaryDirectory(prefix="aimass-") as temporary:
        path = Path(temporary) / "model.tar.gz"
        write_archive(path, files)
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise InvalidDataError(
                f"{model} has {path.stat().st_size:,} bytes packed; at most {MAX_MODEL_BYTES:,} are imported."
            )
        yield path


def _files_of(model: Path) -> dict[str, Path]:
    if model.is_file() and not model.is_symlink():
        return {model.name: model}
    if not model.is_dir():
        raise InvalidDataError(f"{model} is neither a file nor a folder.")
    found = {}
    for path in sorted(model.rglob("*")):
        if path.is_symlink():
            raise InvalidDataError(f"{path} is a link. Put the file itself in its place.")
        if path.is_file():
            found[path.relative_to(model).as_posix()] = path
    if not found:
        raise InvalidDataError(f"{model} is an empty folder.")
    return found


def _require(path: Path) -> Path:
    if not path.is_file():
        raise InvalidDataError(f"There is no file {path}.")
    return path
