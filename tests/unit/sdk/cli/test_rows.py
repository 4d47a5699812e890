"""Rows for predictions, as people have them in files."""

from pathlib import Path

import pytest

from aimass.cli.rows import read_rows
from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Datatype, Signature, Task, TensorSpec
from aimass_core.errors import InvalidDataError, NotFoundError


def signature(*columns: str, kind: DatasetKind = DatasetKind.TABLE) -> Signature:
    inputs = [TensorSpec(name=name, datatype=Datatype.FP32, shape=[-1, 1], column=name) for name in columns]
    return Signature(kind=kind, task=Task.BINARY, target="y", inputs=inputs, outputs=[], labels=["a", "b"])


def test_csv_with_header_byte_order_mark_and_empty_cells(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\ufeffage, job\n39, cook\n, \n")
    assert read_rows(str(path), signature("age", "job")) == [{"age": "39", "job": "cook"}, {"age": None, "job": None}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_as_spreadsheets_save_it(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(f'age{delimiter}job\r\n39{delimiter}"Köchin, Wirtin;\nund mehr"\r\n'.encode(encoding))
    assert read_rows(str(path), signature("age", "job")) == [{"age": "39", "job": "Köchin, Wirtin;\nund mehr"}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"PAR1\xe0\0\0", "is no text"),
        (b"age,job\n", "no rows below its header"),
        (b"age,age\n1,2\n", "'age' more than once"),
        (b"age,job\n1," + b"x" * 200_000, "is no CSV"),
    ],
)
def test_what_holds_no_rows_is_refused(tmp_path: Path, body: bytes, words: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(body)
    with pytest.raises(InvalidDataError, match=words):
        read_rows(str(path), signature("age", "job"))


def test_a_model_of_tensors_takes_no_rows(tmp_path: Path) -> None:
    custom = signature("age").model_copy(update={"task": Task.CUSTOM})
    with pytest.raises(InvalidDataError, match="takes tensors"):
        read_rows(str(tmp_path), custom)


def test_headerless_csv_is_taken_by_position_where_columns_have_no_names(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("39,cook\n40,nurse\n")
    assert read_rows(str(path), signature("c0", "c1"))[0] == {"c0": "39", "c1": "cook"}


def test_headerless_csv_is_refused_where_columns_have_names(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("39,cook\n")
    with pytest.raises(InvalidDataError, match="Add a header line"):
        read_rows(str(path), signature("age", "job"))


def test_ragged_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("age,job\n39,cook\n40\n")
    with pytest.raises(InvalidDataError, match="Row 3 has 1 cells where the header has 2"):
        read_rows(str(path), signature("age", "job"))


def test_json_lines_and_json_array(tmp_path: Path) -> None:
    lines, array = tmp_path / "rows.jsonl", tmp_path / "rows.json"
    lines.write_text('{"age": 39}\n\n{"age": null}\n')
    array.write_text('[{"age": 39}]')
    assert read_rows(str(lines), signature("age")) == [{"age": 39}, {"age": None}]
    assert read_rows(str(array), signature("age")) == [{"age": 39}]


def test_images_for_a_table_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(InvalidDataError, match="takes tables"):
        read_rows(str(tmp_path), signature("age"))


def test_missing_file() -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        read_rows("nowhere.csv", None)


def test_a_ts_file_gives_one_series_a_channel_without_the_label(tmp_path: Path) -> None:
    path = tmp_path / "rows.ts"
    path.write_text("#about\n@problemName p\n@data\n1,?,3:4,5,6:up\n\n7:8\n")
    assert read_rows(str(path), signature("x0", "x1")) == [
        {"x0": "[1,null,3]", "x1": "[4,5,6]"},
        {"x0": "[7]", "x1": "[8]"},
    ]
    with pytest.raises(InvalidDataError, match="Line 4 has 3 parts; the model takes 1 channels"):
        read_rows(str(path), signature("x0"))
    path.write_text("1,2:3,4\n")
    with pytest.raises(InvalidDataError, match="no line @data"):
        read_rows(str(path), signature("x0"))
