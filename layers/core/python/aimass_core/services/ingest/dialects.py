"""How a delimited text is written: its delimiter, its header, its decimal mark. Found out from the first lines."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.limits import Limits

WHITESPACE = " "
SAMPLE_BYTES, SAMPLE_LINES = 512 * 1024, 1_000
# What Excel writes, and reads, before the header of a file.
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
_DELIMITERS = ("\t", ";", "|", ",")
_SURE, _LIKELY = 0.98, 0.8
_TOKEN = re.compile(r'"(?:[^"]|"")*"|\S+')
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_DECIMAL_POINT = re.compile(r"[+-]?\d+\.\d+")
_DATE = re.compile(r"\d{4}[-/]\d{1,2}([-/]\d{1,2}.*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """`delimiter` WHITESPACE stands for runs of blanks and tabs; None for one column without any. `first_line` is the
    header's, or where there is none that of the first row.

    `has_literal_quotes`: tab-separated lines that all have the same number of fields whatever their quotes are; a quote
    is then text, as the TSV format has it, unless a whole cell is quoted.
    """

    delimiter: str | None
    has_literal_quotes: bool
    first_line: int
    has_header: bool
    names: tuple[str, ...]
    has_decimal_comma: bool
    warnings: tuple[str, ...]


def split_tokens(line: str) -> list[str]:
    """The fields of a line that are separated by runs of blanks; quotes hold a field together."""
    return [token[1:-1].replace('""', '"') if token[:1] == '"' else token for token in _TOKEN.findall(line)]


def sniff_dialect(
    sample: Sequence[str],
    *,
    has_header: bool | None,
    missing_values: frozenset[str],
    reject_faults: bool,
    limits: Limits,
) -> Dialect:
    """The dialect of the text that begins with these lines.

    Args:
        sample: the first lines, without their ends; the last one is whole.
        has_header: None to find out.
        missing_values: what the dataset takes for "no value".
        reject_faults: duplicate names reject the file; otherwise they get a number.

    Raises:
        FileRejectedError: no delimiter fits, there are too many columns, or names are duplicate.
    """
    separator = _SEPARATOR_LINE.fullmatch(sample[0].strip('" ')) if sample else None
    first_line = 2 if separator else 1
    lines = [line for line in sample[first_line - 1 :] if line.strip()]
    if not lines:
        raise FileRejectedError("The file has no text in its first lines. Upload one with a header and rows.")
    delimiter = separator[1] if separator else _find_delimiter(lines)
    rows = _split(lines, delimiter)
    width = len(rows[0])
    if width > limits.max_columns:
        raise FileRejectedError(
            f"The first line has {width:,} columns; at most {limits.max_columns:,} are read. "
            "Use one row per measurement, or store arrays as .npz or images.",
            line=1,
        )
    found = _has_header(rows, missing_values) if has_header is None else has_header
    warnings: list[str] = []
    if has_header is None and not found:
        warnings.append(
            f"No header line was found: the columns are named c0 to c{width - 1}. "
            "If the first line is a header, set policy.has_header to true (on the command line: --header)."
        )
    names = _names(rows[0], reject_faults=reject_faults, limits=limits, warnings=warnings) if found else ()
    decimal_comma = delimiter == ";" and _has_decimal_comma(rows)
    if decimal_comma:
        warnings.append("Numbers are written with a decimal comma; they were read so.")
    return Dialect(
        delimiter=delimiter,
        has_literal_quotes=delimiter == "\t" and len({line.count("\t") for line in lines}) == 1,
        first_line=first_line,
        has_header=found,
        names=names or tuple(f"c{index}" for index in range(width)),
        has_decimal_comma=decimal_comma,
        warnings=tuple(warnings),
    )


def _split(lines: Sequence[str], delimiter: str | None) -> list[list[str]]:
    if delimiter is None:
        return [[line.strip().strip('"')] for line in lines]
    if delimiter == WHITESPACE:
        return [split_tokens(line) for line in lines]
    rows = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, skipinitialspace=True)
    return [[cell.strip() for cell in row] for row in rows]


def _find_delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter that splits (nearly) every line into the same number of fields."""
    present = [delimiter for delimiter in _DELIMITERS if any(delimiter in line for line in lines)]
    scores = dict.fromkeys(_DELIMITERS, 0.0)
    scores |= {delimiter: _consistency(_split(lines, delimiter)) for delimiter in present}
    sure = [delimiter for delimiter in _DELIMITERS if scores[delimiter] >= _SURE]
    if sure and sure != ["\t"]:
        return sure[0]
    tokens = _consistency(_split(lines, WHITESPACE))
    if sure:
        return WHITESPACE if tokens == 1.0 and _is_aligned(lines) else sure[0]
    likely = max(_DELIMITERS, key=lambda delimiter: scores[delimiter])
    if scores[likely] >= _LIKELY:
        return likely
    if tokens >= _SURE:
        return WHITESPACE
    if not present and all(len(line.split()) == 1 for line in lines):
        return None
    if scores[likely] >= 0.5 or (len(lines) < 20 and scores[likely] > 0):
        return likely
    _refuse_open_quote(lines)
    counts = sorted({len(split_tokens(line)) for line in lines})
    raise FileRejectedError(
        f"No delimiter fits: by blanks the first lines have between {counts[0]} and {counts[-1]} fields, and commas, "
        "semicolons, tabs and bars do not divide them evenly either. Separate the columns by one delimiter, and quote "
        "cells that contain it.",
        line=1,
    )


