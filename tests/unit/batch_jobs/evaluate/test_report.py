"""The page is complete in itself and shows the user's texts as texts."""

import re
from pathlib import Path

import numpy as np
import pytest

from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import (
    Card,
    Datatype,
    ExportCheck,
    Importance,
    Signature,
    Task,
    TensorSpec,
)
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.metrics import evaluate
from batch_jobs.evaluate.plots import Curve
from batch_jobs.evaluate.report import ReportData, to_figure, write_report

HOSTILE = "<script>alert(1)</script> $x_1$ 色"


def _data(labels: tuple[str, ...] | None) -> ReportData:
    rng = np.random.default_rng(0)
    truth: Array
    if labels is None:
        task = Task.REGRESSION
        truth, scores = rng.normal(size=50), rng.normal(size=50).astype(np.float32)
    else:
        task = Task.BINARY if len(labels) == 2 else Task.MULTICLASS
        truth = rng.integers(0, len(labels), 50)
        scores = rng.dirichlet(np.ones(len(labels)), 50).astype(np.float32)
    target = Target(column=HOSTILE, task=task, labels=labels)
    card = Card(
        algorithm="xgboost",
        framework="xgboost",
        task=task,
        target=HOSTILE,
        hyperparameters={"max_depth": 6},
        seed=0,
        dataset="tiny",
        num_train_rows=50,
        evaluations=[evaluate("validation", target, truth, scores)],
        primary_metric="accuracy" if labels else "rmse",
        primary_value=0.5,
        importances=[Importance(column=HOSTILE, mean=0.1, std=0.01)],
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
    return ReportData(
        card=card,
        signature=Signature(
            kind=DatasetKind.TABLE,
            task=task,
            target=HOSTILE,
            inputs=[column],
            outputs=[],
            labels=list(labels or []) or None,
        ),
        channel="validation",
        truth=truth,
        scores=scores,
        curves=(Curve(name="train/loss", steps=(1, 2), values=(0.5, 0.4)),),
    )


@pytest.mark.parametrize("labels", [None, ("no", HOSTILE), tuple(f"class {n}" for n in range(40))])
def test_the_page_fetches_nothing_and_escapes_all_texts(tmp_path: Path, labels: tuple[str, ...] | None) -> None:
    write_report(tmp_path / "report.html", _data(labels))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    links = re.findall(r'(?:src|href|xlink:href|url)\s*[=(]\s*["\']?([^"\')>\s]+)', page)
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert page.count("<svg") == (4 if labels and len(labels) == 2 else 3)


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
