"""What a version's columns hold, in one pass over all rows and in bounded memory.

Counts, extremes, mean and deviation are exact. Quantiles and histograms are exact up to the size of the sample
(100,000 values, fewer in very wide tables) and estimated from a uniform sample above it.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.schemas import ColumnProfile, ColumnType, Histogram, Profile, Schema, ValueCount
from aimass_core.services.ingest.columns import for_each_column

MAX_DISTINCT = 10_000
MAX_TOP_VALUES = 10
NUM_BINS = 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MAX_ROWS_FOR_DUPLICATES = 2_000_000
MAX_WARNINGS = 50
_SAMPLE_BUDGET, _MIN_SAMPLE, _MAX_SAMPLE = 4_000_000, 1_000, 100_000
_MAX_KEY_CHARACTERS = 200


class Profiler:
    """Takes typed batches and ends with a Profile."""

    def __init__(self, schema: Schema) -> None:
        capacity = min(max(_SAMPLE_BUDGET // len(schema.columns), _MIN_SAMPLE), _MAX_SAMPLE)
        self._schema = schema
        self._columns = [_Column(column.name, column.type, capacity) for column in schema.columns]
        self._num_rows = 0
        self._hashes: list[npt.NDArray[np.uint64]] | None = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Counts rows of the schema."""
        self._num_rows += batch.num_rows
        for_each_column(_Column.add, self._columns, batch.columns)
        if self._num_rows > MAX_ROWS_FOR_DUPLICATES:
            self._hashes = None
        if self._hashes is not None:
            self._hashes.append(_hash_rows(batch))

    def finish(self, *, num_quarantined: int, warnings: Sequence[str]) -> Profile:
        """The profile, with what is worth a warning."""
        columns = [column.finish() for column in self._columns]
        found = [*warnings, *self._warnings(columns)]
        if len(found) > MAX_WARNINGS:
            found = [*found[: MAX_WARNINGS - 1], f"{len(found) - MAX_WARNINGS + 1} more warnings are not shown."]
        return Profile(
            num_rows=self._num_rows,
            num_quarantined=num_quarantined,
            num_duplicates=self._count_duplicates(),
            columns=columns,
            warnings=found,
        )

    def _count_duplicates(self) -> int | None:
        if self._hashes is None:
            return None
        hashes = np.concatenate(self._hashes) if self._hashes else np.empty(0, dtype=np.uint64)
        hashes.sort()
        return int(np.count_nonzero(hashes[1:] == hashes[:-1]))

    def _warnings(self, columns: Sequence[ColumnProfile]) -> list[str]:
        warnings = [
            f"Column {column.name!r} has no value in any row."
            for column in columns
            if column.num_missing == self._num_rows
        ]
        target = next((column for column in columns if column.name == self._schema.target), None)
        if target is None:
            return warnings
        num_values = self._num_rows - target.num_missing
        if target.num_distinct == 1:
            warnings.append(
                f"The target {target.name!r} has the same value in every row: nothing can be learnt from it."
            )
        is_unique = target.type is ColumnType.STRING and num_values > 1 and target.num_distinct == num_values
        if is_unique:
            warnings.append(f"The target {target.name!r} is different in every row: is it an identifier?")
        is_class = target.type in (ColumnType.STRING, ColumnType.BOOLEAN) and not is_unique
        alone = [top.value for top in target.top_values if top.count == 1] if is_class else []
        if alone:
            warnings.append(
                f"The target {target.name!r} is {alone[0]!r} in one row only: to learn a class takes two rows at least."
            )
        if target.num_missing:
            warnings.append(f"The target {target.name!r} is missing in {target.num_missing:,} rows.")
        return warnings


