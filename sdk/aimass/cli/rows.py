"""Rows for a prediction, read from a file: CSV, JSON Lines, .ts, or images."""

import base64
import codecs
import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Signature, Task
from aimass_core.errors import InvalidDataError, NotFoundError

_IMAGE_ENDINGS = {".png", ".jpg", ".jpeg"}
_DELIMITERS = (",", ";", "\t", "|")


def read_rows(file: str, signature: Signature | None) -> list[dict[str, Any]]:
    """Records, one a row.

    A CSV file without a header line is taken by position where the model's columns have no names of their own
    either (c0, c1, ...).

    Raises:
        NotFoundError: There is no such file.
        InvalidDataError: It holds no rows, or lines of different lengths.
    """
    if signature is not None and signature.task is Task.CUSTOM:
        names = ", ".join(tensor.name for tensor in signature.inputs)
        raise InvalidDataError(
            f"The model takes tensors, not rows. Send them to its address for infer; inputs: {names}."
        )
    if file == "-":
        return _read_csv(_decode(sys.stdin.buffer.read(), file), signature)
    path = Path(file)
    if not path.exists():
        raise NotFoundError(f"There is no file {file!r}.")
    if path.is_dir() or path.suffix.lower() in _IMAGE_ENDINGS:
        return _read_images(path, signature)
    text = _decode(path.read_bytes(), file)
    if path.suffix.lower() in {".jsonl", ".ndjson", ".json"}:
        return _read_json_lines(path, text)
    if path.suffix.lower() == ".ts":
        return _read_series(path, text, signature)
    return _read_csv(text, signature)


def _decode(body: bytes, name: str) -> str:
    """What uploads take too: UTF-8, UTF-16 with its mark, else Windows-1252."""
    encoding = "utf-16" if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        if b"\0" in body or encoding == "utf-16":
            raise InvalidDataError(
                f"{name} is no text. Give CSV, JSON Lines, .ts or images, or upload it and ask for all rows of the "
                "dataset: aimass predict-batch."
            ) from error
    return body.decode("cp1252", errors="replace")


def _read_csv(text: str, signature: Signature | None) -> list[dict[str, Any]]:
    known = [tensor.column or tensor.name for tensor in signature.inputs] if signature else []
    delimiter = _find_delimiter(text.partition("\n")[0], known)
    try:
        # NOTE: a cell in quotes may go on over lines, whose ends are part of it.
        lines = [line for line in _split(io.StringIO(text, newline=""), delimiter) if line]
    except csv.Error as error:
        raise InvalidDataError(f"The file is no CSV: {error}.") from error
    if not lines:
        raise InvalidDataError("The file holds no rows.")
    header = [cell.strip() for cell in lines.pop(0)]
    if known and not set(header) & set(known):
        lines.insert(0, header)
        header = _positional_names(len(header), known)
    if not lines:
        raise InvalidDataError("The file holds no rows below its header line.")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InvalidDataError(f"The header names the column {twice!r} more than once.")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise InvalidDataError(f"Row {number} has {len(line)} cells where the header has {len(header)}.")
    return [{name: cell.strip() or None for name, cell in zip(header, line, strict=True)} for line in lines]


def _split(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _find_delimiter(header: str, known: list[str]) -> str:
    """The one that makes the most of the model's columns of the header, else the one that it has most of."""

    def score(delimiter: str) -> tuple[int, int]:
        cells = {cell.strip() for line in _split([header], delimiter) for cell in line}
        return len(cells & set(known)), header.count(delimiter)

    return max(_DELIMITERS, key=score)


def _positional_names(num_columns: int, known: list[str]) -> list[str]:
    if all(name[0] == "c" and name[1:].isdecimal() for name in known):
        return [f"c{index}" for index in range(num_columns)]
    raise InvalidDataError(
        f"The first line names none of the model's columns ({', '.join(known[:6])}, ...). Add a header line."
    )


def _read_json_lines(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        if text.lstrip().startswith("["):
            rows: list[dict[str, Any]] = json.loads(text)
            return rows
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except json.JSONDecodeError as error:
        raise InvalidDataError(f"{path} is neither JSON Lines nor a JSON array: {error}") from error


def _read_series(path: Path, text: str, signature: Signature | None) -> list[dict[str, Any]]:
    """Channels in the order of the model's inputs. What follows them on a line is the label, which is not asked for."""
    columns = [tensor.column or tensor.name for tensor in signature.inputs] if signature else []
    lines = [line.strip() for line in text.splitlines()]
    start = next((place for place, line in enumerate(lines) if line.lower() == "@data"), None)
    if start is None:
        raise InvalidDataError(f"{path} has no line @data, which comes before the rows of a .ts file.")
    rows = []
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if not line or line.startswith("#"):
            continue
        channels = line.split(":")
        if len(channels) not in (len(columns), len(columns) + 1):
            raise InvalidDataError(f"Line {number} has {len(channels)} parts; the model takes {len(columns)} channels.")
        texts = (f"[{channel.replace('?', 'null')}]" for channel in channels)
        rows.append(dict(zip(columns, texts, strict=False)))
    return rows


def _read_images(path: Path, signature: Signature | None) -> list[dict[str, Any]]:
    if signature is None or signature.kind is not DatasetKind.IMAGES:
        raise InvalidDataError("The model takes tables, not images. Give a CSV or JSON Lines file.")
    column = signature.inputs[0].name
    files = (
        sorted(file for file in path.rglob("*") if file.suffix.lower() in _IMAGE_ENDINGS) if path.is_dir() else [path]
    )
    if not files:
        raise InvalidDataError(f"There are no PNG or JPEG files in {path}.")
    return [{column: base64.b64encode(file.read_bytes()).decode()} for file in files]
