"""Brings JSON in one piece (an array of objects, or objects that span lines) into JSON Lines, however large it is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from aimass_core.services.ingest import json_lines
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import SpooledFile
from aimass_core.services.ingest.text_files import find_encoding

_CHUNK_CHARACTERS = 1024**2
_GAP = re.compile(r"[\s,]*")
# Only the ends are of interest: digits are copied, so that none is lost.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def spool(path: Path, work_path: Path, reading: Reading) -> SpooledFile:
    """As JSON Lines; the line of a row is the number of its object."""
    lines = work_path / "lines.jsonl"
    encoding = find_encoding(path) or "utf-8"
    with (
        path.open(encoding=encoding, errors="surrogateescape", newline="") as source,
        lines.open("w", encoding="utf-8", errors="surrogateescape", newline="") as sink,
    ):
        sink.writelines(_objects(source, reading.limits))
    try:
        return json_lines.spool(lines, work_path, reading)
    finally:
        lines.unlink()


def _objects(source: TextIO, limits: Limits) -> Iterator[str]:
    """Each object on a line of its own."""
    text = source.read(_CHUNK_CHARACTERS).lstrip()
    is_array, number, start = text.startswith("["), 1, 0
    if is_array:
        start = 1
    while True:
        start = _skip_gap(text, start)
        if is_array and text.startswith("]", start):
            _refuse_rest(text[start + 1 :] + source.read(_CHUNK_CHARACTERS))
            return
        value, end, reason = _decode(text, start)
        if reason is None:
            if not isinstance(value, dict):
                raise FileRejectedError(
                    f"Value {number:,} of the JSON is no object. Write an array of objects, or one object a line: "
                    '[{"age": 39}, {"age": 50}].',
                    line=number,
                )
            # NOTE: within texts line ends are written as \n; all others are blanks between.
            yield text[start:end].replace("\r", " ").replace("\n", " ") + "\n"
            number, start = number + 1, end
            continue
        more = source.read(_CHUNK_CHARACTERS)
        if not more and not is_array and start == len(text):
            return
        if not more or len(text) - start > limits.max_line_bytes:
            raise FileRejectedError(
                f"Object {number:,} of the JSON is not whole ({reason}). Is the file cut off? Write an array of "
                "objects, or one whole object a line.",
                line=number,
            )
        text, start = text[start:] + more, 0


def _skip_gap(text: str, start: int) -> int:
    match = _GAP.match(text, start)
    return match.end() if match else start


def _decode(text: str, start: int) -> tuple[object, int, str | None]:
    """The value that begins there, where it ends, and None; else why there is none, as far as the text goes."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except ValueError as error:
        return None, start, str(error).partition(":")[0]
    except RecursionError as error:
        raise FileRejectedError("The JSON is nested too deeply. Flatten it.") from error
    return value, end, None


def _refuse_rest(rest: str) -> None:
    if rest.strip():
        raise FileRejectedError("The JSON has other data after the end of its array. Write one array, or JSON Lines.")
