"""Expectations and reports through the API, the SDK and the command line, with the real ingest function behind."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.functional.gateway import Api
from tests.functional.ingest import ingest
from tests.functional.terminal import Run
from tests.functional.test_datasets import upload

GOOD = b"age,city\n" + b"".join(b"%d,Bonn\n" % (20 + index % 40) for index in range(120))
BAD = GOOD + b"400,Ulm\n"
BLOCKING = {"check": "range", "column": "age", "min": 0, "max": 120, "severity": "blocking"}


@pytest.fixture
def dataset(api: Api) -> dict[str, Any]:
    made = api.post("/v1/datasets", {"name": "adult"})
    found: dict[str, Any] = made.json
    return found


def test_expectations_are_set_checked_and_reported(api: Api, dataset: dict[str, Any]) -> None:
    changed = api.patch("/v1/datasets/adult", {"expectations": [BLOCKING]}, revision=1)
    assert changed.json["expectations"] == [{**BLOCKING, "min": 0.0, "max": 120.0, "max_share": 0.0}]
    assert upload(api, GOOD)["quality"] == "PASSED"
    bad = upload(api, BAD)
    assert (bad["status"], bad["quality"]) == ("REJECTED", "FAILED")
    (result,) = api.get("/v1/datasets/adult/versions/2/quality").json["results"]
    assert (result["name"], result["outcome"], result["num_rows"]) == ("range age", "FAILED", 1)
    assert api.get("/v1/datasets/adult").json["latest_version"] == 1
    trend = api.get("/v1/datasets/adult/quality").json
    assert [version["quality"] for version in trend["versions"]] == ["PASSED", "FAILED"]
    page = api.get("/v1/datasets/adult/versions/2/quality.html")
    assert (page.headers["content-type"], "not met" in page.text) == ("text/html", True)
    assert page.headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    ("expectation", "words"),
    [
        ({"check": "range", "column": "age"}, "needs min, max or both"),
        ({"check": "range", "column": "age", "min": 2, "max": 1}, "above max"),
        ({"check": "unknown"}, "unknown"),
        ({"check": "missing", "column": "age"}, "max_share"),
        ({"check": "missing", "column": "age", "max_share": 2}, "less than or equal to 1"),
        ({"check": "leakage", "against": "Not A Name"}, "pattern"),
        ({"check": "row_count"}, "needs min, max or max_change"),
    ],
)
def test_a_wrong_expectation_is_refused(
    api: Api, dataset: dict[str, Any], expectation: dict[str, Any], words: str
) -> None:
    answer = api.patch("/v1/datasets/adult", {"expectations": [expectation]}, revision=1)
    assert (answer.status, words in answer.text) == (422, True), answer.text


def test_an_expectation_that_is_there_twice_is_refused(api: Api, dataset: dict[str, Any]) -> None:
    answer = api.patch("/v1/datasets/adult", {"expectations": [BLOCKING, {**BLOCKING, "max": 1}]}, revision=1)
    assert (answer.status, "two expectations 'range age'" in answer.text) == (422, True), answer.text


def test_a_version_is_checked_again_by_the_ingest_function(api: Api, dataset: dict[str, Any]) -> None:
    upload(api, GOOD)
    assert api.post("/v1/datasets/adult/versions/1/quality").status == 409
    revision = api.get("/v1/datasets/adult").json["revision"]
    api.patch("/v1/datasets/adult", {"expectations": [BLOCKING]}, revision=revision)
    assert api.as_role("viewer").post("/v1/datasets/adult/versions/1/quality").status == 403
    asked = api.post("/v1/datasets/adult/versions/1/quality")
    assert asked.status == 202
    assert ingest(api) == []
    assert api.get(asked.headers["location"]).json["outcome"] == "PASSED"
    assert api.get("/v1/datasets/adult/versions/1").json["quality"] == "PASSED"


def test_the_command_line_suggests_sets_and_reports(
    run: Run, api: Api, dataset: dict[str, Any], tmp_path: Path
) -> None:
    upload(api, GOOD)
    assert "aimass quality suggest adult" in run("quality", "show", "adult").err
    suggested = run("quality", "suggest", "adult")
    expectations = yaml.safe_load(suggested.out)["expectations"]
    assert {"check": "range", "column": "age", "min": 16.0, "max": 63.0} in expectations
    path = tmp_path / "expectations.yaml"
    path.write_text(suggested.out.replace("max: 63.0", "max: 63.0\n  severity: blocking"))
    saved = run("quality", "set", "adult", str(path))
    assert saved.code == 0, saved.err
    assert f"{len(expectations)} expectations, of which 3 block" in saved.err
    assert "column: age" in run("quality", "show", "adult").out

    rejected = upload(api, BAD)
    assert rejected["status"] == "REJECTED"
    shown = run("quality", "report", "adult@2")
    assert "range age" in shown.out
    assert "FAILED" in shown.err
    assert json.loads(run("quality", "report", "adult@2", "-o", "json").out)["outcome"] == "FAILED"
    assert run("quality", "report", "adult@2", "--html", str(tmp_path / "page.html")).code == 0
    assert "Quality of adult@2" in (tmp_path / "page.html").read_text()
    trend = run("quality", "trend", "adult", "--expectation", "range age")
    assert "0.0083" in trend.out
    path.write_text("expectations: [{check: range}]")
    wrong = run("quality", "set", "adult", str(path))
    assert (wrong.code, "expectations.0.range.column" in wrong.err) == (3, True), wrong.err
