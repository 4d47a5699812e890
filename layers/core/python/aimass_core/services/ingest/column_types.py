"""Which type a column of text has, decided on every cell of it, and the conversion of cells to that type.

The rules, in this order; "cells" are those with a value:
1. No cell has a value: string.
2. A whole number with a leading zero (007) occurs: string, for it is an identifier.
   Most are lists of numbers, [1, 2.5, null]: series; the rows of the other cells are bad rows.
3. All are true or false: boolean. All are whole numbers in 64 bits: integer. All are numbers: number.
4. At least 100 cells and 99 % of them are numbers: a number column; the rows of the other cells are bad rows.
5. All are dates and times in one known format: datetime; without a zone they are UTC.
6. All are numbers as people write them, in one form: number. See `aimass_core.domain.written_numbers`.
7. Else string.
In formats that tell text from numbers (JSON), a column with a text in it is string or datetime.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain import written_numbers
from aimass_core.domain.schemas import ColumnType
from aimass_core.services.ingest import plain_cells, series

MIN_CELLS_FOR_TOLERANCE = 100
TOLERATED_FRACTION = 0.01

ISO, ISO_ZONED = "ISO 8601", "ISO 8601 with a zone"
DATETIME_FORMATS = (
    ISO,
    ISO_ZONED,
    "%Y-%m",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%y",
    "%d/%m/%y",
    "%m/%d/%y %H:%M",
    "%d/%m/%y %H:%M",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
)
_AMBIGUOUS = {form: form.replace("%m/%d", "%d/%m") for form in DATETIME_FORMATS if form.startswith("%m/%d")}

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.DATETIME: pa.timestamp("us", tz="UTC"),
    ColumnType.STRING: pa.string(),
    ColumnType.IMAGE: pa.binary(),
    ColumnType.SERIES: series.ARROW_TYPE,
}

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)
_INTEGER_RE2 = r"^[+-]?[0-9]{1,19}$"
_NUMBER_RE2 = r"(?i)^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)$"
_DATE_START = re.compile(r"\d{1,4}[-/. ]|[A-Z][a-z]{2} \d")
_PROBED_CELLS = 32
_SETTLING_ROWS = 1_000
_SETTLING_FRACTION = 0.2
_MAX_INT64 = 2**63 - 1
# Of the years 1 to 9999, in microseconds.
_FIRST_TIME, _LAST_TIME = -62_135_596_800_000_000, 253_402_300_799_999_999
# Of the year 1000: 12/31/99 is no day of the first century, and 3.11.7 is the number of a version.
_FIRST_OF_FOUR_DIGITS = -30_610_224_000_000_000


@dataclass(slots=True)
class Evidence:
    """What the cells of one text column have been so far. Blocks of cells are added; the order does not matter but
    for columns that are mostly text, which are settled by their first block."""

    num_cells: int = 0
    num_examined: int = 0
    num_booleans: int = 0
    num_integers: int = 0
    num_numbers: int = 0
    num_big_integers: int = 0
    num_leading_zeros: int = 0
    num_series: int = 0
    is_text: bool = False
    is_quoted: bool = False
    formats: tuple[str, ...] | None = field(default=None)
    forms: tuple[str, ...] | None = field(default=None)
    """Of numbers as people write them; None while all cells are plain numbers."""
    example: str = ""

    def add(self, cells: pa.Array) -> pa.Array | None:
        """Counts a block of trimmed cells; null is a missing value.

        Returns them as whole numbers, numbers or times where all are that and plain, else None.
        """
        present = cells.drop_null()
        self.num_cells += len(present)
        if not len(present) or self.is_text:
            return None
        if series.are_lists(present):
            self.num_series += len(present) - series.parse(present).null_count
            self.formats = ()
            return None
        self.num_examined += len(present)
        num_numbers = self.num_numbers
        values = self._add_times(cells)
        if values is None:
            values = self._add_cells(cells, present)
            if self.forms is not None or self.num_numbers < num_numbers + len(present):
                self._narrow_forms(present)
        is_large = len(present) >= _SETTLING_ROWS
        is_other = not self.formats and not self.forms and self.num_booleans < self.num_cells
        if is_large and is_other and self.num_numbers < num_numbers + (1 - _SETTLING_FRACTION) * len(present):
            self.is_text = True
        return values

    def add_plain_numbers(self, cells: pa.Array) -> pa.Array | None:
        """Counts a block where each cell is a number as Arrow reads and writes it, and returns the numbers; else
        counts nothing and returns None."""
        if self.is_text or self.num_cells > self.num_numbers:
            return None
        values = self._count_plain_numbers(cells)
        if values is not None:
            self.num_cells += len(cells) - cells.null_count
            self.num_examined += len(cells) - cells.null_count
        return values

    def add_plain_times(self, cells: pa.Array) -> pa.Array | None:
        """The same of times as ISO 8601 has them, where nothing but these came before."""
        is_iso = self.formats in ((ISO,), (ISO_ZONED,))
        if self.formats is None or not is_iso or self.num_numbers or self.num_booleans or self.num_series:
            return None
        try:
            _cast_iso(cells[:_PROBED_CELLS], self.formats[0])
            values = _within_years(_cast_iso(cells, self.formats[0]))
        except pa.ArrowInvalid:
            return None
        if values.null_count > cells.null_count:
            return None
        self.num_cells += len(cells) - cells.null_count
        self.num_examined += len(cells) - cells.null_count
        return values

    def _add_times(self, cells: pa.Array) -> pa.Array | None:
        """The usual case of a column of times: what has one of the formats is neither a number nor a truth value."""
        if not self.formats or self.num_numbers or self.num_booleans or self.num_series:
            return None
        fitting = {form: _fit(cells, form) for form in self.formats}
        formats = tuple(form for form, values in fitting.items() if values is not None)
        if not formats:
            return None
        self.formats = formats
        return fitting[formats[0]]

    def _add_cells(self, cells: pa.Array, present: pa.Array) -> pa.Array | None:
        numbers_before = self.num_numbers
        values = self._count_plain_numbers(cells)
        if values is None:
            self._add_each(present)
        if self.num_numbers == numbers_before:
            self._narrow_formats(present)
            values = _fit(cells, self.formats[0]) if self.formats else None
        elif self.num_numbers < self.num_cells:
            self.formats = ()
        return values

    def _count_plain_numbers(self, cells: pa.Array) -> pa.Array | None:
        num_present = len(cells) - cells.null_count
        values = plain_cells.to_integers(cells)
        num_whole = num_present
        if values is None:
            found = plain_cells.to_numbers(cells)
            if found is None:
                return None
            values, num_whole = found
        self.num_integers += num_whole
        self.num_numbers += num_present
        return values

    def _add_each(self, cells: pa.Array) -> None:
        for entry in pc.value_counts(cells):
            text, count = entry["values"].as_py(), entry["counts"].as_py()
            if _INTEGER.fullmatch(text):
                digits = text.lstrip("+-")
                self.num_leading_zeros += count if len(digits) > 1 and digits[0] == "0" else 0
                # NOTE: int() refuses texts of more than 4,300 digits.
                is_big = len(digits) > 18 and (len(digits) > 19 or not -_MAX_INT64 - 1 <= int(text) <= _MAX_INT64)
                self.num_big_integers += count if is_big else 0
                self.num_integers += 0 if is_big else count
                self.num_numbers += count
            elif _NUMBER.fullmatch(text):
                self.num_numbers += count
            elif text.lower() in ("true", "false"):
                self.num_booleans += count

    def _narrow_formats(self, cells: pa.Array) -> None:
        candidates = DATETIME_FORMATS if self.formats is None else self.formats
        if candidates and not _DATE_START.match(cells[0].as_py()):
            candidates = ()
        for part in (cells[:_PROBED_CELLS], cells):
            candidates = tuple(form for form in candidates if _fit(part, form) is not None)
        self.formats = candidates

    def _narrow_forms(self, cells: pa.Array) -> None:
        if self.forms is None:
            self.example = next(text for text in map(str, cells) if not _NUMBER.fullmatch(text))
            self.forms = written_numbers.find_forms(self.example)
            if self.num_integers + self.num_big_integers < self.num_numbers:
                self.forms = tuple(filter(written_numbers.has_decimal_point, self.forms))
        for part in (cells[:_PROBED_CELLS], cells):
            self.forms = tuple(form for form in self.forms if _are_of_form(part, form))

    @property
    def is_ambiguous(self) -> bool:
        """Whether every date fits month/day and day/month."""
        formats = self.formats or ()
        return any(form in formats and other in formats for form, other in _AMBIGUOUS.items())

    def merge(self, other: "Evidence") -> "Evidence":
        """The evidence of both."""
        if not self.num_cells or not other.num_cells:
            return self if self.num_cells else other
        shared = tuple(form for form in self.formats or () if form in (other.formats or ()))
        return Evidence(
            num_cells=self.num_cells + other.num_cells,
            num_examined=self.num_examined + other.num_examined,
            num_booleans=self.num_booleans + other.num_booleans,
            num_integers=self.num_integers + other.num_integers,
            num_numbers=self.num_numbers + other.num_numbers,
            num_big_integers=self.num_big_integers + other.num_big_integers,
            num_leading_zeros=self.num_leading_zeros + other.num_leading_zeros,
            num_series=self.num_series + other.num_series,
            is_text=self.is_text or other.is_text,
            is_quoted=self.is_quoted or other.is_quoted,
            formats=shared,
            forms=_shared_forms(self, other),
            example=self.example or other.example,
        )

    def resolve(self) -> ColumnType:
        """The column's type by the rules of this module."""
        if not self.num_cells or self.is_text or self.num_leading_zeros:
            return ColumnType.STRING
        if self.is_quoted:
            return ColumnType.DATETIME if self.formats else ColumnType.STRING
        if self.num_series > self.num_cells / 2:
            return ColumnType.SERIES
        if self.num_booleans == self.num_cells:
            return ColumnType.BOOLEAN
        tolerated = self.num_cells * TOLERATED_FRACTION if self.num_cells >= MIN_CELLS_FOR_TOLERANCE else 0
        if self.num_numbers and self.num_cells - self.num_numbers <= tolerated and not self.forms:
            return ColumnType.INTEGER if self.num_integers == self.num_numbers else ColumnType.NUMBER
        return ColumnType.DATETIME if self.formats else ColumnType.NUMBER if self.forms else ColumnType.STRING

    def written(self, column_type: ColumnType, preferred: str | None = None) -> tuple[str, ...]:
        """How cells that are of the type may be written, the likeliest first: formats of times, forms of numbers."""
        found = {ColumnType.DATETIME: self.formats, ColumnType.NUMBER: self.forms}.get(column_type) or ()
        return (preferred, *found) if preferred in found else found

    def may_have_others_than(self, wanted: ColumnType | None) -> bool:
        """Whether a cell may not be of that type: then the cells are looked at."""
        if wanted in (None, ColumnType.STRING) or not self.num_cells:
            return False
        if wanted is ColumnType.DATETIME:
            return self.resolve() is not ColumnType.DATETIME
        counts = {
            ColumnType.NUMBER: self.num_numbers,
            ColumnType.INTEGER: self.num_integers,
            ColumnType.BOOLEAN: self.num_booleans,
            ColumnType.SERIES: self.num_series,
        }
        return wanted not in counts or counts[wanted] < self.num_cells

    def warning(self, name: str) -> str | None:
        """What the user should know about how the column was typed."""
        column_type = self.resolve()
        if column_type is ColumnType.NUMBER and self.num_big_integers:
            return (
                f"Column {name!r} has {self.num_big_integers} whole numbers beyond 64 bits: it is a number column and "
                "they lose digits."
            )
        is_mixed = not self.num_leading_zeros and not self.is_quoted and 2 * self.num_numbers >= self.num_examined > 0
        if column_type is ColumnType.STRING and is_mixed:
            share = self.num_numbers / self.num_examined
            return f"Column {name!r} mixes numbers ({share:.0%} of its cells) with other text: it is read as text."
        return None

    def note(self, name: str, column_type: ColumnType, written: str | None) -> str | None:
        """What the user should know about how its cells were read, where that was not evident."""
        if column_type is ColumnType.NUMBER and written is not None and written in (self.forms or ()):
            plain = written_numbers.to_plain(self.example, written)
            return f"Column {name!r} holds numbers such as {self.example!r}, which was read as {plain}."
        if column_type is ColumnType.DATETIME and self.is_ambiguous:
            taken = "month first was taken" if written in _AMBIGUOUS else "day first was taken, as before"
            return f"Column {name!r}: every date fits month/day and day/month; {taken}."
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """Typed cells. `is_bad` marks cells with a value that is not of the type (None: there are none)."""

    values: pa.Array
    is_bad: pa.Array | None
    num_infinite: int = 0


