"""Leads each file to the reader of its format; unpacks what is compressed."""

from collections.abc import Iterator
from pathlib import Path

from aimass_core.services.ingest import (
    arrays,
    image_folders,
    json_documents,
    json_lines,
    parquet_files,
    series_files,
    text_tables,
)
from aimass_core.services.ingest.archives import Archive, Member
from aimass_core.services.ingest.compression import gunzip
from aimass_core.services.ingest.image_bytes import is_image
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.sniffing import Container, sniff
from aimass_core.services.ingest.spools import SpooledFile

_TABLE_READERS = {
    Container.DELIMITED: text_tables.spool,
    Container.JSON: json_documents.spool,
    Container.JSON_LINES: json_lines.spool,
    Container.PARQUET: parquet_files.spool,
    Container.TIME_SERIES: series_files.spool,
}
# They work on whole columns; the delimited texts that do not tell so themselves.
_QUICK = (Container.DELIMITED, Container.PARQUET)
_ARCHIVES = (Container.ZIP, Container.TAR)
_OFFICE = "[Content_Types].xml"
_NUM_PROBED = 200


def spool(path: Path, work_path: Path, reading: Reading) -> Iterator[SpooledFile]:
    """Reads one landed file into one or more spools below `work_path`. Raises FileRejectedError."""
    container = sniff(path)
    if container is Container.GZIP:
        unpacked = work_path / "unpacked"
        gunzip(path, unpacked, limits=reading.limits)
        path, container = unpacked, sniff(unpacked)
        if container in (Container.GZIP, Container.ZIP):
            raise FileRejectedError("An archive lies in another one. Unpack the outer one and upload what is inside.")
    if container not in _QUICK:
        reading.limits.check_slow(path)
    if container in _ARCHIVES:
        yield from _spool_archive(path, container, work_path, reading)
    else:
        yield _spool_table(path, container, work_path, reading)


def _spool_table(path: Path, container: Container, work_path: Path, reading: Reading) -> SpooledFile:
    if container is Container.NPY:
        raise FileRejectedError(
            "A single .npy array has no labels. Save data and labels: numpy.savez('data.npz', x=x, y=y)."
        )
    if container not in _TABLE_READERS:
        raise FileRejectedError("An archive lies in another one. Unpack the outer one and upload what is inside.")
    return _TABLE_READERS[container](path, work_path, reading)


def _spool_archive(path: Path, container: Container, work_path: Path, reading: Reading) -> Iterator[SpooledFile]:
    with Archive(path, container, limits=reading.limits) as archive:
        if not archive.members:
            raise FileRejectedError("The archive has no files in it. Add the data and make it again.")
        if any(member.name == _OFFICE for member in archive.members):
            raise FileRejectedError(
                "The file is an Office document (xlsx, docx). Export the sheet as CSV and upload that."
            )
        heads = [archive.read(member, image_folders.HEAD_BYTES) for member in archive.members[:_NUM_PROBED]]
        if all(head.startswith(arrays.NPY_MAGIC) for head in heads):
            yield arrays.spool(archive, work_path, reading)
        elif any(is_image(head) for head in heads):
            yield image_folders.spool(archive, work_path, reading)
        else:
            yield from _spool_members(archive, work_path, reading)


def _spool_members(archive: Archive, work_path: Path, reading: Reading) -> Iterator[SpooledFile]:
    """Every file of the archive as a table; all must have the same columns."""
    members = sorted(archive.members, key=lambda member: member.name)
    if len(members) > reading.limits.max_tables:
        raise FileRejectedError(
            f"The archive has {len(members):,} tables; at most {reading.limits.max_tables:,} are read. "
            "Join them into fewer files."
        )
    for index, member in enumerate(members):
        yield _spool_member(archive, member, work_path / f"member-{index}", reading, is_only=len(members) == 1)


def _spool_member(archive: Archive, member: Member, work_path: Path, reading: Reading, *, is_only: bool) -> SpooledFile:
    work_path.mkdir()
    target = work_path / "member"
    archive.extract(member, target)
    member_reading = reading if is_only else reading.of_member(member.name)
    try:
        return _spool_table(target, sniff(target), work_path, member_reading)
    except FileRejectedError as error:
        raise FileRejectedError(f"{member.name}: {error.reason}", line=error.line, column=error.column) from error
    finally:
        target.unlink()
