"""Compress jobs on small models, from registered files to artifacts."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from aimass_core.domain.compression import Compression, CompressionMethod, CompressSpec
from aimass_core.domain.jobs import AutotrainSpec
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.domain.signatures import Card, Golden, Signature
from aimass_core.errors import InvalidRequestError
from batch_jobs import compress
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.environment import Environment
from batch_jobs.search import autotraining
from tests.unit.batch_jobs.channel_files import mixed_columns, shape_images, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, Train, build_environment

TREES = {"num_rounds": 40, "early_stopping_rounds": 40, "max_depth": 6}


def _channel(path: Path, task: str, *, num_rows: int = 400) -> dict[str, Path]:
    columns, signal = mixed_columns(num_rows)
    target: tuple[ColumnType, list[Any]] = (ColumnType.NUMBER, (signal * 10).tolist())
    if task == "binary":
        target = (ColumnType.STRING, np.where(signal > 0, "yes", "no").tolist())
    if task == "multiclass":
        target = (ColumnType.STRING, [("low", "middle", "high")[index] for index in np.digitize(signal, [-1.0, 1.0])])
    return {"train": write_channel(path / "train", columns | {"target": target}, target="target")}


def _environment(tmp_path: Path, channels: Mapping[str, Path], parent: Path, **spec: Any) -> Environment:
    base = tmp_path / "compressed"
    fields = {"kind": "compress", "parent": "tiny@1", "data": {"dataset": "tiny"}, "methods": ["trimming"]}
    return Environment(
        base_path=base,
        channels=dict(channels),
        models={"parent": parent},
        model_path=base / "model",
        output_path=base / "output",
        checkpoint_path=base / "checkpoints",
        spec=CompressSpec.model_validate(fields | spec),
        attempt=1,
        num_cpus=1,
        num_gpus=0,
        cluster=Cluster(),
        dataset="tiny",
        deadline=time.monotonic() + 300,
    )


def _table(environment: Environment) -> Compression:
    return Compression.model_validate_json((environment.output_path / "compression.json").read_bytes())


def _check_handed_over(environment: Environment) -> Card:
    """The files are those of a model, and the model answers what its golden rows say."""
    path = environment.model_path
    card = Card.model_validate_json((path / "card.json").read_bytes())
    signature = Signature.model_validate_json((path / "signature.json").read_bytes())
    golden = Golden.model_validate_json((path / "golden.json").read_bytes())
    model = (path / "model.onnx").read_bytes()
    chosen = next(each for each in _table(environment).candidates if each.is_chosen)
    assert len(model) == card.model_bytes == chosen.cost.model_bytes
    dtypes = {"FP32": np.float32, "FP64": np.float64, "BYTES": object, "UINT8": np.uint8}
    inputs = {
        spec.name: np.array(golden.inputs[spec.name], dtype=dtypes[spec.datatype.value]) for spec in signature.inputs
    }
    answers = Scorer(model, signature).run(inputs)
    np.testing.assert_allclose(answers[-1], list(golden.outputs.values())[-1], atol=golden.tolerance)
    assert card.hyperparameters["compressed_from"] == "tiny@1"
    rows = pq.read_table(environment.output_path / "validation_predictions.parquet")
    assert rows.num_rows == card.evaluations[0].num_rows
    return card


@pytest.mark.parametrize(
    ("task", "methods"),
    [
        ("multiclass", ["trimming", "optimization"]),
        pytest.param("regression", ["trimming"], marks=pytest.mark.slow),
    ],
)
def test_trees_become_fewer_bytes(tmp_path: Path, train_model: Train, task: str, methods: list[str]) -> None:
    channels = _channel(tmp_path, task)
    parent = train_model(channels, "xgboost", hyperparameters=TREES)
    environment = _environment(tmp_path, channels, parent.model_path, max_metric_drop=0.5, methods=methods)
    reporter = RecordingReporter()
    metrics = compress.run(environment, reporter)
    card, table = _check_handed_over(environment), _table(environment)
    original, chosen = table.candidates[0], next(each for each in table.candidates if each.is_chosen)
    assert (original.name, original.steps, original.metric_drop) == ("original", [], 0.0)
    assert chosen.cost.model_bytes < 0.6 * original.cost.model_bytes
    assert chosen.is_pareto
    assert chosen.missed == []
    assert metrics[card.primary_metric] == card.primary_value == pytest.approx(chosen.score.value)
    assert "searching" in reporter.phases
    page = (environment.output_path / "compression.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<svg") == 2


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["mlp", "rnn"])
def test_a_network_of_tensorflow_becomes_smaller(tmp_path: Path, train_model: Train, algorithm: str) -> None:
    if algorithm == "mlp":
        channels = _channel(tmp_path, "multiclass")
        quick = {"hidden": [64, 64], "epochs": 3}
    else:
        rng = np.random.default_rng(0)
        codes = rng.integers(0, 2, 120)
        series = (rng.normal(0, 0.3, (120, 8)) + codes[:, None]).tolist()
        columns = {"s": (ColumnType.SERIES, series), "target": (ColumnType.STRING, [f"c{code}" for code in codes])}
        channels = {"train": write_channel(tmp_path / "train", columns, target="target")}
        quick = {"hidden": 32, "epochs": 2}
    parent = train_model(channels, algorithm, framework="tensorflow", hyperparameters=quick)
    methods = ["quantization", "factorization"]
    environment = _environment(tmp_path, channels, parent.model_path, max_metric_drop=1.0, methods=methods)
    spec = environment.spec.model_copy(update={"max_model_bytes": 10**6})
    environment = replace(environment, spec=spec, deadline=time.monotonic() + 45)
    compress.run(environment, RecordingReporter())
    card = _check_handed_over(environment)
    assert card.framework == "tensorflow"
    assert card.model_bytes < parent.card.model_bytes
    assert min(each.cost.model_bytes for each in _table(environment).candidates) < parent.card.model_bytes / 2.5


@pytest.mark.slow
def test_an_ensemble_of_autotrain_becomes_smaller(tmp_path: Path) -> None:
    channels = _channel(tmp_path, "binary", num_rows=300)
    algorithms = ["xgboost", "linear", "lightgbm"]
    spec = {"kind": "autotrain", "dataset": "tiny", "max_trials": 8, "algorithms": algorithms, "seed": 1}
    study = build_environment(tmp_path / "study", channels, AutotrainSpec.model_validate(spec | {"metric": "log_loss"}))
    autotraining.run(study, RecordingReporter())
    parent = Card.model_validate_json((study.model_path / "card.json").read_bytes())
    assert parent.algorithm == "ensemble"
    environment = _environment(
        tmp_path,
        channels,
        study.model_path,
        max_metric_drop=0.05,
        max_model_bytes=round(0.6 * parent.model_bytes),
        methods=["optimization", "trimming", "quantization", "distillation"],
        data={"dataset": "tiny", "seed": 1},
    )
    environment = replace(environment, deadline=time.monotonic() + 40)
    compress.run(environment, RecordingReporter())
    _check_handed_over(environment)
    assert {step.method for each in _table(environment).candidates for step in each.steps} >= {
        CompressionMethod.TRIMMING,
        CompressionMethod.DISTILLATION,
        CompressionMethod.OPTIMIZATION,
    }


def test_a_network_becomes_smaller(tmp_path: Path, train_model: Train) -> None:
    images, labels = shape_images(160)
    columns = {"image": (ColumnType.IMAGE, images), "shape": (ColumnType.STRING, labels)}
    shape = ImageShape(height=12, width=12, channels=1)
    channels = {
        "train": write_channel(tmp_path / "train", columns, target="shape", kind=DatasetKind.IMAGES, image_shape=shape)
    }
    quick = {"channels": [16, 32], "hidden": 32, "epochs": 3, "batch_size": 32, "shift": 0}
    parent = train_model(channels, "cnn", hyperparameters=quick)
    environment = _environment(tmp_path, channels, parent.model_path, max_metric_drop=1.0, methods=["quantization"])
    compress.run(environment, RecordingReporter())
    card = _check_handed_over(environment)
    assert card.algorithm == "cnn"
    assert card.hyperparameters["channels"] == [16, 32]
    assert card.model_bytes < parent.card.model_bytes / 1.5


def test_f5_a_loss_over_budget_fails_the_job_and_leaves_the_table(tmp_path: Path, train_model: Train) -> None:
    channels = _channel(tmp_path, "regression")
    parent = train_model(channels, "xgboost", hyperparameters=TREES)
    environment = _environment(tmp_path, channels, parent.model_path, max_metric_drop=0.0, max_model_bytes=16_000)
    with pytest.raises(InvalidRequestError) as caught:
        compress.run(environment, RecordingReporter())
    table = _table(environment)
    assert all(each.missed for each in table.candidates)
    assert not any(each.is_chosen for each in table.candidates)
    assert "comes nearest" in caught.value.message
    assert "max_metric_drop = " in caught.value.message
    assert "tiny@1 stays as it is" in caught.value.message
    assert table.advice[0] in caught.value.message
    assert not environment.model_path.exists()
    assert "What to relax" in (environment.output_path / "compression.html").read_text()


def test_time_that_is_up_before_anything_is_tried_is_told(tmp_path: Path, train_model: Train) -> None:
    channels = _channel(tmp_path, "regression", num_rows=120)
    parent = train_model(channels, "xgboost", hyperparameters={"num_rounds": 5})
    environment = replace(_environment(tmp_path, channels, parent.model_path), deadline=time.monotonic())
    with pytest.raises(InvalidRequestError, match=r"Time was up before anything was made of tiny@1: .* max_seconds"):
        compress.run(environment, RecordingReporter())


def test_a_budget_of_one_byte_says_how_many_it_would_take(tmp_path: Path, train_model: Train) -> None:
    channels = _channel(tmp_path, "regression", num_rows=120)
    parent = train_model(channels, "xgboost", hyperparameters={"num_rounds": 5})
    environment = _environment(tmp_path, channels, parent.model_path, max_metric_drop=1.0, max_model_bytes=1)
    with pytest.raises(InvalidRequestError, match=r"model_bytes [\d,]+ > 1") as caught:
        compress.run(environment, RecordingReporter())
    smallest = min(each.cost.model_bytes for each in _table(environment).candidates if each.metric_drop <= 1.0)
    assert f"max_model_bytes = {smallest:,}" in caught.value.message or "comes nearest" in caught.value.message


def test_a_model_that_cannot_become_smaller_is_left_alone(tmp_path: Path, train_model: Train) -> None:
    channels = _channel(tmp_path, "regression", num_rows=120)
    parent = train_model(channels, "xgboost", hyperparameters={"num_rounds": 1, "max_depth": 1})
    environment = _environment(tmp_path, channels, parent.model_path, max_metric_drop=1.0)
    with pytest.raises(InvalidRequestError, match="tiny@1 stays as it is"):
        compress.run(environment, RecordingReporter())
    assert not environment.model_path.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": None}, "name it as `data`"),
        ({"metric": "bleu"}, "none of this data"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    tmp_path: Path, train_model: Train, change: dict[str, Any], words: str
) -> None:
    channels = _channel(tmp_path, "regression", num_rows=120)
    parent = train_model(channels, "linear")
    environment = _environment(tmp_path, channels, parent.model_path)
    environment = replace(environment, spec=environment.spec.model_copy(update=change))
    with pytest.raises(InvalidRequestError, match=words):
        compress.run(environment, RecordingReporter())


def test_too_few_rows_are_refused(tmp_path: Path, train_model: Train) -> None:
    parent = train_model(_channel(tmp_path, "regression", num_rows=120), "linear")
    few = _channel(tmp_path / "few", "regression", num_rows=20)
    environment = _environment(tmp_path, few, parent.model_path)
    with pytest.raises(InvalidRequestError, match="it takes 20"):
        compress.run(environment, RecordingReporter())


def test_categories_that_training_never_saw_are_no_obstacle(tmp_path: Path, train_model: Train) -> None:
    parent = train_model(_channel(tmp_path, "regression"), "xgboost", hyperparameters=TREES)
    columns, signal = mixed_columns(200, seed=5)
    columns["色"] = (ColumnType.STRING, ["never seen"] * 200)
    target = {"target": (ColumnType.NUMBER, (signal * 10).tolist())}
    channels = {"train": write_channel(tmp_path / "other", columns | target, target="target")}
    environment = _environment(tmp_path, channels, parent.model_path, max_metric_drop=1.0)
    compress.run(environment, RecordingReporter())
    _check_handed_over(environment)
