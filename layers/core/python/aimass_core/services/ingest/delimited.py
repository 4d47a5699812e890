"""Reads CSV and its relatives: quickly where the text is plain, carefully where a row may be broken.

Both readers give the same blocks: string columns, and the line on which each row begins. The quick one is Arrow's; it
is given up for the careful one as soon as anything does not add up, so that every bad row is named by line and reason.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from aimass_core.services.ingest.columns import ahead
from aimass_core.services.ingest.dialects import WHITESPACE, Dialect, split_tokens
from aimass_core.services.ingest.text_files import TextFile

# Small blocks stay in the processor's caches; one has to hold the longest line.
_BLOCK_BYTES, _LARGE_BLOCK_BYTES = 4 * 1024**2, 32 * 1024**2
_QUICK_ROWS, BLOCK_ROWS = 131_072, 65_536
_BLOCK_CHARACTERS = 16 * 1024**2
_MAX_RECORD_LINES = 500
_UNCLOSED = "an opening quote is never closed"

BadRow = Callable[[int, str, str], None]


class NeedsCareError(Exception):
    """The quick reader met something that only the careful one can name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBlock:
    """Some rows: their first lines and their cells, all strings."""

    lines: pa.Array
    cells: pa.RecordBatch


def can_be_quick(file: TextFile, dialect: Dialect) -> bool:
    """Whether the quick reader may be tried."""
    is_quoting_plain = file.is_plain and not (file.has_quotes and dialect.has_literal_quotes)
    return is_quoting_plain and dialect.delimiter not in (None, WHITESPACE)


def read_quickly(file: TextFile, dialect: Dialect) -> Iterator[TextBlock]:
    """Raises NeedsCareError, possibly at the end, where rows are broken or lines and rows do not match one to one."""
    num_before = dialect.first_line - 1 + dialect.has_header
    num_rows = 0
    block_bytes = _BLOCK_BYTES if file.max_line_bytes < _BLOCK_BYTES // 2 else _LARGE_BLOCK_BYTES
    parse = partial(
        _parse, file, names=[str(index) for index in range(len(dialect.names))], delimiter=dialect.delimiter
    )
    try:
        for batch in ahead(parse, _cut(file.path, num_before, block_bytes)):
            for start in range(0, batch.num_rows, _QUICK_ROWS):
                part = batch.slice(start, _QUICK_ROWS)
                first = num_before + num_rows + 1
                num_rows += part.num_rows
                yield TextBlock(lines=pa.array(np.arange(first, first + part.num_rows)), cells=part)
    except pa.ArrowInvalid as error:
        raise NeedsCareError(str(error)) from error
    if num_rows + num_before + file.num_trailing_blank != file.num_lines:
        raise NeedsCareError(f"{num_rows} rows on {file.num_lines} lines")


def _cut(path: Path, num_lines: int, num_bytes: int) -> Iterator[tuple[int, int]]:
    """Where blocks of whole lines begin and end, after the first lines. No cell of a plain text crosses their ends."""
    with path.open("rb") as stream:
        for _ in range(num_lines):
            stream.readline()
        start, num_all = stream.tell(), path.stat().st_size
        while start < num_all:
            stream.seek(start + num_bytes)
            stream.readline()
            end = min(stream.tell(), num_all)
            yield start, end
            start = end


def _parse(file: TextFile, span: tuple[int, int], *, names: list[str], delimiter: str | None) -> pa.RecordBatch:
    start, end = span
    with file.path.open("rb", buffering=0) as stream:
        stream.seek(start)
        text = stream.read(end - start)
    table = pa.csv.read_csv(
        pa.BufferReader(text),
        read_options=pa.csv.ReadOptions(column_names=names, block_size=len(text) + 1, use_threads=False),
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, quote_char='"' if file.has_quotes else False),
        # NOTE: the whole file was found to be UTF-8.
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, null_values=[], check_utf8=False
        ),
    )
    (batch,) = table.to_batches()
    return batch


def read_carefully(file: TextFile, dialect: Dialect, *, on_bad_row: BadRow) -> Iterator[TextBlock]:
    """Reads line by line and tells every row that does not parse: (line, reason, text)."""
    records = _Records(file.path, dialect, on_bad_row)
    lines: list[int] = []
    rows: list[list[str]] = []
    num_characters = 0
    for line, row in records:
        lines.append(line)
        rows.append(row)
        num_characters += sum(map(len, row))
        if len(rows) >= BLOCK_ROWS or num_characters > _BLOCK_CHARACTERS:
            yield _to_block(lines, rows, dialect)
            lines, rows, num_characters = [], [], 0
    if rows:
        yield _to_block(lines, rows, dialect)


