"""Data that does not fit into the job's memory."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aimass_core.domain.compute import Compute
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.data.channels import divide_by_split_column, read_channel
from batch_jobs.data.maps import write_map
from batch_jobs.data.sizes import decoded_bytes
from batch_jobs.data.stored import MAX_SAMPLE_ROWS, open_channel
from batch_jobs.runtime import interruption
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.interruption import Interrupted
from batch_jobs.runtime.resources import count_memory_bytes
from tests.unit.batch_jobs.channel_files import mixed_columns, shape_images, write_channel
from tests.unit.batch_jobs.conftest import Train
from tests.unit.batch_jobs.train.test_resumption import InterruptingReporter

LITTLE = 64 * 1024
QUICK: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [16], "epochs": 3, "batch_size": 32},
    "xgboost": {"num_rounds": 20, "early_stopping_rounds": 20},
    "lightgbm": {"num_rounds": 20, "early_stopping_rounds": 20, "min_child_samples": 5},
}


def _channels(path: Path, *, task: str = "binary", group_rows: int = 64) -> dict[str, Path]:
    channels = {}
    for seed, name in enumerate(("train", "test")):
        columns, signal = mixed_columns(500, seed=seed)
        target = (ColumnType.NUMBER, signal.tolist())
        if task == "binary":
            target = ColumnType.STRING, [None if row == 3 else "yes" if x > 0 else "no" for row, x in enumerate(signal)]
        channels[name] = write_channel(path / name, columns | {"target": target}, target="target")
        _regroup(channels[name] / "00000.parquet", group_rows)
    return channels


def _regroup(file: Path, num_rows: int) -> None:
    pq.write_table(pq.read_table(file), file, row_group_size=num_rows)


@pytest.mark.parametrize(
    ("task", "refit"),
    [pytest.param("binary", False, marks=pytest.mark.slow), ("regression", False), ("binary", True)],
)
@pytest.mark.parametrize("algorithm", list(QUICK))
def test_it_is_read_from_disk_and_gives_the_model_of_memory(
    tmp_path: Path, train_model: Train, algorithm: str, task: str, refit: bool
) -> None:
    channels, spec = _channels(tmp_path, task=task), {"hyperparameters": QUICK[algorithm], "refit": refit}
    expected = train_model(channels, algorithm, run_name="memory", **spec)
    found = train_model(channels, algorithm, run_name="disk", memory_bytes=LITTLE, **spec)
    assert any("is read from disk" in warning for warning in found.card.warnings)
    assert not any("is read from disk" in warning for warning in expected.card.warnings)
    assert found.metrics == pytest.approx(expected.metrics, rel=1e-6)
    for channel in ("validation", "test"):
        assert found.predictions(channel)["row"] == expected.predictions(channel)["row"]
    assert found.card.export_check.num_rows == expected.card.export_check.num_rows
    assert found.model == expected.model


def test_images_are_read_from_disk_too(tmp_path: Path, train_model: Train) -> None:
    pixels, labels = shape_images(120)
    labelled = {"image": (ColumnType.IMAGE, pixels), "label": (ColumnType.STRING, labels)}
    shape = ImageShape(height=12, width=12, channels=1)
    path = write_channel(tmp_path / "train", labelled, target="label", kind=DatasetKind.IMAGES, image_shape=shape)
    _regroup(path / "00000.parquet", 50)
    chosen = {"channels": [8], "hidden": 8, "epochs": 2, "batch_size": 16}
    expected = train_model({"train": path}, "cnn", hyperparameters=chosen, run_name="memory")
    found = train_model({"train": path}, "cnn", hyperparameters=chosen, run_name="disk", memory_bytes=LITTLE)
    assert any("is read from disk" in warning for warning in found.card.warnings)
    assert found.metrics == pytest.approx(expected.metrics, rel=1e-6)


def test_recipes_are_fitted_on_the_sample(tmp_path: Path, train_model: Train) -> None:
    features = {"columns": {"色": {"encode": ["target", "one_hot"]}, "width": {"scale": "standard"}}}
    channels = _channels(tmp_path)
    spec = {"hyperparameters": QUICK["xgboost"], "features": features}
    expected = train_model(channels, "xgboost", run_name="memory", **spec)
    found = train_model(channels, "xgboost", run_name="disk", memory_bytes=LITTLE, **spec)
    assert found.metrics == pytest.approx(expected.metrics, rel=1e-6)


@pytest.mark.parametrize("algorithm", ["mlp", "xgboost"])
def test_d15_an_interrupted_job_ends_with_the_model_of_an_undisturbed_one(
    tmp_path: Path, train_model: Train, algorithm: str
) -> None:
    chosen = QUICK[algorithm] | ({"epochs": 8} if algorithm == "mlp" else {"num_rounds": 40})
    spec = {"hyperparameters": chosen, "memory_bytes": LITTLE}
    channels = _channels(tmp_path)
    expected = train_model(channels, algorithm, run_name="undisturbed", **spec)
    interruption.listen()
    with pytest.raises(Interrupted):
        train_model(channels, algorithm, run_name="disturbed", reporter=InterruptingReporter(), **spec)
    interruption.listen()
    resumed = train_model(channels, algorithm, run_name="disturbed", **spec)
    assert any("goes on from a checkpoint" in warning for warning in resumed.card.warnings)
    assert resumed.model == expected.model
    assert resumed.metrics == expected.metrics


@pytest.mark.parametrize(
    ("algorithm", "spec", "reason"),
    [
        ("linear", {}, r"linear \(sklearn\) needs all rows at once"),
        ("random_forest", {}, r"random_forest \(sklearn\) needs all rows at once"),
        ("mlp", {"framework": "tensorflow"}, r"mlp \(tensorflow\) needs all rows at once"),
        ("mlp", {"folds": 3}, "folds need all rows at once"),
    ],
)
def test_what_needs_all_rows_at_once_is_refused_with_the_memory_that_it_takes(
    tmp_path: Path, train_model: Train, algorithm: str, spec: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidRequestError, match=rf"{reason}\. Give it 1 MiB .*xgboost \(xgboost\)"):
        train_model(_channels(tmp_path), algorithm, memory_bytes=LITTLE, **spec)


def test_refit_on_the_rows_of_two_datasets_is_refused_too(tmp_path: Path, train_model: Train) -> None:
    channels = _channels(tmp_path)
    with pytest.raises(InvalidRequestError, match="refit with a validation dataset needs all rows at once"):
        train_model(channels | {"validation": channels["test"]}, "mlp", memory_bytes=LITTLE, refit=True)


def test_what_might_just_fit_is_tried_in_memory(tmp_path: Path, train_model: Train) -> None:
    channels = _channels(tmp_path)
    memory_bytes = 3 * decoded_bytes(channels.values())
    trained = train_model(channels, "linear", memory_bytes=memory_bytes)
    assert not any("is read from disk" in warning for warning in trained.card.warnings)


def test_a_class_that_the_sample_lacks_is_a_label(tmp_path: Path, train_model: Train) -> None:
    """The labels come from the whole target column, however few rows the columns are chosen by."""
    num_rows = MAX_SAMPLE_ROWS + 50_000
    rng = np.random.default_rng(0)
    values, target = rng.normal(size=num_rows), np.full(num_rows, "low", dtype=object)
    target[values > 0] = "high"
    channel = {"x": (ColumnType.NUMBER, values.tolist()), "y": (ColumnType.STRING, target.tolist())}
    path = write_channel(tmp_path / "train", channel, target="y")
    _regroup(path / "00000.parquet", 10_000)
    opened = open_channel("train", path)
    left_out = np.setdiff1d(np.arange(num_rows), opened.choose_sample(seed=0))[:6]
    assert len(left_out) == 6
    target[left_out] = "rare"
    channel["y"] = (ColumnType.STRING, target.tolist())
    again = write_channel(tmp_path / "again", channel, target="y")
    _regroup(again / "00000.parquet", 10_000)
    known = opened.take(opened.choose_sample(seed=0)).load()
    assert known.num_rows <= MAX_SAMPLE_ROWS
    trained = train_model({"train": again}, "xgboost", hyperparameters={"num_rounds": 2}, memory_bytes=LITTLE)
    assert trained.signature.labels == ["high", "low", "rare"]
    assert any(f"from {known.num_rows} of {num_rows} rows" in warning for warning in trained.card.warnings)
    assert trained.card.export_check.num_rows == len(trained.predictions("validation")["row"])


def test_a_split_column_and_empty_row_groups_are_read(tmp_path: Path) -> None:
    words = ["train", "test", "validation", " TEST ", None] * 4
    path = write_channel(
        tmp_path / "train", {"x": (ColumnType.INTEGER, list(range(20))), "split": (ColumnType.STRING, words)}
    )
    file = path / "00000.parquet"
    table = pq.read_table(file)
    with pq.ParquetWriter(file, table.schema) as writer:
        for part in (table.slice(0, 0), table.slice(0, 7), table.slice(7, 0), table.slice(7)):
            writer.write_table(part)
    stored, in_memory = open_channel("train", path), read_channel("train", path)
    assert stored.column("x").to_pylist() == in_memory.column("x").to_pylist()
    divided, expected = divide_by_split_column(stored), divide_by_split_column(in_memory)
    assert divided is not None
    assert expected is not None
    for found, part in zip(divided, expected, strict=True):
        assert found.load().table == part.table
        assert found.rows.to_pylist() == part.rows.to_pylist()
        assert found.name == part.name


def test_a_file_of_another_type_is_refused_before_the_training_with_its_place(
    tmp_path: Path, train_model: Train
) -> None:
    channels = _channels(tmp_path)
    table = pq.read_table(channels["test"] / "00000.parquet")
    column = table.column("width").cast(pa.string()).to_pylist()
    column[300] = "wide"
    later = table.set_column(table.column_names.index("width"), "width", pa.array(column))
    pq.write_table(later, channels["test"] / "00001.parquet", row_group_size=100)
    with pytest.raises(InvalidDataError, match=r"channel test, row group 3 of 00001.parquet: .*'wide'"):
        train_model(channels, "mlp", hyperparameters=QUICK["mlp"], memory_bytes=LITTLE)


def test_a_channel_that_lacks_a_feature_is_refused_before_the_training(tmp_path: Path, train_model: Train) -> None:
    channels = _channels(tmp_path)
    columns, signal = mixed_columns(50)
    del columns["width"]
    target = ColumnType.STRING, ["yes" if value > 0 else "no" for value in signal]
    channels["test"] = write_channel(tmp_path / "short", columns | {"target": target}, target="target")
    with pytest.raises(InvalidDataError, match="channel test lacks the column 'width'"):
        train_model(channels, "mlp", hyperparameters=QUICK["mlp"], memory_bytes=LITTLE)


def test_a_channel_without_rows_is_refused(tmp_path: Path, train_model: Train) -> None:
    path = write_channel(tmp_path / "train", {"x": (ColumnType.INTEGER, []), "y": (ColumnType.INTEGER, [])})
    with pytest.raises(InvalidDataError, match="channel train has no rows"):
        open_channel("train", path)


def test_more_machines_than_row_groups_are_refused(tmp_path: Path, train_model: Train) -> None:
    cluster = Cluster(rank=1, hosts=("a", "b", "c"))
    with pytest.raises(InvalidRequestError, match="has 2 row groups, and each of 3 machines needs one"):
        train_model(_channels(tmp_path, group_rows=400), "mlp", memory_bytes=LITTLE, cluster=cluster)


def test_a_disk_that_is_too_small_is_told_before_it_is_full(tmp_path: Path) -> None:
    row = np.zeros((1, 1024**2), dtype=np.float32)
    with pytest.raises(InvalidDataError, match="the encoded data takes 4096"):
        write_map(iter([row]), num_rows=1024**2, folder=tmp_path)


def test_memory_is_the_least_that_anybody_allows(tmp_path: Path) -> None:
    machine = count_memory_bytes(None, cgroups=tmp_path)
    assert count_memory_bytes(Compute(memory_mib=512), cgroups=tmp_path) == 512 * 1024**2
    (tmp_path / "memory.max").write_text("max\n")
    assert count_memory_bytes(None, cgroups=tmp_path) == machine
    (tmp_path / "memory.max").write_text(f"{300 * 1024**2}\n")
    assert count_memory_bytes(Compute(memory_mib=512), cgroups=tmp_path) == 300 * 1024**2
