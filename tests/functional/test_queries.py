"""SQL from the API, the SDK and the command line, on an engine that runs it."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import aimass
from aimass.errors import QueryFailedError
from aimass_core.errors import InvalidRequestError, NotFoundError
from tests.factories.sql import DuckDbQueryEngine
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.test_datasets import CSV, upload
from tests.functional.transport import InProcessTransport

pytestmark = pytest.mark.usefixtures("adult")


@pytest.fixture
def adult(api: Api) -> dict[str, Any]:
    api.ports.query_engine = DuckDbQueryEngine(api.ports)
    assert api.post("/v1/datasets", {"name": "adult"}).status == 201
    return upload(api, CSV)


@pytest.fixture
def client(api: Api, transport: InProcessTransport) -> aimass.Client:
    return aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test")


def test_a_query_is_started_followed_and_read_page_by_page(api: Api) -> None:
    started = api.post("/v1/query", {"sql": "select age, city from adult order by age"})
    assert started.status == 202
    query = api.get(started.headers["location"]).json
    assert (query["status"], query["datasets"]) == ("SUCCEEDED", ["adult@1"])
    assert query["columns"] == [{"name": "age", "type": "bigint"}, {"name": "city", "type": "varchar"}]
    assert query["scanned_bytes"] > 0
    assert query["cost_usd"] == 0.000048
    assert api.get("/v1/queries").json["items"] == [query]
    rows, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/v1/queries/{query['id']}/rows?limit=2{cursor and f'&cursor={cursor}'}").json
        rows, cursor = rows + page["rows"], page["next_cursor"]
    assert rows == [[28, "=cmd"], [39, "Bonn"], [50, "Berlin"]]
    other = api.post("/v1/query", {"sql": "select 1"}).json["id"]
    first = api.get(f"/v1/queries/{query['id']}/rows?limit=2").json
    assert api.get(f"/v1/queries/{other}/rows?limit=2&cursor={first['next_cursor']}").code == "invalid_request"


def test_a_repeated_request_starts_one_query(api: Api) -> None:
    bodies = [api.post("/v1/query", {"sql": "select 1"}, idempotency_key="once").json["id"] for _ in range(2)]
    assert bodies[0] == bodies[1]
    assert len(api.get("/v1/queries").json["items"]) == 1


def test_another_workspace_can_neither_read_nor_infer(api: Api) -> None:
    stranger = api.as_stranger()
    for sql in ("select * from adult", 'select * from "adult@1"', 'select * from "never@1"'):
        assert stranger.post("/v1/query", {"sql": sql}).code == "not_found"
    database = f"aimass_{api.workspace.id}"
    for sql in (f"select * from {database}.adult_v1", f'select * from "{database}"."adult_v1"'):
        assert stranger.post("/v1/query", {"sql": sql}).code == "invalid_request"
    assert stranger.post("/v1/query", {"sql": "select * from adult_v1"}).code == "not_found"
    assert stranger.get("/v1/queries").json["items"] == []


def test_rows_come_as_a_data_frame_with_their_types(client: aimass.Client) -> None:
    sql = "select city, age, age / 2.0 as half, date '2026-01-02' as day, cast(null as varchar) as nothing from adult"
    frame = client.datasets.query(f"{sql} order by age").to_pandas()
    assert frame["age"].tolist() == [28, 39, 50]
    assert frame["half"].tolist() == [14.0, 19.5, 25.0]
    assert frame["city"].tolist() == ["=cmd", "Bonn", "Berlin"]
    assert str(frame["day"][0]) == "2026-01-02"
    assert frame["nothing"].isna().all()
    assert list(client.datasets.get("adult").query("select count(*) from data")) == [[3]]
    assert client.datasets.query("select age from adult where age > 99").to_pandas().empty


def test_a14_csv_for_spreadsheets_has_no_formula(client: aimass.Client, tmp_path: Path) -> None:
    query = client.datasets.query('select city as "=x", -age as n, \'+1\' as "=x" from adult order by age')
    saved = query.download(tmp_path / "rows.csv").read_text().splitlines()
    assert saved[:2] == ['"\'=x","n","\'=x_2"', '"\'=cmd",-28,"\'+1"']
    assert pq.read_table(query.download(tmp_path / "rows.parquet")).column_names == ["=x", "n", "=x_2"]


def test_failures_say_what_is_wrong(client: aimass.Client) -> None:
    with pytest.raises(QueryFailedError, match="nope"):
        client.datasets.query("select nope from adult").wait()
    with pytest.raises(InvalidRequestError, match="INSERT is not allowed"):
        client.datasets.query("insert into adult select 1")
    with pytest.raises(NotFoundError):
        client.datasets.query("select 1", dataset="never")
    with pytest.raises(InvalidRequestError) as caught:
        client.datasets.query("select 1", max_bytes=1)
    assert [detail.location for detail in caught.value.details] == ["body.max_bytes"]


def test_the_command_prints_rows_and_says_what_they_cost(run: Run, tmp_path: Path) -> None:
    shown = run("sql", "select city, age from adult order by age", "--limit", "2", "--output", "json")
    assert (shown.code, json.loads(shown.out)) == (0, [{"city": "=cmd", "age": 28}, {"city": "Bonn", "age": 39}])
    assert "only the first 2 rows" in shown.err
    assert "of adult@1" in shown.err
    assert "0.000048 USD" in shown.err
    assert run("sql", "select city from adult order by 1", "--output", "csv").out == "city\n'=cmd\nBerlin\nBonn\n"
    assert "Berlin" in run("sql", "select * from data", "-d", "adult").out
    assert run("sql", "select * from adult", "--save", str(tmp_path / "a.parquet")).code == 0
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 3
    assert [run("sql", sql).code for sql in ("drop table adult", "select * from never", "select nope from adult")] == [
        3,
        5,
        3,
    ]
