"""The zip itself. Objects are stored as they are and only rows are deflated, so that no archive can be a bomb."""

import hashlib
import json
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

from pydantic import BaseModel, ValidationError

from aimass_core.domain.transfers import SCHEMA_VERSION
from aimass_core.errors import InvalidDataError
from aimass_core.services.ingest.archives import Archive, Member
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.limits import ExpandedTooLargeError, Limits
from aimass_core.services.ingest.sniffing import Container
from batch_jobs.runtime.storage.digests import sha256_of
from batch_jobs.transfer.contract import DOCUMENTS, MANIFEST, MANIFEST_SHA256, Document, Entry, Manifest, rows_path

MAX_ENTRIES = 200_000
MAX_ROWS_BYTES = 512 * 1024**2
_MAX_MANIFEST_BYTES = 128 * 1024**2
_MAX_DIRECTORY_BYTES = 128 * 1024**2
_CHUNK_BYTES = 1024**2
_LIMITS = Limits(max_members=MAX_ENTRIES + 2)
_EPOCH = (1980, 1, 1, 0, 0, 0)
# The end of a zip: its record, 22 bytes and a comment of at most 64 KB; before it the locator of zip64's record.
_END, _LOCATOR, _END64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
_MAX_END_BYTES = 22 + 65_535
_GIVE = "Give a zip that `aimass workspaces export` made."
_AGAIN = "Export the workspace again: aimass workspaces export"

DocumentT = TypeVar("DocumentT", bound=BaseModel)