def convert(cells: pa.Array, column_type: ColumnType, written: Sequence[str] = ()) -> Converted:
    """Text cells as a type, `written` in one of these ways (`Evidence.written`).

    NaN becomes missing, so do infinities, which are counted; -0.0 becomes 0.0.
    """
    if column_type is ColumnType.STRING:
        return Converted(values=cells, is_bad=None)
    values = _CONVERTERS[column_type](cells, written)
    finite = to_normal_form(values, column_type)
    return Converted(values=finite.values, is_bad=_bad(cells, values), num_infinite=finite.num_infinite)


def to_normal_form(values: pa.Array, column_type: ColumnType) -> Converted:
    """Typed values as they are stored: floats are finite or null, and never a negative zero."""
    if column_type is ColumnType.NUMBER:
        finite, num_infinite = to_finite(values)
        return Converted(values=finite, is_bad=None, num_infinite=num_infinite)
    if column_type is ColumnType.SERIES:
        finite, num_infinite = to_finite(values.flatten())
        return Converted(values=series.with_values(values, finite), is_bad=None, num_infinite=num_infinite)
    return Converted(values=values, is_bad=None)


def to_finite(values: pa.Array) -> tuple[pa.Array, int]:
    """Floats in their normal form (finite or null, no negative zero) and how many were infinite."""
    is_finite = pc.is_finite(values)
    if pc.all(is_finite).as_py() is not False:
        return pc.add(values, 0.0), 0
    num_infinite = pc.sum(pc.is_inf(values)).as_py() or 0
    return pc.add(pc.if_else(is_finite, values, pa.scalar(None, values.type)), 0.0), num_infinite


