"""Graphs of trained models merged into one: it answers the weighted mean of what they answer."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.domain.signatures import Datatype, Signature, Task, TensorSpec
from batch_jobs.algorithms.export.assembly import build_answer_graph
from batch_jobs.algorithms.export.builder import GraphBuilder, finish
from batch_jobs.algorithms.export.ensembles import Member, find_conflict, join_signatures, merge, weighted_mean
from batch_jobs.algorithms.export.names import defined_names
from batch_jobs.data.targets import Target, TargetScale
from tests.unit.batch_jobs.channel_files import mixed_columns, shape_images, write_channel
from tests.unit.batch_jobs.conftest import Train, Trained

DTYPES = {"FP32": np.float32, "FP64": np.float64, "BYTES": object, "UINT8": np.uint8}
NETWORK = {"epochs": 2, "batch_size": 32}
WORDS = ("good", "fine, really!", "bad", "awful", "so-so", "plain", "Größe", "well")


def _member(trained: Trained) -> Member:
    return Member(model=onnx.load_from_string(trained.model), signature=trained.signature)


def _target(signature: Signature) -> Target:
    labels = None if signature.labels is None else tuple(signature.labels)
    horizon = signature.outputs[0].shape[1] if signature.task is Task.FORECASTING else 0
    return Target(column=signature.target, task=signature.task, labels=labels, horizon=horizon)


def _answer(model: onnx.ModelProto, signature: Signature, columns: Mapping[str, Any]) -> list[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    inputs = {spec.name: np.array(columns[str(spec.column)], DTYPES[spec.datatype]) for spec in signature.inputs}
    return list(session.run([output.name for output in signature.outputs], inputs))


def _columns(trained: Sequence[Trained]) -> dict[str, Any]:
    """The golden rows: missing and unseen values among them."""
    found: dict[str, Any] = {}
    for one in trained:
        found |= {str(spec.column): one.golden.inputs[spec.name] for spec in one.signature.inputs}
    return found


def _check(trained: Sequence[Trained], weights: Sequence[float]) -> onnx.ModelProto:
    """That it answers the mean, and by itself what a single model answers."""
    members = [_member(one) for one in trained]
    joined, target = join_signatures([member.signature for member in members]), _target(members[0].signature)
    columns = _columns(trained)
    model = merge(members, weighted_mean(weights), target)
    outputs = _answer(model, joined, columns)
    parts = [_answer(member.model, member.signature, columns)[-1].astype(np.float64) for member in members]
    mean = sum(weight * part for weight, part in zip(weights, parts, strict=True)) / sum(weights)
    scale = 1.0 if target.labels else max(float(np.abs(mean).max()), 1.0)
    np.testing.assert_allclose(outputs[-1], mean, atol=1e-6 * scale)
    assert outputs[-1].dtype == np.float32
    assert any(not np.array_equal(part, outputs[-1]) for part in parts)
    if target.task is Task.MULTILABEL:
        assert outputs[0].tolist() == (outputs[1] >= 0.5).tolist()
    elif target.labels:
        assert outputs[0].tolist() == [target.labels[index] for index in outputs[1].argmax(axis=1)]
    return model


def _count(model: onnx.ModelProto, op_type: str) -> int:
    return len([node for node in model.graph.node if node.op_type == op_type])


def _tables(path: Path, to_target: Callable[[Any], tuple[ColumnType, list[Any]]]) -> dict[str, Path]:
    columns, signal = mixed_columns(300)
    return {"train": write_channel(path / "train", columns | {"target": to_target(signal)}, target="target")}


def _classes(signal: Any, names: Sequence[str] = ("low", "middle", "high")) -> tuple[ColumnType, list[str]]:
    return ColumnType.STRING, [names[index] for index in np.digitize(signal, [-1.0, 1.0][: len(names) - 1])]


def test_tables_of_several_frameworks_answer_the_weighted_mean(tmp_path: Path, train_model: Train) -> None:
    channels = _tables(tmp_path, _classes)
    trained = [
        train_model(
            channels, algorithm, run_name=f"{algorithm} {framework}", framework=framework, hyperparameters=quick
        )
        for number, (algorithm, framework, quick) in enumerate(
            [
                ("xgboost", None, {"num_rounds": 20}),
                ("lightgbm", None, {"num_rounds": 20}),
                ("catboost", None, {"num_rounds": 20}),
                ("random_forest", None, {"num_trees": 10}),
                ("linear", None, {}),
                ("mlp", "torch", NETWORK),
                ("mlp", "tensorflow", NETWORK),
            ]
        )
    ]
    model = _check(trained, [3, 1, 1, 2, 1, 1, 0.5])
    assert {value.name for value in model.graph.input} == {str(spec.name) for spec in trained[0].signature.inputs}


@pytest.mark.parametrize("shift", [0.0, 1e9])
def test_values_answer_the_weighted_mean(tmp_path: Path, train_model: Train, shift: float) -> None:
    channels = _tables(tmp_path, lambda signal: (ColumnType.NUMBER, (signal * 1000 + shift).tolist()))
    trained = [
        train_model(channels, "xgboost", run_name="a", hyperparameters={"num_rounds": 20}),
        train_model(channels, "linear", run_name="b"),
    ]
    _check(trained, [1, 4])


def test_what_members_have_in_common_is_there_once(tmp_path: Path, train_model: Train) -> None:
    channels = _tables(tmp_path, lambda signal: _classes(signal, ("no", "yes")))
    trained = [
        train_model(channels, "xgboost", run_name=f"{rounds}", hyperparameters={"num_rounds": rounds})
        for rounds in (5, 9, 14)
    ]
    model = _check(trained, [1, 1, 1])
    assert _count(model, "LabelEncoder") == _count(_member(trained[0]).model, "LabelEncoder") > 0
    trees = {node.op_type for node in model.graph.node if node.op_type.startswith("TreeEnsemble")}
    assert [_count(model, op_type) for op_type in trees] == [3]
    assert model.ByteSize() < sum(len(one.model) for one in trained)


def test_texts_share_the_reading_of_words(tmp_path: Path, train_model: Train) -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, int(rng.integers(1, 9)))) + f" no{row % 7}" for row in range(240)]
    labels = ["up" if text.count("good") + text.count("fine") > text.count("bad") else "down" for text in texts]
    columns = {"text": (ColumnType.STRING, texts), "target": (ColumnType.STRING, labels)}
    channels = {"train": write_channel(tmp_path / "train", columns, target="target")}
    quick = {"hidden": 8, "embedding": 8, "epochs": 2}
    trained = [
        train_model(channels, "rnn", run_name="a", hyperparameters=quick),
        train_model(channels, "rnn", run_name="b", hyperparameters=quick | {"learning_rate": 0.02}),
        train_model(channels, "linear", run_name="c"),
    ]
    model = _check(trained[:2], [1, 2])
    assert _count(model, "If") == _count(_member(trained[0]).model, "If") > 0
    _check(trained, [1, 2, 3])


def test_images_answer_the_weighted_mean(tmp_path: Path, train_model: Train) -> None:
    images, labels = shape_images(120)
    path = write_channel(
        tmp_path / "train",
        {"image": (ColumnType.IMAGE, images), "class": (ColumnType.STRING, labels)},
        target="class",
        kind=DatasetKind.IMAGES,
        image_shape=ImageShape(height=12, width=12, channels=1),
    )
    quick = {"hidden": 8, "epochs": 2, "batch_size": 32}
    trained = [
        train_model({"train": path}, "cnn", run_name=f"{width}", hyperparameters=quick | {"channels": [width]})
        for width in (4, 8)
    ]
    _check(trained, [1, 2])


def test_series_and_forecasts_answer_the_weighted_mean(tmp_path: Path, train_model: Train) -> None:
    rng = np.random.default_rng(0)
    series = [rng.normal(row % 2, 1, int(rng.integers(8, 14))).tolist() for row in range(120)]
    columns = {
        "series": (ColumnType.SERIES, series),
        "target": (ColumnType.STRING, [("a", "b")[row % 2] for row in range(120)]),
    }
    channels = {"train": write_channel(tmp_path / "series", columns, target="target")}
    convolutions = {"channels": [4], "kernels": [3], "epochs": 2}
    recurrent = {"hidden": 8, "embedding": 4, "epochs": 2}
    trained = [
        train_model(channels, "fcn", run_name="a", hyperparameters=convolutions),
        train_model(channels, "rnn", run_name="b", hyperparameters=recurrent),
    ]
    _check(trained, [2, 1])
    values = {"y": (ColumnType.NUMBER, (np.sin(np.arange(300) / 4) * 5 + 100).tolist())}
    channels = {"train": write_channel(tmp_path / "values", values, target="y")}
    ahead: dict[str, Any] = {"horizon": 4, "window": 12}
    trained = [
        train_model(channels, "nlinear", run_name="c", hyperparameters={"epochs": 2}, **ahead),
        train_model(channels, "nlinear", run_name="d", hyperparameters={"epochs": 2, "hidden": [8]}, **ahead),
    ]
    _check(trained, [1, 3])


def test_several_labels_answer_the_weighted_mean(tmp_path: Path, train_model: Train) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(0, 1, (300, 3))
    columns: dict[str, tuple[ColumnType, list[Any]]] = {
        f"f{i}": (ColumnType.NUMBER, X[:, i].tolist()) for i in range(3)
    }
    columns |= {name: (ColumnType.INTEGER, (X[:, i] > 0.3).astype(int).tolist()) for i, name in enumerate("ab")}
    channels = {"train": write_channel(tmp_path / "train", columns)}
    trained = [
        train_model(channels, "linear", run_name="a", target=["a", "b"]),
        train_model(channels, "xgboost", run_name="b", target=["a", "b"], hyperparameters={"num_rounds": 9}),
    ]
    _check(trained, [1, 1])


# Graphs as small as can be: the sum of the columns.
VALUES = Target(column="y", task=Task.REGRESSION, labels=None)


def _sum(columns: Mapping[str, Datatype], *, names: Mapping[str, str] | None = None, labels: Any = None) -> Member:
    graph = GraphBuilder("sum")
    elements = {Datatype.FP32: TensorProto.FLOAT, Datatype.FP64: TensorProto.DOUBLE, Datatype.BYTES: TensorProto.STRING}
    named = {column: (names or {}).get(column, column) for column in columns}
    inputs = [graph.input(named[column], elements[datatype], ["rows", 1]) for column, datatype in columns.items()]
    floats = [graph.node("Cast", name, to=TensorProto.FLOAT) for name in inputs]
    graph.output(graph.node("Sum", *floats), "scores", TensorProto.FLOAT, ["rows", 1])
    core = graph.build()
    model = onnx.compose.merge_models(
        core, build_answer_graph(VALUES, TargetScale()), io_map=[("scores", "aimass/answer/scores")]
    )
    signature = Signature(
        kind=DatasetKind.TABLE,
        task=Task.REGRESSION,
        target="y",
        inputs=[
            TensorSpec(name=named[column], datatype=datatype, shape=[-1, 1], column=column, minimum=index, maximum=9)
            for index, (column, datatype) in enumerate(columns.items())
        ],
        outputs=[TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1])],
        labels=labels,
    )
    return Member(model=finish(model), signature=signature)


def test_a_number_that_one_reads_more_exactly_is_cast_for_the_other() -> None:
    members = [_sum({"a": Datatype.FP32}), _sum({"b": Datatype.FP32, "a": Datatype.FP64})]
    joined = join_signatures([member.signature for member in members])
    assert [(spec.name, spec.datatype, spec.minimum) for spec in joined.inputs] == [
        ("a", Datatype.FP64, 0),
        ("b", Datatype.FP32, 0),
    ]
    columns = {"a": [[1.5], [np.nan]], "b": [[2.0], [1.0]]}
    (values,) = _answer(merge(members, weighted_mean([1, 3]), VALUES), joined, columns)
    np.testing.assert_allclose(values, [(1.5 + 3 * 3.5) / 4, np.nan])


def test_columns_stay_apart_that_two_members_know_by_one_name() -> None:
    members = [
        _sum({"value": Datatype.FP32}, names={"value": "column value"}),
        _sum({"column value": Datatype.FP32}),
    ]
    joined = join_signatures([member.signature for member in members])
    assert [spec.name for spec in joined.inputs] == ["column value", "column column value"]
    (values,) = _answer(
        merge(members, weighted_mean([1, 1]), VALUES), joined, {"value": [[2.0]], "column value": [[4.0]]}
    )
    assert values.tolist() == [3.0]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (_sum({"a": Datatype.BYTES}), "it reads 'a' as BYTES and not as FP32"),
        (_sum({"a": Datatype.FP32}, labels=["x", "y"]), "its labels differ"),
    ],
)
def test_what_cannot_join_is_refused_with_the_reason(other: Member, reason: str) -> None:
    member = _sum({"a": Datatype.FP32})
    assert reason in str(find_conflict(member.signature, other.signature))
    with pytest.raises(ValueError, match="cannot join the ensemble"):
        merge([member, other], weighted_mean([1, 1]), VALUES)
    assert find_conflict(member.signature, _sum({"b": Datatype.BYTES}).signature) is None


def test_no_two_values_have_one_name() -> None:
    model = merge([_sum({"a": Datatype.FP32})] * 2, weighted_mean([1, 1]), VALUES)
    names = list(defined_names(model.graph))
    assert len(names) == len(set(names))
