"""The same answers of SQL through the API on Athena, of DuckDB alone, and of Spark on the Hive table."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
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
QUERIES = (
    "select education, count(*) as n, avg(age) as age from {table} where hours > 40 group by education order by 1",
    "select count(*), count(age), sum(gain), min(since), max(since) from {table}",
    "select sex, count(distinct education) from {table} where age is null or age >= 17 group by sex order by sex desc",
)


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


@pytest.fixture(scope="module")
def people(client: aimass.Client, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of the dataset `people`: one, and one that was appended."""
    folder = tmp_path_factory.mktemp("people")
    paths = [_write_people(folder / f"{seed}.csv", num_rows=rows, seed=seed) for seed, rows in enumerate((900, 300))]
    client.datasets.upload(paths[0], name="people")
    client.datasets.upload(paths[1], name="people", append=True)
    return paths


@pytest.fixture(scope="module")
def expected(people: list[Path]) -> list[list[list[Any]]]:
    """What DuckDB answers on the CSV files themselves."""
    source = f"read_csv({[str(path) for path in people]})"
    with duckdb.connect() as connection:
        return [
            [
                [_plain(cell) for cell in row.values()]
                for row in connection.sql(sql.format(table=source)).arrow().read_all().to_pylist()
            ]
            for sql in QUERIES
        ]


def _plain(cell: Any) -> Any:
    """A value as every engine can be compared: instants as days, numbers to nine digits."""
    text = str(cell)
    if len(text) >= 19 and text[4] == text[7] == "-":
        return text[:10]
    return round(cell, 9) if isinstance(cell, float) else cell


def test_athena_answers_as_duckdb_does(
    client: aimass.Client, people: list[Path], expected: list[list[list[Any]]]
) -> None:
    for sql, answer in zip(QUERIES, expected, strict=True):
        query = client.datasets.query(sql.format(table="people"))
        assert [[_plain(cell) for cell in row] for row in query] == answer
        ended = query.wait()
        assert ended.datasets == ["people@2"]
        assert ended.scanned_bytes
        assert ended.cost_usd
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
@pytest.mark.skipif(which("java") is None, reason="Spark needs Java, and there is none on this machine")
@pytest.mark.skipif(find_spec("pyspark") is None, reason="needs PySpark: pip install 'aimass[batch-spark]'")
def test_spark_answers_as_duckdb_does_on_the_hive_table(
    stack: Stack, client: aimass.Client, expected: list[list[list[Any]]], tmp_path: Path
) -> None:
    database = f"aimass_{client.system.whoami().workspace_id}"
    client.datasets.query("select count(*) from people").wait()  # the table is there after it
    glue = stack.aws("glue")
    table = glue.get_table(DatabaseName=database, Name="people_v2")["Table"]
    partitions = glue.get_partitions(DatabaseName=database, TableName="people_v2")["Partitions"]
    request = {
        "table": table,
        "partitions": partitions,
        "queries": [sql.format(table=f"{database}.people_v2") for sql in QUERIES],
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
    assert [[[_plain(cell) for cell in row] for row in rows] for rows in answers] == expected
