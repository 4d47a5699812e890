"""The profile against numpy, and what it warns about."""

import numpy as np
import pyarrow as pa
import pytest

from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Profile, Schema
from aimass_core.services.ingest.profiling import Profiler
from aimass_core.services.ingest.writing import to_arrow_schema


def profile(schema: Schema, columns: dict[str, object], *, block: int = 1_000) -> Profile:
    table = pa.table(columns, schema=to_arrow_schema(schema))
    profiler = Profiler(schema)
    for batch in table.to_batches(max_chunksize=block):
        profiler.add(batch)
    return profiler.finish(num_quarantined=0, warnings=[])


def schema_of(target: str | None = None, **types: ColumnType) -> Schema:
    columns = [Column(name=name, type=column_type) for name, column_type in types.items()]
    return Schema(kind=DatasetKind.TABLE, columns=columns, target=target)


@pytest.mark.parametrize("num_rows", [7, 5_000, 250_000])
def test_figures_of_numbers_are_those_of_numpy(num_rows: int) -> None:
    values = np.random.default_rng(0).normal(1e6, 3, num_rows)
    found = profile(schema_of(x=ColumnType.NUMBER), {"x": values}, block=60_000).columns[0]
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.std == pytest.approx(values.std(), rel=1e-9)
    assert (found.min, found.max) == (values.min(), values.max())
    is_exact = num_rows <= 100_000
    assert found.quantiles["0.5"] == pytest.approx(np.quantile(values, 0.5), abs=1e-9 if is_exact else 0.05)
    assert found.histogram is not None
    assert sum(found.histogram.counts) == pytest.approx(num_rows, abs=0 if is_exact else 20)
    assert (found.histogram.edges[0], found.histogram.edges[-1]) == (values.min(), values.max())


def test_distinct_values_are_exact_up_to_the_limit() -> None:
    schema = schema_of(few=ColumnType.STRING, many=ColumnType.STRING)
    rows = 30_000
    found = profile(schema, {"few": [f"v{i % 9_999}" for i in range(rows)], "many": [f"v{i}" for i in range(rows)]})
    assert [column.num_distinct for column in found.columns] == [9_999, None]
    assert found.columns[0].top_values[0].count == 4
    assert found.columns[0].max_length == 5


def test_values_are_counted_over_many_blocks() -> None:
    schema = schema_of(x=ColumnType.INTEGER, y=ColumnType.BOOLEAN)
    columns = {"x": [i % 3_000 for i in range(99_001)], "y": [i % 4 == 0 for i in range(99_001)]}
    x, y = profile(schema, columns, block=4_000).columns
    assert (x.num_distinct, x.top_values[0].value, x.top_values[0].count) == (3_000, "0", 34)
    assert {top.value: top.count for top in y.top_values} == {"false": 74_250, "true": 24_751}


def test_of_too_many_rows_to_count_equal_ones_none_is_hashed() -> None:
    schema = schema_of(x=ColumnType.INTEGER)
    found = []
    for num_rows_expected in (2_000_000, 2_000_001):
        profiler = Profiler(schema, num_rows_expected=num_rows_expected)
        profiler.add(pa.record_batch({"x": [1, 1, 2]}, schema=to_arrow_schema(schema)))
        found.append(profiler.finish(num_quarantined=0, warnings=[]).num_duplicates)
    assert found == [1, None]


def test_equal_rows_are_counted_as_duplicates() -> None:
    schema = schema_of(a=ColumnType.INTEGER, b=ColumnType.STRING, c=ColumnType.NUMBER, d=ColumnType.BOOLEAN)
    columns = {
        "a": [1, 1, 1, None, None, 0],
        "b": ["x", "x", "y", None, None, None],
        "c": [0.5, 0.5, 0.5, None, None, None],
        "d": [True, True, True, None, None, None],
    }
    assert profile(schema, columns, block=2).num_duplicates == 2


def test_targets_that_teach_nothing_warn() -> None:
    def warnings(values: list[str | None]) -> list[str]:
        return profile(schema_of("y", y=ColumnType.STRING), {"y": values}).warnings

    assert "same value in every row" in warnings(["a", "a"])[0]
    assert "different in every row" in warnings(["a", "b"])[0]
    assert "'b' in one row only" in warnings(["a", "a", "b"])[0]
    assert "missing in 1 rows" in warnings(["a", "a", "b", "b", None])[0]
    assert warnings(["a", "a", "b", "b"]) == []


def test_a_column_without_values_and_extreme_numbers() -> None:
    schema = schema_of(empty=ColumnType.INTEGER, huge=ColumnType.NUMBER)
    found = profile(schema, {"empty": [None, None], "huge": [1.7e308, -1.7e308]})
    assert "no value" in found.warnings[0]
    empty, huge = found.columns
    assert (empty.num_distinct, empty.min, empty.mean, empty.histogram) == (0, None, None, None)
    assert (huge.std, huge.histogram) == (None, None)
    assert Profile.model_validate_json(found.model_dump_json()) == found
