"""The same answers of SQL through the API on Athena, of DuckDB alone, and of Spark on the Hive table."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import urlparse

import duckdb
import numpy as np
import pytest

import aimass
from aimass_core.errors import NotFoundError
from tests.stack import Stack, wait_until

# Of the kind that every engine understands, on a table that is called {table}.
PEOPLE = (
    "select education, count(*) as n, avg(age) as age from {table} where hours > 40 group by education order by 1",
    "select count(*), count(age), sum(gain), min(since), max(since) from {table}",
    "select sex, count(distinct education) from {table} where age is null or age >= 17 group by sex order by sex desc",
)
ADULT = (
    "select education, income, count(*) as n, avg(hours_per_week) as hours from {table} "
    "where native_country = 'United-States' group by education, income order by education, income",
    "select count(*), count(occupation), count(distinct fnlwgt), sum(fnlwgt), min(age), max(capital_gain) from {table}",
    "select sex, race, sum(case when income = '>50K' then 1 else 0 end) as rich from {table} "
    "where workclass is null or age < 30 group by sex, race order by sex, race",
)
ADULT_COLUMNS = [
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship"),
    *("race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income"),
]


def _write_people(path: Path, *, num_rows: int, seed: int) -> Path:
    generator = np.random.default_rng(seed)
    levels = ["Bachelors", "HS-grad", "Masters", 'with "quotes", and comma']
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Age", "education", "sex", "hours", "gain", "since"])
        for index in range(num_rows):
            age = "" if index % 31 == 0 else generator.integers(17, 90)
            day = np.datetime64("2020-01-01") + generator.integers(0, 900)
            row = [age, levels[index % 4], "FM"[index % 2], generator.integers(1, 99), round(generator.normal(), 3)]
            writer.writerow([*row, f"{day}T00:00:00Z"])
    return path


def _write_adult(path: Path) -> Path:
    """The census table, from the folder that AIMASS_BENCH_DATA names; else one of its shape. Cells follow a comma and a
    blank, and ? is a missing one."""
    data = os.environ.get("AIMASS_BENCH_DATA")
    rows = Path(data, "adult", "adult-train.csv").read_text() if data else _make_adult(num_rows=3_000)
    path.write_text(f"{', '.join(ADULT_COLUMNS)}\n{rows}")
    return path


def _make_adult(*, num_rows: int) -> str:
    generator = np.random.default_rng(7)
    choices = {
        "workclass": ["Private", "State-gov", "?"],
        "education": ["Bachelors", "HS-grad", "11th"],
        "marital_status": ["Never-married", "Divorced"],
        "occupation": ["Sales", "Craft-repair", "?"],
        "relationship": ["Husband", "Wife"],
        "race": ["White", "Black"],
        "sex": ["Male", "Female"],
        "native_country": ["United-States", "Cuba", "?"],
        "income": ["<=50K", ">50K"],
    }
    highest = {"age": 91, "fnlwgt": 1_500_000, "education_num": 17, "hours_per_week": 100}
    columns = [
        generator.choice(choices[name], num_rows)
        if name in choices
        else generator.integers(0, highest.get(name, 9_999), num_rows)
        for name in ADULT_COLUMNS
    ]
    return "".join(", ".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


@pytest.fixture(scope="module")
def people(client: aimass.Client, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of the dataset `people`: one, and one that was appended."""
    folder = tmp_path_factory.mktemp("people")
    paths = [_write_people(folder / f"{seed}.csv", num_rows=rows, seed=seed) for seed, rows in enumerate((900, 300))]
    client.datasets.upload(paths[0], name="people")
    client.datasets.upload(paths[1], name="people", append=True)
    return paths


