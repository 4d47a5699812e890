"""Brings a text file into one form (UTF-8, no mark, LF or CRLF lines) and tells what a reader must know about it."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.limits import Limits

_CHUNK_BYTES = 1024**2
# A cell that is quoted as every reader understands it: from a delimiter to a delimiter, on one line, without a quote in
# it. A file with any other quote is read by the careful reader, for there a lenient and a strict one disagree.
_QUOTED_CELL = re.compile(rb'(?<![^,;|\t\n])"[^"\n]*"(?=[,;|\t\r\n])')
_MARKS = [
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A text file in the one form. `is_plain`, of delimited text: no quote, NUL or byte is at a doubtful place. No line
    is longer than `max_line_bytes`."""

    path: Path
    num_lines: int
    num_trailing_blank: int
    max_line_bytes: int
    has_quotes: bool
    is_plain: bool
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Scan:
    num_lf: int = 0
    num_cr: int = 0
    num_crlf: int = 0
    num_quotes: int = 0
    num_quoted_cells: int = 0
    has_nul: bool = False
    is_utf8: bool = True
    ends_with_newline: bool = True
    long_line: int | None = None
    max_line_bytes: int = 0

    @property
    def has_lone_cr(self) -> bool:
        return self.num_cr > self.num_crlf


def normalize(path: Path, work_path: Path, *, limits: Limits, is_delimited: bool = True) -> TextFile:
    """The file in the one form: itself, or a copy in `work_path`. Raises FileRejectedError for a line that is too long.

    An encoding is taken from the byte order mark, else UTF-8 if the bytes are that, else Windows-1252 (with a warning).
    A file that is UTF-8 but for some lines stays UTF-8: those lines are bad rows.
    """
    warnings: list[str] = []
    encoding = find_encoding(path)
    scan = _Scan() if encoding else _scan(path, limits=limits, counts_cells=is_delimited)
    if encoding is None and not scan.is_utf8 and not _is_mostly_utf8(path):
        encoding = "cp1252"
        warnings.append(
            "The text is not UTF-8; it was read as Windows-1252. Save it as UTF-8 if characters look wrong."
        )
    if encoding or scan.has_lone_cr:
        path = _rewrite(path, work_path, encoding=encoding or "utf-8")
        scan = _scan(path, limits=limits, counts_cells=is_delimited)
    if scan.long_line is not None:
        raise FileRejectedError(
            f"Line {scan.long_line} is longer than {limits.max_line_bytes // 1024**2} MiB. "
            "Is a line break or a closing quote missing? Store long content in files of its own.",
            line=scan.long_line,
        )
    return TextFile(
        path=path,
        num_lines=scan.num_lf + (0 if scan.ends_with_newline else 1),
        num_trailing_blank=_count_trailing_blank(path),
        max_line_bytes=scan.max_line_bytes,
        has_quotes=scan.num_quotes > 0,
        is_plain=scan.is_utf8 and not scan.has_nul and scan.num_quotes == 2 * scan.num_quoted_cells,
        warnings=tuple(warnings),
    )


def find_encoding(path: Path) -> str | None:
    """What a byte order mark or the NULs of UTF-16 tell; None where there are none."""
    with path.open("rb") as stream:
        head = stream.read(1024)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    pairs = len(head) // 2
    if pairs > 3 and head[1 : 2 * pairs : 2].count(0) > 0.7 * pairs:
        return "utf-16-le"
    if pairs > 3 and head[0 : 2 * pairs : 2].count(0) > 0.7 * pairs:
        return "utf-16-be"
    return None


def _chunks(path: Path, num_bytes: int = _CHUNK_BYTES) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(num_bytes):
            yield chunk


def _scan(path: Path, *, limits: Limits, counts_cells: bool) -> _Scan:
    scan, tail, pending, line_start, offset = _Scan(), b"\n", b"", 0, 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in _chunks(path, min(_CHUNK_BYTES, limits.max_line_bytes)):
        _count(scan, chunk, tail)
        if counts_cells:
            pending = _count_quoted_cells(scan, pending, chunk, limits.max_line_bytes)
        if scan.is_utf8 and not (chunk.isascii() and not decoder.getstate()[0]):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                scan.is_utf8 = False
        line_start = _measure_lines(scan, chunk, offset, line_start, limits.max_line_bytes)
        offset += len(chunk)
        tail = chunk[-3:]
    if scan.is_utf8 and decoder.getstate()[0]:
        scan.is_utf8 = False
    _count_quoted_cells(scan, pending, b"\n", limits.max_line_bytes)
    scan.ends_with_newline = tail.endswith(b"\n")
    return scan


