"""Series come in from every format that can hold them, and those that cannot be used are told apart."""

import io
import json
import math

import numpy as np
import pyarrow as pa
import pytest

from aimass_core.domain.datasets import DatasetVersionStatus, WriteMode
from aimass_core.domain.schemas import MAX_SERIES_LENGTH
from aimass_core.services.ingest import previewing
from tests.unit.core.services.ingest.scene import Scene, types
from tests.unit.core.services.ingest.test_formats import to_npz, to_parquet

TS = """#A comment, and another
# @problemName is not here
@problemName Steps
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true up down
@data
1,2.5,3:-1,?,-3:up
4,5:1e-3,0:down
"""


@pytest.fixture
def scene() -> Scene:
    return Scene()


def json_lines(*cells: object, name: str = "x") -> bytes:
    return "\n".join(json.dumps({name: cell}) for cell in cells).encode()


def test_a_ts_file_becomes_channels_and_a_target(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), TS.encode(), name="steps.ts")
    assert types(version) == {"x0": "series", "x1": "series", "label": "string"}
    assert version.target == "label"
    assert scene.rows(version) == [
        {"x0": [1.0, 2.5, 3.0], "x1": [-1.0, None, -3.0], "label": "up"},
        {"x0": [4.0, 5.0], "x1": [0.001, 0.0], "label": "down"},
    ]


def test_a_ts_file_of_one_channel_with_numbers_to_predict(scene: Scene) -> None:
    head = "#" * 5000 + "\n@problemname p\n@univariate true\n@targetlabel true\n@data\n"
    version = scene.upload(scene.dataset(), (head + "1,2,3:0.5\n4,5,6:?\n").encode())
    assert scene.rows(version) == [{"x": [1.0, 2.0, 3.0], "label": 0.5}, {"x": [4.0, 5.0, 6.0], "label": None}]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,2:1,2,3:up", "different lengths (2, 3)"),
        ("1,2:1,x:up", "'x', value 2 of channel 1"),
        ("1,2:1,2:sideways", "'sideways' is none of those"),
        ("1,2:up", "has 1 channels, the rows before it have 2"),
        ("::up", "The series is empty"),
        (":".join([",".join("1" * 100_000)] * 2) + ":up", "100,000 values; at most 65,536"),
        ("up", "no colon"),
    ],
)
def test_a_bad_row_of_a_ts_file_is_kept_apart(scene: Scene, row: str, reason: str) -> None:
    version = scene.upload(scene.dataset(max_bad_fraction=0.5), f"{TS}{row}\n".encode())
    assert (version.num_rows, version.num_quarantined) == (2, 1)
    assert version.issues[0].line == 13
    assert reason in version.issues[0].reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TS.replace("@timeStamps false", "@timeStamps true"), "time stamps"),
        (TS.partition("@data")[0], "no line @data"),
        (TS.partition("1,2.5")[0], "No series follow"),
        (TS.replace("true up down", "true"), "names no class"),
        (TS.replace("@data\n", ""), "before the line @data"),
    ],
)
def test_a_ts_file_that_is_none(scene: Scene, text: str, reason: str) -> None:
    version = scene.upload(scene.dataset(), text.encode())
    assert version.status is DatasetVersionStatus.REJECTED
    assert reason in str(version.status_reason)


def test_lists_of_numbers_in_json_lines_are_series(scene: Scene) -> None:
    body = b'{"x": [1, 2.5, null]}\n{"x": [-0.0, NaN, -Infinity, 1e400]}\n{"y": 1, "x": null}\n'
    version = scene.upload(scene.dataset(), body)
    assert types(version) == {"x": "series", "y": "integer"}
    rows = scene.rows(version)
    assert [row["x"] for row in rows] == [[1.0, 2.5, None], [0.0, None, None, None], None]
    assert math.copysign(1, rows[1]["x"][0]) == 1
    assert version.profile is not None
    assert version.profile.warnings == ["Column 'x': 2 infinite values became missing."]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ([1, "a"], "'\"a\"', value 2 of the series, is not a number"),
        ([], "The series is empty"),
        ([[1, 2]], "value 1 of the series, is not a number"),
        ([True], "'true', value 1"),
        (5, "'5' is not a list of numbers"),
        ([1] * 100_000, "100,000 values; at most 65,536"),
    ],
)
def test_a_cell_that_is_no_series_is_kept_apart(scene: Scene, cell: object, reason: str) -> None:
    version = scene.upload(scene.dataset(max_bad_fraction=0.5), json_lines([1, 2], cell, [3.5]))
    assert types(version) == {"x": "series"}
    assert [row["x"] for row in scene.rows(version)] == [[1.0, 2.0], [3.5]]
    assert version.issues[0].line == 2
    assert reason in version.issues[0].reason


