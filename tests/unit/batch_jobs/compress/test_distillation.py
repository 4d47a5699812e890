"""Students: what they are taught, by which algorithms, and that they answer in the place of the original."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.schemas import ColumnType
from batch_jobs.algorithms.export.names import rename
from batch_jobs.compress.contract import Ground, Settings
from batch_jobs.compress.distillation import Distillation
from batch_jobs.compress.judging import Judge
from batch_jobs.registered.material import read_material
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.notes import Notes
from tests.unit.batch_jobs.channel_files import mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, Train, build_environment

LABELS = {"binary": [0.0], "multiclass": [-1.0, 1.0]}


def _ground(tmp_path: Path, train_model: Train, algorithm: str, task: str, hyperparameters: dict[str, Any]) -> Ground:
    columns, signal = mixed_columns(500)
    target: tuple[ColumnType, list[Any]] = (ColumnType.NUMBER, (signal * 10).tolist())
    if task in LABELS:
        target = (ColumnType.STRING, [f"class {index}" for index in np.digitize(signal, LABELS[task])])
    channels = {"train": write_channel(tmp_path / "train", columns | {"target": target}, target="target")}
    parent = train_model(channels, algorithm, hyperparameters=hyperparameters)
    spec = CompressSpec.model_validate({"kind": "compress", "parent": "tiny@1", "data": {"dataset": "tiny"}})
    assert spec.data is not None
    original = RegisteredModel.load(parent.model_path, name="tiny@1")
    environment = build_environment(tmp_path / "compress", channels, spec)  # type: ignore[arg-type]
    material = read_material(environment, spec.data, [original], Notes(RecordingReporter()))
    judge = Judge(material, original.signature, spec, num_threads=1)
    judge.score(original.model)
    return Ground(
        spec=spec,
        original=original,
        material=material,
        score=judge.rank,
        num_threads=1,
        seed=0,
        scratch_path=tmp_path / "scratch",
        seconds_left=lambda: None,
        message=lambda _: None,
    )


@pytest.mark.parametrize(
    ("algorithm", "task", "hyperparameters", "settings", "worst"),
    [
        ("random_forest", "binary", {"num_trees": 60}, {"algorithm": "xgboost", "num_rounds": 25, "max_depth": 3}, 0.9),
        ("xgboost", "multiclass", {"num_rounds": 60}, {"algorithm": "linear"}, 0.7),
        (
            "xgboost",
            "regression",
            {"num_rounds": 60},
            {"algorithm": "mlp", "width": 0.1, "epochs": 6, "batch_size": 32},
            -25,
        ),
    ],
)
def test_a_student_is_small_and_good(
    tmp_path: Path,
    train_model: Train,
    algorithm: str,
    task: str,
    hyperparameters: dict[str, Any],
    settings: Settings,
    worst: float,
) -> None:
    ground = _ground(tmp_path, train_model, algorithm, task, hyperparameters)
    student = Distillation().apply(ground.original.graph, settings, ground)
    assert ground.score(student) > worst
    assert student.ByteSize() < len(ground.original.model)
    assert [value.name for value in student.graph.input] == [value.name for value in ground.original.graph.graph.input]


def test_proposals_name_smaller_and_smaller_students(tmp_path: Path, train_model: Train) -> None:
    ground = _ground(tmp_path, train_model, "xgboost", "binary", {"num_rounds": 60})
    proposals = Distillation().propose(ground.original.graph, ground)
    assert all(proposal.is_trained for proposal in proposals)
    trees = [dict(each.settings) for each in proposals if each.settings["algorithm"] == "xgboost"]
    leaves = [int(each["num_rounds"] or 0) * 2 ** int(each["max_depth"] or 0) for each in trees]
    assert leaves[0] > 3 * leaves[-1]
    assert {each.settings["algorithm"] for each in proposals} == {"xgboost", "mlp", "linear"}


def test_a_student_of_an_imported_model_takes_the_inputs_as_that_has_named_them(
    tmp_path: Path, train_model: Train
) -> None:
    ground = _ground(tmp_path, train_model, "linear", "regression", {})
    original = ground.original
    names = {spec.name: f"x{number}" for number, spec in enumerate(original.signature.inputs)}
    graph = onnx.ModelProto()
    graph.CopyFrom(original.graph)
    rename(graph.graph, names)
    signature = original.signature.model_copy(
        update={
            "inputs": [spec.model_copy(update={"name": names[spec.name]}) for spec in original.signature.inputs],
        }
    )
    imported = RegisteredModel(
        name="imported@1",
        model=graph.SerializeToString(),
        signature=signature,
        card=original.card.model_copy(update={"algorithm": "imported", "hyperparameters": {}}),
        golden=original.golden,
    )
    judge = Judge(ground.material, signature, ground.spec, num_threads=1)
    judge.score(imported.model)
    ground = dataclasses.replace(ground, original=imported, score=judge.rank)
    student = Distillation().apply(imported.graph, {"algorithm": "linear"}, ground)
    assert {value.name for value in student.graph.input} == set(names.values())
    assert judge.rank(student) == pytest.approx(judge.rank(graph), rel=0.02)
