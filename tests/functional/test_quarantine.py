"""Rows that were kept apart, corrected in a file and replayed, through the API, the SDK and the command line."""

import csv
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.gateway import Api
from tests.functional.ingest import ingest
from tests.functional.terminal import Run
from tests.functional.test_datasets import upload

BODY = b"age,city\n" + b"".join(b"%d,Bonn\n" % index for index in range(60)) + b"x,Ulm\n-,=cmd\n"


@pytest.fixture
def version(api: Api) -> dict[str, Any]:
    """The second of `adult`, which left out rows 0 and 1."""
    api.post("/v1/datasets", {"name": "adult"})
    upload(api, b"age,city\n1,Bonn\n")
    return upload(api, BODY, mode="append")


@pytest.fixture
def working(api: Api) -> Iterator[None]:
    """The ingest function works beside a command that waits for it."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.02):
            if api.ports.ingest_queue.messages:
                ingest(api)

    worker = threading.Thread(target=work)
    worker.start()
    yield
    ended.set()
    worker.join()


def test_rows_are_browsed_replayed_and_discarded(api: Api, version: dict[str, Any]) -> None:
    path = "/v1/datasets/adult/versions/2/quarantine"
    items = api.get(f"{path}?limit=1").json
    assert (items["items"][0]["position"], items["items"][0]["values"]) == (0, {"age": "x", "city": "Ulm"})
    assert api.get(f"{path}?limit=1&cursor={items['next_cursor']}").json["items"][0]["position"] == 1
    corrected = {"rows": [{"position": 0, "values": {"age": 61, "city": "Ulm"}}]}
    assert api.as_role("viewer").post(f"{path}/replay", corrected).status == 403
    answer = api.post(f"{path}/replay", corrected)
    assert (answer.status, answer.json["mode"]) == (202, "append")
    assert ingest(api) == []
    assert api.get(answer.headers["location"]).json["num_rows"] == 62
    assert api.post(f"{path}/replay", corrected).status == 409
    (kept,) = api.get("/v1/datasets/adult/quarantine").json["items"]
    assert (kept["num_rows"], kept["replays"][0]["positions"]) == (2, [[0, 0]])
    assert api.delete(path).status == 204
    assert api.get(path).json["items"] == []


@pytest.mark.parametrize("rows", [[], [{"position": -1, "values": {"a": 1}}], [{"position": 0}]])
def test_a_wrong_replay_is_refused(api: Api, version: dict[str, Any], rows: list[Any]) -> None:
    assert api.post("/v1/datasets/adult/versions/2/quarantine/replay", {"rows": rows}).status == 422


def test_a_file_is_saved_corrected_and_replayed(
    run: Run, api: Api, version: dict[str, Any], tmp_path: Path, working: None
) -> None:
    assert "adult@2" in run("quarantine", "list", "adult").out
    shown = run("quarantine", "list", "adult@2", "-o", "json")
    assert [row["line"] for row in json.loads(shown.out)] == [62, 63]
    saved = run("quarantine", "fix", "adult@2")
    assert (saved.code, "Saved 2 rows" in saved.err) == (0, True), saved.err
    path = tmp_path / "adult-2-quarantine.csv"
    with path.open(newline="") as stream:
        lines = list(csv.reader(stream))
    assert lines[0] == ["_position", "_reason", "age", "city", "_text"]
    assert [line[2:4] for line in lines[1:]] == [["x", "Ulm"], ["'-", "'=cmd"]]
    lines[1][2], lines[2][2] = "61", "-3"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(lines)
    replayed = run("quarantine", "replay", "adult@2", str(path))
    assert (replayed.code, "adult@3 is READY with 63 rows" in replayed.err) == (0, True), replayed.err
    rows = api.get("/v1/datasets/adult/versions/3/rows?limit=100").json["rows"]
    assert [row for row in rows if row["age"] in (61, -3)] == [{"age": 61, "city": "Ulm"}, {"age": -3, "city": "=cmd"}]
    again = run("quarantine", "replay", "adult@2", str(path))
    assert (again.code, "have been replayed before" in again.err) == (0, True), again.err
    assert "Saved 0 rows" in run("quarantine", "fix", "adult@2").err
    assert run("quarantine", "discard", "adult@2", "--yes").code == 0


def test_b13_a_replay_that_was_interrupted_goes_on(
    run: Run, api: Api, version: dict[str, Any], tmp_path: Path, working: None
) -> None:
    first = {"rows": [{"position": 0, "values": {"age": 61, "city": "Ulm"}}]}
    assert api.post("/v1/datasets/adult/versions/2/quarantine/replay", first).status == 202
    path = tmp_path / "rows.csv"
    path.write_text("_position,age,city\n0,61,Ulm\n1,62,Ulm\n")
    ran = run("quarantine", "replay", "adult@2", str(path))
    assert (ran.code, "adult@4 is READY with 63 rows" in ran.err) == (0, True), ran.err


def test_a_file_without_positions_or_values_is_refused(run: Run, version: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    for text, words in (
        ("age,city\n1,x\n", "no column '_position'"),
        ("_position,age\nx,1\n", "line 2: 'x' is no position"),
        ("_position,age\n0,\n", "line 2: row 0 has no value"),
    ):
        path.write_text(text)
        ran = run("quarantine", "replay", "adult@2", str(path))
        assert (ran.code, words in ran.err) == (3, True), ran.err
    assert run("quarantine", "fix", "adult").code == 3
