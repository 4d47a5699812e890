"""Checks that look at every row: ranges, allowed values, patterns, repetitions."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.quality import PatternExpected, RangeExpected, UniqueExpected, ValuesExpected
from aimass_core.domain.schemas import ColumnType, Schema
from aimass_core.services.ingest.row_hashes import hash_rows
from aimass_core.services.quality.findings import MAX_EXAMPLES, Check, Facts, Finding, missed, of_share, to_example

_NUMBERS = (ColumnType.INTEGER, ColumnType.NUMBER)
_COUNTED = (ColumnType.STRING, ColumnType.INTEGER, ColumnType.BOOLEAN)


class Refused:
    """An expectation that this schema cannot meet."""

    def __init__(self, message: str) -> None:
        self._message = message

    def add(self, batch: pa.RecordBatch) -> None:
        """See Check."""

    def finish(self, _facts: Facts, /) -> Finding:
        """See Check."""
        return missed(self._message)


class Cells:
    """Counts the values of one column that are not as expected; what is missing is not looked at.

    Args:
        is_good: for values without nulls, which of them are.
        what: what is said of those that are not.
    """

    def __init__(self, column: str, max_share: float, *, is_good: Callable[[pa.Array], pa.Array], what: str) -> None:
        self._column, self._max_share, self._is_good, self._what = column, max_share, is_good, what
        self._num_bad = self._num_rows = 0
        self._examples: list[str] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """See Check."""
        self._num_rows += batch.num_rows
        values = batch.column(self._column).drop_null()
        bad = values.filter(pc.invert(self._is_good(values)))
        self._num_bad += len(bad)
        if len(bad) and len(self._examples) < MAX_EXAMPLES:
            new = (to_example(value) for value in pc.unique(bad.slice(0, 1_000)).to_pylist())
            self._examples = list(dict.fromkeys([*self._examples, *new]))[:MAX_EXAMPLES]

    def finish(self, _facts: Facts, /) -> Finding:
        """See Check."""
        return of_share(self._num_bad, self._num_rows, self._max_share, what=self._what, examples=self._examples)


class Unique:
    """Finds rows that repeat an earlier one, by 64-bit hashes: eight bytes are kept for each row."""

    def __init__(self, expected: UniqueExpected) -> None:
        self._expected = expected
        self._hashes: list[npt.NDArray[np.uint64]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """See Check."""
        columns = self._expected.columns
        self._hashes.append(hash_rows((batch if columns is None else batch.select(columns)).columns))

    def finish(self, _facts: Facts, /) -> Finding:
        """See Check."""
        hashes = np.concatenate(self._hashes) if self._hashes else np.empty(0, dtype=np.uint64)
        hashes.sort()
        num_repeated = int(np.count_nonzero(hashes[1:] == hashes[:-1]))
        of = "" if self._expected.columns is None else f" in {self._expected.subject}"
        what = f"an earlier row{of}"
        return of_share(num_repeated, len(hashes), self._expected.max_share, what=what, verb="repeat")


def build_range(expected: RangeExpected, schema: Schema) -> Check:
    """Of a column of numbers."""
    refused = _refuse(schema, expected.column, _NUMBERS, "numbers")
    if refused is not None:
        return refused
    low, high = expected.min, expected.max
    limits = [f"{words} {limit:g}" for words, limit in (("below", low), ("above", high)) if limit is not None]

    def is_good(values: pa.Array) -> pa.Array:
        numbers = values.cast(pa.float64(), safe=False)
        above = pc.greater_equal(numbers, -np.inf if low is None else low)
        return pc.and_(above, pc.less_equal(numbers, np.inf if high is None else high))

    return Cells(expected.column, expected.max_share, is_good=is_good, what=" or ".join(limits))


def build_values(expected: ValuesExpected, schema: Schema) -> Check:
    """Of texts, whole numbers and booleans."""
    refused = _refuse(schema, expected.column, _COUNTED, "texts, whole numbers or booleans")
    if refused is not None:
        return refused
    allowed = pa.array(expected.allowed, type=pa.string())

    def is_good(values: pa.Array) -> pa.Array:
        return pc.is_in(values.cast(pa.string()), value_set=allowed)

    return Cells(expected.column, expected.max_share, is_good=is_good, what="none of the allowed values")


def build_pattern(expected: PatternExpected, schema: Schema) -> Check:
    """Of texts. The engine is RE2, whose time grows with the text and nothing else."""
    refused = _refuse(schema, expected.column, (ColumnType.STRING,), "texts")
    if refused is not None:
        return refused
    whole = f"^(?:{expected.pattern})$"
    try:
        pc.match_substring_regex(pa.array(["x"]), whole)
    except pa.ArrowInvalid as error:
        return Refused(f"The pattern {expected.pattern!r} is no regular expression: {error}. Correct it.")

    def is_good(values: pa.Array) -> pa.Array:
        return pc.match_substring_regex(values, whole)

    return Cells(expected.column, expected.max_share, is_good=is_good, what=f"unlike {expected.pattern!r}")


def build_unique(expected: UniqueExpected, schema: Schema) -> Check:
    """Of rows, or of some columns of theirs."""
    absent = [name for name in expected.columns or [] if schema.column(name) is None]
    return Refused(f"There is no column {absent[0]!r}.") if absent else Unique(expected)


def _refuse(schema: Schema, name: str, types: tuple[ColumnType, ...], words: str) -> Refused | None:
    column = schema.column(name)
    if column is None:
        return Refused(f"There is no column {name!r}.")
    if column.type not in types:
        return Refused(f"The column {name!r} is {column.type} and has no {words}.")
    return None
