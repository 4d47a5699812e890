"""What a file really is, told from its first bytes and never from its name or its content type."""

import json
import re
from enum import StrEnum
from pathlib import Path

from aimass_core.services.ingest.issues import FileRejectedError

HEAD_BYTES = 4096


class Container(StrEnum):
    """The outermost format of a file."""

    GZIP = "gzip"
    ZIP = "zip"
    TAR = "tar"
    PARQUET = "parquet"
    NPY = "npy"
    JSON = "json"
    JSON_LINES = "json_lines"
    TIME_SERIES = "ts"
    DELIMITED = "delimited"


_MAGIC: list[tuple[bytes, Container]] = [
    (b"\x1f\x8b", Container.GZIP),
    (b"PK\x03\x04", Container.ZIP),
    (b"PK\x05\x06", Container.ZIP),
    (b"PAR1", Container.PARQUET),
    (b"\x93NUMPY", Container.NPY),
]
_TEXT_ADVICE = "Save the data as CSV, JSON Lines or Parquet."
_REFUSED_MAGIC: list[tuple[bytes, str]] = [
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word document"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"ARROW1", "an Arrow file"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"\x89PNG", "a single image"),
    (b"\xff\xd8\xff", "a single image"),
    (b"GIF8", "a single image"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
]
_ADVICE = {
    "a single image": "Put images into class folders (cats/1.jpg, dogs/2.jpg) and upload them as one zip or tar.",
    "a Python pickle": "Pickles can run code and are never opened. " + _TEXT_ADVICE,
}
_MARKUP = re.compile(
    rb"\s*<(!doctype|!--|\?xml|(html|head|body|script|style|svg|div|table|meta|title|iframe|object|img)[\s/>])",
    re.IGNORECASE,
)
_ARFF = re.compile(rb"^\s*@(relation|attribute)\b", re.IGNORECASE | re.MULTILINE)
_TIME_SERIES = re.compile(
    rb"(?:^[ \t]*(?:#.*)?\r?\n)*^[ \t]*@(problemname|timestamps|univariate|classlabel)\b", re.IGNORECASE | re.MULTILINE
)
_MAX_COMMENT_BYTES = 1024**2
_LIBSVM = re.compile(rb"^[-+]?\d+(\.\d+)?([ \t]+\d+:[-+\d.eE]+)+[ \t]*\r?$", re.MULTILINE)
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\x0c\x1a"))
_UTF_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")


def sniff(path: Path) -> Container:
    """The format of a file. Raises FileRejectedError where it is none that becomes a dataset, saying what it is."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        if head.startswith(b"#"):
            head += stream.read(_MAX_COMMENT_BYTES)
    if not head:
        raise FileRejectedError("The file is empty. Upload one with a header line and at least one row.")
    for magic, container in _MAGIC:
        if head.startswith(magic):
            return container
    if head[257:262] == b"ustar":
        return Container.TAR
    _refuse_known(head)
    return _sniff_text(head)


def _refuse_known(head: bytes) -> None:
    for magic, words in _REFUSED_MAGIC:
        if head.startswith(magic):
            raise FileRejectedError(f"The file is {words}, which is not read. {_ADVICE.get(words, _TEXT_ADVICE)}")


def _sniff_text(head: bytes) -> Container:
    is_marked = head.startswith(_UTF_MARKS) or _is_utf16(head)
    # A mark and the NULs of UTF-16 must not hide what the text is.
    text = re.sub(rb"^(\xef\xbb\xbf|\xff\xfe|\xfe\xff)|\0", b"", head) if is_marked else head
    if _MARKUP.match(text):
        raise FileRejectedError(
            f"The file is HTML, XML or SVG, not a table: perhaps a log-in or error page was saved. {_TEXT_ADVICE}"
        )
    if is_marked:
        return _sniff_json(text)
    num_control = sum(head.count(byte) for byte in _CONTROL)
    if num_control > len(head) // 100 + 1:
        raise FileRejectedError(
            f"The file is binary data of an unknown format (first bytes {head[:8].hex(' ')}). {_TEXT_ADVICE}"
        )
    if _TIME_SERIES.match(head):
        return Container.TIME_SERIES
    if _ARFF.search(head):
        raise FileRejectedError(f"The file is in the ARFF format, which is not read. {_TEXT_ADVICE}")
    if _LIBSVM.match(head):
        raise FileRejectedError(
            "The file is in the LIBSVM format (label index:value ...), which is not read. "
            "Convert it to CSV or Parquet with one column per feature."
        )
    return _sniff_json(head)


def _sniff_json(head: bytes) -> Container:
    text = head.lstrip()
    if text.startswith(b"["):
        return Container.JSON
    if not text.startswith(b"{"):
        return Container.DELIMITED
    first, newline, _ = text.partition(b"\n")
    try:
        json.loads(first)
    except ValueError:
        # An object longer than the head is cut; one that spans lines is not JSON Lines.
        return Container.JSON if newline else Container.JSON_LINES
    except RecursionError:
        # The reader names the line.
        pass
    return Container.JSON_LINES


def _is_utf16(head: bytes) -> bool:
    """Text of mostly ASCII in UTF-16 without a mark has a NUL in every other byte."""
    pairs = len(head) // 2
    if pairs < 4:
        return False
    even, odd = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    return max(even, odd) > 0.7 * pairs and min(even, odd) < 0.1 * pairs
