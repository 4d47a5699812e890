"""Athena's engine: Trino's SQL and Athena's way of writing values, on Parquet files and no others."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aimass_local.athena.engine import LocalFile, LocalTable, QueryCancelledError, QueryFailedError, Run

COLUMNS = (
    ("age", "bigint"),
    ("score", "double"),
    ("text", "string"),
    ("at", "timestamp"),
    ("ok", "boolean"),
    ("series", "array<double>"),
    ("image", "binary"),
)
ROWS = pa.table(
    {
        "Age": pa.array([1, 2, None], pa.int64()),
        "score": pa.array([float("nan"), float("-inf"), 0.5]),
        "text": ['a "b",\nc', "", None],
        "at": pa.array([datetime(2026, 1, 1, 12, 0, 0, 5000, tzinfo=UTC), None, None], pa.timestamp("us", tz="UTC")),
        "ok": [True, False, None],
        "series": [[1.0, None], [], None],
        "image": [b"\x89P", None, None],
    }
)


@pytest.fixture
def table(tmp_path: Path) -> LocalTable:
    files = []
    for name in ("a", "b"):
        path = tmp_path / name / "part.parquet"
        path.parent.mkdir()
        pq.write_table(ROWS, path)
        files.append(LocalFile(path=path, values=(name,)))
    return LocalTable(columns=COLUMNS, partition_keys=("aimass_file",), files=tuple(files))


def run(sql: str, table: LocalTable, tmp_path: Path, *, max_bytes: int | None = None) -> tuple[list[str], str, int]:
    target = tmp_path / "rows.csv"
    find = {("db", "adult_v1"): table}
    outcome = Run(database="db", find=lambda *name: find.get(name), max_bytes=max_bytes).execute(sql, target)
    return [kind for _, kind in outcome.columns], target.read_text(), outcome.scanned_bytes


def test_values_are_written_as_athena_writes_them(table: LocalTable, tmp_path: Path) -> None:
    one = "where aimass_file = 'a' order by age nulls last"
    types, text, _ = run(f'select * from "db"."adult_v1" {one}', table, tmp_path)
    assert types == ["bigint", "double", "varchar", "timestamp", "boolean", "array", "varbinary", "varchar"]
    assert text.splitlines() == [
        '"age","score","text","at","ok","series","image","aimass_file"',
        '"1","NaN","a ""b"",',
        'c","2026-01-01 12:00:00.005","true","[1.0, null]","89 50","a"',
        '"2","-Infinity","",,"false","[]",,"a"',
        ',"0.5",,,,,,"a"',
    ]


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("select count(*), 7 / 2, 7 / 2.0 from adult_v1", '"6","3","3.5"'),
        ("select approx_percentile(age, 0.5) as p from adult_v1", '"2"'),
        ("select date_format(date_parse('2026-02-03', '%Y-%m-%d'), '%d.%m.%Y')", '"03.02.2026"'),
        ("with t as (select age from adult_v1 x) select sum(age) from t", '"6"'),
        ("select element_at(array[4, 5], 2), cardinality(array[1])", '"5","1"'),
        ("select db.adult_v1.age from db.adult_v1 limit 1", None),
    ],
)
def test_trinos_sql_is_understood(sql: str, row: str | None, table: LocalTable, tmp_path: Path) -> None:
    _, text, _ = run(sql, table, tmp_path)
    assert row is None or text.splitlines()[1] == row


def test_what_has_no_name_is_named_as_trino_names_it(table: LocalTable, tmp_path: Path) -> None:
    _, text, _ = run("select count(*), age as n, max(score) from adult_v1 group by 2", table, tmp_path)
    assert text.splitlines()[0] == '"_col0","n","_col2"'


def test_only_the_columns_that_are_needed_count_as_read(table: LocalTable, tmp_path: Path) -> None:
    every = run("select * from adult_v1", table, tmp_path)[2]
    one = run("select x.age from (select age, text from adult_v1) x", table, tmp_path)[2]
    none = run("select 1", table, tmp_path)[2]
    assert every > 3 * one > none == 0
    with pytest.raises(QueryCancelledError, match="Bytes scanned limit was exceeded"):
        run("select * from adult_v1", table, tmp_path, max_bytes=every - 1)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select * from nope", "TABLE_NOT_FOUND"),
        ("select nope from adult_v1", "nope"),
        ("select * from", "SYNTAX_ERROR"),
        ("select cast(text as bigint) from adult_v1", "a "),
    ],
)
def test_a_failure_says_why(sql: str, words: str, table: LocalTable, tmp_path: Path) -> None:
    with pytest.raises(QueryFailedError, match=words):
        run(sql, table, tmp_path)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from glob('/*')",
    ],
)
def test_a_query_reads_no_file_but_its_tables(sql: str, table: LocalTable, tmp_path: Path) -> None:
    with pytest.raises(QueryFailedError, match=r"disabled by configuration|does not exist|SYNTAX_ERROR"):
        run(sql, table, tmp_path)


def test_a_running_query_can_be_stopped(table: LocalTable, tmp_path: Path) -> None:
    started = Run(database="db", find=lambda *_: table, max_bytes=None)
    numbers = "unnest(sequence(1, 20000))"
    endless = f"select count(*) from {numbers} a(x) cross join {numbers} b(y) cross join {numbers} c(z) where x * y > z"
    ends: list[Exception] = []

    def execute() -> None:
        try:
            started.execute(endless, tmp_path / "rows.csv")
        except QueryCancelledError as error:
            ends.append(error)

    thread = threading.Thread(target=execute)
    thread.start()
    deadline = time.monotonic() + 300
    while thread.is_alive() and time.monotonic() < deadline:
        started.cancel()
        thread.join(0.05)
    assert len(ends) == 1


def test_a_table_without_files_has_its_columns(tmp_path: Path) -> None:
    empty = LocalTable(columns=COLUMNS, partition_keys=("aimass_file",), files=())
    types, text, scanned = run("select age, series from adult_v1", empty, tmp_path)
    assert (types, text, scanned) == (["bigint", "array"], '"age","series"\n', 0)