class Writer:
    """Writes an archive, file by file; the manifest comes last."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", allowZip64=True)
        self._entries: dict[str, Entry] = {}

    def has(self, path: str) -> bool:
        """Whether such a file is in it."""
        return path in self._entries

    def add_rows(self, resource: str, documents: Sequence[Document]) -> None:
        """The documents of one resource, a line each."""
        lines = "".join(f"{document.model_dump_json()}\n" for document in documents).encode()
        self._entries[rows_path(resource)] = _entry(rows_path(resource), lines)
        self._zip.writestr(_info(rows_path(resource), zipfile.ZIP_DEFLATED), lines)

    def add_file(self, path: str, file: Path) -> None:
        """An object as it lies in the lake."""
        self._entries[path] = Entry(path=path, num_bytes=file.stat().st_size, sha256=sha256_of(file))
        info = _info(path, zipfile.ZIP_STORED)
        info.file_size = file.stat().st_size
        with file.open("rb") as source, self._zip.open(info, "w") as sink:
            while chunk := source.read(_CHUNK_BYTES):
                sink.write(chunk)

    def finish(
        self,
        *,
        release: str,
        exported_at: datetime,
        workspace_id: str,
        workspace_name: str,
        with_data: bool,
        counts: dict[str, int],
    ) -> None:
        """Writes the manifest, and closes the archive."""
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            release=release,
            exported_at=exported_at,
            workspace_id=workspace_id,
            workspace_name=workspace_name,
            with_data=with_data,
            counts=counts,
            entries=[self._entries[path] for path in sorted(self._entries)],
        )
        body = manifest.model_dump_json(indent=1).encode()
        self._zip.writestr(_info(MANIFEST, zipfile.ZIP_DEFLATED), body)
        self._zip.writestr(_info(MANIFEST_SHA256, zipfile.ZIP_STORED), hashlib.sha256(body).hexdigest().encode())
        self._zip.close()


class Reader:
    """An archive that has been checked: its names, its sizes, its manifest, and with `verify` every byte.

    Raises InvalidDataError for one that is damaged, hostile, or of another release's format.
    """

    def __init__(self, path: Path) -> None:
        _check_directory(path)
        try:
            self._archive = Archive(path, Container.ZIP, limits=_LIMITS)
        except FileRejectedError as error:
            raise InvalidDataError(f"It cannot be imported. {error}") from error
        except ExpandedTooLargeError as error:
            raise InvalidDataError(f"The archive is too large to be imported at once: {error}.") from error
        try:
            self._members = {member.name: member for member in self._archive.members}
            self.manifest = self._read_manifest()
            self._entries = {entry.path: entry for entry in self.manifest.entries}
            self._check_entries()
            self._check_sizes(path.stat().st_size)
        except BaseException:
            self._archive.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._archive.__exit__(kind, error, traceback)

    def verify(self, progress: Callable[[int, int], None]) -> None:
        """Reads every byte. Raises InvalidDataError for the first file that is not what the manifest says."""
        total = sum(entry.num_bytes for entry in self.manifest.entries)
        done = 0
        for entry in self.manifest.entries:
            digest = hashlib.sha256()
            for chunk in self._chunks(entry):
                digest.update(chunk)
            if digest.hexdigest() != entry.sha256:
                raise InvalidDataError(
                    f"The archive's file {entry.path!r} is damaged: its SHA-256 is {digest.hexdigest()}, and the "
                    f"manifest says {entry.sha256}. {_AGAIN}"
                )
            done += entry.num_bytes
            progress(done, total)

    def has(self, path: str) -> bool:
        """Whether such a file is in it."""
        return path in self._entries

    def entry(self, path: str) -> Entry:
        """What the manifest says of a file. Raises InvalidDataError where it is not there."""
        if path not in self._entries:
            raise InvalidDataError(f"The archive lacks the file {path!r}, which its rows name. {_AGAIN}")
        return self._entries[path]

    def read(self, path: str) -> bytes:
        """A small file."""
        return b"".join(self._chunks(self.entry(path)))

    def extract(self, path: str, target: Path) -> None:
        """A file under a name of ours."""
        with target.open("wb") as sink:
            for chunk in self._chunks(self.entry(path)):
                sink.write(chunk)

    def documents(self, resource: str, cls: type[DocumentT]) -> list[DocumentT]:
        """All of a resource. Raises InvalidDataError for a line that is none."""
        path = rows_path(resource)
        if path not in self._entries:
            return []
        found = []
        for number, line in enumerate(self.read(path).splitlines(), start=1):
            try:
                found.append(cls.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise InvalidDataError(
                    f"Line {number} of the archive's {path} is no {resource}: {where}: {first['msg']}. {_AGAIN}"
                ) from error
        return found

    def _read_manifest(self) -> Manifest:
        for name, longest in ((MANIFEST, _MAX_MANIFEST_BYTES), (MANIFEST_SHA256, 64)):
            if name not in self._members or self._members[name].num_bytes > longest:
                raise InvalidDataError(f"The archive has no {name} as an export writes it. {_GIVE}")
        body = self._read_member(self._members[MANIFEST])
        expected = self._read_member(self._members[MANIFEST_SHA256])
        if hashlib.sha256(body).hexdigest().encode() != expected:
            raise InvalidDataError(f"The archive's {MANIFEST} is damaged: its SHA-256 is another. {_AGAIN}")
        version = _schema_version(body)
        if version != SCHEMA_VERSION:
            raise InvalidDataError(
                f"The archive has the schema version {version!r}; this release reads version {SCHEMA_VERSION}. Export "
                "and import with the same release."
            )
        try:
            return Manifest.model_validate_json(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InvalidDataError(
                f"The archive's {MANIFEST} is not valid: {where}: {first['msg']}. {_AGAIN}"
            ) from error

    def _check_entries(self) -> None:
        named = set(self._entries)
        found = set(self._members) - {MANIFEST, MANIFEST_SHA256}
        if len(named) != len(self.manifest.entries):
            raise InvalidDataError(f"The archive's {MANIFEST} names a file twice. {_AGAIN}")
        if named != found:
            missing, unknown = sorted(named - found), sorted(found - named)
            what = f"lacks {missing[0]!r}" if missing else f"holds {unknown[0][:200]!r}"
            raise InvalidDataError(f"The archive {what}, and its {MANIFEST} says otherwise. {_AGAIN}")
        unknown_rows = {path for path in named if path.startswith("rows/")} - {rows_path(name) for name in DOCUMENTS}
        if unknown_rows:
            raise InvalidDataError(
                f"The archive holds {min(unknown_rows)!r}, which this release does not know. Import it with the "
                f"release that wrote it, {self.manifest.release}."
            )

    def _check_sizes(self, archive_bytes: int) -> None:
        """What is stored as it is, and overlaps nothing, is no longer than the archive."""
        num_bytes = {"rows": 0, "objects": 0}
        for path, entry in self._entries.items():
            member = self._members[path]
            if member.num_bytes != entry.num_bytes:
                raise InvalidDataError(
                    f"The archive's file {path!r} has {member.num_bytes:,} bytes, and the manifest says "
                    f"{entry.num_bytes:,}. {_AGAIN}"
                )
            num_bytes[path.partition("/")[0]] += entry.num_bytes
        if num_bytes["rows"] > MAX_ROWS_BYTES:
            raise InvalidDataError(
                f"The archive has {num_bytes['rows']:,} bytes of rows; at most {MAX_ROWS_BYTES:,} are read."
            )
        if num_bytes["objects"] > archive_bytes:
            raise InvalidDataError(
                f"The archive's objects unpack to {num_bytes['objects']:,} bytes from {archive_bytes:,}, as bombs do; "
                f"an export stores them as they are. {_AGAIN}"
            )

    def _chunks(self, entry: Entry) -> Iterator[bytes]:
        try:
            with self._archive.open(self._members[entry.path]) as stream:
                yield from _read_chunks(stream)
        except FileRejectedError as error:
            raise InvalidDataError(f"{error} {_AGAIN}") from error

    def _read_member(self, member: Member) -> bytes:
        try:
            return self._archive.read(member)
        except FileRejectedError as error:
            raise InvalidDataError(f"{error} {_AGAIN}") from error


def _read_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _entry(path: str, body: bytes) -> Entry:
    return Entry(path=path, num_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())


def _info(path: str, compression: int) -> zipfile.ZipInfo:
    """The same bytes for the same content: neither times nor owners."""
    info = zipfile.ZipInfo(path, _EPOCH)
    info.compress_type = compression
    info.external_attr = 0o600 << 16
    return info


def _schema_version(body: bytes) -> object:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidDataError(f"The archive's {MANIFEST} is no JSON. {_AGAIN}") from error
    return found.get("schema_version") if isinstance(found, dict) else None


def _check_directory(path: Path) -> None:
    """Looks at how long the list of members is before `zipfile` reads it whole into memory.

    Raises InvalidDataError for what is no zip, or one with more members than an export writes.
    """
    num_bytes = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(num_bytes - _MAX_END_BYTES - 20, 0))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < 22:
            raise InvalidDataError(f"It is no zip, or it ends too early. {_GIVE}")
        num_entries, directory_bytes = struct.unpack_from("<HI", tail, at + 10)
        if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR:
            # NOTE: Python has looked for the record at either of these places; its numbers hold instead of the others.
            listed = [(num_entries, directory_bytes)]
            for place in (struct.unpack_from("<Q", tail, at - 12)[0], num_bytes - len(tail) + at - 20 - 56):
                file.seek(min(max(place, 0), num_bytes))
                record = file.read(56)
                if len(record) == 56 and record[:4] == _END64:
                    listed.append(struct.unpack_from("<QQ", record, 32))
            num_entries, directory_bytes = map(max, zip(*(listed[1:] or listed), strict=True))
    if num_entries > MAX_ENTRIES + 2 or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise InvalidDataError(
            f"The archive lists {num_entries:,} members in {directory_bytes:,} bytes; an export has at most "
            f"{MAX_ENTRIES:,}."
        )
