"""The ONNX encoding repeats the numpy encoding bit by bit."""

from datetime import UTC, datetime, timedelta

import numpy as np
import onnxruntime
import pytest

from aimass_core.domain.schemas import Column, ColumnType
from batch_jobs.algorithms.export.assembly import name_inputs
from batch_jobs.data.frames import Array, Frame
from batch_jobs.encoding.table import fit_table_encoder
from batch_jobs.encoding.table_graph import build_table_graph
from batch_jobs.encoding.table_matrix import MAX_CATEGORIES, date_parts, fit_encoding

COLUMNS = [
    Column(name="数", type=ColumnType.NUMBER),
    Column(name="other number", type=ColumnType.INTEGER),
    Column(name="when", type=ColumnType.DATETIME),
    Column(name="colour", type=ColumnType.STRING),
    Column(name="flag", type=ColumnType.BOOLEAN),
]


def _frame(num_rows: int, seed: int) -> Frame:
    rng = np.random.default_rng(seed)
    number = rng.normal(size=num_rows).astype(np.float32)
    number[rng.random(num_rows) < 0.2] = np.nan
    when = rng.uniform(-6e10, 2e11, num_rows)
    when[rng.random(num_rows) < 0.1] = np.nan
    return Frame(
        columns={
            "数": number,
            "other number": rng.integers(-9, 9, num_rows).astype(np.float32),
            "when": when,
            "colour": rng.choice(np.array(["red", "grün", "", "rare"], object), num_rows, p=[0.6, 0.3, 0.09, 0.01]),
            "flag": rng.choice(np.array(["true", "false", ""], object), num_rows),
        },
        num_rows=num_rows,
    )


def _run(frame: Frame, columns: list[Column] = COLUMNS, fitted_on: Frame | None = None) -> tuple[Array, Array]:
    encoding = fit_encoding(fitted_on or frame, columns)
    names = name_inputs(column.name for column in columns)
    session = onnxruntime.InferenceSession(build_table_graph(encoding, names).SerializeToString())
    (found,) = session.run(None, {names[name]: values[:, None] for name, values in frame.columns.items()})
    return encoding.transform(frame), found


def test_the_graph_repeats_numpy_exactly() -> None:
    expected, found = _run(_frame(5000, seed=1), fitted_on=_frame(300, seed=0))
    np.testing.assert_array_equal(found, expected)


def test_an_infinite_number_counts_as_missing() -> None:
    frame = Frame(columns={"x": np.array([np.inf, -np.inf, 1], np.float32)}, num_rows=3)
    _, found = _run(frame, [Column(name="x", type=ColumnType.NUMBER)])
    assert found[:, 0].tolist() == pytest.approx([np.nan, np.nan, 1], nan_ok=True)


def test_rare_and_unknown_values_share_the_code_zero_and_frequent_ones_come_first() -> None:
    values = np.array(["b"] * 20 + ["a"] * 30 + ["rare"] * 2, object)
    column = Column(name="x", type=ColumnType.STRING)
    frame = Frame(columns={"x": np.array(["a", "b", "rare", "new", ""], object)}, num_rows=5)
    expected, found = _run(frame, [column], fitted_on=Frame(columns={"x": values}, num_rows=52))
    assert found[:, 0].tolist() == expected[:, 0].tolist() == [1, 2, 0, 0, 0]


def test_words_are_found_in_the_graph_as_in_numpy() -> None:
    rng = np.random.default_rng(0)
    known = np.array(["Mr.", "Miss", "grün", "O'Neil", "a\tb", "Mr.\n"], object)
    texts = [f"{' ' * (row % 3)}n{row} {'  '.join(rng.choice(known, 2))} " for row in range(300)]
    texts += ["", " ", "Mr.", " ".join(["x"] * 64 + ["Mr."]), " ".join(["x"] * 63 + ["Mr."]), "mr. miss"]
    column = Column(name="x", type=ColumnType.STRING)
    frame = Frame(columns={"x": np.array(texts, object)}, num_rows=len(texts))
    expected, found = _run(frame, [column])
    assert expected.shape[1] >= len(known)
    np.testing.assert_array_equal(found, expected)
    nothing = Frame(columns={"x": np.array(["", ""], object)}, num_rows=2)
    expected, found = _run(nothing, [column], fitted_on=frame)
    np.testing.assert_array_equal(found, expected)


def test_at_most_255_categories_are_told_apart() -> None:
    values = np.repeat(np.array([f"town {n}" for n in range(400)], object), 5)
    column = Column(name="x", type=ColumnType.STRING)
    encoding = fit_encoding(Frame(columns={"x": values}, num_rows=len(values)), [column])
    assert encoding.cardinalities == (MAX_CATEGORIES + 1,)


def test_date_parts_are_those_of_the_calendar() -> None:
    moments = [datetime(1, 1, 1, tzinfo=UTC) + timedelta(seconds=n * 57_778_471) for n in range(5_400)]
    moments += [datetime(2000, 2, 29, 23, 59, 59, tzinfo=UTC), datetime(1900, 3, 1, tzinfo=UTC)]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    seconds = np.array([(moment - epoch).total_seconds() for moment in moments])
    expected = [(m.year, m.month, m.day, m.weekday(), m.hour) for m in moments]
    assert [tuple(row) for row in date_parts(seconds).tolist()] == expected


def test_inputs_are_named_like_columns_unless_an_output_has_the_name() -> None:
    names = name_inputs(["a", "label", "aimass/x", "価格"])
    assert names == {"a": "a", "label": "column label", "aimass/x": "column aimass/x", "価格": "価格"}


@pytest.mark.parametrize("columns", [["label", "column label"], ["column label", "label"]])
def test_input_names_never_collide(columns: list[str]) -> None:
    assert len(set(name_inputs(columns).values())) == 2


def test_inputs_tell_what_is_typical_of_the_training_rows() -> None:
    frame = Frame(
        columns={
            "rooms": np.array([1, 2, np.nan, 3, 9], np.float32),
            "colour": np.array(["", "", "red", "blue", "blue"], object),
            "empty": np.full(5, np.nan, np.float32),
        },
        num_rows=5,
    )
    columns = [
        Column(name="rooms", type=ColumnType.NUMBER),
        Column(name="colour", type=ColumnType.STRING),
        Column(name="empty", type=ColumnType.NUMBER),
    ]
    specs = fit_table_encoder(frame, columns).describe_inputs({column.name: column.name for column in columns})
    assert {spec.name: spec.typical for spec in specs} == {"rooms": 2.0, "colour": "blue", "empty": None}
