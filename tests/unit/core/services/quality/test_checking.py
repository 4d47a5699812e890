"""Expectations at work: on real versions, through ingest."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aimass_core.domain.datasets import Dataset, DatasetUpdate, DatasetVersionDetail, DatasetVersionStatus, WriteMode
from aimass_core.domain.quality import ExpectationResult, Outcome, QualityReport
from aimass_core.errors import ConflictError, NotFoundError
from aimass_core.services import datasets
from aimass_core.services.quality import checking, reports
from tests.unit.core.services.ingest.scene import Scene, to_csv

HEADER = ["id", "age", "label", "text"]
WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def rows(num: int, *, seed: int = 0, shift: float = 0.0, first: int = 0) -> list[list[Any]]:
    chosen = random.Random(seed)
    return [
        [
            first + index,
            round(chosen.gauss(40, 8) + shift, 3),
            chosen.choice("xxy"),
            " ".join(chosen.choices(WORDS, k=12)),
        ]
        for index in range(num)
    ]


def expect(scene: Scene, *expectations: dict[str, Any], target: str | None = None) -> Dataset:
    dataset = scene.dataset(target=target)
    request = DatasetUpdate.model_validate({"expectations": list(expectations)})
    return datasets.update(scene.ports, scene.principal, dataset.id, request, revision=dataset.revision)


def upload(scene: Scene, dataset: Dataset, body: Sequence[Sequence[Any]], **options: Any) -> DatasetVersionDetail:
    return scene.upload(dataset, to_csv(HEADER, body), **options)


def report_of(scene: Scene, version: DatasetVersionDetail) -> QualityReport:
    return reports.get_report(scene.ports, scene.principal, version.dataset_id, version.number)


def result_of(scene: Scene, version: DatasetVersionDetail) -> ExpectationResult:
    (result,) = report_of(scene, version).results
    return result


def check(scene: Scene, expectation: dict[str, Any], body: Sequence[Sequence[Any]]) -> ExpectationResult:
    return result_of(scene, upload(scene, expect(scene, expectation), body))


def test_what_blocks_rejects_the_version_and_leaves_the_last_good_one(scene: Scene) -> None:
    limits = {"check": "range", "column": "age", "min": 0, "max": 120, "severity": "blocking"}
    dataset = expect(scene, limits)
    good = upload(scene, dataset, rows(20))
    bad = upload(scene, dataset, [*rows(19), [99, 200, "x", "a"]])

    assert (good.status, good.quality) == (DatasetVersionStatus.READY, Outcome.PASSED)
    assert (bad.status, bad.quality) == (DatasetVersionStatus.REJECTED, Outcome.FAILED)
    assert "1 row is below 0 or above 120 (5.00%)" in str(bad.status_reason)
    assert "aimass quality report data@2" in str(bad.status_reason)
    assert datasets.get(scene.ports, scene.principal, "data").latest_version == 1
    assert result_of(scene, bad).examples == ["200.0"]
    assert bad.profile is not None, "what was rejected can be looked at"


def test_a_warning_is_only_told(scene: Scene) -> None:
    version = upload(scene, expect(scene, {"check": "range", "column": "age", "max": 1}), rows(5))
    assert (version.status, version.quality) == (DatasetVersionStatus.READY, Outcome.WARNED)


def test_where_nothing_is_expected_nothing_is_checked(scene: Scene) -> None:
    version = upload(scene, scene.dataset(), rows(5))
    assert version.quality is None
    with pytest.raises(NotFoundError, match="aimass quality suggest data"):
        report_of(scene, version)


TEN = [[index, 10.0 * index, "xy"[index % 2], f"text {index}"] for index in range(10)]


@pytest.mark.parametrize(
    ("expectation", "num_rows", "words"),
    [
        ({"check": "range", "column": "age", "min": 25}, 3, "below 25"),
        ({"check": "range", "column": "age", "max": 25}, 7, "above 25"),
        ({"check": "range", "column": "id", "min": 1, "max_share": 0.1}, 1, "below 1"),
        ({"check": "values", "column": "label", "allowed": ["x"]}, 5, "none of the allowed values"),
        ({"check": "values", "column": "id", "allowed": [str(n) for n in range(9)]}, 1, "none of the allowed"),
        ({"check": "pattern", "column": "text", "pattern": r"text \d"}, 0, "unlike"),
        ({"check": "pattern", "column": "text", "pattern": "text"}, 10, "unlike 'text'"),
        ({"check": "unique", "columns": ["label"]}, 8, "repeat an earlier row in label"),
        ({"check": "unique"}, 0, "repeat an earlier row"),
        ({"check": "missing", "column": "age", "max_share": 0}, 0, "have no value"),
    ],
)
def test_rows_are_counted_against_the_share(
    scene: Scene, expectation: dict[str, Any], num_rows: int, words: str
) -> None:
    result = check(scene, expectation, TEN)
    assert (result.num_rows, result.observed) == (num_rows, num_rows / 10)
    assert words in result.message
    is_met = num_rows / 10 <= expectation.get("max_share", 0)
    assert result.outcome is (Outcome.PASSED if is_met else Outcome.WARNED)


@pytest.mark.parametrize(
    ("expectation", "words"),
    [
        ({"check": "columns", "names": ["id", "age", "label", "name"]}, "Missing: name; new: text"),
        ({"check": "columns", "names": ["id"]}, "New: age, label, text"),
        ({"check": "columns", "names": ["id", "name"], "allows_more": True}, "Missing: name."),
        ({"check": "type", "column": "age", "type": "integer"}, "number instead of integer"),
        ({"check": "type", "column": "gone", "type": "integer"}, "no column 'gone'"),
        ({"check": "range", "column": "gone", "min": 1}, "no column 'gone'"),
        ({"check": "range", "column": "label", "min": 1}, "is string and has no numbers"),
        ({"check": "pattern", "column": "text", "pattern": "("}, "no regular expression"),
        ({"check": "unique", "columns": ["id", "gone"]}, "no column 'gone'"),
        ({"check": "freshness", "column": "age", "max_age_seconds": 5}, "number instead of datetime"),
        ({"check": "label_balance"}, "has no target"),
        ({"check": "leakage", "against": "nobody"}, "no dataset version 'nobody'"),
        ({"check": "near_duplicates", "column": "age"}, "has no texts"),
        ({"check": "row_count", "min": 11}, "10 rows, fewer than 11"),
        ({"check": "row_count", "max": 9}, "10 rows, more than 9"),
        ({"check": "drift", "columns": ["gone"]}, "no column 'gone'"),
    ],
)
def test_what_cannot_be_met_says_why(scene: Scene, expectation: dict[str, Any], words: str) -> None:
    result = check(scene, expectation, TEN)
    assert words in result.message
    assert result.outcome is Outcome.WARNED


def test_what_an_append_brings_is_compared_with_what_was_brought_before(scene: Scene) -> None:
    dataset = expect(scene, {"check": "row_count", "max_change": 0.5})
    first = upload(scene, dataset, rows(100), mode=WriteMode.APPEND)
    assert result_of(scene, first).outcome is Outcome.SKIPPED
    second = upload(scene, dataset, rows(80, first=100), mode=WriteMode.APPEND)
    assert (result_of(scene, second).outcome, result_of(scene, second).observed) == (Outcome.PASSED, 0.2)
    third = upload(scene, dataset, rows(9, first=200), mode=WriteMode.APPEND)
    assert result_of(scene, third).outcome is Outcome.WARNED
    assert result_of(scene, third).observed == pytest.approx(0.9)


def test_drift_of_what_an_append_brings_is_not_hidden_by_what_was_there(scene: Scene) -> None:
    dataset = expect(scene, {"check": "drift", "columns": ["age", "label"], "max_ks": 0.2})
    upload(scene, dataset, rows(3_000))
    same = upload(scene, dataset, rows(100, seed=1, first=5_000), mode=WriteMode.APPEND)
    assert result_of(scene, same).outcome is Outcome.PASSED, result_of(scene, same).message
    moved = result_of(scene, upload(scene, dataset, rows(100, seed=2, shift=10), mode=WriteMode.APPEND))
    assert moved.outcome is Outcome.WARNED
    assert moved.examples == ["age"]
    (chart,) = moved.charts
    assert len(chart.labels) == len(chart.before) == len(chart.now)
    assert sum(chart.now) == pytest.approx(1)


@pytest.mark.parametrize(
    ("newest", "outcome"),
    [
        (timedelta(hours=-5), Outcome.PASSED),
        (timedelta(hours=-7), Outcome.WARNED),
        (timedelta(days=400), Outcome.WARNED),
    ],
)
def test_b10_freshness_knows_old_times_and_those_of_the_future(
    scene: Scene, newest: timedelta, outcome: Outcome
) -> None:
    dataset = expect(scene, {"check": "freshness", "column": "at", "max_age_seconds": 6 * 3600})
    at = scene.clock() + newest
    old = datetime(2025, 1, 1, tzinfo=UTC)
    version = scene.upload(dataset, to_csv(["at"], [[old.isoformat()], [at.isoformat()]]))
    assert result_of(scene, version).outcome is outcome, result_of(scene, version).message


def test_labels_are_weighed(scene: Scene) -> None:
    body = [[index, 1.5, "rare" if index == 0 else "common", "t"] for index in range(50)]
    dataset = expect(scene, {"check": "label_balance", "min_share": 0.05}, target="label")
    result = result_of(scene, upload(scene, dataset, body))
    assert (result.outcome, result.observed) == (Outcome.WARNED, 0.02)
    assert "'rare'" in result.message


def test_rows_of_the_test_set_are_found_in_the_training_set(scene: Scene) -> None:
    train = expect(
        scene, {"check": "leakage", "against": "held-out", "columns": ["age", "text"], "severity": "blocking"}
    )
    held_out = scene.dataset("held-out")
    waiting = upload(scene, train, rows(50))
    assert result_of(scene, waiting).outcome is Outcome.SKIPPED
    upload(scene, held_out, [*rows(3), *rows(9, seed=7)])
    leaked = upload(scene, train, rows(50))
    assert leaked.status is DatasetVersionStatus.REJECTED
    assert (result_of(scene, leaked).num_rows, result_of(scene, leaked).observed) == (3, 0.25)
    assert upload(scene, train, rows(50, seed=3)).status is DatasetVersionStatus.READY


def test_texts_that_are_nearly_the_same_are_found(scene: Scene) -> None:
    body = rows(200)
    texts = [str(row[3]) for row in body]
    body += [
        [899, 1, "x", texts[2][:-1]],
        [900, 1, "x", texts[0].upper() + "!!"],
        [901, 1, "x", texts[1] + "."],
        [902, 1, "x", ""],
        [903, 1, "x", "a"],
    ]
    result = check(scene, {"check": "near_duplicates", "column": "text"}, body)
    assert result.num_rows == 3
    assert result.examples == [row[3] for row in body[200:203]]


def test_a_version_is_checked_again_against_what_is_expected_now(scene: Scene) -> None:
    dataset = scene.dataset()
    version = upload(scene, dataset, rows(20))
    with pytest.raises(ConflictError, match="Nothing is expected"):
        reports.check_again(scene.ports, scene.principal, "data", 1)
    request = DatasetUpdate.model_validate(
        {"expectations": [{"check": "range", "column": "age", "max": 1, "severity": "blocking"}]}
    )
    dataset = datasets.get(scene.ports, scene.principal, "data")
    datasets.update(scene.ports, scene.principal, "data", request, revision=dataset.revision)
    reports.check_again(scene.ports, scene.principal, "data", 1)
    (message, _) = scene.ports.ingest_queue.messages.pop()
    assert message["type"] == "check_version"
    checked = checking.check_again(scene.ports, message["workspace_id"], message["dataset_id"], message["number"])

    assert checked is not None
    assert checked.outcome is Outcome.FAILED
    again = scene.version(dataset, version.number)
    assert (again.status, again.quality) == (DatasetVersionStatus.READY, Outcome.FAILED)
    assert report_of(scene, again) == checked


def test_the_trend_shows_what_was_observed(scene: Scene) -> None:
    dataset = expect(scene, {"check": "range", "column": "age", "max": 100, "severity": "blocking"})
    upload(scene, dataset, rows(10))
    upload(scene, dataset, [*rows(9), [1, 101, "x", "t"]])
    trend = reports.get_trend(scene.ports, scene.principal, "data", limit=20)
    assert [(each.number, each.status, each.observed) for each in trend.versions] == [
        (1, "READY", {"range age": 0.0}),
        (2, "REJECTED", {"range age": 0.1}),
    ]


def test_the_page_shows_texts_as_texts(scene: Scene) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    body = [[index, 1.0, hostile if index else "y", "t"] for index in range(4)]
    dataset = expect(scene, {"check": "values", "column": "label", "allowed": ["y"]}, {"check": "drift"})
    upload(scene, dataset, body)
    page = reports.render_page(scene.ports, scene.principal, "data", 1, limit=20)
    assert "<img" not in page
    assert "&lt;img src=x" in page
    assert "<script" not in page
    assert "values label" in page