def test_lists_of_words_stay_text(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), json_lines(["a", "b"], [1], ["c"]))
    assert types(version) == {"x": "string"}


def test_lists_in_a_csv_file_are_series(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), b'x,y\n"[1, 2]",a\n"[3]",b\n,c\n')
    assert types(version) == {"x": "series", "y": "string"}
    assert [row["x"] for row in scene.rows(version)] == [[1.0, 2.0], [3.0], None]


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.int16()), pa.list_(pa.float32(), 2)],
)
def test_parquet_lists_of_numbers_are_series(scene: Scene, kind: pa.DataType) -> None:
    table = pa.table({"x": pa.array([[1, 2], None, [3, None]], kind), "y": [1, 2, 3]})
    version = scene.upload(scene.dataset(), to_parquet(table))
    assert types(version) == {"x": "series", "y": "integer"}
    assert [row["x"] for row in scene.rows(version)] == [[1.0, 2.0], None, [3.0, None]]


def test_parquet_series_of_a_wrong_length_are_kept_apart(scene: Scene) -> None:
    cells = [[1.0], [], [2.0, math.inf], [0.0] * 100_000, [0.0] * MAX_SERIES_LENGTH]
    version = scene.upload(scene.dataset(max_bad_fraction=0.5), to_parquet(pa.table({"x": cells, "y": range(5)})))
    assert [row["y"] for row in scene.rows(version)] == [0, 2, 4]
    assert scene.rows(version)[1]["x"] == [2.0, None]
    assert [issue.line for issue in version.issues] == [2, 4]
    assert "empty" in version.issues[0].reason
    assert "100,000 values" in version.issues[1].reason


def test_npz_of_series_filled_up_with_nan(scene: Scene) -> None:
    x = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    x[1, 2:] = np.nan
    x[2] = np.nan
    x[3, 0, 1] = np.nan
    body = to_npz(x=x, y=np.array(["a", "b", "c", "d"]))
    version = scene.upload(scene.dataset(max_bad_fraction=0.5), body)
    assert version.target == "y"
    assert scene.rows(version) == [
        {"x0": [0.0, 2.0, 4.0], "x1": [1.0, 3.0, 5.0], "y": "a"},
        {"x0": [6.0, 8.0], "x1": [7.0, 9.0], "y": "b"},
        {"x0": [18.0, 20.0, 22.0], "x1": [None, 21.0, 23.0], "y": "d"},
    ]
    assert version.issues[0].line == 3


def test_npz_of_one_channel_with_splits(scene: Scene) -> None:
    body = to_npz(series_train=np.ones((2, 3)), y_train=[0, 1], series_test=np.zeros((1, 3)), y_test=[1])
    version = scene.upload(scene.dataset(), body)
    assert types(version) == {"x": "series", "y": "integer", "split": "string"}
    assert [row["split"] for row in scene.rows(version)] == ["train", "train", "test"]


def test_an_append_keeps_the_series_and_refuses_text(scene: Scene) -> None:
    dataset = scene.dataset()
    scene.upload(dataset, json_lines([1, 2]))
    grown = scene.upload(dataset, to_parquet(pa.table({"x": [[3.0]]})), mode=WriteMode.APPEND)
    assert [row["x"] for row in scene.rows(grown)] == [[1.0, 2.0], [3.0]]
    refused = scene.upload(dataset, json_lines("text"), mode=WriteMode.APPEND)
    assert refused.status is DatasetVersionStatus.REJECTED


def test_the_profile_of_a_series_tells_lengths_and_values(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), json_lines([1, 2, 3], [5, None], None, [1, 2, 3], [3, 2, 1]))
    assert version.profile is not None
    (column,) = version.profile.columns
    assert (column.min_length, column.max_length, column.mean_length) == (2, 3, 11 / 4)
    assert (column.min, column.max, column.num_missing, column.num_distinct) == (1.0, 5.0, 1, None)
    assert column.mean == pytest.approx(23 / 10)
    assert sum(column.histogram.counts if column.histogram else []) == 10
    assert version.profile.num_duplicates == 1


def test_the_preview_shows_series_as_json(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), json_lines([1, None], [2] * 2_000))
    rows = previewing.load_rows(scene.ports.lake, version.workspace_id, scene.manifest(version), limit=5)
    assert rows.rows[0] == {"x": [1.0, None]}
    assert len(rows.rows[1]["x"]) == 1_000
    assert next(line for line in io.StringIO(previewing.to_csv(rows)) if "null" in line) == '"[1.0, null]"\r\n'
