"""Raw columns to one float32 matrix, in numpy. `table_graph` does the same in ONNX, operation by operation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.schemas import Column, ColumnType
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.words import find_words, has_words

DATE_PARTS: Final = ("year", "month", "day", "weekday", "hour")
MIN_CATEGORY_ROWS = 5
MAX_CATEGORIES = 255
OTHER_CODE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A text or boolean column. Value i of `values` has code i + 1; rare and unknown values share code 0.

    The missing value is the text "", a value like any other: it has a code where training saw it often enough.
    """

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A column of free text, and the words that are looked for in it."""

    column: str
    values: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features."""
        return tuple(f"{self.column} has {word}" for word in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """The matrix's columns, in this order: numbers, five parts of each date, for each word of a free text whether it
    is there, one code of each category."""

    numbers: tuple[str, ...]
    dates: tuple[str, ...]
    categories: tuple[Category, ...]
    words: tuple[Words, ...] = ()

    @property
    def num_numeric(self) -> int:
        """How many columns of the matrix are quantities; they come before the codes."""
        return len(self.numbers) + len(DATE_PARTS) * len(self.dates) + sum(len(each.values) for each in self.words)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the matrix's columns."""
        parts = (f"{date} ({part})" for date in self.dates for part in DATE_PARTS)
        words = (name for each in self.words for name in each.names)
        return (*self.numbers, *parts, *words, *(category.column for category in self.categories))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Of each category, the number of codes, that of the unknown included."""
        return tuple(len(category.values) + 1 for category in self.categories)

    def transform(self, frame: Frame) -> NDArray[np.float32]:
        """The matrix of shape [rows, num_numeric + categories]; missing numbers stay NaN."""
        parts: list[Array] = [frame.columns[name][:, None] for name in self.numbers]
        parts += [date_parts(frame.columns[name]) for name in self.dates]
        parts += [has_words(frame.columns[each.column].tolist(), each.values) for each in self.words]
        parts += [_codes(frame.columns[category.column], category)[:, None] for category in self.categories]
        return np.ascontiguousarray(np.concatenate(parts, axis=1, dtype=np.float32))


def fit_encoding(frame: Frame, columns: Sequence[Column], targets: Array | None = None) -> Encoding:
    """Learns the categories from training rows; rare ones are grouped, and at most 255 are told apart. Of free text it
    learns the common words, where there are many those that say most of the targets."""
    names: dict[str, list[str]] = {"number": [], "date": [], "category": []}
    words = []
    for column in columns:
        if column.type is ColumnType.STRING and (found := find_words(frame.columns[column.name].tolist(), targets)):
            words.append(Words(column=column.name, values=found))
        else:
            names[_ROLE_OF_TYPE[column.type]].append(column.name)
    return Encoding(
        numbers=tuple(names["number"]),
        dates=tuple(names["date"]),
        categories=tuple(fit_category(name, frame.columns[name]) for name in names["category"]),
        words=tuple(words),
    )


_ROLE_OF_TYPE: Mapping[ColumnType, str] = {
    ColumnType.INTEGER: "number",
    ColumnType.NUMBER: "number",
    ColumnType.DATETIME: "date",
    ColumnType.BOOLEAN: "category",
    ColumnType.STRING: "category",
}


def fit_category(name: str, values: Array) -> Category:
    """The values that get a code."""
    found, counts = np.unique(values.astype(str), return_counts=True)
    # By frequency: a tree splits off the frequent ones first, and that beats the alphabet. Ties go by name.
    order = np.argsort(-counts, kind="stable")
    enough = [found[i].item() for i in order if counts[i] >= MIN_CATEGORY_ROWS]
    return Category(column=name, values=tuple((enough or [found[i].item() for i in order])[:MAX_CATEGORIES]))


def _codes(values: Array, category: Category) -> Array:
    codes = {value: code for code, value in enumerate(category.values, start=1)}
    return np.fromiter((codes.get(value, OTHER_CODE) for value in values.tolist()), np.float32, count=len(values))


def date_parts(seconds: Array) -> NDArray[np.float32]:
    """Year, month, day, weekday (Monday 0) and hour in UTC, from float64 seconds since 1970; NaN gives NaN.

    The proleptic Gregorian calendar by the algorithm of H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"
    (civil_from_days), written in floor divisions of float64 alone, so that the ONNX graph can repeat it exactly.
    """
    days = np.floor(seconds / 86_400.0)
    hour = np.floor((seconds - days * 86_400.0) / 3_600.0)
    weekday = _modulo(days + 3.0, 7.0)
    shifted = days + 719_468.0
    era = np.floor(shifted / 146_097.0)
    day_of_era = shifted - era * 146_097.0
    leaps = np.floor(day_of_era / 1_460.0) - np.floor(day_of_era / 36_524.0) + np.floor(day_of_era / 146_096.0)
    year_of_era = np.floor((day_of_era - leaps) / 365.0)
    start_of_year = year_of_era * 365.0 + np.floor(year_of_era / 4.0) - np.floor(year_of_era / 100.0)
    day_of_year = day_of_era - start_of_year
    month_from_march = np.floor((day_of_year * 5.0 + 2.0) / 153.0)
    day = day_of_year - np.floor((month_from_march * 153.0 + 2.0) / 5.0) + 1.0
    month = _modulo(month_from_march + 2.0, 12.0) + 1.0
    year = year_of_era + era * 400.0 + np.floor((14.0 - month) / 12.0)
    return np.stack([year, month, day, weekday, hour], axis=1).astype(np.float32)


def _modulo(value: Array, divisor: float) -> Any:
    return value - np.floor(value / divisor) * divisor