def _count(scan: _Scan, chunk: bytes, tail: bytes) -> None:
    if b"\r" in chunk or tail.endswith(b"\r"):
        scan.num_cr += chunk.count(b"\r")
        scan.num_crlf += chunk.count(b"\r\n") + (tail.endswith(b"\r") and chunk.startswith(b"\n"))
    # NOTE: to find that there is none is several times as fast as to count.
    if b'"' in chunk:
        scan.num_quotes += chunk.count(b'"')
    scan.has_nul = scan.has_nul or b"\0" in chunk


def _count_quoted_cells(scan: _Scan, pending: bytes, chunk: bytes, max_bytes: int) -> bytes:
    """Counts in the whole lines; returns the begun one, but for one that is too long in any case."""
    if b'"' in pending or b'"' in chunk:
        lines, newline, rest = (pending + chunk).rpartition(b"\n")
        scan.num_quoted_cells += sum(1 for _ in _QUOTED_CELL.finditer(lines + newline))
    else:
        end = chunk.rfind(b"\n") + 1
        rest = chunk[end:] if end else pending + chunk
    return rest if len(rest) <= max_bytes else b""


def _measure_lines(scan: _Scan, chunk: bytes, offset: int, line_start: int, max_bytes: int) -> int:
    """Counts the chunk's lines and notes the first that is too long; returns where the last one begins.

    A line within a chunk is no longer than that, which is short enough.
    """
    first = chunk.find(b"\n")
    end = offset + (first if first >= 0 else len(chunk))
    scan.max_line_bytes = max(scan.max_line_bytes, end - line_start, len(chunk))
    if scan.long_line is None and end - line_start > max_bytes:
        scan.long_line = scan.num_lf + 1
    scan.num_lf += int(np.count_nonzero(np.frombuffer(chunk, dtype=np.uint8) == ord("\n")))
    return line_start if first < 0 else offset + chunk.rfind(b"\n") + 1


def _is_mostly_utf8(path: Path) -> bool:
    """Whether more of the lines with other than ASCII characters are UTF-8 than are not."""
    balance = 0
    with path.open("rb") as stream:
        for line in stream:
            if not line.isascii():
                try:
                    line.decode()
                    balance += 1
                except UnicodeDecodeError:
                    balance -= 1
    return balance > 0


def _rewrite(path: Path, target: Path, *, encoding: str) -> Path:
    """Decodes in pieces; every kind of line end becomes LF. Bytes outside of the encoding are kept as they are."""
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    decoder = codecs.getincrementaldecoder("latin-1" if encoding == "cp1252" else encoding)(errors=errors)
    remap = _cp1252_table() if encoding == "cp1252" else None
    pending = ""
    with target.open("wb") as stream:
        for chunk in _chunks_with_end(path):
            try:
                text = pending + decoder.decode(chunk or b"", final=chunk is None)
            except UnicodeDecodeError as error:
                raise FileRejectedError(
                    f"The text is marked as {encoding} but is not: {error.reason}. Save it as UTF-8."
                ) from error
            # A CR at the end may be half of a CRLF.
            pending = "\r" if text.endswith("\r") and chunk is not None else ""
            text = text.removesuffix("\r") if pending else text
            text = text.replace("\r\n", "\n").replace("\r", "\n")
            stream.write((text.translate(remap) if remap else text).encode(errors=errors))
    return target


def _chunks_with_end(path: Path) -> Iterator[bytes | None]:
    yield from _chunks(path)
    yield None


def _cp1252_table() -> dict[int, str]:
    """Latin-1 to Windows-1252; the five bytes that the latter leaves open stay as they are."""
    table: dict[int, str] = {}
    for byte in range(0x80, 0xA0):
        try:
            table[byte] = bytes([byte]).decode("cp1252")
        except UnicodeDecodeError:
            continue
    return table


def _count_trailing_blank(path: Path) -> int:
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - 65_536))
        tail = stream.read()
    lines = tail.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    count = 0
    while lines and not lines.pop().strip():
        count += 1
    return count