def _bad(cells: pa.Array, values: pa.Array) -> pa.Array | None:
    if values.null_count == cells.null_count:
        return None
    return pc.and_(pc.is_null(values), pc.is_valid(cells))


def _to_integers(cells: pa.Array, _formats: Sequence[str]) -> pa.Array:
    plain = plain_cells.to_integers(cells)
    if plain is not None:
        return plain
    # Arrow reads hexadecimal, and has no plus sign; int() of Python knows neither trap here.
    valid = pc.if_else(pc.match_substring_regex(cells, _INTEGER_RE2), cells, None)
    found = [None if text is None else int(text) for text in valid.to_pylist()]
    return pa.array([value if value is None or abs(value) <= _MAX_INT64 else None for value in found], type=pa.int64())


def _to_numbers(cells: pa.Array, forms: Sequence[str]) -> pa.Array:
    if forms:
        cells = _to_plain(cells, forms[0])
    try:
        return pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        return pc.cast(pc.if_else(pc.match_substring_regex(cells, _NUMBER_RE2), cells, None), pa.float64())


def _to_plain(cells: pa.Array, form: str) -> pa.Array:
    """`written_numbers.to_plain` of each cell that is of the form; the others as they are."""
    before, after, decimal = written_numbers.marks_of(form)
    number = cells
    for sign in filter(None, (before, after)):
        number = pc.replace_substring(number, sign, "")
    digits = pc.replace_substring_regex(number, f"[^0-9{re.escape(decimal)}]", "")
    digits = pc.replace_substring(digits, decimal, ".")
    is_negative = pc.match_substring_regex(number, r"[-(]")
    plain = pc.if_else(is_negative, pc.binary_join_element_wise("-", digits, ""), digits)
    return pc.if_else(pc.match_substring_regex(cells, written_numbers.pattern_of(form)), plain, cells)


