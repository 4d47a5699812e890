"""What a version's columns hold, in one pass over all rows and in bounded memory.

Counts, extremes, mean and deviation are exact. Quantiles and histograms are exact up to the size of the sample
(100,000 values, fewer in very wide tables) and estimated from a uniform sample above it.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.column_sketches import ColumnSketch, Sketches
from aimass_core.domain.schemas import ColumnProfile, ColumnType, Histogram, Profile, Schema, ValueCount
from aimass_core.services.ingest.column_types import ARROW_TYPES
from aimass_core.services.ingest.columns import for_each_column
from aimass_core.services.ingest.row_hashes import hash_rows

MAX_DISTINCT = 10_000
MAX_TOP_VALUES = 10
NUM_BINS = 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MAX_ROWS_FOR_DUPLICATES = 2_000_000
MAX_SKETCHED_COLUMNS = 1_000
NUM_SKETCH_POINTS = 101
MAX_SKETCH_COUNTS = 50
MAX_WARNINGS = 50
_SAMPLE_BUDGET, _MIN_SAMPLE, _MAX_SAMPLE = 4_000_000, 1_000, 100_000
_MAX_KEY_CHARACTERS = 200
_MAX_WAITING = 4 * MAX_DISTINCT


class RowObserver(Protocol):
    """Sees every row of a version once, beside the profiler."""

    def begin(self, schema: Schema) -> None:
        """Before the first row."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Rows of the schema."""


