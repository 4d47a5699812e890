"""Rows for a prediction, read from a file: CSV, JSON Lines, .ts, or images."""

import base64
import csv
import json
import sys
from pathlib import Path
from typing import Any, TextIO

from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Signature
from aimass_core.errors import InvalidDataError, NotFoundError

_IMAGE_ENDINGS = {".png", ".jpg", ".jpeg"}


def read_rows(file: str, signature: Signature | None) -> list[dict[str, Any]]:
    """Records, one a row.

    A CSV file without a header line is taken by position where the model's columns have no names of their own
    either (c0, c1, ...).

    Raises:
        NotFoundError: There is no such file.
        InvalidDataError: It holds no rows, or lines of different lengths.
    """
    if file == "-":
        return _read_csv(sys.stdin, signature)
    path = Path(file)
    if not path.exists():
        raise NotFoundError(f"There is no file {file!r}.")
    if path.is_dir() or path.suffix.lower() in _IMAGE_ENDINGS:
        return _read_images(path, signature)
    if path.suffix.lower() in {".jsonl", ".ndjson", ".json"}:
        return _read_json_lines(path)
    if path.suffix.lower() == ".ts":
        return _read_series(path, signature)
    with path.open(newline="", encoding="utf-8-sig") as text:
        return _read_csv(text, signature)


def _read_csv(text: TextIO, signature: Signature | None) -> list[dict[str, Any]]:
    sample = text.read()
    delimiter = "\t" if sample.partition("\n")[0].count("\t") > sample.partition("\n")[0].count(",") else ","
    lines = [line for line in csv.reader(sample.splitlines(), delimiter=delimiter, skipinitialspace=True) if line]
    if not lines:
        raise InvalidDataError("The file holds no rows.")
    header = lines.pop(0)
    known = [tensor.column or tensor.name for tensor in signature.inputs] if signature else []
    if known and not set(header) & set(known):
        lines.insert(0, header)
        header = _positional_names(len(header), known)
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise InvalidDataError(f"Row {number} has {len(line)} cells where the header has {len(header)}.")
    return [{name: cell.strip() or None for name, cell in zip(header, line, strict=True)} for line in lines]


def _positional_names(num_columns: int, known: list[str]) -> list[str]:
    if all(name[0] == "c" and name[1:].isdecimal() for name in known):
        return [f"c{index}" for index in range(num_columns)]
    raise InvalidDataError(
        f"The first line names none of the model's columns ({', '.join(known[:6])}, ...). Add a header line."
    )


def _read_json_lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        if text.lstrip().startswith("["):
            rows: list[dict[str, Any]] = json.loads(text)
            return rows
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise InvalidDataError(f"{path} is neither JSON Lines nor a JSON array: {error}") from error


def _read_series(path: Path, signature: Signature | None) -> list[dict[str, Any]]:
    """Channels in the order of the model's inputs. What follows them on a line is the label, which is not asked for."""
    columns = [tensor.column or tensor.name for tensor in signature.inputs] if signature else []
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
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
