"""The packed source of a script: unpacked without trusting it, and its requirements."""

import errno
import importlib.metadata
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from aimass_core.domain.job_sources import MAX_FILES, MAX_UNPACKED_BYTES, REQUIREMENTS
from aimass_core.errors import InvalidRequestError

_DAMAGE = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, UnicodeDecodeError)
_SHOWN = 10


def unpack(packed: Path, folder: Path, *, entry_point: str | None = None, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Unpacks plain files and folders into `folder`, which must not exist.

    Raises:
        InvalidRequestError: It is no .tar.gz, leads out of its folder, holds links or devices, is too large, or lacks
            the entry point.
    """
    folder.mkdir(parents=True)
    try:
        # NOTE: read as a stream, so that a bomb is stopped where it passes the limit.
        with tarfile.open(packed, "r|gz") as archive:
            for member in _checked(archive, max_bytes=max_bytes):
                archive.extract(member, folder, filter="data")
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InvalidRequestError(f"The source cannot be unpacked: {error}. Pack it again as a .tar.gz.") from error
    if entry_point is not None and not (folder / entry_point).is_file():
        found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
        names = ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
        raise InvalidRequestError(
            f"The source has no entry point {entry_point!r}; its Python files are: {names or 'none'}."
        )


def missing_requirements(folder: Path) -> list[str]:
    """The lines of requirements.txt that are not fulfilled by what is installed already."""
    path = folder / REQUIREMENTS
    if not path.is_file():
        return []
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"{REQUIREMENTS} is not UTF-8 text: {error}. Save it as UTF-8.") from error
    stated = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    return [line for line in stated if not _is_fulfilled(line)]


def _checked(archive: tarfile.TarFile, *, max_bytes: int) -> Iterator[tarfile.TarInfo]:
    num_bytes = num_files = 0
    for member in archive:
        if not (member.isfile() or member.isdir()):
            raise InvalidRequestError(
                f"The source's member {member.name[:200]!r} is a link or a device. Pack plain files only."
            )
        num_bytes, num_files = num_bytes + member.size, num_files + 1
        if num_bytes > max_bytes or num_files > MAX_FILES:
            raise InvalidRequestError(
                f"The source unpacks to more than {max_bytes:,} bytes or {MAX_FILES:,} files. Leave data out of it: "
                "upload that as a dataset and give it to the script as a channel."
            )
        yield member


def _is_fulfilled(line: str) -> bool:
    """Options of pip and what cannot be judged here are left to pip."""
    try:
        requirement = Requirement(line.partition(" #")[0])
    except InvalidRequirement:
        return False
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    if requirement.url or requirement.extras:
        return False
    try:
        installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(installed, prereleases=True)
