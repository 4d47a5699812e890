"""A registered model is judged again by the rows that had judged it, and by no others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.registered.material import read_material
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.registered.results import describe
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.material import Material
from batch_jobs.train.notes import Notes
from tests.unit.batch_jobs.channel_files import Columns, mixed_columns, shape_images, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, Train, Trained, build_environment

MLP: dict[str, Any] = {"hidden": [8], "epochs": 2, "batch_size": 64}


def _table(kind: str, *, num_rows: int = 300) -> Columns:
    columns, signal = mixed_columns(num_rows, seed=0)
    if kind == "value":
        return columns | {"target": (ColumnType.NUMBER, (signal * 10 + 500).tolist())}
    return columns | {"target": (ColumnType.STRING, ["yes" if value > 0 else "no" for value in signal])}


def _series() -> Columns:
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(300) / 5) + rng.normal(0, 0.1, 300)
    return {"load": (ColumnType.NUMBER, values.tolist()), "other": (ColumnType.NUMBER, rng.normal(size=300).tolist())}


def _read(tmp_path: Path, channels: Mapping[str, Path], trained: Trained, spec: Mapping[str, Any]) -> Material:
    data = LearningSpec.model_validate({"dataset": "tiny"} | spec)
    reporter: Reporter = RecordingReporter()
    environment = build_environment(
        tmp_path / "again", channels, TrainSpec.model_validate({"dataset": "tiny", "algorithm": "linear"} | spec)
    )
    model = RegisteredModel.load(trained.model_path, name="tiny@1")
    return read_material(environment, data, [model], Notes(reporter))


@pytest.mark.parametrize(
    ("columns", "algorithm", "hyperparameters", "spec"),
    [
        (_table("label"), "linear", {}, {"seed": 3, "validation_fraction": 0.3}),
        (_table("value"), "mlp", MLP, {}),
        (_series(), "nlinear", {"epochs": 2}, {"target": "load", "horizon": 3, "window": 12}),
    ],
)
def test_the_rows_that_judged_it_judge_it_again(
    tmp_path: Path,
    train_model: Train,
    columns: Columns,
    algorithm: str,
    hyperparameters: dict[str, Any],
    spec: dict[str, Any],
) -> None:
    target = None if "target" in spec else "target"
    channels = {"train": write_channel(tmp_path / "train", columns, target=target)}
    trained = train_model(channels, algorithm, hyperparameters=hyperparameters, **spec)
    material = _read(tmp_path, channels, trained, spec)
    validation = material.parts["validation"]
    exported = describe(
        trained.model,
        trained.signature,
        material,
        data=LearningSpec.model_validate({"dataset": "tiny"} | spec),
        card=trained.card,
    )
    assert exported.card.evaluations == trained.card.evaluations[:1]
    assert exported.card.primary_value == trained.card.primary_value
    assert exported.golden.tolerance == trained.golden.tolerance
    assert material.parts["train"].num_rows + validation.num_rows <= 300


def test_images_are_read_in_the_model_s_shape(tmp_path: Path, train_model: Train) -> None:
    images, labels = shape_images(80)
    columns: Columns = {"image": (ColumnType.IMAGE, images), "label": (ColumnType.STRING, labels)}
    path = write_channel(tmp_path / "train", columns, target="label", kind=DatasetKind.IMAGES)
    channels = {"train": path}
    trained = train_model(channels, "cnn", hyperparameters={"channels": [4], "hidden": 8, "epochs": 1})
    material = _read(tmp_path, channels, trained, {})
    exported = describe(
        trained.model,
        trained.signature,
        material,
        data=LearningSpec(dataset="tiny"),
        card=trained.card,
        expected=lambda frame: trained.scorer.answer(frame).scores,
    )
    assert exported.card.evaluations == trained.card.evaluations
    assert exported.card.export_check is not None
    assert exported.card.export_check.num_rows == material.parts["validation"].num_rows


def test_data_that_a_model_cannot_read_is_refused(tmp_path: Path, train_model: Train) -> None:
    columns = dict(_table("label"))
    channels = {"train": write_channel(tmp_path / "train", columns, target="target")}
    trained = train_model(channels, "linear")
    lacking = {name: values for name, values in columns.items() if name != "色"}
    others = {"train": write_channel(tmp_path / "lacking", lacking, target="target")}
    with pytest.raises(InvalidDataError, match=r"lacks the columns \['色'\] that tiny@1 reads"):
        _read(tmp_path, others, trained, {})
    other = columns | {"target": (ColumnType.STRING, ["maybe", "no"] * 150)}
    others = {"train": write_channel(tmp_path / "labels", other, target="target")}
    with pytest.raises(InvalidDataError, match="has labels that the training channel does not have: 'maybe'"):
        _read(tmp_path, others, trained, {})
    with pytest.raises(InvalidRequestError, match="are labels of one row"):
        _read(tmp_path, channels, trained, {"target": ["target", "色"], "task": None})
