"""Whole jobs, from channels to the whole, its parts and what is told of them."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.decomposition import Decomposition, DecompositionMethod
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.domain.signatures import Card, Golden, Signature
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.decompose.trying import Trial
from batch_jobs.evaluate.scoring import Scorer
from tests.unit.batch_jobs.channel_files import shape_images, write_channel
from tests.unit.batch_jobs.conftest import Train
from tests.unit.batch_jobs.decompose.conftest import (
    TREES,
    Decompose,
    Open,
    class_columns,
    value_columns,
)
from tests.unit.batch_jobs.pages import Tags


def _check_model(path: Path) -> Card:
    """It repeats its golden request."""
    golden = Golden.model_validate_json((path / "golden.json").read_bytes())
    signature = Signature.model_validate_json((path / "signature.json").read_bytes())
    inputs = {}
    for spec in signature.inputs:
        dtype: Any = object if spec.datatype == "BYTES" else np.float32
        inputs[spec.name] = np.asarray(golden.inputs[spec.name], dtype=dtype)
    *_, scores = Scorer((path / "model.onnx").read_bytes(), signature).run(inputs)
    expected = golden.outputs.get("probabilities", golden.outputs.get("value"))
    np.testing.assert_allclose(scores, np.asarray(expected), atol=golden.tolerance)
    return Card.model_validate_json((path / "card.json").read_bytes())


def test_a_whole_and_its_parts_are_models_of_their_own(tmp_path: Path, run_job: Decompose) -> None:
    channels = {
        "train": write_channel(tmp_path / "train", class_columns(), target="target"),
        "test": write_channel(tmp_path / "test", class_columns(100, seed=1), target="target"),
    }
    done = run_job(channels, method="hierarchy", num_experts=3)
    card = _check_model(done.model_path)
    assert (card.algorithm, card.framework) == ("decomposition", "onnx")
    assert card.hyperparameters["method"] == "hierarchy"
    assert card.hyperparameters["expert-1"]["algorithm"] == "xgboost"
    assert card.export_check is not None
    num_rows = done.document.wholes[0].score.num_rows
    assert card.export_check.num_rows == num_rows
    assert done.metrics["test/accuracy"] == card.primary_value
    parts = done.model_path.parent / "parts"
    assert {path.name for path in parts.iterdir()} == {"gate", "expert-1", "expert-2", "expert-3"}
    for path in parts.iterdir():
        _check_model(path)
        assert (path / "report.html").is_file()
    gate = Signature.model_validate_json((parts / "gate" / "signature.json").read_bytes())
    assert gate.labels == ["expert-1", "expert-2", "expert-3"]
    assert len(done.predictions("validation")["row"]) == num_rows

    single, *wholes = done.document.wholes
    assert (single.name, single.method) == ("single", None)
    (chosen,) = [whole for whole in wholes if whole.is_chosen]
    assert chosen.method is DecompositionMethod.HIERARCHY
    assert chosen.cost.num_operations is not None
    assert chosen.cost.model_bytes == len(done.model)
    assert [row.name for row in done.document.experts] == ["gate", "expert-1", "expert-2", "expert-3"]
    assert sorted(row.purpose for row in done.document.experts[1:]) == ["a0, a1", "b0, b1", "c0, c1"]
    shares = [row.share for row in done.document.experts]
    assert shares[0] == 1
    assert sum(shares[1:]) == pytest.approx(1, abs=0.2)
    for row in done.document.experts:
        assert row.score is not None
        assert row.single_score is not None
        assert row.score.metric == row.single_score.metric == "accuracy"
    page = Tags()
    page.feed((done.output_path / "decomposition.html").read_text(encoding="utf-8"))
    assert {"svg", "table"} <= page.tags
    assert not page.tags & {"script", "img", "link"}


def test_a_cascade_asks_the_larger_model_about_some_rows_alone(run_job: Decompose) -> None:
    trees = {"algorithm": "xgboost", "hyperparameters": {"num_rounds": 60, "max_depth": 3}}
    done = run_job(class_columns(), method="cascade", expert=trees)
    single, *wholes = done.document.wholes
    assert [whole.name for whole in wholes] == [f"cascade of 2, {share}% go on" for share in (10, 15, 20, 30)]
    assert max(whole.cost.num_operations or 0 for whole in wholes) < (single.cost.num_operations or 0)
    counts = [whole.cost.num_operations for whole in wholes]
    assert counts == sorted(counts)
    first, second = done.document.experts
    assert (first.name, first.purpose, first.share) == ("expert-1", "all rows", 1.0)
    assert second.purpose.startswith("rows of which expert-1 is less sure than 0.")
    assert 0.05 < second.share < 0.35
    assert second.score is not None
    assert first.score is not None
    # They are the hard ones.
    assert second.score.value < first.score.value
    assert second.model_bytes > first.model_bytes
    assert {path.name for path in (done.model_path.parent / "parts").iterdir()} == {"expert-1", "expert-2"}
    assert done.card.hyperparameters["expert-1"]["hyperparameters"]["num_rounds"] <= 10


def test_values_are_split_too(run_job: Decompose) -> None:
    done = run_job(value_columns(), method="tree", num_experts=2)
    card = _check_model(done.model_path)
    assert card.primary_metric == "rmse"
    for path in (done.model_path.parent / "parts").iterdir():
        _check_model(path)
    assert [whole.is_chosen for whole in done.document.wholes] == [False, True]


def test_images_are_split_by_their_classes(tmp_path: Path, run_job: Decompose) -> None:
    images, labels = shape_images(90)
    third = [label if row % 3 else "none" for row, label in enumerate(labels)]
    path = write_channel(
        tmp_path / "images",
        {"image": (ColumnType.IMAGE, images), "target": (ColumnType.STRING, third)},
        target="target",
        kind=DatasetKind.IMAGES,
        image_shape=ImageShape(height=12, width=12, channels=1),
    )
    expert = {"algorithm": "cnn", "hyperparameters": {"channels": [4], "hidden": 8, "epochs": 1}}
    done = run_job({"train": path}, method="hierarchy", num_experts=2, num_active=1, expert=expert)
    assert done.card.algorithm == "decomposition"
    assert done.card.export_check is not None
    assert done.card.export_check.max_abs_difference < 1e-4


def test_the_single_model_may_be_a_registered_one(tmp_path: Path, train_model: Train, run_job: Decompose) -> None:
    channels = {"train": write_channel(tmp_path / "train", class_columns(), target="target")}
    trained = train_model(channels, "xgboost", hyperparameters=TREES["hyperparameters"])
    options = {"method": "tree", "num_experts": 2, "expert": None, "single": "tiny@3", "num_active": 1}
    done = run_job(channels, models={"single": trained.model_path}, **options)
    single, *wholes = done.document.wholes
    assert single.name == "tiny@3"
    assert single.score.value == pytest.approx(trained.card.evaluations[0].metrics["accuracy"])
    # Experts are as it is, and smaller.
    assert [whole.name for whole in wholes] == ["tree of 2, smaller", "tree of 2"]
    with pytest.raises(InvalidRequestError, match=r"tiny@3 is a multiclass model with the labels .* regression"):
        run_job(value_columns(), models={"single": trained.model_path}, run_name="other", **options)


def test_methods_are_tried_while_there_is_time(open_ground: Open) -> None:
    ground = open_ground(class_columns())
    trial = Trial(ground=ground, deadline=time.monotonic() + 1e6, single_seconds=1e9, measuring_seconds=0.0)
    trial.run()
    assert {each.method for each in trial.tried} == {DecompositionMethod.CASCADE}
    late = {name for name, reason in trial.unfit.items() if "no time was left" in reason}
    assert {"hierarchy of 2", "tree of 2", "one_vs_rest of 6", "output_codes of 5"} <= late
    assert "components" in trial.unfit


def test_what_was_tried_is_measured_before_the_deadline(open_ground: Open) -> None:
    """A thousand seconds are for trying, and the first whole takes more to be measured."""
    ground = open_ground(class_columns())
    trial = Trial(ground=ground, deadline=time.monotonic() + 1_000, single_seconds=0.0, measuring_seconds=300.0)
    trial.run()
    assert {each.method for each in trial.tried} == {DecompositionMethod.CASCADE}
    assert any("no time was left" in reason for reason in trial.unfit.values())


def test_time_that_was_up_before_the_first_is_told(open_ground: Open) -> None:
    ground = open_ground(class_columns())
    trial = Trial(ground=ground, deadline=time.monotonic() - 1, single_seconds=1.0, measuring_seconds=0.0)
    with pytest.raises(InvalidRequestError, match="time was up"):
        trial.run()


def test_f5_limits_that_no_whole_keeps_are_told_with_what_came_nearest(tmp_path: Path, run_job: Decompose) -> None:
    with pytest.raises(InvalidDataError, match=r"nearest is tree of 2 .*Set max_model_bytes to [\d,]+") as caught:
        run_job(class_columns(), method="tree", num_experts=2, num_active=1, max_model_bytes=1)
    assert "model_bytes" in str(caught.value)
    left = Decomposition.model_validate_json((tmp_path / "job/output/decomposition.json").read_bytes())
    assert not any(whole.is_chosen for whole in left.wholes)
    assert left.wholes[1].missed
    assert not (tmp_path / "job/model/model.onnx").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 3}, "leave folds out"),
        ({"metric": "rmse"}, "choose one of accuracy"),
        ({"method": "components"}, "this task is multiclass"),
        ({"method": "cascade", "expert": {"algorithm": "linear"}}, "linear has no size"),
        ({"method": "clusters", "num_experts": 60}, "choose at most"),
        ({"expert": {"algorithm": "cnn"}}, "not for table datasets"),
        ({"gate": {"algorithm": "fcn"}, "method": "tree"}, "gate: fcn learns from series"),
    ],
)
def test_what_cannot_be_done_is_refused(run_job: Decompose, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        run_job(class_columns(100), **options)
