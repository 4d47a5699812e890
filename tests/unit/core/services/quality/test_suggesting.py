"""What is suggested holds for the version that suggests it, and breaks where something breaks."""

import random
from typing import Any

import pytest

from aimass_core.domain.datasets import Dataset, DatasetUpdate, DatasetVersionDetail, DatasetVersionStatus
from aimass_core.domain.quality import Outcome
from aimass_core.services import datasets
from aimass_core.services.quality import reports
from tests.unit.core.services.ingest.scene import Scene, to_csv

HEADER = ["key", "share", "city", "at", "label"]


def body(num: int = 300, *, seed: int = 0) -> list[list[Any]]:
    chosen = random.Random(seed)
    return [
        [
            f"k{seed}-{index}",
            round(chosen.random(), 3),
            chosen.choice(["Bonn", "Ulm", ""]),
            "2025-12-31",
            chosen.choice("ab"),
        ]
        for index in range(num)
    ]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def dataset(scene: Scene) -> Dataset:
    """With one version, and what that suggests expected from now on."""
    dataset = scene.dataset(target="label")
    scene.upload(dataset, to_csv(HEADER, body()))
    suggested = reports.suggest(scene.ports, scene.principal, "data", 1)
    dataset = datasets.get(scene.ports, scene.principal, "data")
    request = DatasetUpdate(expectations=suggested.expectations)
    return datasets.update(scene.ports, scene.principal, "data", request, revision=dataset.revision)


def upload(scene: Scene, dataset: Dataset, rows: list[list[Any]]) -> DatasetVersionDetail:
    return scene.upload(dataset, to_csv(HEADER, rows))


def missed(scene: Scene, version: DatasetVersionDetail) -> set[str]:
    report = reports.get_report(scene.ports, scene.principal, "data", version.number)
    return {result.name for result in report.results if result.outcome in (Outcome.WARNED, Outcome.FAILED)}


def test_another_sample_of_the_same_meets_it(scene: Scene, dataset: Dataset) -> None:
    version = upload(scene, dataset, body(seed=1))
    assert (version.quality, missed(scene, version)) == (Outcome.PASSED, set())


def test_it_names_what_breaks(scene: Scene, dataset: Dataset) -> None:
    rows = body(seed=2)
    for row in rows[:3]:
        row[1], row[2] = 1.5, "Mars"
    assert missed(scene, upload(scene, dataset, rows)) == {"range share", "values city"}


def test_a_key_that_repeats_and_labels_that_are_missing_block(scene: Scene, dataset: Dataset) -> None:
    rows = body(seed=3)
    rows[1][0] = rows[0][0]
    version = upload(scene, dataset, rows)
    assert (version.status, missed(scene, version)) == (DatasetVersionStatus.REJECTED, {"unique key"})
    rows = body(seed=4)
    rows[5][4] = ""
    version = upload(scene, dataset, rows)
    assert (version.status, missed(scene, version)) == (DatasetVersionStatus.REJECTED, {"missing label"})


def test_a_share_stays_within_zero_and_one_and_the_time_is_fresh(dataset: Dataset) -> None:
    found = {expectation.name: expectation.model_dump() for expectation in dataset.expectations}
    assert (found["range share"]["min"], found["range share"]["max"]) == (0.0, 1.0)
    assert found["freshness at"]["max_age_seconds"] == 2 * 86_400
    assert "drift label, share, city" in found
    assert found["label_balance rows"]["min_share"] == pytest.approx(0.24, abs=0.02)