class Profiler:
    """Takes typed batches and ends with a Profile, and with the distributions of all rows and of those that are new.

    Where there is an observer, it sees every batch too, and what is new is told apart, since somebody compares it.
    `num_rows_expected`: about so many will come; of more than MAX_ROWS_FOR_DUPLICATES equal ones are not counted.
    """

    def __init__(self, schema: Schema, *, observer: RowObserver | None = None, num_rows_expected: int = 0) -> None:
        self._observer = observer
        self._fresh: Profiler | None = None
        if observer is not None:
            observer.begin(schema)
        capacity = min(max(_SAMPLE_BUDGET // len(schema.columns), _MIN_SAMPLE), _MAX_SAMPLE)
        self._schema = schema
        self._columns = [_Column(column.name, column.type, capacity) for column in schema.columns]
        self._num_rows = 0
        self._hashes: list[npt.NDArray[np.uint64]] | None = [] if num_rows_expected <= MAX_ROWS_FOR_DUPLICATES else None

    def add(self, batch: pa.RecordBatch) -> None:
        """Counts rows of the schema."""
        self._num_rows += batch.num_rows
        columns = for_each_column(_Column.add, self._columns, batch.columns)
        if self._observer is not None:
            self._observer.add(batch)
        if self._fresh is not None:
            self._fresh.add(batch)
        if self._num_rows > MAX_ROWS_FOR_DUPLICATES:
            self._hashes = None
        if self._hashes is not None:
            self._hashes.append(hash_rows(columns))

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

    def sketches(self) -> Sketches:
        """The distributions of the columns that have one worth keeping."""
        found = [column.sketch() for column in self._columns[:MAX_SKETCHED_COLUMNS]]
        return Sketches(columns=[sketch for sketch in found if sketch is not None])

    def begin_fresh(self) -> None:
        """The rows from now on are what the version brings; those before were its base's."""
        if self._observer is not None:
            self._fresh = Profiler(self._schema)

    def fresh_sketches(self) -> Sketches | None:
        """Of what the version brings; None where that is all rows, or nobody asked for the difference."""
        return None if self._fresh is None else self._fresh.sketches()

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
        self._counts = _Counts()
        self._num_characters, self._max_length = 0, 0
        self._min_length: int | None = None

    def add(self, values: pa.Array) -> pa.Array:
        """Returns the values as they are hashed: texts by their codes, which are made once."""
        self._num_missing += values.null_count
        self._num_values += len(values) - values.null_count
        if self._type is ColumnType.STRING:
            values = values.dictionary_encode()
            self._add_texts(values)
        elif values.null_count < len(values):
            self._add_values(values.drop_null())
        return values

    def _add_values(self, values: pa.Array) -> None:
        if self._type is ColumnType.IMAGE:
            self._add_lengths(pc.binary_length(values))
            return
        if self._type is ColumnType.SERIES:
            self._add_lengths(pc.list_value_length(values))
            self._add_numbers(values.flatten().drop_null())
            return
        if not self._counts.is_overflown:
            found = pc.value_counts(values.view(pa.int64()) if self._type is ColumnType.DATETIME else values)
            self._counts.add(found.field(0), found.field(1))
        if self._type in (ColumnType.INTEGER, ColumnType.NUMBER):
            self._add_numbers(values)
        elif self._type is not ColumnType.BOOLEAN:
            self._add_extremes(values)

    def _add_texts(self, encoded: pa.DictionaryArray) -> None:
        texts = encoded.dictionary
        if not len(texts):
            return
        lengths = pc.utf8_length(texts)
        counts = np.bincount(encoded.indices.drop_null().to_numpy(zero_copy_only=False), minlength=len(texts))
        self._add_lengths(lengths, counts)
        if self._max_length > _MAX_KEY_CHARACTERS:
            texts = pc.utf8_slice_codeunits(texts, 0, _MAX_KEY_CHARACTERS)
        self._counts.add(texts, pa.array(counts))
        self._add_extremes(texts)

    def _add_numbers(self, values: pa.Array) -> None:
        if not len(values):
            return
        self._add_extremes(values)
        numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        self._moments.add(numbers)
        self._sample.add(numbers)

    def _add_lengths(self, lengths: pa.Array, counts: npt.NDArray[np.int64] | None = None) -> None:
        numbers = lengths.to_numpy(zero_copy_only=False).astype(np.int64)
        self._num_characters += int(numbers.sum() if counts is None else numbers @ counts)
        self._max_length = max(self._max_length, pc.max(lengths).as_py())
        shortest = pc.min(lengths).as_py()
        self._min_length = shortest if self._min_length is None else min(self._min_length, shortest)

    def _add_extremes(self, values: pa.Array) -> None:
        found = pc.min_max(values)
        low, high = found["min"].as_py(), found["max"].as_py()
        self._min = low if self._min is None else min(self._min, low)
        self._max = high if self._max is None else max(self._max, high)

    def finish(self) -> ColumnProfile:
        is_number = self._type in (ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.SERIES)
        has_numbers = is_number and self._moments.count
        has_lengths = self._type in (ColumnType.STRING, ColumnType.IMAGE, ColumnType.SERIES) and self._num_values
        counts = self._counts.collect()
        is_counted = counts is not None and self._type not in (ColumnType.IMAGE, ColumnType.SERIES)
        return ColumnProfile(
            name=self._name,
            type=self._type,
            num_missing=self._num_missing,
            num_distinct=len(counts) if counts is not None and is_counted else None,
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

    def sketch(self) -> ColumnSketch | None:
        """None of times, which move on, of pictures, and of texts that are nearly all different."""
        fields = {
            "name": self._name,
            "type": self._type,
            "num_values": self._num_values,
            "num_missing": self._num_missing,
        }
        if self._type in (ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.SERIES):
            return ColumnSketch(**fields, **self._sample.sketch())
        found = self._counts.collect()
        is_various = found is None or len(found) > max(MAX_SKETCH_COUNTS, self._num_values // 2)
        if self._type not in (ColumnType.STRING, ColumnType.BOOLEAN) or is_various:
            return None
        counts = self._count_values(MAX_SKETCH_COUNTS)
        num_other = self._num_values - sum(count.count for count in counts)
        return ColumnSketch(**fields, num_seen=self._num_values, counts=counts, num_other=num_other)

    def _top_values(self) -> list[ValueCount]:
        return [] if self._type is ColumnType.NUMBER else self._count_values(MAX_TOP_VALUES)

    def _count_values(self, limit: int) -> list[ValueCount]:
        # The order of equals must not depend on the order of the rows.
        found = self._counts.collect() or {}
        values: list[Any] = list(found)
        if self._type is ColumnType.DATETIME:
            values = pa.array(values, pa.int64()).cast(ARROW_TYPES[self._type]).to_pylist()
        counted = zip(values, found.values(), strict=True)
        top = sorted(counted, key=lambda item: (-item[1], str(item[0])))[:limit]
        return [ValueCount(value=_text(value), count=count) for value, count in top]


class _Counts:
    """How often each value occurs, until there are more than MAX_DISTINCT. Of blocks, the counts wait to be added up
    together."""

    def __init__(self) -> None:
        self.is_overflown = False
        self._waiting: list[pa.Table] = []
        self._num_waiting = 0

    def add(self, values: pa.Array, counts: pa.Array) -> None:
        if self.is_overflown:
            return
        self._waiting.append(pa.table({"value": values, "count": counts.cast(pa.int64())}))
        self._num_waiting += len(values)
        if self._num_waiting > _MAX_WAITING or len(values) > MAX_DISTINCT:
            self._add_up()

    def collect(self) -> dict[Any, int] | None:
        """None where there are too many."""
        self._add_up()
        if self.is_overflown:
            return None
        return dict(zip(*(column.to_pylist() for table in self._waiting for column in table.columns), strict=True))

    def _add_up(self) -> None:
        if len(self._waiting) > 1:
            together = pa.concat_tables(self._waiting).combine_chunks()
            summed = together.group_by("value", use_threads=False).aggregate([("count", "sum")])
            self._waiting = [summed.rename_columns(["value", "count"])]
        self._num_waiting = sum(map(len, self._waiting))
        self.is_overflown = self.is_overflown or self._num_waiting > MAX_DISTINCT
        if self.is_overflown:
            self._waiting = []


class _Moments:
    """Mean and deviation, merged block by block (Chan, Golub, LeVeque 1979)."""

    def __init__(self) -> None:
        self.count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, values: npt.NDArray[np.float64]) -> None:
        count = len(values)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            apart = values - mean
            squares = float(np.square(apart, out=apart).sum())
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

    def add(self, values: npt.NDArray[np.float64]) -> None:
        room = self._capacity - self._num_seen
        if room > 0:
            self._blocks.append(values[:room])
            self._num_seen += len(values[:room])
            values = values[room:]
        if not len(values):
            return
        kept = self._collect()
        is_taken, places = _draw(self._capacity, self._num_seen, len(values))
        kept[places] = values[is_taken]
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

    def sketch(self) -> dict[str, Any]:
        """The fields of a ColumnSketch that describe numbers."""
        values = np.sort(self._collect())
        points = np.unique(values)
        if len(points) > NUM_SKETCH_POINTS:
            places = np.linspace(0, len(values) - 1, NUM_SKETCH_POINTS).round().astype(np.int64)
            points = np.unique(values[places])
        num = max(len(values), 1)
        return {
            "num_seen": len(values),
            "points": points.tolist(),
            "below": (np.searchsorted(values, points, side="left") / num).tolist(),
            "upto": (np.searchsorted(values, points, side="right") / num).tolist(),
        }

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


@lru_cache(maxsize=8)
def _draw(capacity: int, num_seen: int, num_new: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which of the new values come into a sample, and in the places of which; the columns of a block share it."""
    random = np.random.default_rng(num_seen)
    is_taken = random.random(num_new) * np.arange(num_seen + 1, num_seen + num_new + 1) < capacity
    return is_taken, random.integers(0, capacity, int(is_taken.sum()))


def _plain(value: Any) -> float | str | None:
    return value if value is None or isinstance(value, int | float | str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
