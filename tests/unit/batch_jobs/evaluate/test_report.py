"""The page is complete in itself, shows the user's texts as texts, and needs nothing that a strict policy forbids."""

import base64
import hashlib
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from aimass_core.domain.reports import Augmented, LearningCurve, ModelReport
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.domain.signatures import (
    Card,
    Datatype,
    ExportCheck,
    Importance,
    Signature,
    Task,
    TensorSpec,
)
from aimass_core.services.pages import to_figure
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.analysis.building import Judged, build_report
from batch_jobs.evaluate.analysis.pictures import to_grid, to_picture
from batch_jobs.evaluate.metrics import evaluate, primary_metric
from batch_jobs.evaluate.report import write_report
from tests.unit.batch_jobs.pages import Tags

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> $x_1$ \x1b\u202e色"
MAX_BYTES = 2 * 2**20


def _write(
    path: Path,
    labels: tuple[str, ...] | None,
    *,
    num_rows: int = 400,
    frame: Frame | None = None,
    truth: Array | None = None,
    scores: Array | None = None,
) -> tuple[str, ModelReport]:
    rng = np.random.default_rng(0)
    task = Task.REGRESSION
    if labels is None:
        truth = rng.normal(size=num_rows) if truth is None else truth
        scores = (truth + rng.normal(size=len(truth))).astype(np.float32) if scores is None else scores
    else:
        task = Task.BINARY if len(labels) == 2 else Task.MULTICLASS
        truth = rng.integers(0, len(labels), num_rows) if truth is None else truth
        scores = rng.dirichlet(np.ones(len(labels)), len(truth)).astype(np.float32) if scores is None else scores
    if frame is None:
        texts = rng.choice(np.asarray([HOSTILE, "", "b"], dtype=object), len(truth))
        numbers = rng.normal(size=len(truth)).astype(np.float32)
        numbers[::7] = np.nan
        frame = Frame(columns={HOSTILE: texts, "n": numbers}, num_rows=len(truth))
    is_image = next(iter(frame.columns.values())).ndim == 4
    target = Target(column=HOSTILE, task=task, labels=labels)
    evaluation = evaluate("validation", target, truth, scores)
    name = primary_metric(target, evaluation.metrics)
    card = Card(
        algorithm="xgboost",
        framework="xgboost",
        task=task,
        target=HOSTILE,
        hyperparameters={"max_depth": 6},
        seed=0,
        dataset="tiny",
        num_train_rows=50,
        evaluations=[evaluation],
        primary_metric=name,
        primary_value=evaluation.metrics[name],
        importances=[] if is_image else [Importance(column=HOSTILE, mean=0.1, std=0.01, low=0.05, high=0.15)],
        export_check=ExportCheck(num_rows=50, max_abs_difference=1e-7, num_label_differences=0, tolerance=1e-4),
        model_bytes=2_000_000,
        training_seconds=1.5,
        warnings=[HOSTILE],
        versions={"numpy": "2"},
    )
    column = TensorSpec(
        name="x",
        datatype=Datatype.BYTES,
        shape=[-1, 1],
        column=HOSTILE,
        column_type=ColumnType.STRING,
        categories=[HOSTILE] * 9,
    )
    signature = Signature(
        kind=DatasetKind.IMAGES if is_image else DatasetKind.TABLE,
        task=task,
        target=HOSTILE,
        inputs=[column],
        outputs=[],
        labels=list(labels or []) or None,
        image_shape=ImageShape(height=8, width=8, channels=3) if is_image else None,
    )
    judged = Judged(channel="validation", frame=frame, rows=np.arange(len(truth)), truth=truth, scores=scores)
    curves = [
        LearningCurve(name="train/log_loss", steps=list(range(20_000)), values=rng.random(20_000).tolist()),
        LearningCurve(name="train/learning_rate", steps=[1, 2], values=[0.1, 0.2]),
    ]
    augmented = Augmented(picture="data:image/png;base64,AAAA", steps=[HOSTILE]) if is_image else None
    report = build_report(judged, card, signature, curves=curves, augmented=augmented)
    write_report(path, report, card, signature)
    return (path / "report.html").read_text(encoding="utf-8"), report


def _read(path: Path) -> ModelReport:
    """Plain JSON: without NaN and infinity."""
    document = json.loads((path / "report.json").read_bytes(), parse_constant=pytest.fail)
    return ModelReport.model_validate(document)