@pytest.fixture(scope="module")
def adult(client: aimass.Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the dataset `adult`."""
    path = _write_adult(tmp_path_factory.mktemp("adult") / "adult.csv")
    client.datasets.upload(path, name="adult")
    return path


@pytest.fixture(scope="module")
def expected(people: list[Path], adult: Path) -> dict[str, list[list[list[Any]]]]:
    """What DuckDB answers on the CSV files themselves, by dataset."""
    with duckdb.connect() as connection:
        cells = ", ".join(f"nullif(trim({name}), '?') as {name}" for name in ADULT_COLUMNS)
        clean = adult.with_name("clean.csv")
        names = [f"'{name}'" for name in ADULT_COLUMNS]
        read = f"read_csv('{adult}', skip=1, header=false, all_varchar=true, names=[{', '.join(names)}])"
        connection.execute(f"COPY (SELECT {cells} FROM {read}) TO '{clean}' (HEADER)")
        return {
            "people": _ask_duckdb(connection, PEOPLE, people),
            "adult": _ask_duckdb(connection, ADULT, [clean]),
        }


def _ask_duckdb(
    connection: duckdb.DuckDBPyConnection, queries: Sequence[str], paths: Sequence[Path]
) -> list[list[list[Any]]]:
    source = f"read_csv({[str(path) for path in paths]})"
    return [
        [
            [_plain(cell) for cell in row.values()]
            for row in connection.sql(sql.format(table=source)).arrow().read_all().to_pylist()
        ]
        for sql in queries
    ]


def _plain(cell: Any) -> Any:
    """A value as every engine can be compared: instants as days, numbers to nine digits."""
    text = str(cell)
    if len(text) >= 19 and text[4] == text[7] == "-":
        return text[:10]
    return round(cell, 9) if isinstance(cell, float) else cell


@pytest.mark.parametrize(("name", "queries", "version"), [("people", PEOPLE, "people@2"), ("adult", ADULT, "adult@1")])
def test_athena_answers_as_duckdb_does(
    client: aimass.Client,
    expected: dict[str, list[list[list[Any]]]],
    name: str,
    queries: Sequence[str],
    version: str,
) -> None:
    for sql, answer in zip(queries, expected[name], strict=True):
        query = client.datasets.query(sql.format(table=name))
        assert [[_plain(cell) for cell in row] for row in query] == answer
        ended = query.wait()
        assert ended.datasets == [version]
        assert ended.scanned_bytes
        assert ended.cost_usd


def test_versions_frames_and_pages(client: aimass.Client, people: list[Path]) -> None:
    assert list(client.datasets.query('select count(*) from "people@1"')) == [[900]]
    frame = client.datasets.query("select * from people").to_pandas()
    assert frame.shape == (1200, 6)
    assert frame["Age"].isna().sum() == 40
    page = list(client.datasets.query("select Age, education from people order by education, Age"))
    assert len(page) == 1200, "more than a page"


def test_every_version_is_listed_without_being_asked_for(
    stack: Stack, client: aimass.Client, people: list[Path]
) -> None:
    glue, database = stack.aws("glue"), f"aimass_{client.system.whoami().workspace_id}"

    def listed() -> bool:
        names = {table["Name"] for table in glue.get_tables(DatabaseName=database)["TableList"]}
        return {"people_v1", "people_v2"} <= names

    wait_until(listed)


def test_another_workspace_finds_nothing(stack: Stack, client: aimass.Client, people: list[Path]) -> None:
    created = client.http.request("POST", "/v1/workspaces", body={"name": "sql-stranger"})
    with aimass.Client(base_url=stack.url, api_key=created["secret"]) as stranger:
        for sql in ("select * from people", 'select * from "people@1"', "select * from people_v1"):
            with pytest.raises(NotFoundError):
                stranger.datasets.query(sql)


def _copy_objects(stack: Stack, location: str, folder: Path) -> None:
    """What lies below a location, so that Spark, which has no S3 here, finds it in a folder."""
    s3, place = stack.aws("s3"), urlparse(location)
    for found in s3.list_objects_v2(Bucket=place.netloc, Prefix=place.path.lstrip("/"))["Contents"]:
        target = folder / place.netloc / found["Key"]
        target.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(place.netloc, found["Key"], str(target))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(which("java") is None, reason="Spark needs Java, and there is none on this machine")
@pytest.mark.skipif(find_spec("pyspark") is None, reason="needs PySpark: pip install 'aimass[batch-spark]'")
@pytest.mark.parametrize(
    ("name", "queries", "version"), [("people", PEOPLE, "people_v2"), ("adult", ADULT, "adult_v1")]
)
def test_spark_answers_as_duckdb_does_on_the_hive_table(
    stack: Stack,
    client: aimass.Client,
    expected: dict[str, list[list[list[Any]]]],
    tmp_path: Path,
    name: str,
    queries: Sequence[str],
    version: str,
) -> None:
    database = f"aimass_{client.system.whoami().workspace_id}"
    client.datasets.query(f"select count(*) from {name}").wait()  # the table is there after it
    glue = stack.aws("glue")
    table = glue.get_table(DatabaseName=database, Name=version)["Table"]
    partitions = glue.get_partitions(DatabaseName=database, TableName=version)["Partitions"]
    request = {
        "table": table,
        "partitions": partitions,
        "queries": [sql.format(table=f"{database}.{version}") for sql in queries],
        "answer": str(tmp_path / "answer.json"),
    }
    for partition in partitions:
        _copy_objects(stack, partition["StorageDescriptor"]["Location"], tmp_path / "s3")
    path = tmp_path / "request.json"
    path.write_text(json.dumps(request, default=str).replace("s3://", f"file://{tmp_path}/s3/"))
    script = Path(__file__).with_name("spark_answers.py")
    done = subprocess.run([sys.executable, str(script), str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads((tmp_path / "answer.json").read_text())
    assert [[[_plain(cell) for cell in row] for row in rows] for rows in answers] == expected[name]
