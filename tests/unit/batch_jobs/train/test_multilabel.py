"""Several labels a row: every algorithm that does it, from channels to artifacts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aimass_core.domain.reports import ModelReport
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.domain.signatures import Datatype, Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.metrics import evaluate
from tests.unit.batch_jobs.channel_files import Columns, encode_png, write_channel
from tests.unit.batch_jobs.conftest import Train, Trained

NETWORK = {"epochs": 15, "batch_size": 64, "learning_rate": 0.01, "class_weights": "balanced"}
QUICK: dict[str, dict[str, Any]] = {
    "xgboost": {"num_rounds": 60, "early_stopping_rounds": 10},
    "catboost": {"num_rounds": 60, "early_stopping_rounds": 10, "learning_rate": 0.2},
    "random_forest": {"num_trees": 40},
    "extra_trees": {"num_trees": 40},
    "linear": {},
    "mlp": {"hidden": [32], **NETWORK},
}
LABELS = ["l0", "l1", "l2"]
TARGET = Target(column="tags", task=Task.MULTILABEL, labels=tuple(LABELS))
X, Y = make_multilabel_classification(700, 8, n_classes=3, n_labels=1, random_state=1)


def _lists(flags: Any) -> tuple[ColumnType, list[str]]:
    return ColumnType.STRING, [json.dumps([LABELS[i] for i in np.flatnonzero(row)]) for row in flags]


def _features(rows: slice) -> dict[str, tuple[ColumnType, list[Any]]]:
    return {f"f{i}": (ColumnType.NUMBER, X[rows, i].tolist()) for i in range(X.shape[1])}


PARTS = {"train": slice(0, 400), "validation": slice(400, 500), "test": slice(500, 700)}


def _channels(path: Path) -> dict[str, Path]:
    return {
        name: write_channel(path / name, _features(rows) | {"tags": _lists(Y[rows])}, target="tags")
        for name, rows in PARTS.items()
    }


def _report(trained: Trained) -> ModelReport:
    return ModelReport.model_validate_json((trained.model_path / "report.json").read_bytes())


@pytest.mark.parametrize(
    ("algorithm", "framework"),
    [
        ("linear", None),
        ("xgboost", None),
        ("catboost", None),
        ("random_forest", None),
        ("extra_trees", None),
        ("mlp", "torch"),
        ("mlp", "tensorflow"),
    ],
)
def test_learns_a_table_and_exports_what_it_learned(
    tmp_path: Path, train_model: Train, algorithm: str, framework: str | None
) -> None:
    trained = train_model(_channels(tmp_path), algorithm, framework=framework, hyperparameters=QUICK[algorithm])
    card, signature = trained.card, trained.signature
    assert (card.task, card.primary_metric) == (Task.MULTILABEL, "roc_auc")
    assert card.export_check is not None
    assert (card.export_check.num_rows, card.export_check.num_label_differences) == (100, 0)
    assert card.export_check.max_abs_difference < 1e-5
    assert trained.metrics["roc_auc"] > 0.8
    assert trained.metrics["f1"] > 0.5
    assert signature.labels == LABELS
    outputs = {spec.name: (spec.datatype, spec.shape) for spec in signature.outputs}
    assert outputs == {"label": (Datatype.BOOL, [-1, 3]), "probabilities": (Datatype.FP32, [-1, 3])}
    inputs = {name: np.array(values, np.float32) for name, values in trained.golden.inputs.items()}
    label, probabilities = trained.session.run(["label", "probabilities"], inputs)
    assert label.tolist() == trained.golden.outputs["label"]
    np.testing.assert_allclose(probabilities, trained.golden.outputs["probabilities"], atol=trained.golden.tolerance)
    assert (label == (probabilities >= 0.5)).all()
    assert "train/log_loss" in trained.reporter.curves or "validation/log_loss" in trained.reporter.curves


def test_the_linear_model_is_scikit_learns_one_versus_rest(tmp_path: Path, train_model: Train) -> None:
    trained = train_model(_channels(tmp_path), "linear")
    peer = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(max_iter=1000)))
    scores = peer.fit(X[PARTS["train"]], Y[PARTS["train"]]).predict_proba(X[PARTS["test"]])
    found = trained.predictions("test")
    np.testing.assert_allclose(np.stack([found[f"p_{label}"] for label in LABELS], axis=1), scores, atol=2e-4)
    assert found["actual"] == [[LABELS[i] for i in np.flatnonzero(row)] for row in Y[PARTS["test"]]]
    assert found["label"] == [[LABELS[i] for i in np.flatnonzero(row >= 0.5)] for row in scores]
    wanted = evaluate("test", TARGET, Y[PARTS["test"]], scores)
    assert trained.card.evaluations[-1].metrics == pytest.approx(wanted.metrics, abs=1e-3)


def test_the_report_judges_each_label(tmp_path: Path, train_model: Train) -> None:
    trained = train_model(_channels(tmp_path), "linear")
    report = _report(trained)
    assert [(found.label, found.num_rows) for found in report.classes] == list(
        zip(LABELS, Y[PARTS["test"]].sum(axis=0).tolist(), strict=True)
    )
    assert {curve.label for curve in report.roc} == {curve.label for curve in report.precision_recall} == set(LABELS)
    assert np.mean([curve.area for curve in report.roc]) == pytest.approx(trained.metrics["roc_auc"], abs=1e-9)
    assert report.calibration is not None
    assert sum(found.num_rows for found in report.calibration.bins) == 3 * 200
    assert report.num_wrong == round(200 * (1 - trained.metrics["subset_accuracy"]))
    assert report.slices is not None
    assert report.slices.overall == pytest.approx(trained.metrics["roc_auc"], abs=1e-9)
    worst = report.examples[0]
    assert worst.actual != worst.predicted
    assert abs(worst.probabilities[0].probability - (worst.probabilities[0].label in worst.actual)) > 0.5
    assert trained.card.importances[0].mean > 0
    page = (trained.model_path / "report.html").read_text(encoding="utf-8")
    assert "multilabel classification" in page
    assert "Labels, the worst first" in page
    assert "Each label; the worst are named" in page
    assert "Confusion matrix" not in page


def test_folds_judge_every_row_once(tmp_path: Path, train_model: Train) -> None:
    channels = {"train": _channels(tmp_path)["train"]}
    trained = train_model(channels, "linear", folds=3)
    assert sorted(trained.predictions("validation")["row"]) == list(range(400))
    assert trained.metrics["roc_auc"] > 0.8
    assert "roc_auc_std" in trained.metrics


def test_columns_of_flags_and_text_are_the_same_task(tmp_path: Path, train_model: Train) -> None:
    channels = _channels(tmp_path)
    wanted = train_model({"train": channels["train"]}, "linear").metrics
    rows = PARTS["train"]
    flags = {name: (ColumnType.INTEGER, Y[rows, i].tolist()) for i, name in enumerate(LABELS)}
    columns = write_channel(tmp_path / "columns", _features(rows) | flags)
    trained = train_model({"train": columns}, "linear", run_name="columns", target=LABELS)
    assert trained.metrics == wanted
    assert (trained.signature.target, len(trained.signature.inputs)) == ("l0, l1, l2", 8)
    texts = [";".join(LABELS[i] for i in np.flatnonzero(row)) or None for row in Y[rows]]
    text = write_channel(tmp_path / "text", _features(rows) | {"tags": (ColumnType.STRING, texts)}, target="tags")
    trained = train_model({"train": text}, "linear", run_name="text", task="multilabel", label_separator=";")
    assert trained.metrics == wanted


def test_images_carry_several_labels(tmp_path: Path, train_model: Train) -> None:
    rng = np.random.default_rng(0)
    flags = rng.random((240, 2)) < 0.5
    pixels = rng.integers(0, 60, (240, 12, 12), dtype=np.uint8)
    pixels[flags[:, 0], 4] = 255
    pixels[flags[:, 1], :, 7] = 255
    names = np.array(["horizontal", "vertical"], dtype=object)
    columns: Columns = {
        "image": (ColumnType.IMAGE, [encode_png(each) for each in pixels]),
        "label": (ColumnType.STRING, [json.dumps(names[row].tolist()) for row in flags]),
    }
    shape = ImageShape(height=12, width=12, channels=1)
    channel = write_channel(tmp_path / "train", columns, target="label", kind=DatasetKind.IMAGES, image_shape=shape)
    chosen = {"channels": [8, 16], "hidden": 16, "epochs": 12, "batch_size": 32, "augmentation": "strong"}
    trained = train_model({"train": channel}, "cnn", hyperparameters=chosen)
    assert trained.metrics["roc_auc"] > 0.95
    assert trained.card.export_check is not None
    assert trained.card.export_check.max_abs_difference < 1e-4


WORDS = {"sport": ["match", "goal", "team"], "money": ["bank", "price", "market"], "art": ["museum", "film", "song"]}


@pytest.mark.parametrize(
    ("algorithm", "framework"),
    [("linear", None), pytest.param("rnn", "torch", marks=pytest.mark.slow), ("rnn", "tensorflow")],
)
def test_texts_carry_several_labels(tmp_path: Path, train_model: Train, algorithm: str, framework: str | None) -> None:
    rng = np.random.default_rng(0)
    filler = ["the", "a", "some", "of", "to", "and"]
    texts, labels = [], []
    for _ in range(300):
        own = [label for label in WORDS if rng.random() < 0.4]
        words = [str(rng.choice(WORDS[label])) for label in own] + rng.choice(filler, 6).tolist()
        texts.append(" ".join(rng.permutation(words)))
        labels.append("|".join(own))
    columns = {"text": (ColumnType.STRING, texts), "topics": (ColumnType.STRING, labels)}
    channel = write_channel(tmp_path / "train", columns, target="topics")
    quick = {"embedding": 16, "hidden": 16, "layers": 1, "bidirectional": False, "pooling": "mean", "epochs": 10}
    quick |= {"batch_size": 32, "learning_rate": 0.03, "word_dropout": 0.0}
    trained = train_model(
        {"train": channel},
        algorithm,
        framework=framework,
        task="multilabel",
        hyperparameters=quick if algorithm == "rnn" else {},
    )
    assert trained.signature.labels == sorted(WORDS)
    assert trained.metrics["f1"] > 0.8


@pytest.mark.parametrize("framework", ["torch", pytest.param("tensorflow", marks=pytest.mark.slow)])
def test_series_carry_several_labels(tmp_path: Path, train_model: Train, framework: str) -> None:
    rng = np.random.default_rng(0)
    flags = rng.random((200, 2)) < 0.5
    series = rng.normal(0, 0.3, (200, 24))
    series[flags[:, 0]] += np.linspace(-1, 1, 24)
    series[flags[:, 1]] += np.sin(np.arange(24) * 2.0)
    columns = {
        "x": (ColumnType.SERIES, series.tolist()),
        "y": (ColumnType.STRING, [json.dumps(np.array(["rise", "wave"])[row].tolist()) for row in flags]),
    }
    channel = write_channel(tmp_path / "train", columns, target="y")
    trained = train_model(
        {"train": channel},
        "fcn",
        framework=framework,
        hyperparameters={"channels": [8, 16, 8], "epochs": 15, "batch_size": 32, "learning_rate": 0.01},
    )
    assert trained.metrics["roc_auc"] > 0.95


@pytest.mark.parametrize("algorithm", ["linear", "xgboost", "catboost", "random_forest", "mlp"])
def test_a_label_that_every_row_or_hardly_any_has_spoils_no_other(
    tmp_path: Path, train_model: Train, algorithm: str
) -> None:
    rows = PARTS["train"]
    lists = [[*json.loads(cell), "always"] for cell in _lists(Y[rows])[1]]
    lists[7].append("once")
    tags = ColumnType.STRING, [json.dumps(each) for each in lists]
    channel = write_channel(tmp_path / "train", _features(rows) | {"tags": tags}, target="tags")
    chosen = {name: value for name, value in QUICK[algorithm].items() if name != "class_weights"}
    trained = train_model({"train": channel}, algorithm, hyperparameters=chosen)
    assert trained.signature.labels == ["always", *LABELS, "once"]
    found = trained.predictions("validation")
    assert min(found["p_always"]) > 0.9
    assert max(found["p_once"]) < 0.3
    assert any("every row has the label 'always'" in text for text in trained.card.warnings)
    assert trained.metrics["roc_auc"] > 0.75


def test_a_thousand_labels_are_learned_and_reported_in_bounds(tmp_path: Path, train_model: Train) -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(1000, 4))
    scores = signal @ rng.normal(size=(4, 1000)) + rng.normal(0, 0.5, (1000, 1000))
    order = np.argsort(-scores, axis=1)[:, :3]
    tags = ColumnType.STRING, [json.dumps([f"t{i}" for i in row]) for row in [*order.tolist()]]
    for row in range(1000):
        tags[1][row] = json.dumps([*json.loads(tags[1][row]), f"t{row}"])
    columns = {f"f{i}": (ColumnType.NUMBER, signal[:, i].tolist()) for i in range(4)}
    channel = write_channel(tmp_path / "train", columns | {"tags": tags}, target="tags")
    trained = train_model({"train": channel}, "mlp", hyperparameters={"hidden": [16], "epochs": 2, "batch_size": 128})
    assert len(trained.signature.labels or []) == 1000
    assert len(_report(trained).roc) == 100
    assert (trained.model_path / "report.html").stat().st_size < 3_000_000
    with pytest.raises(InvalidRequestError, match="for 1,000 labels would hold"):
        train_model({"train": channel}, "random_forest", run_name="forest", hyperparameters={"min_samples_leaf": 1})


def test_what_an_algorithm_or_a_recipe_cannot_do_is_refused(tmp_path: Path, train_model: Train) -> None:
    channels = _channels(tmp_path)
    with pytest.raises(InvalidRequestError, match="lightgbm does not do multilabel"):
        train_model(channels, "lightgbm")
    features = {"columns": {"f0": {"impute": "mean"}}, "select": {"method": "l1"}, "default": "auto"}
    with pytest.raises(InvalidRequestError, match="default: auto, select: l1 look at one target"):
        train_model(channels, "linear", features=features)
    assert train_model(channels, "linear", features={"columns": {"f0": {"scale": "robust"}}}).metrics["roc_auc"] > 0.8
    with pytest.raises(InvalidDataError, match="no target column 'absent'"):
        train_model(channels, "linear", target="absent", task="multilabel")
