"""Jobs that augment their data or add rows to rare classes, from channels to the report."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.reports import ModelReport
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidDataError, InvalidRequestError
from tests.unit.batch_jobs.channel_files import Columns, mixed_columns, write_channel
from tests.unit.batch_jobs.conftest import Train, Trained
from tests.unit.batch_jobs.train.test_series import waves

QUICK: dict[str, dict[str, Any]] = {
    "fcn": {"channels": [8, 8], "kernels": [5, 3], "epochs": 12, "learning_rate": 0.01},
    "rnn": {"hidden": 16, "embedding": 16, "epochs": 12, "batch_size": 16, "learning_rate": 0.02},
    "mlp": {"hidden": [32], "epochs": 12, "batch_size": 64, "learning_rate": 0.01},
    "nlinear": {"epochs": 15},
    "xgboost": {"num_rounds": 40},
    "lightgbm": {"num_rounds": 40, "min_child_samples": 5},
    "random_forest": {"num_trees": 40},
    "linear": {},
}
STRENGTHS = [{"name": "jitter"}, {"name": "magnitude_warp"}, {"name": "time_warp"}, {"name": "cutout"}]


def _report(trained: Trained) -> ModelReport:
    return ModelReport.model_validate_json((trained.model_path / "report.json").read_bytes())


def _page(trained: Trained) -> str:
    return (trained.model_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("algorithm", ["fcn", pytest.param("rnn", marks=pytest.mark.slow)])
def test_series_are_learned_from_what_is_made_of_them(tmp_path: Path, train_model: Train, algorithm: str) -> None:
    channels = {"train": write_channel(tmp_path / "train", waves(160), target="class")}
    chosen = QUICK[algorithm] | {"augmentation": STRENGTHS}
    trained = train_model(channels, algorithm, hyperparameters=chosen)
    assert trained.metrics["accuracy"] > 0.85
    assert trained.card.export_check.max_abs_difference < 1e-5
    augmented = _report(trained).augmented
    assert augmented is not None
    assert [name.partition(" ")[0] for name in augmented.steps] == [step["name"] for step in STRENGTHS]
    assert (augmented.picture or "").startswith("data:image/")
    assert augmented.picture in _page(trained)
    plain = train_model(channels, algorithm, hyperparameters=QUICK[algorithm], run_name="plain")
    assert plain.model != trained.model
    assert _report(plain).augmented is None


def _texts(num_rows: int) -> Columns:
    rng = np.random.default_rng(0)
    words = np.array(["tree", "house", "river", "road", "<b>cloud</b>"])
    signs = np.array(["good", "bad"])
    labels = [str(signs[row % 2]) for row in range(num_rows)]
    texts = [" ".join([*rng.choice(words, 6), label, *rng.choice(words, int(rng.integers(1, 9)))]) for label in labels]
    return {"text": (ColumnType.STRING, texts), "mood": (ColumnType.STRING, labels)}


def test_texts_are_learned_from_what_is_made_of_them(tmp_path: Path, train_model: Train) -> None:
    channels = {"train": write_channel(tmp_path / "train", _texts(160), target="mood")}
    trained = train_model(channels, "rnn", hyperparameters=QUICK["rnn"] | {"augmentation": "strong"})
    assert trained.metrics["accuracy"] > 0.9
    augmented = _report(trained).augmented
    assert augmented is not None
    assert augmented.steps[-1] == "unknown (part 0.1)"
    for row in augmented.rows:
        before = row.before.split()
        for after in row.after:
            assert set(after.split()) <= {*before, "(unknown)"}
            assert 1 <= len(after.split()) <= len(before)
    assert any(after != row.before for row in augmented.rows for after in row.after)
    assert "<b>cloud" not in _page(trained)
    assert "&lt;b&gt;cloud&lt;" in _page(trained)


def _table(num_rows: int = 400, *, share: float = 0.5, seed: int = 0) -> Columns:
    columns, signal = mixed_columns(num_rows, seed=seed)
    edge = np.quantile(signal, 1 - share)
    return columns | {"target": (ColumnType.STRING, ["yes" if value > edge else "no" for value in signal])}


def test_tables_are_learned_from_what_is_made_of_them(tmp_path: Path, train_model: Train) -> None:
    channels = {"train": write_channel(tmp_path / "train", _table(), target="target")}
    trained = train_model(channels, "mlp", hyperparameters=QUICK["mlp"] | {"augmentation": "strong"})
    assert trained.metrics["roc_auc"] > 0.8
    augmented = _report(trained).augmented
    assert augmented is not None
    assert len(augmented.rows) == 8
    assert augmented.picture is None
    assert all(word in augmented.rows[0].before for word in ("länge (cm) ", "label (year) ", "色 "))
    assert any(colour in row.before for row in augmented.rows for colour in ("red", "green", "blue"))
    features = {"columns": {"width": {"transform": "quantile_normal"}}}
    trained = train_model(
        channels,
        "mlp",
        hyperparameters=QUICK["mlp"] | {"augmentation": "light"},
        features=features,
        folds=2,
        run_name="recipes",
    )
    assert (_report(trained).augmented or augmented).steps == ["noise (deviation 0.05; probability 1)"]


def test_a_forecast_is_learned_from_noisy_windows(tmp_path: Path, train_model: Train) -> None:
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(400) / 3) * 10 + 300 + rng.normal(0, 0.5, 400)
    values[::17] = np.nan
    columns: Columns = {"load": (ColumnType.NUMBER, [None if np.isnan(value) else value for value in values.tolist()])}
    channels = {"train": write_channel(tmp_path / "train", columns, target="load")}
    chosen = QUICK["nlinear"] | {"augmentation": "strong"}
    trained = train_model(channels, "nlinear", hyperparameters=chosen, horizon=3, window=24)
    assert trained.metrics["rmse"] < 3
    augmented = _report(trained).augmented
    assert augmented is not None
    assert augmented.picture


@pytest.mark.parametrize(
    "algorithm",
    [
        "xgboost",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("lightgbm", "random_forest")),
        "linear",
        "mlp",
    ],
)
def test_a_rare_class_is_predicted_more_where_rows_were_added_to_it(
    tmp_path: Path, train_model: Train, algorithm: str
) -> None:
    channels = {
        "train": write_channel(tmp_path / "train", _table(share=0.06), target="target"),
        "validation": write_channel(tmp_path / "validation", _table(share=0.06, seed=1), target="target"),
    }
    plain = train_model(channels, algorithm, hyperparameters=QUICK[algorithm], run_name="plain")
    trained = train_model(channels, algorithm, hyperparameters=QUICK[algorithm], resample="smote")
    before, after = (np.array(found.predictions("validation")["p_yes"]) for found in (plain, trained))
    assert after.mean() > 1.3 * before.mean()
    assert trained.metrics["roc_auc"] > 0.75
    assert trained.card.num_train_rows == 400
    assert trained.card.evaluations[0].num_rows == 400
    assert trained.card.versions["imbalanced-learn"]
    assert "imbalanced-learn" not in plain.card.versions
    assert [tuple(found.model_dump().values()) for found in _report(trained).resampled] == [
        ("yes", 24, 352),
        ("no", 376, 0),
    ]
    assert "Rows added to rare classes" in _page(trained)
    assert _report(plain).resampled == []
    assert "352 rows were added to 400" in " ".join(trained.reporter.messages)


def test_rows_are_added_within_each_fold_and_never_judged(tmp_path: Path, train_model: Train) -> None:
    channels = {"train": write_channel(tmp_path / "train", _table(share=0.1), target="target")}
    runs = [
        train_model(channels, "linear", resample="smote", folds=4, run_name=name, seed=3) for name in ("one", "two")
    ]
    trained = runs[0]
    assert trained.predictions("validation")["row"] == list(range(400))
    assert [found for found in trained.reporter.messages if "rows were added" in found] == [
        "resample: 240 rows were added to 300, so that classes are alike in number",
        "resample: 320 rows were added to 400, so that classes are alike in number",
    ]
    assert trained.card.num_train_rows == 400
    assert runs[0].model == runs[1].model


def _labelled(labels: list[str]) -> Columns:
    columns, _ = mixed_columns(len(labels))
    return columns | {"target": (ColumnType.STRING, labels)}


def test_a_class_of_one_row_stays_alone_and_is_refused_where_there_is_no_other(
    tmp_path: Path, train_model: Train
) -> None:
    names = ["no", "yes", "who"] * 10
    validation = write_channel(tmp_path / "validation", _labelled(names), target="target")
    some = write_channel(tmp_path / "some", _labelled([*["no"] * 50, *["yes"] * 9, "who"]), target="target")
    trained = train_model({"train": some, "validation": validation}, "linear", resample="smote")
    assert "'who' has a single training row and stays so" in " ".join(trained.reporter.messages)
    assert {found.label: found.num_added for found in _report(trained).resampled} == {"no": 0, "who": 0, "yes": 41}
    none = write_channel(tmp_path / "none", _labelled([*["no"] * 50, *["may"] * 50, "yes", "who"]), target="target")
    with pytest.raises(InvalidDataError, match=r"but the most frequent has a single training row \('who', 'yes'\)"):
        train_model({"train": none, "validation": validation}, "linear", resample="smote", run_name="none")


def test_rows_of_what_is_no_table_or_has_no_classes_are_not_made(tmp_path: Path, train_model: Train) -> None:
    texts = {"train": write_channel(tmp_path / "texts", _texts(60), target="mood")}
    with pytest.raises(InvalidRequestError, match="rows of tables, and these are text"):
        train_model(texts, "linear", resample="smote", run_name="texts")
    columns, signal = mixed_columns(80)
    numbers = columns | {"target": (ColumnType.NUMBER, signal.tolist())}
    channels = {"train": write_channel(tmp_path / "numbers", numbers, target="target")}
    with pytest.raises(InvalidRequestError, match="a choice of one class, and this task is regression"):
        train_model(channels, "linear", resample="smote", run_name="numbers")


def test_a_container_holds_a_job_against_what_its_framework_lacks(tmp_path: Path, train_model: Train) -> None:
    channels = {"train": write_channel(tmp_path / "train", _table(60), target="target")}
    with pytest.raises(InvalidRequestError, match="augmentation in torch alone, not in tensorflow"):
        train_model(channels, "mlp", framework="tensorflow", hyperparameters={"augmentation": "light"})


def test_a_step_for_series_is_refused_where_the_data_are_texts(tmp_path: Path, train_model: Train) -> None:
    channels = {"train": write_channel(tmp_path / "train", _texts(60), target="mood")}
    with pytest.raises(InvalidRequestError, match="texts, and the step 'jitter'"):
        train_model(channels, "rnn", hyperparameters={"augmentation": [{"name": "jitter"}]})
