"""From the cells of one column to the tensor that the graph takes, cell by cell where that is needed."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain import written_numbers
from aimass_core.domain.datasets import DatasetPolicy
from aimass_core.domain.schemas import ColumnType, ImageShape
from aimass_core.domain.signatures import TensorSpec
from aimass_core.errors import InternalError
from aimass_core.inference.rows.errors import CellError
from aimass_core.inference.rows.images import to_pixels

Array = NDArray[Any]

# The words that ingest takes for "no value" unless a dataset says otherwise: rows of the same file read the same here.
MISSING_WORDS = frozenset(DatasetPolicy().missing_values)
MISSING_TEXT = ""
_EXAMPLE = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
_NUMBERS = frozenset({int, float, type(None)})
_NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)
_DATE_FORMATS = (
    "%Y-%m",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
)


def to_tensor(spec: TensorSpec, cells: Sequence[Any]) -> tuple[Array, dict[int, str]]:
    """The cells of one input, in the order of the rows, and what is wrong with those that cannot be read.

    In the place of an unreadable cell stands a missing value.
    """
    if spec.column_type in (None, ColumnType.SERIES):
        raise InternalError(f"The model's input {spec.name!r} carries no column.")
    if spec.column_type is ColumnType.IMAGE:
        return _to_images(spec, cells)
    types = set(map(type, cells))
    if spec.column_type in _NUMERIC and types <= _NUMBERS:
        return _to_float32([math.nan if cell is None else cell for cell in cells]), {}
    convert, missing = _converter_of(spec)
    values, errors = _convert_each(spec, cells, convert, missing)
    if spec.column_type in _NUMERIC:
        return _to_float32(values), errors
    dtype = np.float64 if spec.column_type is ColumnType.DATETIME else np.object_
    return np.array(values, dtype=dtype).reshape(-1, 1), errors


def to_number(cell: Any, written: str | None = None) -> float:
    """A number, or text that is one, plainly or as it is `written` in the data. NaN where the value is missing."""
    if isinstance(cell, str):
        cell = cell.strip()
        if cell in MISSING_WORDS:
            return math.nan
        if written is not None and (plain := written_numbers.to_plain(cell, written)) is not None:
            return float(plain)
        if _NUMBER.fullmatch(cell):
            return float(cell)
    elif isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(min(max(cell, -1e300), 1e300)) if isinstance(cell, int) else cell
    elif cell is None:
        return math.nan
    raise CellError(f"{_show(cell)} is not a number")


def to_boolean(cell: Any) -> str:
    """The texts `true` and `false`."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    text = to_text(cell).lower()
    if text in (MISSING_TEXT, "true", "false"):
        return text
    raise CellError(f"{_show(cell)} is neither true nor false")


def to_text(cell: Any) -> str:
    """Trimmed text; a number or boolean as it is written in JSON."""
    if isinstance(cell, str):
        cell = cell.strip()
        return MISSING_TEXT if cell in MISSING_WORDS else cell
    if cell is None:
        return MISSING_TEXT
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return str(cell)
    raise CellError(f"{_show(cell)} is not text")


def to_seconds(cell: Any, written: str | None = None) -> float:
    """Seconds since 1970 of a date or time, as it is `written` in the data or in a form that has one meaning; one
    without a zone is UTC."""
    text = to_text(cell) if isinstance(cell, str) else cell
    if text is None or text == MISSING_TEXT:
        return math.nan
    if isinstance(text, str):
        formats = _DATE_FORMATS if written is None else (written, *_DATE_FORMATS)
        for parse in (datetime.fromisoformat, *map(_parser, formats)):
            try:
                parsed = parse(text)
            except ValueError:
                continue
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    ways = "2026-11-23 or 2026-11-23T12:30:00Z"
    if written is not None:
        ways = f"{_EXAMPLE.strftime(written)}, as in the training data, or {ways}"
    raise CellError(f"{_show(cell)} is not a date or time; write it as {ways}")


def _parser(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form).replace(tzinfo=UTC)


def _converter_of(spec: TensorSpec) -> tuple[Callable[[Any], Any], Any]:
    if spec.written is None:
        return _CONVERTERS[ColumnType.STRING if spec.column_type is None else spec.column_type]
    read = to_seconds if spec.column_type is ColumnType.DATETIME else to_number
    return partial(read, written=spec.written), math.nan


_CONVERTERS: Mapping[ColumnType, tuple[Callable[[Any], Any], Any]] = {
    ColumnType.INTEGER: (to_number, math.nan),
    ColumnType.NUMBER: (to_number, math.nan),
    ColumnType.DATETIME: (to_seconds, math.nan),
    ColumnType.BOOLEAN: (to_boolean, MISSING_TEXT),
    ColumnType.STRING: (to_text, MISSING_TEXT),
}


def _convert_each(
    spec: TensorSpec, cells: Sequence[Any], convert: Callable[[Any], Any], missing: Any
) -> tuple[list[Any], dict[int, str]]:
    values, errors = [], {}
    for row, cell in enumerate(cells):
        try:
            values.append(convert(cell))
        except CellError as error:
            errors[row] = f"{spec.column or spec.name}: {error}"
            values.append(missing)
    return values, errors


def _to_images(spec: TensorSpec, cells: Sequence[Any]) -> tuple[Array, dict[int, str]]:
    _, height, width, channels = spec.shape
    shape = ImageShape(height=height, width=width, channels=channels)
    blank = np.zeros((height, width, channels), np.uint8)
    values, errors = _convert_each(spec, cells, lambda cell: to_pixels(cell, shape), blank)
    return np.stack(values), errors


def _to_float32(values: list[float]) -> Array:
    """As in training, a number that float32 cannot hold is as good as missing."""
    with np.errstate(over="ignore"):
        floats = np.array([float(min(max(value, -1e300), 1e300)) for value in values] if _is_huge(values) else values)
        floats = floats.astype(np.float32)
    floats[~np.isfinite(floats)] = np.nan
    return floats.reshape(-1, 1)


def _is_huge(values: list[float]) -> bool:
    """Whether a whole number is there that no double holds."""
    return any(type(value) is int and abs(value) > 2**63 for value in values)


def _show(cell: Any) -> str:
    return repr(cell)[:60]