def _to_booleans(cells: pa.Array, _formats: Sequence[str]) -> pa.Array:
    lowered = pc.utf8_lower(cells)
    is_known = pc.is_in(lowered, value_set=pa.array(["true", "false"]))
    return pc.if_else(is_known, pc.equal(lowered, "true"), None)


def _to_datetimes(cells: pa.Array, formats: Sequence[str]) -> pa.Array:
    return parse_datetimes(cells, formats or DATETIME_FORMATS)


def _to_series(cells: pa.Array, _formats: Sequence[str]) -> pa.Array:
    return series.parse(cells)


_CONVERTERS = {
    ColumnType.INTEGER: _to_integers,
    ColumnType.NUMBER: _to_numbers,
    ColumnType.BOOLEAN: _to_booleans,
    ColumnType.DATETIME: _to_datetimes,
    ColumnType.SERIES: _to_series,
}


def parse_datetimes(cells: pa.Array, formats: Sequence[str]) -> pa.Array:
    """Timestamps in UTC by the first format that fits each cell; null where none does, or outside of years 1..9999."""
    parsed = [_parse_format(cells, form) for form in formats]
    return _within_years(parsed[0] if len(parsed) == 1 else pc.coalesce(*parsed))


def _within_years(values: pa.Array) -> pa.Array:
    """Times, null where they are outside of the years 1 to 9999."""
    # NOTE: in Arrow the year of a time with a zone costs as much as all else here.
    first, last = (each.as_py() for each in pc.min_max(values.view(pa.int64())).values())
    if first is None or _FIRST_TIME <= first <= last <= _LAST_TIME:
        return values
    year = pc.year(values)
    return pc.if_else(pc.and_(pc.greater_equal(year, 1), pc.less_equal(year, 9999)), values, None)


