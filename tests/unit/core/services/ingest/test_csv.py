"""CSV and its relatives, from landed bytes to the rows of a version."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from aimass_core.domain import keys
from aimass_core.domain.datasets import BadRows, DatasetVersionStatus
from tests.unit.core.services.ingest.scene import Scene, to_csv, types


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_csv_becomes_a_typed_version(scene: Scene) -> None:
    body = (
        b"id,age,income,member,since,city,zip\n"
        b"1, 39 ,2174.5,true,2020-01-31,Bonn,00123\n"
        b'2,?,0,FALSE,2021-02-28,"Frankfurt, Main",50667\n'
    )

    version = scene.upload(scene.dataset(target="income"), body)

    assert version.status is DatasetVersionStatus.READY
    assert types(version) == {
        "id": "integer",
        "age": "integer",
        "income": "number",
        "member": "boolean",
        "since": "datetime",
        "city": "string",
        "zip": "string",
    }
    assert scene.rows(version) == [
        {
            "id": 1,
            "age": 39,
            "income": 2174.5,
            "member": True,
            "since": datetime(2020, 1, 31, tzinfo=UTC),
            "city": "Bonn",
            "zip": "00123",
        },
        {
            "id": 2,
            "age": None,
            "income": 0.0,
            "member": False,
            "since": datetime(2021, 2, 28, tzinfo=UTC),
            "city": "Frankfurt, Main",
            "zip": "50667",
        },
    ]
    assert (version.num_rows, version.num_columns, version.num_files, version.num_quarantined) == (2, 7, 1, 0)
    assert version.target == "income"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(scene: Scene, delimiter: str) -> None:
    body = to_csv(["name", "size"], [["a b, c", 1], ["d; e", 2], ["f | g", 3], ["h\ti", 4]], delimiter=delimiter)
    version = scene.upload(scene.dataset(), body)
    assert [row["name"] for row in scene.rows(version)] == ["a b, c", "d; e", "f | g", "h\ti"]
    assert types(version) == {"name": "string", "size": "integer"}


def test_aligned_columns_with_quoted_names(scene: Scene) -> None:
    body = b'18.0   8   307.0  70  1\t"chevrolet malibu"\n15.0   8   ?      70  1\t"buick ""x"" 320"\n'
    version = scene.upload(scene.dataset(), body)
    assert scene.rows(version)[1] == {"c0": 15.0, "c1": 8, "c2": None, "c3": 70, "c4": 1, "c5": 'buick "x" 320'}


def test_a_file_without_header_gets_numbered_columns_and_says_so(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), b"5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,2.9,virginica\n")
    assert types(version) == {"c0": "number", "c1": "number", "c2": "string"}
    assert version.num_rows == 3
    assert version.profile is not None
    assert "No header line" in version.profile.warnings[0]


def test_the_policy_overrides_the_header(scene: Scene) -> None:
    body = b"1,2\n3,4\n"
    assert scene.upload(scene.dataset("a", has_header=True), body).num_rows == 1
    assert scene.upload(scene.dataset("b", has_header=False), b"x,y\nz,w\n").num_rows == 2


@pytest.mark.parametrize(
    ("encoded", "warns"),
    [
        ("name,n\nMünchen,1\n".encode(), False),
        ("name,n\nMünchen,1\n".encode("utf-8-sig"), False),
        ("name,n\nMünchen,1\n".encode("utf-16"), False),
        ("name,n\nMünchen,1\n".encode("utf-16-le"), False),
        ("name,n\nMünchen,1\n".encode("cp1252"), True),
        (b"name,n\rM\xc3\xbcnchen,1\r", False),
        (b"name,n\r\nM\xc3\xbcnchen,1\r\n", False),
        (b"name,n\nM\xc3\xbcnchen,1", False),
        (b"\n\nname,n\n\nM\xc3\xbcnchen,1\n\n \n", False),
    ],
)
def test_encodings_and_line_ends_have_one_normal_form(scene: Scene, encoded: bytes, warns: bool) -> None:
    version = scene.upload(scene.dataset(), encoded)
    assert scene.rows(version) == [{"name": "München", "n": 1}]
    assert version.profile is not None
    assert any("Windows-1252" in warning for warning in version.profile.warnings) is warns


def test_quoted_cells_may_span_lines(scene: Scene) -> None:
    body = b'text,n\n"one\ntwo",1\n"he said ""no""",2\n'
    version = scene.upload(scene.dataset(), body)
    assert [row["text"] for row in scene.rows(version)] == ["one\ntwo", 'he said "no"']


