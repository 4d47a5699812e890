"""The graph of a series encoder repeats its numpy bit by bit, whatever the lengths, gaps and names are."""

import numpy as np
import onnxruntime
import pytest

from aimass_core.domain.schemas import Column, ColumnType
from batch_jobs.algorithms.export.assembly import name_inputs
from batch_jobs.data.frames import Array, Frame
from batch_jobs.encoding.series import SeriesEncoder, fit_series_encoder


def _frame(*, num_rows: int, num_steps: int, seed: int = 0) -> Frame:
    rng = np.random.default_rng(seed)
    columns: dict[str, Array] = {}
    for name in ("links", "label"):
        values = rng.normal(size=(num_rows, num_steps)).astype(np.float32)
        values[rng.random(values.shape) < 0.1] = np.nan
        columns[name] = values
    return Frame(columns=columns, num_rows=num_rows)


CHANNELS = [Column(name="links", type=ColumnType.SERIES), Column(name="label", type=ColumnType.SERIES)]


def _run(encoder: SeriesEncoder, frame: Frame) -> Array:
    names = name_inputs(column.name for column in encoder.columns)
    session = onnxruntime.InferenceSession(encoder.to_onnx(names).SerializeToString())
    inputs = {names[name]: values if values.ndim > 1 else values[:, None] for name, values in frame.columns.items()}
    found: Array = session.run(None, inputs)[0]
    return found


def test_the_graph_repeats_numpy_exactly() -> None:
    encoder = fit_series_encoder(_frame(num_rows=50, num_steps=20), CHANNELS)
    for num_rows, num_steps in ((1, 1), (7, 20), (3, 333)):
        frame = _frame(num_rows=num_rows, num_steps=num_steps, seed=num_steps)
        expected = encoder.transform(frame)
        assert expected.shape == (num_rows, num_steps, 2)
        np.testing.assert_array_equal(_run(encoder, frame), expected)


def test_the_columns_of_a_wide_table_are_the_steps_of_one_channel() -> None:
    columns = [Column(name=f"c{step}", type=ColumnType.NUMBER) for step in range(5)]
    values = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    frame = Frame(columns={f"c{step}": values[:, step] for step in range(5)}, num_rows=9)
    encoder = fit_series_encoder(frame, columns)
    np.testing.assert_array_equal(encoder.transform(frame)[:, :, 0], values)
    np.testing.assert_array_equal(_run(encoder, frame), encoder.transform(frame))


def test_an_infinite_value_counts_as_missing() -> None:
    encoder = fit_series_encoder(_frame(num_rows=5, num_steps=3), CHANNELS)
    values = np.array([[np.inf, 1, -np.inf]], np.float32)
    found = _run(encoder, Frame(columns={"links": values, "label": values}, num_rows=1))
    assert found[0, :, 0].tolist() == pytest.approx([np.nan, 1, np.nan], nan_ok=True)


def test_hard_rows_are_empty_short_and_full_of_holes() -> None:
    frame = Frame(columns={"links": np.ones((2, 5), np.float32), "label": np.ones((2, 5), np.float32)}, num_rows=2)
    rows = fit_series_encoder(frame, CHANNELS).hard_rows(frame).columns
    assert np.isnan(rows["links"][0]).all()
    assert np.isnan(rows["label"]).sum(axis=1).tolist() == [5, 2, 0]
    assert np.isnan(rows["links"][2]).tolist() == [True, False, False, False, False]


def test_ranges_are_those_of_all_values() -> None:
    frame = Frame(
        columns={"links": np.array([[1, np.nan, 7]], np.float32), "label": np.full((1, 3), np.nan, np.float32)},
        num_rows=1,
    )
    specs = fit_series_encoder(frame, CHANNELS).describe_inputs({"links": "links", "label": "column label"})
    assert [(spec.name, spec.shape, spec.minimum, spec.maximum) for spec in specs] == [
        ("links", [-1, -1], 1.0, 7.0),
        ("column label", [-1, -1], None, None),
    ]
