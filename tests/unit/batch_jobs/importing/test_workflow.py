"""Models of other tools, made here by them, imported and asked."""

import pickle
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import onnx
import pandas as pd
import pytest
import xgboost
from onnx import TensorProto, helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.algorithms.export.builder import GraphBuilder
from tests.unit.batch_jobs.importing.desk import bring, csv, npy
from tests.unit.batch_jobs.script.scripts import OWN

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
NAMES = ["age", "hours", "income"]
ROWS = csv(**{name: X[:50, place].tolist() for place, name in enumerate(NAMES)})
COLUMNS = {name: X[:50, place] for place, name in enumerate(NAMES)}


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_a_booster_of_xgboost_answers_as_it_did_with_its_own_columns(tmp_path: Path, suffix: str) -> None:
    matrix = xgboost.DMatrix(X, Y, feature_names=NAMES)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, matrix, 12)
    booster.save_model(tmp_path / f"m.{suffix}")
    made = bring(tmp_path, tmp_path / f"m.{suffix}", beside={"samples.csv": ROWS}, labels=["no", "yes"], target="rich")
    assert [spec.column for spec in made.signature.inputs] == NAMES
    assert (made.signature.task, made.signature.labels, made.signature.target) == (Task.BINARY, ["no", "yes"], "rich")
    answers = made.answer(COLUMNS)
    expected = booster.predict(xgboost.DMatrix(X[:50], feature_names=NAMES))
    np.testing.assert_allclose(answers["probabilities"][:, 1], expected, atol=1e-5)
    assert answers["label"].tolist() == np.where(expected > 0.5, "yes", "no").tolist()
    check = made.card.export_check
    assert check is not None
    assert (check.num_rows, made.card.framework) == (50, "xgboost")
    assert check.max_abs_difference < 1e-5
    assert (
        made.answer({k: [row[0] for row in v] for k, v in made.golden.inputs.items()})["label"].tolist()
        == (made.golden.outputs["label"])
    )


def test_a_multiclass_booster_of_lightgbm(tmp_path: Path) -> None:
    y = RNG.integers(0, 3, 300)
    booster = lightgbm.train({"objective": "multiclass", "num_class": 3, "verbosity": -1}, lightgbm.Dataset(X, y), 5)
    booster.save_model(tmp_path / "m.txt")
    made = bring(tmp_path, tmp_path / "m.txt")
    assert (made.signature.task, made.signature.labels) == (Task.MULTICLASS, ["0", "1", "2"])
    columns = {str(spec.column): X[:, place] for place, spec in enumerate(made.signature.inputs)}
    np.testing.assert_allclose(made.answer(columns)["probabilities"], booster.predict(X), atol=1e-5)
    assert made.card.warnings[0].startswith("Imported from m.txt (lightgbm)")
    assert "rows that were made up" in made.card.warnings[0]


def make_pipeline() -> tuple[Pipeline, pd.DataFrame]:
    frame = pd.DataFrame({"size": X[:, 0], "city": RNG.choice(["Bonn", "Kiel"], 300), "rooms": X[:, 1]})
    encode = ColumnTransformer([("n", StandardScaler(), ["size", "rooms"]), ("c", OneHotEncoder(), ["city"])])
    return Pipeline([("encode", encode), ("fit", LogisticRegression())]).fit(frame, np.where(Y, "good", "bad")), frame


def test_g3_a_pickle_is_opened_only_where_it_is_trusted(tmp_path: Path) -> None:
    model, frame = make_pipeline()
    joblib.dump(model, tmp_path / "m.joblib")
    rows = frame[:40].to_csv(index=False).encode()
    with pytest.raises(
        InvalidRequestError, match=r"m.joblib \(sklearn\) can run code where it is opened, so it is not"
    ):
        bring(tmp_path, tmp_path / "m.joblib", beside={"samples.csv": rows})
    made = bring(tmp_path, tmp_path / "m.joblib", beside={"samples.csv": rows}, trust_pickle=True)
    assert {(spec.column, spec.column_type) for spec in made.signature.inputs} == {
        ("size", "number"),
        ("city", "string"),
        ("rooms", "number"),
    }
    answers = made.answer({name: frame[name][:40] for name in frame})
    assert answers["label"].tolist() == model.predict(frame[:40]).tolist()
    np.testing.assert_allclose(answers["probabilities"], model.predict_proba(frame[:40]), atol=1e-5)


class Thief:
    """A pickle that looks for credentials when it is opened."""

    def __reduce__(self) -> Any:
        return exec, ("import os; raise RuntimeError('found ' + ' '.join(sorted(os.environ)))",)