def test_broken_rows_are_kept_apart_with_line_and_reason(scene: Scene) -> None:
    lines = [b"a,b,c"] + [b"%d,2,x" % index for index in range(100)]
    lines[10] = b"1,2"
    lines[20] = b'1,"2,x'
    lines[30] = b"1,2\x00,x"
    dataset = scene.dataset()

    version = scene.upload(dataset, b"\n".join(lines))

    assert version.status is DatasetVersionStatus.READY
    assert (version.num_rows, version.num_quarantined) == (97, 3)
    assert [(issue.line, issue.file) for issue in version.issues] == [
        (11, "file.csv"),
        (21, "file.csv"),
        (31, "file.csv"),
    ]
    assert "2 fields, expected 3" in version.issues[0].reason
    assert "opening quote is never closed" in version.issues[1].reason
    assert "NUL" in version.issues[2].reason


def test_a_cell_of_another_type_is_named_by_line_and_column(scene: Scene) -> None:
    rows = [[index, index / 2] for index in range(500)]
    rows[7][1] = "n/k"  # type: ignore[call-overload]
    version = scene.upload(scene.dataset(), to_csv(["id", "value"], rows))
    assert types(version) == {"id": "integer", "value": "number"}
    assert version.num_rows == 499
    issue = version.issues[0]
    assert (issue.line, issue.column) == (9, "value")
    assert "'n/k' is not of the type number" in issue.reason


def test_a_row_that_is_kept_apart_is_as_it_was_written(scene: Scene) -> None:
    lines = [b"id,price,day,n", *(b"%d,1.50,2026-01-31,3" % index for index in range(500))]
    lines[9] = b"8,1.50,2026-01-31,n/k"

    version = scene.upload(scene.dataset(), b"\n".join(lines))

    apart = json.loads(
        scene.ports.lake.get(
            keys.dataset_version_object(version.workspace_id, version.dataset_id, 1, "quarantine.jsonl")
        )
    )
    assert apart["text"] == "8,1.50,2026-01-31,n/k"
    assert apart["values"] == {"id": "8", "price": "1.50", "day": "2026-01-31", "n": "n/k"}


@pytest.mark.parametrize(
    ("last", "expected", "shown"), [(b"2.5", "number", 2.5), (b"007", "string", "007"), (b"", "integer", None)]
)
def test_the_last_of_many_rows_has_a_say_in_the_type(scene: Scene, last: bytes, expected: str, shown: object) -> None:
    """So many that they are read in several blocks."""
    body = b"id,value\n" + b"".join(b"%d,%d\n" % (index, index % 7) for index in range(140_000)) + b"0," + last + b"\n"

    version = scene.upload(scene.dataset(), body)

    assert types(version) == {"id": "integer", "value": expected}
    values = scene.table(version).column("value")
    assert (len(values), values[-1].as_py()) == (140_001, shown)
    assert values[0].as_py() == {"number": 0.0, "string": "0", "integer": 0}[expected]


def test_the_reject_policy_refuses_the_file_and_names_the_first_row(scene: Scene) -> None:
    body = b"a,b\n" + b"1,2\n" * 100 + b"3\n"
    version = scene.upload(scene.dataset(bad_rows=BadRows.REJECT), body)
    assert version.status is DatasetVersionStatus.REJECTED
    assert version.issues[0].line == 102
    assert "1 of 101 rows do not parse" in version.issues[0].reason
    assert version.status_reason