class _Column:
    """Running figures of one column."""

    def __init__(self, name: str, column_type: ColumnType, capacity: int) -> None:
        self._name, self._type = name, column_type
        self._num_values = self._num_missing = 0
        self._min: Any = None
        self._max: Any = None
        self._moments = _Moments()
        self._sample = _Sample(capacity)
        self._counts: Counter[Any] = Counter()
        self._is_overflown = False
        self._num_characters, self._max_length = 0, 0
        self._min_length: int | None = None

    def add(self, values: pa.Array) -> None:
        self._num_missing += values.null_count
        values = values.drop_null()
        self._num_values += len(values)
        if not len(values):
            return
        if self._type is ColumnType.IMAGE:
            self._add_lengths(pc.binary_length(values))
            return
        if self._type is ColumnType.SERIES:
            self._add_lengths(pc.list_value_length(values))
            self._add_numbers(values.flatten().drop_null())
            return
        if self._type is ColumnType.STRING:
            self._add_lengths(pc.utf8_length(values))
            values = pc.utf8_slice_codeunits(values, 0, _MAX_KEY_CHARACTERS)
        self._add_distinct(values)
        if self._type in (ColumnType.INTEGER, ColumnType.NUMBER):
            self._add_numbers(values)
        elif self._type is not ColumnType.BOOLEAN:
            self._add_extremes(values)

    def _add_numbers(self, values: pa.Array) -> None:
        if not len(values):
            return
        self._add_extremes(values)
        numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        self._moments.add(numbers)
        self._sample.add(numbers)

    def _add_lengths(self, lengths: pa.Array) -> None:
        self._num_characters += pc.sum(lengths).as_py()
        self._max_length = max(self._max_length, pc.max(lengths).as_py())
        shortest = pc.min(lengths).as_py()
        self._min_length = shortest if self._min_length is None else min(self._min_length, shortest)

    def _add_distinct(self, values: pa.Array) -> None:
        if self._is_overflown:
            return
        found = pc.value_counts(values)
        self._is_overflown = len(found) > MAX_DISTINCT
        if not self._is_overflown:
            for value, count in zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True):
                self._counts[value] += count
            self._is_overflown = len(self._counts) > MAX_DISTINCT
        if self._is_overflown:
            self._counts.clear()

    def _add_extremes(self, values: pa.Array) -> None:
        found = pc.min_max(values)
        low, high = found["min"].as_py(), found["max"].as_py()
        self._min = low if self._min is None else min(self._min, low)
        self._max = high if self._max is None else max(self._max, high)

    def finish(self) -> ColumnProfile:
        is_number = self._type in (ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.SERIES)
        has_numbers = is_number and self._moments.count
        has_lengths = self._type in (ColumnType.STRING, ColumnType.IMAGE, ColumnType.SERIES) and self._num_values
        is_counted = not self._is_overflown and self._type not in (ColumnType.IMAGE, ColumnType.SERIES)
        return ColumnProfile(
            name=self._name,
            type=self._type,
            num_missing=self._num_missing,
            num_distinct=len(self._counts) if is_counted else None,
            min=_plain(self._min),
            max=_plain(self._max),
            mean=self._moments.mean if has_numbers else None,
            std=self._moments.std if has_numbers else None,
            quantiles=self._sample.quantiles() if is_number else {},
            histogram=self._sample.histogram(self._min, self._max, self._moments.count) if is_number else None,
            top_values=self._top_values() if is_counted else [],
            mean_length=self._num_characters / self._num_values if has_lengths else None,
            min_length=self._min_length if has_lengths else None,
            max_length=self._max_length if has_lengths else None,
        )

    def _top_values(self) -> list[ValueCount]:
        if self._type is ColumnType.NUMBER:
            return []
        # The order of equals must not depend on the order of the rows.
        top = sorted(self._counts.items(), key=lambda item: (-item[1], str(item[0])))[:MAX_TOP_VALUES]
        return [ValueCount(value=_text(value), count=count) for value, count in top]


class _Moments:
    """Mean and deviation, merged block by block (Chan, Golub, LeVeque 1979)."""

    def __init__(self) -> None:
        self.count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, values: npt.NDArray[np.float64]) -> None:
        count = len(values)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            squares = float(((values - mean) ** 2).sum())
        total = self.count + count
        delta = mean - self._mean
        self._squares += squares + delta * delta * self.count * count / total
        self._mean += delta * count / total
        self.count = total

    @property
    def mean(self) -> float | None:
        return self._mean if math.isfinite(self._mean) else None

    @property
    def std(self) -> float | None:
        std = math.sqrt(self._squares / self.count) if self._squares >= 0 else math.nan
        return std if math.isfinite(std) else None


