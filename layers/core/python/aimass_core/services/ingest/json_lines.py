"""Reads JSON Lines: one object per line, nested objects as dotted columns, lists as JSON text."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from aimass_core.domain.schemas import DatasetKind
from aimass_core.services.ingest.column_types import Evidence
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import LINE, SpooledColumn, SpooledFile, SpoolWriter
from aimass_core.services.ingest.text_columns import clean_cells
from aimass_core.services.ingest.text_files import normalize

_BLOCK_ROWS, _BLOCK_CHARACTERS = 32_768, 8 * 1024**2
_MAX_WHOLE = 2**63


class _BadLineError(Exception):
    pass


def spool(path: Path, work_path: Path, reading: Reading) -> SpooledFile:
    """Every key that occurs becomes a column; a key that an object lacks is a missing value."""
    file = normalize(path, work_path / "normalized", limits=reading.limits, is_delimited=False)
    missing = pa.array(reading.policy.missing_values, type=pa.string())
    evidence: dict[str, Evidence] = {}
    found: dict[str, pa.Array] | None = None
    num_before = reading.quarantine.count
    is_tiny = reading.is_tiny(file.path.stat().st_size)
    with SpoolWriter(work_path / "lines.arrow", is_in_memory=is_tiny) as writer:
        for numbers, lines in _blocks(file.path):
            good, found = numbers, _read_quickly(lines, evidence, reading)
            if found is None:
                good, found = _read_carefully(numbers, lines, evidence, reading)
            if not good:
                continue
            arrays = {LINE: pa.array(good, type=pa.int64())}
            for index, (name, known) in enumerate(evidence.items()):
                cells = clean_cells(found[name], missing) if name in found else pa.nulls(len(good), pa.string())
                known.add(cells)
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
        columns=tuple(SpooledColumn(name=name, evidence=known) for name, known in evidence.items()),
        num_rows=writer.num_rows,
        num_bad_rows=num_bad_rows,
        warnings=(*file.warnings, *(_wrapped(found or {}) if writer.num_rows == 1 else ())),
    )


def _wrapped(cells: Mapping[str, pa.Array]) -> Iterator[str]:
    """Of a file that is one object: the lists of objects in it, as an API's answer has them."""
    for name, texts in cells.items():
        if str(texts[0]).startswith("[{"):
            yield f"The file is one object, and so one row. If the rows are in {name!r}: jq '.{name}' a.json > b.json"


def _blocks(path: Path) -> Iterator[tuple[list[int], list[str]]]:
    """Lines that are not blank, and their numbers."""
    numbers: list[int] = []
    lines: list[str] = []
    num_characters = 0
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            numbers.append(number)
            lines.append(line)
            num_characters += len(line)
            if len(lines) >= _BLOCK_ROWS or num_characters >= _BLOCK_CHARACTERS:
                yield numbers, lines
                numbers, lines, num_characters = [], [], 0
    if lines:
        yield numbers, lines


def _read_quickly(lines: Sequence[str], evidence: dict[str, Evidence], reading: Reading) -> dict[str, pa.Array] | None:
    """The texts of each key, a column at a time. None where only a look at each line tells what is in it: objects or
    lists within the objects, numbers beyond 64 bits, keys that are odd, and whatever is wrong."""
    try:
        objects = list(map(orjson.loads, lines))
    except ValueError:
        return None
    if set(map(type, objects)) != {dict}:
        return None
    columns = {name: [each.get(name) for each in objects] for name in dict.fromkeys(chain.from_iterable(objects))}
    kinds = {name: set(map(type, values)) for name, values in columns.items()}
    added = [name for name in columns if name not in evidence]
    # NOTE: of a key that occurs twice the last value was read. What was left out has quotes of its own.
    num_texts = sum(list(map(type, columns[name])).count(str) for name, found in kinds.items() if str in found)
    if (
        any(found & {dict, list} for found in kinds.values())
        or any(float in found and _has_large(columns[name]) for name, found in kinds.items())
        or any(reading.limits.clean_name(name) != name for name in added)
        or len(evidence) + len(added) > reading.limits.max_columns
        or _count_quotes(lines) != 2 * (sum(map(len, objects)) + num_texts)
    ):
        return None
    evidence.update({name: Evidence() for name in added})
    for name, found in kinds.items():
        evidence[name].is_quoted |= str in found
    return {name: _to_cells(values, kinds[name]) for name, values in columns.items()}


def _count_quotes(lines: Sequence[str]) -> int:
    """Of all texts and keys: those that are written as \\" within one are not counted."""
    text = "".join(lines)
    if "\\" in text:
        text = text.replace("\\\\", "")
        return text.count('"') - text.count('\\"')
    return text.count('"')


def _has_large(values: Sequence[Any]) -> bool:
    """Whether a float may stand for a whole number beyond 64 bits, whose digits count."""
    return any(type(value) is float and abs(value) >= _MAX_WHOLE for value in values)


def _to_cells(values: Sequence[Any], kinds: set[type]) -> pa.Array:
    kinds = kinds - {type(None)}
    if kinds <= {str}:
        return pa.array(values, type=pa.string())
    if kinds == {bool}:
        return pa.array(values, type=pa.bool_()).cast(pa.string())
    texts = [value if type(value) is str else _to_text(value) for value in values]
    return pa.array(texts, type=pa.string())


def _read_carefully(
    numbers: Sequence[int], lines: Sequence[str], evidence: dict[str, Evidence], reading: Reading
) -> tuple[list[int], dict[str, pa.Array]]:
    """Line by line: those that can be read, and their texts by key. The others are bad rows."""
    good: list[int] = []
    rows: list[dict[str, str | None]] = []
    for number, line in zip(numbers, lines, strict=True):
        try:
            rows.append(_parse(line, evidence, reading))
        except _BadLineError as error:
            text = line.rstrip("\n").encode("utf-8", "replace").decode()
            reading.bad_row(line=number, reason=str(error), text=text)
        else:
            good.append(number)
    return good, {name: pa.array([row.get(name) for row in rows], type=pa.string()) for name in evidence}


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