def _refuse_open_quote(lines: Sequence[str]) -> None:
    """An opening quote without its end hides every delimiter behind it."""
    odd = next((number for number, line in enumerate(lines, start=1) if line.count('"') % 2), None)
    if odd is not None:
        raise FileRejectedError(
            f"The columns cannot be told apart: a quote on line {odd} is not closed on it. Close it, or write a quote "
            'that belongs to the text twice ("").',
            line=odd,
        )


def _consistency(rows: Sequence[Sequence[str]]) -> float:
    """The share of rows that have the commonest number of fields; 0 where that is one."""
    (width, count), *_ = Counter(len(row) for row in rows).most_common(1)
    return count / len(rows) if width > 1 else 0.0


def _is_aligned(lines: Sequence[str]) -> bool:
    """Columns that were aligned with blanks: nearly every line has runs of them outside of quotes."""
    return sum("  " in re.sub(r'"[^"]*"', "", line) for line in lines) > 0.9 * len(lines)


def _is_value(cell: str) -> bool:
    """Whether a cell is a number, a date or a truth value: things that do not name columns."""
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell) or cell.lower() in ("true", "false"))


def _has_header(rows: Sequence[Sequence[str]], missing_values: frozenset[str]) -> bool:
    """A header has no values and no name twice, and is unlike the rows below it."""
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    named = [cell for cell in first if cell]
    if not named or any(_is_value(cell) for cell in named) or any(cell in missing_values for cell in named):
        return False
    columns = [[row[index] for row in rest if row[index] not in missing_values] for index in range(len(first))]
    if any(cells and sum(map(_is_value, cells)) > 0.5 * len(cells) for cells in columns):
        return True
    if len(set(named)) < len(named):
        return False
    return not any(first[index] in set(cells) for index, cells in enumerate(columns) if first[index])


def _names(cells: Sequence[str], *, reject_faults: bool, limits: Limits, warnings: list[str]) -> tuple[str, ...]:
    names: list[str] = []
    taken: set[str] = set()
    for index, cell in enumerate(cells):
        wanted = limits.clean_name(cell)
        name = wanted or f"c{index}"
        suffix = 2
        while name in taken:
            name = f"{wanted or f'c{index}'}_{suffix}"
            suffix += 1
        if name != wanted and reject_faults:
            reason = f"The column name {wanted!r} occurs twice" if wanted else f"Column {index + 1} has no name"
            raise FileRejectedError(
                f"{reason} in the header. Give every column a name of its own.", line=1, column=name
            )
        if name != wanted:
            why = f"the header {wanted!r} occurs before it" if wanted else "it has no header"
            warnings.append(f"Column {index + 1} is called {name!r}, for {why}.")
        taken.add(name)
        names.append(name)
    return tuple(names)


def _has_decimal_comma(rows: Sequence[Sequence[str]]) -> bool:
    cells = [cell for row in rows[1:] for cell in row]
    return any(map(_DECIMAL_COMMA.fullmatch, cells)) and not any(map(_DECIMAL_POINT.fullmatch, cells))