@pytest.mark.parametrize(
    "labels", [None, ("no", HOSTILE), tuple(f"{HOSTILE} {n}" for n in range(100)), tuple(map(str, range(1000)))]
)
def test_i1_the_page_fetches_nothing_and_escapes_all_texts(tmp_path: Path, labels: tuple[str, ...] | None) -> None:
    page, report = _write(tmp_path, labels, num_rows=3000)
    seen = Tags()
    seen.feed(page)
    assert seen.tags & {"script", "img", "iframe", "object", "link", "base", "form"} == set()
    assert [name for name, _ in seen.attributes if name.startswith("on") or name == "style"] == []
    links = [value for name, value in seen.attributes if name in {"src", "href", "xlink:href"}]
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert "&lt;script&gt;alert(1)" in page
    for svg in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        ElementTree.fromstring(svg)
    assert len(page.encode()) < MAX_BYTES
    assert (tmp_path / "report.json").stat().st_size < MAX_BYTES
    assert _read(tmp_path) == report


def test_the_policy_allows_the_one_style_sheet_by_its_digest(tmp_path: Path) -> None:
    page, _ = _write(tmp_path, ("no", "yes"))
    sheets = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode() for sheet in sheets]
    assert re.findall(r"style-src 'sha256-([^']+)'", page) == digests
    assert "unsafe" not in page


def test_names_in_the_figures_of_a_page_are_its_own(tmp_path: Path) -> None:
    page, _ = _write(tmp_path, tuple("abcde"))
    names = re.findall(r'<(?!use|path)[a-zA-Z]+ id="([^"]+)"', page)
    assert len(names) == len(set(names))


def test_a_page_of_images_shows_mistakes_and_what_augmentation_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    page, report = _write(tmp_path, ("cat", "dog"), num_rows=60, frame=Frame(columns={"image": images}, num_rows=60))
    assert report.num_wrong
    assert page.count("<img ") == min(report.num_wrong, 24) + 1
    assert all(found.picture and found.picture.startswith("data:image/png;base64,") for found in report.examples)


def test_a_class_that_is_never_predicted_and_one_that_never_occurs(tmp_path: Path) -> None:
    truth = np.asarray([0, 1] * 30)
    scores = np.tile(np.asarray([[0.8, 0.1, 0.1]], dtype=np.float32), (60, 1))
    page, report = _write(tmp_path, ("a", "b", "c"), truth=truth, scores=scores)
    assert [(found.num_predicted, found.precision, found.recall) for found in report.classes] == [
        (60, 0.5, 1.0),
        (0, None, 0.0),
        (0, None, None),
    ]
    assert ">never<" in page
    assert {curve.label for curve in report.roc} == {"a", "b"}


def test_one_class_in_a_channel_has_no_curves_but_a_page(tmp_path: Path) -> None:
    truth = np.zeros(30, dtype=np.int64)
    _, report = _write(tmp_path, ("a", "b"), truth=truth)
    assert (report.roc, report.precision_recall) == ([], [])
    assert report.slices
    assert report.slices.metric == "accuracy"


@pytest.mark.parametrize("depth", [1, 3])
def test_pictures_of_large_images_stay_small(depth: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 512, 512, depth), dtype=np.uint8)
    assert len(to_picture(noise[0])) < 20_000
    grid = to_grid([noise] * 5)
    assert len(grid) < 500_000
    image = Image.open(io.BytesIO(base64.b64decode(grid.partition(",")[2])))
    assert image.size == (8 * 98 - 2, 5 * 98 - 2)


@pytest.mark.parametrize("size", [1, 2, 30])
def test_perfect_and_tiny_regressions_have_a_page(tmp_path: Path, size: int) -> None:
    truth = np.arange(size, dtype=np.float64)
    frame = Frame(columns={"x": truth.astype(np.float32)}, num_rows=size)
    page, report = _write(tmp_path, None, frame=frame, truth=truth, scores=truth.astype(np.float32))
    assert report.examples == []
    assert report.residuals
    assert report.residuals.mean == 0
    assert "Largest errors" not in page


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.92744, "0.9274"),
        (46922.65, "46,922.7"),
        (1.2e-7, "1.2e-07"),
        (0.0, "0.0000"),
        (-3.14159, "-3.1416"),
        (2e9, "2e+09"),
    ],
)
def test_figures_show_four_digits_that_matter(value: float, text: str) -> None:
    assert to_figure(value) == text