def test_g3_what_a_trusted_pickle_runs_finds_no_credentials(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match=r"RuntimeError: found ") as caught:
        bring(tmp_path, {"m.pkl": pickle.dumps(Thief())}, trust_pickle=True, in_process_of_its_own=True)
    assert "PYTHONHASHSEED" in caught.value.message
    assert not set(OWN) - {"PATH"} & set(caught.value.message.split())


@pytest.mark.parametrize("name", ["m.pt", "m.pth"])
def test_g3_a_pickle_of_torch_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"is a pickle of torch.*Save it with torch.jit.save"):
        bring(tmp_path, {name: pickle.dumps({"weights": [1.0]})}, trust_pickle=True)


def test_a_regression_of_sklearn_without_sample_rows(tmp_path: Path) -> None:
    model = GradientBoostingRegressor(n_estimators=10).fit(X, X[:, 0] * 3)
    joblib.dump(model, tmp_path / "m.pkl")
    made = bring(tmp_path, tmp_path / "m.pkl", trust_pickle=True)
    assert (made.signature.task, [spec.column for spec in made.signature.inputs]) == (
        Task.REGRESSION,
        ["x0", "x1", "x2"],
    )
    values = made.answer({f"x{place}": X[:, place] for place in range(3)})["value"]
    np.testing.assert_allclose(values, model.predict(X), atol=1e-4)


def test_mlflows_folder_says_which_file_which_columns_and_which_rows(tmp_path: Path) -> None:
    matrix = xgboost.DMatrix(X, X[:, 0], feature_names=None)
    booster = xgboost.train({"objective": "reg:squarederror"}, matrix, 5)
    folder = tmp_path / "model"
    folder.mkdir()
    booster.save_model(folder / "model.ubj")
    names = ", ".join(f'{{"type": "double", "name": "{name}"}}' for name in NAMES)
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function: {loader_module: mlflow.xgboost}\n  xgboost: {data: model.ubj}\n"
        f"signature:\n  inputs: '[{names}]'\n"
    )
    (folder / "input_example.json").write_text(pd.DataFrame(X[:9], columns=NAMES).to_json(orient="split"))
    made = bring(tmp_path, folder)
    assert [spec.column for spec in made.signature.inputs] == NAMES
    np.testing.assert_allclose(made.answer(COLUMNS)["value"], booster.predict(matrix)[:50], atol=1e-5)
    assert made.metrics["num_rows"] == 9


def test_an_mlflow_pickle_needs_trust_and_a_path_must_stay_inside(tmp_path: Path) -> None:
    wanted = b"flavors:\n  sklearn: {pickled_model: model.pkl}\n"
    with pytest.raises(InvalidRequestError, match=r"--trust-pickle"):
        bring(tmp_path, {"MLmodel": wanted, "model.pkl": b"x"})
    with pytest.raises(InvalidRequestError, match="is not in its folder"):
        bring(tmp_path, {"MLmodel": wanted.replace(b"model.pkl", b"../../samples.csv"), "model.pkl": b"x"})
    with pytest.raises(InvalidRequestError, match=r"has the flavours \['prophet'\]"):
        bring(tmp_path, {"MLmodel": b"flavors: {prophet: {}}\n"})


def dense(*, weights: np.ndarray) -> onnx.ModelProto:
    graph = GraphBuilder("net")
    given = graph.input("rows", TensorProto.FLOAT, ["n", 3])
    graph.output(graph.node("MatMul", given, graph.constant(weights, np.float32)), "y", TensorProto.FLOAT, ["n", 2])
    return graph.build()


def test_onnx_with_external_data_becomes_one_file_with_logits_made_probabilities(tmp_path: Path) -> None:
    weights = RNG.normal(size=(3, 2)).astype(np.float32)
    folder = tmp_path / "net"
    folder.mkdir()
    onnx.save_model(
        dense(weights=weights), folder / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0
    )
    options: dict[str, Any] = {"task": "binary", "labels": ["a", "b"], "columns": NAMES}
    with pytest.raises(InvalidDataError, match=r"which are no probabilities: say what they are \(--scores logits\)"):
        bring(tmp_path, folder, beside={"samples.csv": ROWS}, **options)
    made = bring(tmp_path, folder, beside={"samples.csv": ROWS}, scores="logits", **options)
    logits = X[:50] @ weights
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made.answer(COLUMNS)["probabilities"], expected, atol=1e-5)
    as_it_is = bring(tmp_path, folder)
    assert as_it_is.signature.task is Task.CUSTOM
    assert any("Say --task" in message for message in as_it_is.messages)


