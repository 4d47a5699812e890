"""Reads JSON Lines: one object per line, nested objects as dotted columns, lists as JSON text."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from aimass_core.domain.schemas import DatasetKind
from aimass_core.services.ingest.column_types import Evidence
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import LINE, SpooledColumn, SpooledFile, SpoolWriter
from aimass_core.services.ingest.text_columns import clean_cells
from aimass_core.services.ingest.text_files import normalize

_BLOCK_ROWS, _BLOCK_CHARACTERS = 32_768, 8 * 1024**2


class _BadLineError(Exception):
    pass


def spool(path: Path, work_path: Path, reading: Reading) -> SpooledFile:
    """Every key that occurs becomes a column; a key that an object lacks is a missing value."""
    file = normalize(path, work_path / "normalized", limits=reading.limits)
    missing = pa.array(reading.policy.missing_values, type=pa.string())
    evidence: dict[str, Evidence] = {}
    num_before = reading.quarantine.count
    is_tiny = reading.is_tiny(file.path.stat().st_size)
    with SpoolWriter(work_path / "lines.arrow", is_in_memory=is_tiny) as writer:
        for lines, rows in _blocks(file.path, evidence, reading):
            arrays = {LINE: pa.array(lines, type=pa.int64())}
            for index, (name, found) in enumerate(evidence.items()):
                cells = clean_cells(pa.array([row.get(name) for row in rows], type=pa.string()), missing)
                found.add(cells)
                arrays[str(index)] = cells
            writer.write(arrays)
    num_bad_rows = reading.quarantine.count - num_before
    if not writer.num_rows and not num_bad_rows:
        raise FileRejectedError("The file has no objects. Write one JSON object per line.")
    if not evidence:
        raise FileRejectedError("No line is a JSON object with keys. Write one object per line.", line=1)
    return SpooledFile(
        parts=tuple(writer.parts),
        display_name=reading.display_name,
        kind=DatasetKind.TABLE,
        columns=tuple(SpooledColumn(name=name, evidence=found) for name, found in evidence.items()),
        num_rows=writer.num_rows,
        num_bad_rows=num_bad_rows,
        warnings=file.warnings,
    )


def _blocks(
    path: Path, evidence: dict[str, Evidence], reading: Reading
) -> Iterator[tuple[list[int], list[dict[str, str | None]]]]:
    lines: list[int] = []
    rows: list[dict[str, str | None]] = []
    num_characters = 0
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = _parse(line, evidence, reading)
            except _BadLineError as error:
                text = line.rstrip("\n").encode("utf-8", "replace").decode()
                reading.bad_row(line=number, reason=str(error), text=text)
                continue
            lines.append(number)
            rows.append(row)
            num_characters += len(line)
            if len(rows) >= _BLOCK_ROWS or num_characters >= _BLOCK_CHARACTERS:
                yield lines, rows
                lines, rows, num_characters = [], [], 0
    if rows:
        yield lines, rows


def _parse(line: str, evidence: dict[str, Evidence], reading: Reading) -> dict[str, str | None]:
    try:
        line.encode()
        found = _DECODER.decode(line)
    except UnicodeEncodeError as error:
        raise _BadLineError("The line is not valid UTF-8. Save the file in one encoding.") from error
    except (ValueError, RecursionError) as error:
        raise _BadLineError(f"The line is not a JSON object: {error}. Write one whole object per line.") from error
    if not isinstance(found, dict):
        raise _BadLineError(f"The line is a JSON {type(found).__name__}, not an object with keys.")
    row: dict[str, str | None] = {}
    for name, value in _flatten(found, "", reading.limits.max_nesting):
        if name in row:
            raise _BadLineError(f"The key {name[:80]!r} occurs twice, once of them as a nested one. Rename one.")
        known = evidence.get(name)
        if known is None:
            known = evidence[name] = _new_column(name, len(evidence), reading)
        if isinstance(value, str):
            known.is_quoted = True
            row[name] = value
        else:
            row[name] = _to_text(value)
    if "\\u" in line:
        _check_encodable(row)
    return row


def _check_encodable(row: dict[str, str | None]) -> None:
    """JSON can write half of a surrogate pair, which no encoding of text can."""
    for name, text in row.items():
        try:
            (text or "").encode()
        except UnicodeEncodeError as error:
            raise _BadLineError(
                f"The text of {name[:80]!r} has half of a surrogate pair (\\ud800 to \\udfff), which stands for no "
                "character. Correct what wrote the file."
            ) from error


def _new_column(name: str, num_columns: int, reading: Reading) -> Evidence:
    if reading.limits.clean_name(name) != name:
        raise _BadLineError(f"The key {name[:80]!r} has characters that cannot be seen, or too many. Rename it.")
    if num_columns >= reading.limits.max_columns:
        raise FileRejectedError(
            f"The objects have more than {reading.limits.max_columns:,} different keys. Are keys used as values?"
        )
    return Evidence()


def _to_number(text: str) -> int | float:
    """Beyond the range of floats a whole number is infinite, as any other number is."""
    return int(text) if len(text) < 400 else float(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


_DECODER = json.JSONDecoder(parse_constant=float, parse_int=_to_number, object_pairs_hook=_unique)


def _flatten(found: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    if not depth:
        raise _BadLineError("Objects are nested too deeply. Flatten them.")
    for key, value in found.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{name}.", depth - 1)
            continue
        if isinstance(value, dict | list):
            _check_depth(value, depth - 1)
        yield name, value


def _check_depth(value: Any, depth: int) -> None:
    if not isinstance(value, dict | list):
        return
    if not depth:
        raise _BadLineError("Lists are nested too deeply. Flatten them.")
    for inner in value.values() if isinstance(value, dict) else value:
        _check_depth(inner, depth - 1)


def _to_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
