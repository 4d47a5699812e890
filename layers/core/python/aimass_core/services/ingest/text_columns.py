"""A column of a text file while it is read: trimmed, counted for its type, kept as text or as that type."""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.schemas import ColumnType
from aimass_core.services.ingest.column_types import ARROW_TYPES, Evidence

_NUMBERS = (ColumnType.INTEGER, ColumnType.NUMBER)
_TYPES = {ARROW_TYPES[each]: each for each in (*_NUMBERS, ColumnType.DATETIME)}


class NotAsBegunError(Exception):
    """A block is not of the type in which those before it were kept."""


@dataclass(slots=True)
class TextColumn:
    """Cells come in blocks.

    `wanted`: what the column has to become, None for what it is. `keeps_text`: whatever it is, text is kept.
    `may_be_plain`: no number or time means that there is no value, as -999 might.
    """

    missing: pa.Array
    has_decimal_comma: bool
    wanted: ColumnType | None
    keeps_text: bool
    may_be_plain: bool
    evidence: Evidence = field(default_factory=Evidence)
    _kept: ColumnType | None = None
    _form: str | None = None
    _is_begun: bool = False

    def take(self, cells: pa.Array) -> pa.Array:
        """A block as it is kept. Raises NotAsBegunError."""
        if self.may_be_plain and self._kept is not None:
            values = self._take_plain(cells)
            if values is not None:
                return self._keep(values)
        cells = clean_cells(cells, self.missing, has_decimal_comma=self.has_decimal_comma)
        values = self.evidence.add(cells)
        if not self._is_begun:
            self._begin(values)
        if self._kept is None:
            return cells
        if cells.null_count == len(cells):
            return pa.nulls(len(cells), ARROW_TYPES[self._kept])
        if values is None:
            raise NotAsBegunError
        return self._keep(values)

    def may_have_bad_cells(self) -> bool:
        """Whether rows of it may have to be kept apart."""
        return self._kept is None and self.evidence.may_have_others_than(self.wanted or self.evidence.resolve())

    def _take_plain(self, cells: pa.Array) -> pa.Array | None:
        """Of numbers and times without gaps, no cell has to be looked at: blanks are no part of one, nor is an empty
        cell."""
        is_time = self._kept is ColumnType.DATETIME
        values = self.evidence.add_plain_times(cells) if is_time else self.evidence.add_plain_numbers(cells)
        self.may_be_plain = values is not None
        return values

    def _begin(self, values: pa.Array | None) -> None:
        self._is_begun = True
        # What other files say of it may decide between the two ways to read a date.
        keeps_text = self.keeps_text or self.evidence.is_ambiguous
        found = None if values is None or keeps_text else _TYPES[values.type]
        if self.wanted in _NUMBERS and found in _NUMBERS:
            self._kept = ColumnType.NUMBER if ColumnType.NUMBER in (self.wanted, found) else found
        elif self.wanted in (None, found):
            self._kept = found
        self._form = self._first_format()

    def _first_format(self) -> str | None:
        return self.evidence.formats[0] if self.evidence.formats else None

    def _keep(self, values: pa.Array) -> pa.Array:
        found = _TYPES[values.type]
        if found is ColumnType.INTEGER and self._kept is ColumnType.NUMBER:
            return values.cast(pa.float64(), safe=False)
        if found is not self._kept or self._first_format() != self._form:
            raise NotAsBegunError
        return values


def clean_cells(cells: pa.Array, missing: pa.Array, *, has_decimal_comma: bool = False) -> pa.Array:
    """Trimmed cells, null where the text means "no value"."""
    trimmed = pc.utf8_trim_whitespace(cells)
    if has_decimal_comma:
        trimmed = pc.replace_substring_regex(trimmed, r"^([+-]?[0-9]+),([0-9]+)$", r"\1.\2")
    is_missing = pc.is_in(trimmed, value_set=missing)
    return pc.if_else(is_missing, None, trimmed) if pc.any(is_missing).as_py() else trimmed