def test_too_many_bad_rows_reject_the_file(scene: Scene) -> None:
    body = b"a,b\n" + b"1,2\n" * 100 + b"3\n" * 10
    version = scene.upload(scene.dataset(), body)
    assert version.status is DatasetVersionStatus.REJECTED
    assert "more than the 5%" in version.issues[0].reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is empty"),
        (b"\n\n\n", "no text"),
        (b"a,b,c\n", "header line but no rows"),
        (b"1 3:1 10:1 11:1\n0 3:1 10:1 20:1\n", "LIBSVM"),
        (b"%about\n@relation x\n@data\n1,2\n", "ARFF"),
        (b"[]", "no objects"),
        (b"[{}]", "No line is a JSON object with keys"),
        (b'[{"a": 1}, [2]]', "Value 2 of the JSON is no object"),
        (b'[{"a": 1}, {"a": 2}', "Object 3 of the JSON is not whole"),
        (b'[{"a": 1}, {"a": }]', "Object 2 of the JSON is not whole"),
        (b'[{"a": 1}] [{"a": 2}]', "other data after the end"),
        (b'{\n"a": 1\n', "Object 1 of the JSON is not whole"),
        (b"a quick fox\nb\nthe lazy dog , indeed it is\nso , it , goes\nc c c c c\n" * 20, "No delimiter fits"),
        (b",".join(b"c%d" % index for index in range(10_001)) + b"\n", "10,001 columns"),
    ],
)
def test_what_is_no_table_is_refused_with_the_next_step(scene: Scene, body: bytes, reason: str) -> None:
    dataset = scene.dataset()
    if not body:
        version = scene.drop(dataset.name, "empty.csv", body)
        scene.work()
        assert version is not None
        found = scene.version(dataset, version.number)
    else:
        found = scene.upload(dataset, body)
    assert found.status is DatasetVersionStatus.REJECTED
    assert reason in found.issues[0].reason
    assert found.status_reason == found.issues[0].reason
    assert found.issues[0].file


def test_duplicate_and_empty_names(scene: Scene) -> None:
    body = b"a,a,,b\n1,2,3,4\n5,6,7,8\n"
    version = scene.upload(scene.dataset("quarantine"), body)
    assert list(types(version)) == ["a", "a_2", "c2", "b"]
    rejected = scene.upload(scene.dataset("reject", bad_rows=BadRows.REJECT), body)
    assert "'a' occurs twice" in rejected.issues[0].reason


def test_a_target_that_the_file_lacks_rejects_it(scene: Scene) -> None:
    version = scene.upload(scene.dataset(target="income"), b"a,b\n1,2\n")
    assert version.status is DatasetVersionStatus.REJECTED
    assert "no column 'income'" in str(version.status_reason)


@pytest.mark.parametrize("more", [0, 5_000])
def test_excels_line_that_names_the_delimiter_is_none_of_the_data(scene: Scene, more: int) -> None:
    body = b"sep=;\r\na;b\r\n1,5;x,y\r\n2,5\r\n3,5;z\r\n" + b"4,5;w\r\n" * more
    version = scene.upload(scene.dataset(max_bad_fraction=0.5), body)
    assert types(version) == {"a": "number", "b": "string"}
    assert scene.rows(version)[:2] == [{"a": 1.5, "b": "x,y"}, {"a": 3.5, "b": "z"}]
    assert [issue.line for issue in version.issues] == [4]


def test_a_day_that_means_no_value_is_missing_in_every_block(scene: Scene) -> None:
    days = [["2026-01-31"], ["1900-01-01"]] * 200_000
    version = scene.upload(scene.dataset(missing_values=["", "1900-01-01"]), to_csv(["day"], days))
    assert version.profile is not None
    (day,) = version.profile.columns
    assert (day.type, day.num_missing, day.num_distinct) == ("datetime", 200_000, 1)


def test_whole_numbers_and_times_that_differ_are_stored_as_their_differences(scene: Scene) -> None:
    start = datetime(2026, 1, 31, tzinfo=UTC)
    rows = [[number * 7, start + timedelta(seconds=number), number % 5] for number in range(20_000)]
    version = scene.upload(scene.dataset(), to_csv(["id", "at", "few"], rows))
    table = scene.table(version)
    assert table.column("id").to_pylist() == [number for number, _, _ in rows]
    assert table.column("at").to_pylist() == [at for _, at, _ in rows]
    assert version.num_bytes is not None
    assert version.num_bytes < 20_000