def _to_block(lines: list[int], rows: list[list[str]], dialect: Dialect) -> TextBlock:
    columns = [pa.array(cells, type=pa.string()) for cells in zip(*rows, strict=True)]
    return TextBlock(
        lines=pa.array(lines, type=pa.int64()),
        cells=pa.RecordBatch.from_arrays(columns, names=[str(index) for index in range(len(dialect.names))]),
    )


class _Records:
    """The rows of a text with the line that each begins on; the others go to `on_bad_row`."""

    def __init__(self, path: Path, dialect: Dialect, on_bad_row: BadRow) -> None:
        self._path, self._dialect, self._on_bad_row = path, dialect, on_bad_row
        # Blanks between a closing quote and the delimiter are common, though no standard knows them.
        mark = re.escape(dialect.delimiter or "")
        self._blanks_after_quotes = re.compile(rf'((?:^|{mark}) *""|(?<=[^"])") +(?={mark}|[\r\n]|$)')
        self._pending: list[str] = []
        self._line = 0

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        width = len(self._dialect.names)
        is_header = self._dialect.has_header
        with self._path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            while (line := self._next(stream)) is not None:
                if not line.strip() or self._line < self._dialect.first_line:
                    continue
                number = self._line
                row, reason = self._parse(line, stream)
                if is_header:
                    is_header = False
                elif reason is None and len(row) == width:
                    yield number, row
                else:
                    self._on_bad_row(number, reason or _width_reason(len(row), width), _printable(line))

    def _next(self, stream: Iterator[str]) -> str | None:
        line = self._pending.pop(0) if self._pending else next(stream, None)
        if line is not None:
            self._line += 1
        return line

    def _parse(self, line: str, stream: Iterator[str]) -> tuple[list[str], str | None]:
        """The fields of the record that begins with the line, or what is wrong with it."""
        if "\0" in line:
            return [], "The row contains a NUL byte. Export the file again as text."
        if not line.isprintable() and _has_surrogate(line):
            return [], "The row is not valid UTF-8. Save the file in one encoding."
        delimiter = self._dialect.delimiter
        if delimiter is not None and delimiter != WHITESPACE and '"' in line and not self._dialect.has_literal_quotes:
            return self._parse_quoted(line, stream, delimiter)
        return self._split(line.rstrip("\r\n"), delimiter), None

    def _split(self, line: str, delimiter: str | None) -> list[str]:
        if delimiter is None:
            return [line.strip().strip('"')]
        if delimiter == WHITESPACE:
            return split_tokens(line)
        return [_unquote(cell) for cell in line.split(delimiter)]

    def _parse_quoted(self, line: str, stream: Iterator[str], delimiter: str) -> tuple[list[str], str | None]:
        """A record may go on over several lines; an opening quote that is never closed costs only its own line."""
        more: list[str] = []
        first_line = self._line

        def feed() -> Iterator[str]:
            yield self._blanks_after_quotes.sub(r"\1", line)
            while len(more) < _MAX_RECORD_LINES and (following := self._next(stream)) is not None:
                more.append(following)
                yield following

        try:
            row = next(csv.reader(feed(), delimiter=delimiter, strict=True, skipinitialspace=True))
        except csv.Error as error:
            is_unclosed = "unexpected end" in str(error)
            reason = _UNCLOSED if is_unclosed else f"a quote is at a wrong place ({error})"
        else:
            if not more or len(row) == len(self._dialect.names):
                return row, None
            reason = _UNCLOSED
        self._pending = more + self._pending
        self._line = first_line
        return [], f'The quotes of the row are broken: {reason}. Write a quote inside a cell twice ("").'


def _width_reason(found: int, expected: int) -> str:
    return f"The row has {found} fields, expected {expected}. Quote cells that contain the delimiter."


def _unquote(cell: str) -> str:
    """The content of a cell that is quoted as a whole; any other quote is text."""
    inner = cell[1:-1].replace('""', "")
    is_quoted = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner
    return cell[1:-1].replace('""', '"') if is_quoted else cell


def _has_surrogate(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return True
    return False


def _printable(line: str) -> str:
    return line.rstrip("\r\n").encode("utf-8", "replace").decode()