@pytest.mark.parametrize("location", ["../../secret.bin", "/etc/passwd", "net.bin/../../secret.bin"])
def test_f6_external_data_outside_of_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(b"\0" * 64)
    model = dense(weights=np.zeros((3, 2), np.float32))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "24"}.items():
        tensor.external_data.add(key=key, value=value)
    with pytest.raises(InvalidDataError, match="cannot be read as ONNX"):
        bring(tmp_path, {"net.onnx": model.SerializeToString()})


def test_f6_operators_of_others_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "y")]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(
        helper.make_graph([node], "g", values[:1], values[1:]), opset_imports=opsets, ir_version=9
    )
    with pytest.raises(InvalidDataError, match=r"com\.microsoft"):
        bring(tmp_path, {"net.onnx": model.SerializeToString()})


def test_f6_a_graph_that_cannot_be_run_is_refused_with_the_reason(tmp_path: Path) -> None:
    """It used to end the process that opened it."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [7])
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("x", "y")]
    graph = helper.make_graph([node], "g", values[:1], values[1:], [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    with pytest.raises(InvalidDataError, match=r"net\.onnx does not answer rows of the shapes that it names"):
        bring(tmp_path, {"net.onnx": model.SerializeToString()})


def test_a_signature_of_the_users_own_is_held_against_the_graph(tmp_path: Path) -> None:
    body = dense(weights=np.zeros((3, 2), np.float32)).SerializeToString()
    signature = (
        '{"kind": "table", "task": "custom", "target": "t", "inputs": [{"name": "rows", "datatype": "FP32", "shape": '
        '[-1, 3]}], "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}]}'
    )
    assert bring(tmp_path, {"net.onnx": body}, beside={"signature.json": signature.encode()}).signature.target == "t"
    wrong = signature.replace('"y"', '"z"').encode()
    with pytest.raises(InvalidDataError, match="its output 'z' is missing"):
        bring(tmp_path, {"net.onnx": body}, beside={"signature.json": wrong})


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"m.onnx": b"not a graph"}, "cannot be read as ONNX"),
        ({"m.json": b'{"learner": 1}'}, "XGBoost cannot open m.json"),
        ({"m.txt": b"tree\nversion=v4\nnum_class=1\n"}, "LightGBM cannot open m.txt"),
        ({"m.pkl": b"\x80\x05broken"}, "m.pkl cannot be opened"),
        ({"notes.md": b"# hello"}, "notes.md is of no format that is known here"),
        ({"a.json": b"{}", "b.json": b"{}"}, "It is not plain which of the 2 files is the model"),
    ],
)
def test_what_is_no_model_is_refused_with_the_reason(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    with pytest.raises((InvalidDataError, InvalidRequestError)) as caught:
        bring(tmp_path, files, trust_pickle=True)
    assert words in caught.value.message


def test_columns_that_are_named_are_taken_from_wider_sample_rows(tmp_path: Path) -> None:
    booster = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(X, X[:, 1]), 3)
    booster.save_model(tmp_path / "m.json")
    wider = csv(id=range(50), **{name: X[:50, place].tolist() for place, name in enumerate(NAMES)})
    made = bring(tmp_path, tmp_path / "m.json", beside={"samples.csv": wider}, columns=NAMES)
    np.testing.assert_allclose(made.answer(COLUMNS)["value"], booster.predict(xgboost.DMatrix(X[:50])), atol=1e-5)
    with pytest.raises(InvalidDataError, match=r"the sample rows have 4 columns. Give the columns that it reads"):
        bring(tmp_path, tmp_path / "m.json", beside={"samples.csv": wider})


def test_sample_rows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    booster = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(X, Y, feature_names=NAMES), 2)
    booster.save_model(tmp_path / "m.json")
    with pytest.raises(InvalidDataError, match=r"lack the columns \['income'\]"):
        bring(tmp_path, tmp_path / "m.json", beside={"samples.csv": b"age,hours\n1,2\n"})
    with pytest.raises(InvalidDataError, match="what is no number"):
        bring(tmp_path, tmp_path / "m.json", beside={"samples.csv": b"age,hours,income\n1,2,much\n"})
    with pytest.raises(InvalidDataError, match=r"samples.npy cannot be read"):
        bring(tmp_path, tmp_path / "m.json", beside={"samples.npy": npy(np.zeros(3))[:20]})


def test_what_our_graph_of_trees_cannot_say_is_refused(tmp_path: Path) -> None:
    booster = xgboost.train({"objective": "count:poisson"}, xgboost.DMatrix(X, Y), 2)
    booster.save_model(tmp_path / "m.json")
    with pytest.raises(InvalidDataError, match="The objective count:poisson is not converted"):
        bring(tmp_path, tmp_path / "m.json")
