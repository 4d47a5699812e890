"""Channels, and reading other channels with the training channel's types."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import divide_by_split_column, read_channel
from batch_jobs.data.frames import table_frame
from tests.unit.batch_jobs.channel_files import build_channel, write_channel


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = write_channel(tmp_path / "train", {"x": (ColumnType.INTEGER, [2, 3])})
    other = write_channel(tmp_path / "other", {"x": (ColumnType.INTEGER, [0, 1])})
    (folder / "00000.parquet").rename(folder / "part-00001.parquet")
    (other / "00000.parquet").rename(folder / "part-00000.parquet")
    channel = read_channel("train", folder)
    assert channel.table.column("x").to_pylist() == [0, 1, 2, 3]
    assert channel.rows.to_pylist() == [0, 1, 2, 3]


def test_a_file_without_a_column_of_the_schema_has_it_missing(tmp_path: Path) -> None:
    folder = write_channel(tmp_path / "train", {"x": (ColumnType.INTEGER, [2]), "later": (ColumnType.STRING, ["new"])})
    table = pq.read_table(folder / "00000.parquet")
    pq.write_table(table.drop_columns(["later"]), folder / "00001.parquet")
    channel = read_channel("train", folder)
    assert channel.table.column("later").to_pylist() == ["new", None]


def test_a_channel_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="channel train has no rows"):
        build_channel(tmp_path, {"x": (ColumnType.INTEGER, [])})


@pytest.mark.parametrize("words", [["train", "test", "train"], ["Training", " TEST ", "validation"]])
def test_a_split_column_divides_the_rows_and_keeps_their_numbers(tmp_path: Path, words: list[str]) -> None:
    channel = build_channel(tmp_path, {"split": (ColumnType.STRING, words)})
    divided = divide_by_split_column(channel)
    assert divided is not None
    train, test = divided
    assert (train.rows.to_pylist(), test.rows.to_pylist(), test.name) == ([0, 2], [1], "test")


@pytest.mark.parametrize("words", [["a", "b"], ["train", "train"], ["test", "test"]])
def test_a_split_column_that_says_something_else_divides_nothing(tmp_path: Path, words: list[str]) -> None:
    assert divide_by_split_column(build_channel(tmp_path, {"split": (ColumnType.STRING, words)})) is None


@pytest.mark.parametrize(
    ("found", "values", "wanted", "expected"),
    [
        (ColumnType.INTEGER, [3, None], ColumnType.NUMBER, [3.0, np.nan]),
        (ColumnType.NUMBER, [1e400, 0.5], ColumnType.NUMBER, [np.nan, 0.5]),
        (ColumnType.INTEGER, [3, None], ColumnType.STRING, ["3", ""]),
        (ColumnType.BOOLEAN, [True, None, False], ColumnType.BOOLEAN, ["true", "", "false"]),
        (ColumnType.DATETIME, [1_500_000, None], ColumnType.DATETIME, [1.5, np.nan]),
    ],
)
def test_columns_become_the_tensors_of_the_signature(
    tmp_path: Path, found: ColumnType, values: list[Any], wanted: ColumnType, expected: list[Any]
) -> None:
    channel = build_channel(tmp_path, {"x": (found, values)})
    frame = table_frame(channel, [Column(name="x", type=wanted)])
    np.testing.assert_array_equal(frame.columns["x"], np.array(expected, dtype=frame.columns["x"].dtype))


def test_a_channel_that_lacks_a_feature_is_refused_by_name(tmp_path: Path) -> None:
    channel = build_channel(tmp_path, {"x": (ColumnType.NUMBER, [1.0])}, name="test")
    with pytest.raises(InvalidDataError, match="channel test lacks the column 'z'"):
        table_frame(channel, [Column(name="z", type=ColumnType.NUMBER)])


def test_a_channel_with_another_type_is_refused_with_both(tmp_path: Path) -> None:
    channel = build_channel(tmp_path, {"x": (ColumnType.STRING, ["high"])}, name="test")
    with pytest.raises(InvalidDataError, match="column 'x' is string, and in the training channel it is number"):
        table_frame(channel, [Column(name="x", type=ColumnType.NUMBER)])
