"""Ensembles of trained models, from what their trials left to the files of a model version."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Card, Golden, Signature
from batch_jobs.data.frames import Frame
from batch_jobs.evaluate.metrics import evaluate
from batch_jobs.evaluate.scoring import Scorer, to_inputs
from batch_jobs.runtime.environment import Environment
from batch_jobs.search.ensemble_export import Chosen, export_ensemble, join_materials
from batch_jobs.search.ensembles import average, select
from batch_jobs.search.materials import Materials
from batch_jobs.search.running import TrialRunner
from batch_jobs.search.watching import Watch
from batch_jobs.train.handover import Handover
from batch_jobs.train.interface import make_hard_rows
from batch_jobs.train.material import TEST
from batch_jobs.train.notes import Notes
from tests.unit.batch_jobs.channel_files import Columns, mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment

LITTLE = 16 * 1024
TREES: dict[str, Any] = {"num_rounds": 20}


def _target(signal: Any, task: str) -> tuple[ColumnType, list[Any]]:
    if task == "regression":
        return ColumnType.NUMBER, (signal * 1000 + 50_000).tolist()
    return ColumnType.STRING, [("no", "yes")[index] for index in (signal > 0).astype(int)]


def _with_text(columns: Columns, signal: Any) -> Columns:
    words = [f"{'good' if value > 0 else 'bad'} thing number {row}" for row, value in enumerate(signal)]
    return {**columns, "review": (ColumnType.STRING, words)}


def _channels(path: Path, task: str) -> dict[str, Path]:
    channels = {}
    for seed, name in enumerate(("train", "test")):
        columns, signal = mixed_columns(300 if name == "train" else 80, seed=seed)
        table = {**_with_text(columns, signal), "target": _target(signal, task)}
        channels[name] = write_channel(path / name, table, target="target")
    return channels


def _run(runner: TrialRunner, specs: Sequence[TrainSpec]) -> list[Chosen]:
    """Trials as a study runs them."""
    found = []
    for number, spec in enumerate(specs):
        watch = Watch(optuna.create_study().ask(), None, on_step=lambda _: None)
        exported = runner.run(spec, watch, deadline=None).exported
        material = runner.materials.find(spec)
        found.append(Chosen(trial=number, weight=1.0 + number, exported=exported, material=material))
    return found


def _runner(path: Path, channels: dict[str, Path], spec: TrainSpec) -> tuple[TrialRunner, Environment]:
    environment = build_environment(path / "ensemble", channels, spec)
    return TrialRunner(environment, Materials(environment, Notes(RecordingReporter()))), environment


def _spec(algorithm: str, **options: Any) -> TrainSpec:
    return TrainSpec.model_validate({"dataset": "tiny", "algorithm": algorithm} | options)


@pytest.mark.parametrize(
    ("task", "algorithms", "folds"),
    [
        ("binary", {"xgboost": TREES, "linear": {}, "rnn": {"hidden": 8, "embedding": 8, "epochs": 2}}, None),
        ("binary", {"xgboost": TREES, "linear": {}}, 3),
        ("regression", {"xgboost": TREES, "lightgbm": TREES}, None),
    ],
)
def test_an_ensemble_leaves_what_a_single_model_leaves(
    tmp_path: Path, task: str, algorithms: dict[str, Any], folds: int | None
) -> None:
    channels = _channels(tmp_path, task)
    specs = [_spec(name, hyperparameters=chosen, folds=folds) for name, chosen in algorithms.items()]
    runner, environment = _runner(tmp_path, channels, specs[0])
    chosen = _run(runner, specs)
    exported, material = export_ensemble(chosen)
    reporter = RecordingReporter()
    metrics = Handover(
        environment=environment, material=material, exported=exported, reporter=reporter, notes=Notes(reporter)
    ).run()

    path = environment.model_path
    card = Card.model_validate_json((path / "card.json").read_bytes())
    assert (card.algorithm, card.framework) == ("ensemble", "onnx")
    assert [member["algorithm"] for member in card.hyperparameters.values()] == list(algorithms)
    assert card.hyperparameters["trial 1"]["weight"] == 2.0
    assert [evaluation.channel for evaluation in card.evaluations] == ["validation", "test"]
    assert card.export_check is not None
    assert card.export_check.max_abs_difference < 1e-6
    assert metrics[f"test/{card.primary_metric}"] == card.primary_value
    assert card.importances
    assert {item.name for item in path.iterdir()} == set(ArtifactName) - {ArtifactName.FUSION, ArtifactName.EXPERTS}

    # Serving sees the weighted mean of what the members answer, on all rows and on those that are hard.
    signature = Signature.model_validate_json((path / "signature.json").read_bytes())
    scorer, frame = Scorer((path / "model.onnx").read_bytes(), signature), material.parts[TEST].frame
    assert isinstance(frame, Frame)
    for rows in (frame, make_hard_rows(frame)):
        mean = average([one.exported.scorer.answer(rows).scores for one in chosen], [one.weight for one in chosen])
        np.testing.assert_allclose(scorer.answer(rows).scores, mean, atol=1e-6, rtol=1e-6)
    golden = Golden.model_validate_json((path / "golden.json").read_bytes())
    assert golden.inputs["länge (cm)"][-3] == [None]
    assert golden.inputs["色"][-1] == ["a value that training never saw"]
    assert list(golden.inputs) == list(to_inputs(frame, signature))


def test_members_are_selected_by_what_their_trials_answered(tmp_path: Path) -> None:
    channels = _channels(tmp_path, "binary")
    specs = [_spec("xgboost", hyperparameters={**TREES, "max_depth": depth}) for depth in (1, 3, 6)]
    chosen = _run(_runner(tmp_path, channels, specs[0])[0], specs)
    first = chosen[0]
    truth, target = first.exported.validated.truth, first.material.target
    scores = [one.exported.validation_scores for one in chosen]
    weights = select(scores, truth, target, metric="roc_auc", seed=0)
    together = evaluate("validation", target, truth, average(scores, weights)).metrics["roc_auc"]
    assert together >= max(one.exported.card.evaluations[0].metrics["roc_auc"] for one in chosen)


@pytest.mark.parametrize("memories", [(None, None), (LITTLE, LITTLE), (LITTLE, None)])
def test_materials_that_read_other_columns_are_joined_wherever_they_lie(
    tmp_path: Path, memories: tuple[int | None, int | None]
) -> None:
    channels = _channels(tmp_path, "binary")
    materials = []
    for number, memory_bytes in enumerate(memories):
        spec = _spec("xgboost", exclude_columns=[("width", "count")[number]])
        environment = build_environment(tmp_path / str(number), channels, spec, memory_bytes=memory_bytes)
        materials.append(Materials(environment, Notes(RecordingReporter())).find(spec))
    joined = join_materials(materials)
    assert {column.name for column in joined.columns} == {
        column.name for material in materials for column in material.columns
    }
    part = joined.parts[TEST]
    batches = list(part.frame.batches())
    assert sum(batch.num_rows for batch in batches) == part.num_rows == len(part.rows) == 80
    for batch in batches:
        assert {"width", "count", "色"} <= set(batch.columns)
    alone = [batch.columns["width"] for batch in materials[1].parts[TEST].frame.batches()]
    np.testing.assert_array_equal(np.concatenate([batch.columns["width"] for batch in batches]), np.concatenate(alone))


def test_hard_rows_are_of_every_sort_of_column() -> None:
    frame = Frame(
        columns={
            "number": np.ones(2, np.float32),
            "series": np.ones((2, 4), np.float32),
            "text": np.array(["a", "b"], dtype=object),
        },
        num_rows=2,
    )
    rows = make_hard_rows(frame).columns
    assert np.isnan(rows["number"]).tolist() == [True, False, False]
    assert np.isnan(rows["series"]).sum(axis=1).tolist() == [4, 2, 0]
    assert rows["text"].tolist() == ["", "", "a value that training never saw"]
    pixels = Frame(columns={"image": np.zeros((2, 3, 3, 1), np.uint8)}, num_rows=2)
    assert make_hard_rows(pixels).num_rows == 0


def test_probabilities_are_raised_to_a_power_before_they_are_averaged(tmp_path: Path) -> None:
    specs = [_spec("random_forest", hyperparameters={"num_trees": 10}), _spec("linear")]
    runner, _ = _runner(tmp_path, _channels(tmp_path, "binary"), specs[0])
    forest, linear = _run(runner, specs)
    exported, material = export_ensemble([replace(forest, power=3.0), linear])
    frame = material.parts[TEST].frame
    raised = forest.exported.scorer.answer(frame).scores.astype(np.float64) ** 3
    mean = (raised / raised.sum(axis=1, keepdims=True) + 2 * linear.exported.scorer.answer(frame).scores) / 3
    np.testing.assert_allclose(exported.scorer.answer(frame).scores, mean, atol=1e-6)
    assert exported.card.hyperparameters["trial 0"]["power"] == 3.0
    assert "power" not in exported.card.hyperparameters["trial 1"]