class _Sample:
    """A uniform sample of a stream (Vitter's algorithm R, a block at a time), the same for the same rows."""

    def __init__(self, capacity: int) -> None:
        self._capacity, self._num_seen = capacity, 0
        self._blocks: list[npt.NDArray[np.float64]] = []
        self._values: npt.NDArray[np.float64] | None = None
        self._random = np.random.default_rng(0)

    def add(self, values: npt.NDArray[np.float64]) -> None:
        room = self._capacity - self._num_seen
        if room > 0:
            self._blocks.append(values[:room])
            self._num_seen += len(values[:room])
            values = values[room:]
        if not len(values):
            return
        kept = self._collect()
        places = self._random.integers(0, np.arange(self._num_seen + 1, self._num_seen + len(values) + 1))
        is_taken = places < self._capacity
        kept[places[is_taken]] = values[is_taken]
        self._num_seen += len(values)

    def _collect(self) -> npt.NDArray[np.float64]:
        if self._values is None or self._blocks:
            parts = ([] if self._values is None else [self._values]) + self._blocks
            self._values = np.concatenate(parts) if parts else np.empty(0)
            self._blocks = []
        return self._values

    def quantiles(self) -> dict[str, float]:
        values = self._collect()
        if not len(values):
            return {}
        # NOTE: numpy subtracts neighbours, which overflows near the largest floats; halves do not.
        found = np.quantile(values / 2, QUANTILES) * 2
        return {str(at): float(value) for at, value in zip(QUANTILES, found, strict=True)}

    def histogram(self, low: Any, high: Any, num_values: int) -> Histogram | None:
        values = self._collect()
        if not len(values) or not math.isfinite(float(high) - float(low)):
            return None
        try:
            counts, edges = np.histogram(values, bins=NUM_BINS, range=(float(low), float(high)))
        except ValueError:
            # Among large floats there is no room for so many edges between two neighbours.
            return None
        scaled = counts if num_values == len(values) else np.rint(counts * (num_values / len(values)))
        return Histogram(edges=[float(edge) for edge in edges], counts=[int(count) for count in scaled])


def _hash_rows(batch: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    """64-bit hashes that are equal for equal rows (within this process)."""
    combined = np.zeros(batch.num_rows, dtype=np.uint64)
    for column in batch.columns:
        combined = combined * np.uint64(0x9E3779B97F4A7C15) + _hash_values(column)
        combined ^= combined >> np.uint64(29)
    return combined


def _hash_values(column: pa.Array) -> npt.NDArray[np.uint64]:
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        encoded = column.dictionary_encode(null_encoding="encode")
        hashes = np.array([hash(value) for value in encoded.dictionary.to_pylist()], dtype=np.int64)
        indices: npt.NDArray[np.int32] = encoded.indices.to_numpy(zero_copy_only=False)
        return hashes.view(np.uint64)[indices]
    if pa.types.is_list(column.type):
        return _hash_lists(column)
    numbers = column.cast(pa.int64()) if not pa.types.is_floating(column.type) else column
    bits = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False).view(np.uint64)
    mixed = (bits ^ (bits >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    return np.where(is_null, np.uint64(0xD6E8FEB86659FD93), mixed ^ (mixed >> np.uint64(27)))


def _hash_lists(column: pa.Array) -> npt.NDArray[np.uint64]:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    values = column.flatten()
    places = np.arange(len(values), dtype=np.uint64) - np.repeat(starts, lengths).astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (_hash_values(values) ^ places) * np.uint64(0x9E3779B97F4A7C15)
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed ^ (mixed >> np.uint64(29)))])
        found: npt.NDArray[np.uint64] = sums[ends] - sums[starts] + lengths.astype(np.uint64)
    return found


def _plain(value: Any) -> float | str | None:
    return value if value is None or isinstance(value, int | float | str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
