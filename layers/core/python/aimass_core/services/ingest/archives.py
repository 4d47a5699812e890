"""Looks into zip and tar archives without trusting them: every name and size is checked before a byte is unpacked."""

import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.sniffing import Container

_LOCAL_HEADER_BYTES = 30
_CHUNK_BYTES = 1024**2
_JUNK = re.compile(r"(^|/)(__MACOSX/|\.|Thumbs\.db$|desktop\.ini$)")
_DRIVE = re.compile(r"^[A-Za-z]:")
_ENCRYPTED = 0x1
_AGAIN = "Make the archive again from a folder of plain files."
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A plain file in an archive."""

    name: str
    num_bytes: int


class _Format(Protocol):
    def members(self) -> Iterator[Member]: ...
    def open(self, name: str) -> IO[bytes]: ...
    def close(self) -> None: ...


class Archive:
    """An archive whose members have been checked. Nothing is ever written under a member's own name."""

    def __init__(self, path: Path, container: Container, *, limits: Limits) -> None:
        with ExitStack() as opened, _refuse_damage("The archive"):
            self._format: _Format = _Zip(path) if container is Container.ZIP else _Tar(path)
            opened.callback(self._format.close)
            members: list[Member] = []
            for member in self._format.members():
                members.append(member)
                if len(members) > limits.max_members:
                    raise FileRejectedError(f"The archive has more than {limits.max_members:,} members. Split it.")
            _check_names([member.name for member in members])
            limits.check_expanded(sum(member.num_bytes for member in members), from_bytes=path.stat().st_size)
            opened.pop_all()
        self.members = [member for member in members if not _JUNK.search(member.name)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._format.close()

    def read(self, member: Member, num_bytes: int = -1) -> bytes:
        """The member's bytes, or the first of them."""
        with self.open(member) as stream:
            return stream.read(num_bytes)

    @contextmanager
    def open(self, member: Member) -> Iterator[IO[bytes]]:
        """The member's bytes, one after the other."""
        with _refuse_damage(f"The member {member.name!r}"), self._format.open(member.name) as stream:
            yield stream

    def extract(self, member: Member, target: Path) -> None:
        """The member as a file under a name of ours."""
        with self.open(member) as stream, target.open("wb") as sink:
            while chunk := stream.read(_CHUNK_BYTES):
                sink.write(chunk)


class _Zip:
    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)

    def members(self) -> Iterator[Member]:
        infos = sorted(self._zip.infolist(), key=lambda info: info.header_offset)
        end = 0
        for info in infos:
            if info.header_offset < end:
                raise FileRejectedError(f"Members of the archive overlap, as in decompression bombs. {_AGAIN}")
            end = info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size
            if info.flag_bits & _ENCRYPTED:
                raise FileRejectedError("The archive is encrypted. Upload one without a password.")
            if (info.external_attr >> 28) & 0xF not in (0, 0x4, 0x8):
                raise FileRejectedError(f"The archive's member {info.filename!r} is a link or a device. {_AGAIN}")
            if not info.is_dir():
                # NOTE: zipfile cuts a name at a NUL and turns backslashes; the original is what must be judged.
                yield Member(name=info.orig_filename, num_bytes=info.file_size)

    def open(self, name: str) -> IO[bytes]:
        return self._zip.open(name)

    def close(self) -> None:
        self._zip.close()


class _Tar:
    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, "r:")  # noqa: SIM115
        self._infos: dict[str, tarfile.TarInfo] = {}

    def members(self) -> Iterator[Member]:
        for info in self._tar:
            if not (info.isfile() or info.isdir()):
                raise FileRejectedError(f"The archive's member {info.name!r} is a link or a device. {_AGAIN}")
            if info.isfile():
                self._infos[info.name] = info
                yield Member(name=info.name, num_bytes=info.size)

    def open(self, name: str) -> IO[bytes]:
        stream = self._tar.extractfile(self._infos[name])
        if stream is None:
            raise FileRejectedError(f"The archive's member {name!r} is no plain file. {_AGAIN}")
        return stream

    def close(self) -> None:
        self._tar.close()


@contextmanager
def _refuse_damage(what: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise FileRejectedError(f"{what} is damaged ({error}). {_AGAIN}") from error


def _check_names(names: Sequence[str]) -> None:
    """Names that lead out of a folder, or clash, are a sign of an attack: then the whole archive is refused."""
    seen: set[str] = set()
    folders: set[str] = set()
    for name in names:
        parts = name.removeprefix("./").split("/")
        is_outside = name.startswith("/") or _DRIVE.match(name) or "\\" in name or "\0" in name
        if is_outside or any(part in ("", "..") for part in parts):
            raise FileRejectedError(f"The archive's member {name[:200]!r} leads out of its folder. {_AGAIN}")
        if name in seen:
            raise FileRejectedError(f"The archive has the member {name[:200]!r} twice. {_AGAIN}")
        seen.add(name)
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    if clashing := {name.removeprefix("./") for name in names} & folders:
        raise FileRejectedError(f"The archive has {min(clashing)[:200]!r} both as a file and as a folder. {_AGAIN}")
