"""Drift is told from chance, and sketches say what the rows would."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from aimass_core.domain.column_sketches import ColumnSketch
from aimass_core.domain.quality import DriftExpected
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from aimass_core.services.ingest.profiling import Profiler
from aimass_core.services.quality import drift

EXPECTED = DriftExpected(check="drift", max_ks=0.1)


def sketch(values: Sequence[float] | Sequence[str | None]) -> ColumnSketch:
    column_type = ColumnType.STRING if isinstance(values[0], str) else ColumnType.NUMBER
    schema = Schema(kind=DatasetKind.TABLE, columns=[Column(name="x", type=column_type)])
    profiler = Profiler(schema)
    array = pa.array(values, type=pa.string() if column_type is ColumnType.STRING else pa.float64())
    profiler.add(pa.RecordBatch.from_arrays([array], names=["x"]))
    found = profiler.sketches().column("x")
    assert found is not None
    return ColumnSketch.model_validate_json(found.model_dump_json())


def normal(num: int, *, seed: int, mean: float = 0.0) -> list[float]:
    values: list[float] = np.random.default_rng(seed).normal(mean, 1, num).tolist()
    return values


def test_ks_of_sketches_is_that_of_the_rows() -> None:
    first, second = normal(5_000, seed=0), normal(4_000, seed=1, mean=0.3)
    points = np.sort(np.concatenate([first, second]))
    upto = [np.searchsorted(np.sort(values), points, side="right") / len(values) for values in (first, second)]
    exact = np.abs(upto[0] - upto[1]).max()
    found = drift.compare(sketch(first), sketch(second), EXPECTED)
    assert found.ks == pytest.approx(exact, abs=0.005)
    assert found.is_drift


def test_psi_of_sketches_is_that_of_the_rows() -> None:
    first, second = normal(20_000, seed=0), normal(20_000, seed=1, mean=0.5)
    edges = np.quantile(first, np.arange(1, 10) / 10)
    shares = [np.bincount(np.searchsorted(edges, values), minlength=10) / len(values) for values in (first, second)]
    exact = np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0]))
    assert drift.compare(sketch(first), sketch(second), EXPECTED).psi == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("num", [30, 300, 3_000])
def test_chance_is_no_drift(num: int) -> None:
    found = [drift.compare(sketch(normal(num, seed=s)), sketch(normal(num, seed=s + 100)), EXPECTED) for s in range(40)]
    assert not any(moved.is_drift for moved in found)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([0.0] * 500, [1.0] * 500),
        ([1.0] * 500, [0.0] * 500),
        ([0.0, 1.0] * 250, [1.0] * 500),
        (["a", "b"] * 250, ["a", "c"] * 250),
        (["a"] * 500, ["a", None] * 250),  # type: ignore[list-item]
    ],
)
def test_few_values_that_change_are_drift(before: list[float] | list[str], now: list[float] | list[str]) -> None:
    assert drift.compare(sketch(before), sketch(now), EXPECTED).is_drift
    assert not drift.compare(sketch(before), sketch(before), EXPECTED).is_drift
