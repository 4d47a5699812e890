"""Answers of models of every task, and rows that they cannot read: images, series, text in the place of numbers."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Datatype, Signature, Task, TensorSpec
from aimass_core.inference.rows.series import to_series
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.predict.answering import Answering
from batch_jobs.predict.inputs import read_inputs
from tests.unit.batch_jobs.channel_files import Columns, build_channel, mixed_columns, shape_images, write_channel
from tests.unit.batch_jobs.conftest import Train, Trained


def answer(trained: Trained, path: Path, columns: Any, keys: Sequence[str] = ()) -> list[dict[str, Any]]:
    channel = build_channel(path, columns, name="asked")
    rows: list[dict[str, Any]] = (
        Answering(scorer=Scorer(trained.model, trained.signature), keys=keys).answer(channel).to_pylist()
    )
    return rows


def test_a_value_comes_for_each_row_of_columns_of_every_type(train_model: Train, tmp_path: Path) -> None:
    columns, signal = mixed_columns(300)
    data = write_channel(tmp_path / "train", {**columns, "y": (ColumnType.NUMBER, signal.tolist())}, target="y")
    trained = train_model({"train": data}, "linear")
    rows = answer(trained, tmp_path, columns, keys=["width"])
    assert [row["width"] for row in rows] == columns["width"][1]
    values = [row["value"] for row in rows]
    assert np.corrcoef(values, signal)[0, 1] > 0.8
    known = dict(zip(*[trained.predictions("validation")[name] for name in ("row", "value")], strict=True))
    np.testing.assert_allclose([values[row] for row in known], list(known.values()), rtol=1e-6)


def test_what_a_column_has_become_is_read_cell_by_cell(train_model: Train, tmp_path: Path) -> None:
    columns, signal = mixed_columns(300)
    data = write_channel(tmp_path / "train", {**columns, "y": (ColumnType.NUMBER, signal.tolist())}, target="y")
    trained = train_model({"train": data}, "linear")
    first = {name: (kind, cells[:3]) for name, (kind, cells) in columns.items()}
    expected = answer(trained, tmp_path / "as they are", first)
    texts = {name: (kind, cells) for name, (kind, cells) in first.items()} | {
        "width": (ColumnType.STRING, [str(each) for each in first["width"][1]]),
        "is_new": (ColumnType.STRING, ["maybe", *[None if e is None else str(e) for e in first["is_new"][1][1:]]]),
        "label": (
            ColumnType.STRING,
            [None if each is None else each.isoformat() for each in first["label"][1][:2]] + ["tomorrow"],
        ),
    }
    found = answer(trained, tmp_path / "as text", texts)
    assert found[1] == expected[1]
    assert [found[0]["value"], found[2]["value"]] == [None, None]
    assert found[0]["error"] == "is_new: 'maybe' is neither true nor false"
    assert found[2]["error"].startswith("label: 'tomorrow' is not a date or time")


def test_labels_of_several_are_told_one_by_one(train_model: Train, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    columns = {"x": (ColumnType.NUMBER, x.tolist())}
    labels = {
        "warm": (ColumnType.INTEGER, (x > 0).astype(int).tolist()),
        "cold": (ColumnType.INTEGER, (x < -1).astype(int).tolist()),
    }
    data = write_channel(tmp_path / "train", {**columns, **labels})
    trained = train_model({"train": data}, "linear", target=["warm", "cold"])
    rows = answer(trained, tmp_path, columns)
    assert list(rows[0]) == ["row", "is_cold", "is_warm", "p_cold", "p_warm", "error"]
    assert all(row["is_warm"] == (row["p_warm"] >= 0.5) for row in rows)
    assert np.mean([row["is_warm"] == (value > 0) for row, value in zip(rows, x, strict=True)]) > 0.95


def regression(*inputs: TensorSpec, kind: DatasetKind = DatasetKind.TABLE) -> Signature:
    outputs = [TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1])]
    return Signature(kind=kind, task=Task.REGRESSION, target="y", inputs=list(inputs), outputs=outputs)


def test_a_damaged_image_is_an_error_of_its_row(tmp_path: Path) -> None:
    images, _ = shape_images(4)
    graph = GraphBuilder("mean")
    pixels = graph.node("Cast", graph.input("image", onnx.TensorProto.UINT8, ["rows", 12, 12, 1]), to=1)
    axes = graph.constant([1, 2, 3], np.int64)
    graph.output(graph.node("ReduceMean", pixels, axes, keepdims=0), "value", onnx.TensorProto.FLOAT, ["rows"])
    spec = TensorSpec(
        name="image", datatype=Datatype.UINT8, shape=[-1, 12, 12, 1], column="image", column_type=ColumnType.IMAGE
    )
    scorer = Scorer(graph.build().SerializeToString(), regression(spec, kind=DatasetKind.IMAGES))
    cells = [images[0], images[1][:40], None, images[3]]
    channel = build_channel(tmp_path, {"image": (ColumnType.IMAGE, cells)})
    rows = Answering(scorer=scorer).answer(channel).to_pylist()
    assert [row["error"] for row in rows] == [None, "image: the image is damaged", "image: there is no image", None]
    with Image.open(io.BytesIO(images[3])) as image:
        assert rows[3]["value"] == pytest.approx(np.asarray(image).mean(), rel=1e-6)


@pytest.mark.parametrize("window", [-1, 5])
def test_series_are_read_as_a_request_reads_them(tmp_path: Path, window: int) -> None:
    specs = [
        TensorSpec(
            name=f"in_{name}", datatype=Datatype.FP32, shape=[-1, window], column=name, column_type=ColumnType.SERIES
        )
        for name in ("s", "t")
    ]
    asked: Columns = {
        "s": (ColumnType.SERIES, [[1.0, 2, 3, 4, 5], [1.0, 2, 3, 4, 1e300], None, [1.0, 2], [1.0]]),
        "t": (ColumnType.SERIES, [[5.0, 4, 3, 2, 1], [None, 0.0, 1, 2, 3], [1.0, 1, 1, 1, 1], [1.0, 2], [1.0, 2, 3]]),
    }
    inputs, errors = read_inputs(build_channel(tmp_path, asked), regression(*specs))
    rows = [{name: cells[row] for name, (_, cells) in asked.items()} for row in range(5)]
    expected, faults = to_series(specs, rows)
    assert set(errors) == {row for row, _ in faults} == ({4} if window < 0 else {3, 4})
    assert errors[4].startswith("s: the series has 1 values")
    for name, tensor in expected.items():
        np.testing.assert_array_equal(inputs[name], tensor)


def test_g6_a_graph_that_fails_on_one_row_answers_the_others(tmp_path: Path) -> None:
    graph = GraphBuilder("strict")
    place = graph.node(
        "Squeeze",
        graph.node("Cast", graph.input("x", onnx.TensorProto.FLOAT, ["rows", 1]), to=7),
        graph.constant([1], np.int64),
    )
    graph.output(
        graph.node("Gather", graph.constant([1.5, 2.5, np.inf], np.float32), place),
        "value",
        onnx.TensorProto.FLOAT,
        ["rows"],
    )
    spec = TensorSpec(name="x", datatype=Datatype.FP32, shape=[-1, 1], column="x", column_type=ColumnType.NUMBER)
    scorer = Scorer(graph.build().SerializeToString(), regression(spec))
    channel = build_channel(tmp_path, {"x": (ColumnType.NUMBER, [0.0, 1.0, 99.0, 1.0, 2.0])})
    rows = Answering(scorer=scorer).answer(channel).to_pylist()
    assert [row["value"] for row in rows] == [1.5, 2.5, None, 2.5, None]
    assert rows[2]["error"] == "the model cannot be run on this row: check its values"
    assert rows[4]["error"] == "the model's answer is not a number"
