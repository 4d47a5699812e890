"""Packs the source of a script: the same files, the same bytes, so that the same source is sent once."""

import gzip
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from aimass_core.domain.job_sources import MAX_FILES, MAX_PACKED_BYTES, MAX_UNPACKED_BYTES
from aimass_core.errors import InvalidDataError

# What is never meant: histories, environments, caches, and files of secrets.
_LEFT_OUT = frozenset(
    {
        ".aimass",
        ".aws",
        ".DS_Store",
        ".eggs",
        ".env",
        ".git",
        ".hg",
        ".idea",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".ssh",
        ".svn",
        ".tox",
        ".venv",
        ".vscode",
        "__MACOSX",
        "__pycache__",
        "node_modules",
        "venv",
    }
)
_LEFT_OUT_SUFFIXES = (".pyc", ".pyo", ".egg-info")
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class _File:
    num_bytes: int
    is_executable: bool
    read: Callable[[], bytes]


def _of_bytes(body: bytes, *, is_executable: bool) -> _File:
    return _File(len(body), is_executable, lambda: body)


@contextmanager
def packed(source: Path, *, entry_point: str) -> Iterator[Path]:
    """A .tar.gz of a folder or an archive, in a temporary place.

    Raises:
        InvalidDataError: It is not there, is too large, has links, or lacks the entry point.
    """
    files = _read(source)
    if entry_point not in files:
        files = _without_top_folder(files, entry_point)
    if entry_point not in files:
        found = sorted(name for name in files if name.endswith(".py"))
        names = ", ".join(found[:_SHOWN]) or "none"
        raise InvalidDataError(f"{source} has no file {entry_point!r} to run; its Python files are: {names}.")
    with TemporaryDirectory(prefix="aimass-") as temporary:
        path = Path(temporary) / "source.tar.gz"
        _write(path, files)
        if path.stat().st_size > MAX_PACKED_BYTES:
            raise _too_large(source, files, f"{path.stat().st_size:,} bytes packed; {MAX_PACKED_BYTES:,}")
        yield path


def _read(source: Path) -> Mapping[str, _File]:
    files: dict[str, _File] = {}
    num_bytes = 0
    try:
        for name, file in _iterate(source):
            files[name] = file
            num_bytes += file.num_bytes
            if num_bytes > MAX_UNPACKED_BYTES:
                raise _too_large(source, files, f"more than {MAX_UNPACKED_BYTES:,} bytes; that many")
            if len(files) > MAX_FILES:
                raise _too_large(source, files, f"more than {MAX_FILES:,} files; that many")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InvalidDataError(
            f"{source} is no archive that can be read ({error}). Give a folder, or one of: {', '.join(_ARCHIVES)}."
        ) from error
    return files


def _iterate(source: Path) -> Iterator[tuple[str, _File]]:
    if source.is_dir():
        return _from_folder(source)
    if not source.is_file():
        raise InvalidDataError(f"There is no folder or archive {source}.")
    return _from_zip(source) if source.name.endswith(".zip") else _from_tar(source)


def _from_folder(folder: Path) -> Iterator[tuple[str, _File]]:
    for directory, subfolders, names in os.walk(folder):
        inside = Path(directory)
        subfolders[:] = sorted(
            name for name in subfolders if not _is_left_out(name) and not (inside / name / "pyvenv.cfg").exists()
        )
        for name in [*(name for name in subfolders if (inside / name).is_symlink()), *names]:
            path = inside / name
            if _is_left_out(name):
                continue
            if path.is_symlink() or not path.is_file():
                raise _refuse_link(path)
            yield (
                path.relative_to(folder).as_posix(),
                _File(path.stat().st_size, os.access(path, os.X_OK), path.read_bytes),
            )


def _from_tar(source: Path) -> Iterator[tuple[str, _File]]:
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isdir() or _is_noise(member.name):
                continue
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is None:
                raise _refuse_link(source / member.name)
            body = stream.read(MAX_UNPACKED_BYTES + 1)
            yield _clean(source, member.name), _of_bytes(body, is_executable=bool(member.mode & 0o100))


def _from_zip(source: Path) -> Iterator[tuple[str, _File]]:
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            if info.is_dir() or _is_noise(info.filename):
                continue
            with archive.open(info) as stream:
                mode = info.external_attr >> 16
                body = stream.read(MAX_UNPACKED_BYTES + 1)
                yield _clean(source, info.filename), _of_bytes(body, is_executable=bool(mode & 0o100))


def _clean(source: Path, name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise InvalidDataError(f"{source} has a member that leads out of its folder: {name!r}. Pack it again.")
    return str(path)


def _is_noise(name: str) -> bool:
    return any(_is_left_out(part) for part in PurePosixPath(name).parts)


def _is_left_out(name: str) -> bool:
    return name in _LEFT_OUT or name.endswith(_LEFT_OUT_SUFFIXES)


def _without_top_folder(files: Mapping[str, _File], entry_point: str) -> Mapping[str, _File]:
    """`git archive --prefix`, and most archives of a folder, put all files under one folder."""
    tops = {name.partition("/")[0] for name in files}
    if len(tops) == 1 and f"{(top := tops.pop())}/{entry_point}" in files:
        return {name.removeprefix(f"{top}/"): file for name, file in files.items()}
    return files


def write_archive(path: Path, files: Mapping[str, bytes | Path], *, executable: Collection[str] = ()) -> None:
    """A .tar.gz of files by name, sorted, with neither times nor owners."""
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(files):
            given = files[name]
            member = tarfile.TarInfo(name)
            member.mode = 0o755 if name in executable else 0o644
            member.size = len(given) if isinstance(given, bytes) else given.stat().st_size
            with io.BytesIO(given) if isinstance(given, bytes) else given.open("rb") as body:
                archive.addfile(member, body)


def _write(path: Path, files: Mapping[str, _File]) -> None:
    executable = [name for name, file in files.items() if file.is_executable]
    write_archive(path, {name: file.read() for name, file in files.items()}, executable=executable)


def _refuse_link(path: Path) -> InvalidDataError:
    return InvalidDataError(f"{path} is a link or no plain file. Put the file itself in its place, or leave it out.")


def _too_large(source: Path, files: Mapping[str, _File], what: str) -> InvalidDataError:
    largest = sorted(files, key=lambda name: -files[name].num_bytes)[:3]
    sizes = ", ".join(f"{name} ({files[name].num_bytes:,} bytes)" for name in largest)
    return InvalidDataError(
        f"{source} has {what} are allowed. The largest: {sizes}. Upload data as a dataset and give it to the script as "
        "a channel."
    )