def _are_of_form(cells: pa.Array, form: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(cells, written_numbers.pattern_of(form))).as_py())


def _shared_forms(one: Evidence, other: Evidence) -> tuple[str, ...] | None:
    """A form holds for all files of a version; plain numbers with a fraction have a decimal point."""
    if one.forms is None or other.forms is None:
        written, plain = (other, one) if one.forms is None else (one, other)
        if written.forms is None or plain.num_numbers < plain.num_cells:
            return None if written.forms is None else ()
        is_whole = plain.num_integers + plain.num_big_integers == plain.num_numbers
        return tuple(form for form in written.forms if is_whole or written_numbers.has_decimal_point(form))
    return tuple(form for form in one.forms if form in other.forms)


def _fit(cells: pa.Array, form: str) -> pa.Array | None:
    """The times, if all cells have that format."""
    values = parse_datetimes(cells, [form])
    return values if values.null_count == cells.null_count else None


def _parse_format(cells: pa.Array, form: str) -> pa.Array:
    utc = ARROW_TYPES[ColumnType.DATETIME]
    if form not in (ISO, ISO_ZONED):
        found = pc.strptime(cells, format=form, unit="us", error_is_null=True)
        # NOTE: strptime takes years of fewer digits.
        is_early = pc.less(found, pa.scalar(_FIRST_OF_FOUR_DIGITS, found.type))
        return pc.if_else(is_early, None, found).cast(utc)
    try:
        return _cast_iso(cells, form)
    except pa.ArrowInvalid:
        return pa.array([_parse_iso(text, is_zoned=form == ISO_ZONED) for text in cells.to_pylist()], type=utc)


def _cast_iso(cells: pa.Array, form: str) -> pa.Array:
    utc = ARROW_TYPES[ColumnType.DATETIME]
    return pc.cast(cells, utc if form == ISO_ZONED else pa.timestamp("us")).cast(utc)


def _parse_iso(text: str | None, *, is_zoned: bool) -> datetime | None:
    if text is None or len(text) < 10 or text[4] != "-" or text[7] != "-":
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if (found.tzinfo is not None) is not is_zoned:
        return None
    try:
        return found.astimezone(UTC) if is_zoned else found.replace(tzinfo=UTC)
    except OverflowError:
        return None
