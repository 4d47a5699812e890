"""Every algorithm with every task it fits, from channels to artifacts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.reports import ModelReport
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.errors import InvalidDataError, InvalidRequestError
from tests.unit.batch_jobs.channel_files import Columns, mixed_columns, shape_images, write_channel
from tests.unit.batch_jobs.conftest import Train, Trained

QUICK: dict[str, dict[str, Any]] = {
    "xgboost": {"num_rounds": 60, "early_stopping_rounds": 10},
    "lightgbm": {"num_rounds": 60, "early_stopping_rounds": 10, "learning_rate": 0.1, "min_child_samples": 5},
    "catboost": {"num_rounds": 60, "early_stopping_rounds": 10},
    "random_forest": {"num_trees": 40},
    "extra_trees": {"num_trees": 40},
    "linear": {},
    "mlp": {"hidden": [32], "epochs": 12, "batch_size": 64, "learning_rate": 0.01},
    "cnn": {"channels": [8, 16], "hidden": 16, "epochs": 6, "batch_size": 32, "shift": 1},
}
NUM_ROWS = 400


def _target(signal: Any, task: str) -> tuple[ColumnType, list[Any]]:
    if task == "regression":
        return ColumnType.NUMBER, (signal * 1000 + 50_000).tolist()
    edges = [0.0] if task == "binary" else [-1.0, 1.0]
    names = ["no", "yes"] if task == "binary" else ["low", "middle", "high"]
    return ColumnType.STRING, [names[index] for index in np.digitize(signal, edges)]


def _channels(path: Path, task: str) -> dict[str, Path]:
    channels = {}
    for seed, name in enumerate(("train", "test")):
        columns, signal = mixed_columns(NUM_ROWS if name == "train" else 80, seed=seed)
        channels[name] = write_channel(path / name, columns | {"target": _target(signal, task)}, target="target")
    return channels


def _run_golden(trained: Trained) -> dict[str, Any]:
    """The golden rows through the graph, as an endpoint reads them from the file."""
    inputs = {}
    for spec in trained.signature.inputs:
        values = trained.golden.inputs[spec.name]
        dtype = {"FP32": np.float32, "FP64": np.float64, "BYTES": object, "UINT8": np.uint8}[spec.datatype]
        inputs[spec.name] = np.array(values, dtype=dtype)
    names = [output.name for output in trained.signature.outputs]
    return dict(zip(names, trained.session.run(names, inputs), strict=True))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize(
    ("algorithm", "framework"),
    [
        ("xgboost", None),
        ("lightgbm", None),
        ("catboost", None),
        ("random_forest", None),
        ("extra_trees", None),
        ("linear", None),
        ("mlp", "torch"),
        ("mlp", "tensorflow"),
    ],
)
def test_learns_a_table_and_exports_what_it_learned(
    tmp_path: Path, train_model: Train, algorithm: str, framework: str | None, task: str
) -> None:
    trained = train_model(_channels(tmp_path, task), algorithm, framework=framework, hyperparameters=QUICK[algorithm])
    card = trained.card
    assert card.task == task
    assert card.export_check.num_rows == NUM_ROWS * 0.2 or task != "regression"
    assert card.export_check.max_abs_difference < 1e-5
    assert card.export_check.num_label_differences == 0
    assert card.latency_ms > 0
    assert [evaluation.channel for evaluation in card.evaluations] == ["validation", "test"]
    assert trained.metrics["test/" + card.primary_metric] == trained.metrics[card.primary_metric] == card.primary_value
    if task == "regression":
        assert trained.metrics["r2"] > 0.5
    else:
        assert trained.metrics["roc_auc"] > 0.8
    assert card.importances[0].column in {"länge (cm)", "色"}
    first = card.importances[0]
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.mean < first.high
    report = ModelReport.model_validate_json((trained.model_path / "report.json").read_bytes())
    assert (report.channel, report.num_rows) == ("test", card.evaluations[-1].num_rows)
    assert report.slices
    assert report.slices.overall == pytest.approx(card.primary_value, abs=1e-9)
    outputs = _run_golden(trained)
    for name, expected in trained.golden.outputs.items():
        if name == "label":
            assert outputs[name].tolist() == expected
        else:
            np.testing.assert_allclose(outputs[name], expected, atol=trained.golden.tolerance)


def test_golden_rows_hold_a_missing_row_and_an_unseen_category(tmp_path: Path, train_model: Train) -> None:
    trained = train_model(_channels(tmp_path, "binary"), "linear")
    inputs = trained.golden.inputs
    assert inputs["länge (cm)"][-2] == [None]
    assert inputs["色"][-2] == [""]
    known = trained.signature.inputs[[spec.column for spec in trained.signature.inputs].index("色")].categories
    assert known is not None
    assert inputs["色"][-1][0] not in known


def test_a_column_named_like_an_output_keeps_its_values_under_another_input(tmp_path: Path, train_model: Train) -> None:
    signature = train_model(_channels(tmp_path, "binary"), "linear").signature
    inputs = {spec.column: spec.name for spec in signature.inputs}
    assert inputs["label"] == "column label"
    assert inputs["色"] == "色"


def test_one_row_and_many_rows_get_the_same_answers(tmp_path: Path, train_model: Train) -> None:
    trained = train_model(_channels(tmp_path, "multiclass"), "mlp", hyperparameters=QUICK["mlp"] | {"epochs": 2})
    whole = _run_golden(trained)
    inputs = {
        spec.name: np.array(
            trained.golden.inputs[spec.name][:1],
            dtype={"FP32": np.float32, "FP64": np.float64, "BYTES": object}[spec.datatype],
        )
        for spec in trained.signature.inputs
    }
    (alone,) = trained.session.run(["probabilities"], inputs)
    np.testing.assert_allclose(alone[0], whole["probabilities"][0], atol=1e-6)


@pytest.mark.parametrize("algorithm", ["xgboost", "lightgbm", "catboost", "random_forest", "extra_trees", "mlp"])
def test_the_same_seed_gives_the_same_model(tmp_path: Path, train_model: Train, algorithm: str) -> None:
    channels = _channels(tmp_path, "binary")
    quick = QUICK[algorithm] | ({"epochs": 2} if algorithm == "mlp" else {})
    first = train_model(channels, algorithm, hyperparameters=quick, seed=7, run_name="first")
    second = train_model(channels, algorithm, hyperparameters=quick, seed=7, run_name="second")
    assert first.metrics == second.metrics
    assert first.model == second.model


def test_folds_judge_every_row_by_a_model_that_had_not_seen_it(tmp_path: Path, train_model: Train) -> None:
    channels = {"train": _channels(tmp_path, "binary")["train"]}
    trained = train_model(channels, "xgboost", hyperparameters=QUICK["xgboost"], folds=3)
    assert trained.predictions("validation")["row"] == list(range(NUM_ROWS))
    assert trained.card.num_train_rows == NUM_ROWS
    assert 0 < trained.metrics["roc_auc_std"] < 0.2
    assert trained.metrics["roc_auc"] > 0.8
    assert trained.card.export_check.num_rows == NUM_ROWS


def test_a_validation_channel_replaces_the_hold_out(tmp_path: Path, train_model: Train) -> None:
    channels = _channels(tmp_path, "binary")
    trained = train_model(
        {"train": channels["train"], "validation": channels["test"]}, "xgboost", hyperparameters=QUICK["xgboost"]
    )
    assert trained.card.num_train_rows == NUM_ROWS
    assert trained.card.evaluations[0].num_rows == 80


def test_folds_and_a_validation_channel_exclude_each_other(tmp_path: Path, train_model: Train) -> None:
    channels = _channels(tmp_path, "binary")
    with pytest.raises(InvalidRequestError, match="exclude each other"):
        train_model({"train": channels["train"], "validation": channels["test"]}, "linear", folds=3)


def test_predictions_of_the_test_channel_are_those_of_the_graph(tmp_path: Path, train_model: Train) -> None:
    trained = train_model(_channels(tmp_path, "multiclass"), "xgboost", hyperparameters=QUICK["xgboost"])
    table = trained.predictions("test")
    assert list(table) == ["row", "actual", "label", "p_high", "p_low", "p_middle"]
    assert table["row"] == list(range(80))
    scores = np.array([table["p_high"], table["p_low"], table["p_middle"]]).T
    assert [("high", "low", "middle")[best] for best in scores.argmax(axis=1)] == table["label"]
    assert np.mean(np.array(table["label"]) == np.array(table["actual"])) == pytest.approx(trained.metrics["accuracy"])


@pytest.mark.parametrize(
    ("algorithm", "column_type"),
    [
        ("xgboost", ColumnType.NUMBER),
        ("xgboost", ColumnType.STRING),
        ("lightgbm", ColumnType.NUMBER),
        ("lightgbm", ColumnType.STRING),
        ("catboost", ColumnType.NUMBER),
        ("catboost", ColumnType.STRING),
        ("random_forest", ColumnType.STRING),
        ("linear", ColumnType.STRING),
        ("linear", ColumnType.DATETIME),
        ("mlp", ColumnType.STRING),
    ],
)
def test_a_single_feature_of_any_type_is_enough(
    tmp_path: Path, train_model: Train, algorithm: str, column_type: ColumnType
) -> None:
    columns, _ = mixed_columns(120)
    name = next(name for name, (kind, _) in columns.items() if kind is column_type)
    labels = ["a" if value is None or len(str(value)) % 2 else "b" for value in columns[name][1]]
    labels[:4] = ["a", "b", "a", "b"]
    path = write_channel(tmp_path / "data", {name: columns[name], "y": (ColumnType.STRING, labels)}, target="y")
    quick = QUICK[algorithm] | ({"epochs": 1} if algorithm == "mlp" else {})
    trained = train_model({"train": path}, algorithm, hyperparameters=quick)
    assert [spec.column for spec in trained.signature.inputs] == [name]


def _image_channel(path: Path, num_rows: int, **options: Any) -> Path:
    images, labels = shape_images(num_rows, **options)
    size = options.get("size", 12)
    columns: Columns = {"image": (ColumnType.IMAGE, images), "label": (ColumnType.STRING, labels)}
    shape = ImageShape(height=size, width=size, channels=1)
    return write_channel(path, columns, target="label", kind=DatasetKind.IMAGES, image_shape=shape)


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_learns_images_and_exports_from_pixels(tmp_path: Path, train_model: Train, framework: str) -> None:
    channels = {"train": _image_channel(tmp_path / "train", 300), "test": _image_channel(tmp_path / "test", 60, seed=1)}
    trained = train_model(channels, "cnn", framework=framework, hyperparameters=QUICK["cnn"])
    assert trained.metrics["accuracy"] > 0.9
    (spec,) = trained.signature.inputs
    assert (spec.name, spec.datatype, spec.shape) == ("image", "UINT8", [-1, 12, 12, 1])
    outputs = _run_golden(trained)
    np.testing.assert_allclose(outputs["probabilities"], trained.golden.outputs["probabilities"], atol=1e-4)
    assert outputs["label"].tolist() == trained.golden.outputs["label"]


def test_a_column_called_split_divides_an_image_set(tmp_path: Path, train_model: Train) -> None:
    images, labels = shape_images(120)
    columns: Columns = {
        "image": (ColumnType.IMAGE, images),
        "label": (ColumnType.STRING, labels),
        "split": (ColumnType.STRING, ["test" if row % 3 == 0 else "train" for row in range(120)]),
    }
    path = write_channel(tmp_path / "data", columns, target="label", kind=DatasetKind.IMAGES)
    trained = train_model({"train": path}, "cnn", hyperparameters=QUICK["cnn"] | {"epochs": 1, "image_size": 8})
    assert trained.predictions("test")["row"] == list(range(0, 120, 3))
    assert trained.signature.inputs[0].shape == [-1, 8, 8, 1]
    assert any("80 rows are trained on, 40 are the test" in text for text in trained.reporter.messages)


def test_an_algorithm_for_tables_refuses_images(tmp_path: Path, train_model: Train) -> None:
    with pytest.raises(InvalidRequestError, match="choose one of cnn"):
        train_model({"train": _image_channel(tmp_path / "train", 20)}, "xgboost")


RECIPES: dict[str, Any] = {
    "columns": {
        "länge (cm)": {"impute": "median", "indicator": True, "transform": "quantile_normal", "scale": "standard"},
        "width": {"transform": "yeo_johnson"},
        "count": {"impute": "most_frequent", "scale": "minmax"},
        "色": {"encode": ["target", "one_hot", "frequency", "code"]},
        "label": {"parts": ["month", "weekday", "days"]},
    },
    "crosses": [{"columns": ["色", "is_new"], "encode": ["target", "code"]}],
    "ratios": [["länge (cm)", "width"]],
    "polynomial": {"columns": ["width", "count"], "degree": 2},
}


# What the features become is the same for each algorithm and task.
_WITH_RECIPES = {
    ("xgboost", "binary"),
    ("lightgbm", "multiclass"),
    ("random_forest", "regression"),
    ("linear", "multiclass"),
    ("mlp", "regression"),
}


@pytest.mark.parametrize(
    ("algorithm", "task"),
    [
        pytest.param(algorithm, task, marks=() if (algorithm, task) in _WITH_RECIPES else (pytest.mark.slow,))
        for algorithm in ("xgboost", "lightgbm", "random_forest", "linear", "mlp")
        for task in ("binary", "multiclass", "regression")
    ],
)
def test_recipes_end_in_the_graph(tmp_path: Path, train_model: Train, algorithm: str, task: str) -> None:
    trained = train_model(_channels(tmp_path, task), algorithm, hyperparameters=QUICK[algorithm], features=RECIPES)
    assert trained.card.export_check.max_abs_difference < 1e-5
    assert trained.card.features is not None
    assert trained.card.features["columns"]["width"] == {"transform": "yeo_johnson"}
    assert trained.metrics["r2"] > 0.5 if task == "regression" else trained.metrics["roc_auc"] > 0.8
    outputs = _run_golden(trained)
    name = "value" if task == "regression" else "probabilities"
    np.testing.assert_allclose(outputs[name], trained.golden.outputs[name], atol=trained.golden.tolerance)


def test_recipes_and_selection_are_fitted_in_every_fold_anew(tmp_path: Path, train_model: Train) -> None:
    channels = {"train": _channels(tmp_path, "binary")["train"]}
    features = RECIPES | {"select": {"method": "mutual_information", "keep": 5}}
    trained = train_model(channels, "lightgbm", hyperparameters=QUICK["lightgbm"], folds=3, features=features)
    assert trained.card.export_check.num_rows == NUM_ROWS
    assert sum("keeps 5 of" in text for text in trained.card.warnings) >= 1


def test_a_column_that_no_feature_needs_is_no_input(tmp_path: Path, train_model: Train) -> None:
    features = {"columns": {"width": {"drop": True}, "色": {"drop": True}}}
    trained = train_model(_channels(tmp_path, "binary"), "linear", features=features)
    assert {spec.column for spec in trained.signature.inputs} == {"länge (cm)", "count", "is_new", "label"}


def _ratio_channel(path: Path, *, has_signal: bool) -> Path:
    rng = np.random.default_rng(0)
    first, second, third = rng.uniform(1, 10, (3, 1500))
    signal = first / second - 1 if has_signal else rng.normal(size=1500)
    labels = np.where(signal + rng.normal(size=1500) * 0.1 > 0, "yes", "no").tolist()
    columns: Columns = {
        name: (ColumnType.NUMBER, values.tolist()) for name, values in (("a", first), ("b", second), ("c", third))
    }
    return write_channel(path, {**columns, "y": (ColumnType.STRING, labels)}, target="y")


@pytest.mark.parametrize("algorithm", ["lightgbm", "linear"])
def test_auto_finds_what_helps_and_says_so(tmp_path: Path, train_model: Train, algorithm: str) -> None:
    channels = {"train": _ratio_channel(tmp_path / "data", has_signal=True)}
    quick = {"num_rounds": 60} if algorithm == "lightgbm" else {}
    plain = train_model(channels, algorithm, hyperparameters=quick, run_name="plain")
    auto = train_model(channels, algorithm, hyperparameters=quick, run_name="auto", features={"default": "auto"})
    assert auto.metrics["roc_auc"] > plain.metrics["roc_auc"]
    assert auto.card.features is not None
    assert ["a", "b"] in auto.card.features["ratios"] or ["b", "a"] in auto.card.features["ratios"]
    assert any("ratios of numbers: loss -" in text and "kept" in text for text in auto.card.warnings)
    assert any("are kept; on validation data" in text for text in auto.card.warnings)
    again = train_model(channels, algorithm, hyperparameters=quick, run_name="again", features=auto.card.features)
    assert again.metrics == auto.metrics


def test_auto_never_makes_the_validation_score_worse(tmp_path: Path, train_model: Train) -> None:
    channels = {"train": _ratio_channel(tmp_path / "data", has_signal=False)}
    plain = train_model(channels, "lightgbm", hyperparameters=QUICK["lightgbm"], run_name="plain")
    auto = train_model(
        channels, "lightgbm", hyperparameters=QUICK["lightgbm"], run_name="auto", features={"default": "auto"}
    )
    assert auto.metrics["roc_auc"] >= plain.metrics["roc_auc"]
    assert auto.card.features is None
    assert any("auto found nothing" in text or "are not kept" in text for text in auto.card.warnings)


def test_features_are_for_tables(tmp_path: Path, train_model: Train) -> None:
    channels = {"train": _image_channel(tmp_path / "train", 20)}
    with pytest.raises(InvalidRequestError, match="learns from images"):
        train_model(channels, "cnn", features={"default": "auto"})


def test_a_recipe_for_a_column_that_is_not_there_is_refused_before_training(tmp_path: Path, train_model: Train) -> None:
    with pytest.raises(InvalidDataError, match="did you mean 'width'"):
        train_model(_channels(tmp_path, "binary"), "linear", features={"columns": {"widht": {"scale": "standard"}}})
