"""Networks of Keras, TensorFlow and torch, made here, imported and asked."""

import json
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from tests.unit.batch_jobs.importing.desk import bring, csv, npy

# Of the tools that make the models here: each is deprecated in the newest version of something.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
NAMES = ["a", "b", "c"]
ROWS = csv(**{name: X[:, place].tolist() for place, name in enumerate(NAMES)})
COLUMNS = {name: X[:, place] for place, name in enumerate(NAMES)}


def make_keras(*, units: int, activation: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    given = keras.Input((3,), name="given")
    return keras.Model(given, keras.layers.Dense(units, activation=activation)(keras.layers.Dense(4)(given)))


@pytest.mark.parametrize(
    ("units", "activation", "task"),
    [(3, "softmax", Task.MULTICLASS), (1, "sigmoid", Task.BINARY), (1, "linear", Task.REGRESSION)],
)
def test_a_keras_file_says_its_task_by_its_last_layer(tmp_path: Path, units: int, activation: str, task: Task) -> None:
    model = make_keras(units=units, activation=activation)
    model.save(tmp_path / "m.keras")
    with pytest.raises(InvalidRequestError, match=r"m.keras \(keras\) can run code where it is opened"):
        bring(tmp_path, tmp_path / "m.keras")
    made = bring(tmp_path, tmp_path / "m.keras", beside={"samples.csv": ROWS}, trust_pickle=True)
    assert made.signature.task is task
    expected = model.predict(X, verbose=0)
    answers = made.answer(COLUMNS)
    found = answers["value"][:, None] if task is Task.REGRESSION else answers["probabilities"][:, -units:]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_saved_model_is_opened_without_trust(tmp_path: Path) -> None:
    model = make_keras(units=2, activation="softmax")
    model.export(tmp_path / "saved", verbose=False)
    made = bring(tmp_path, tmp_path / "saved", beside={"samples.csv": ROWS}, task="binary", labels=["no", "yes"])
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(made.answer(COLUMNS)["probabilities"], expected, atol=1e-5)
    assert made.card.framework == "tensorflow"


class Branching(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        if rows.mean() > 100:
            return self.layer(rows) * 2
        return self.layer(rows)


def test_a_torchscript_with_branches_needs_its_shape_said(tmp_path: Path) -> None:
    network = torch.jit.script(Branching().eval())
    torch.jit.save(network, tmp_path / "m.pt")
    with pytest.raises(InvalidDataError, match=r"does not say what shape its input has. Give sample rows"):
        bring(tmp_path, tmp_path / "m.pt")
    options = {"task": "multiclass", "labels": ["x", "y", "z"], "scores": "logits"}
    by_shape = bring(tmp_path, tmp_path / "m.pt", input_shape=[3], **options)
    by_rows = bring(tmp_path, tmp_path / "m.pt", beside={"samples.csv": ROWS}, columns=NAMES, **options)
    with torch.no_grad():
        expected = torch.softmax(network(torch.from_numpy(X)), 1).numpy()
    for made, names in ((by_shape, ["x0", "x1", "x2"]), (by_rows, NAMES)):
        columns = {name: X[:, place] for place, name in enumerate(names)}
        np.testing.assert_allclose(made.answer(columns)["probabilities"], expected, atol=1e-5)


def test_an_image_network_of_torch_stays_with_tensors(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(72, 2))
    images = np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)
    torch.jit.save(torch.jit.trace(network.eval(), torch.from_numpy(images)), tmp_path / "m.pt")
    made = bring(tmp_path, tmp_path / "m.pt", beside={"samples.npy": npy(images)}, task="binary", scores="logits")
    assert [(spec.shape, spec.column) for spec in made.signature.inputs] == [([-1, 1, 8, 8], None)]
    with torch.no_grad():
        expected = torch.softmax(network(torch.from_numpy(images)), 1).numpy()
    np.testing.assert_allclose(made.answer({"input": images})["probabilities"], expected, atol=1e-5)


def test_safetensors_are_opened_with_the_module_beside_them(tmp_path: Path) -> None:
    network = torch.nn.Linear(3, 1)
    folder = tmp_path / "net"
    folder.mkdir()
    save_file(network.state_dict(), folder / "net.safetensors")
    options = {"task": "regression", "columns": NAMES, "input_shape": [3]}
    with pytest.raises(InvalidRequestError, match="can run code"):
        bring(tmp_path, folder, **options)
    with pytest.raises(InvalidDataError, match=r"there has to be a module.py whose build\(\) makes the network"):
        bring(tmp_path, folder, trust_pickle=True, **options)
    (folder / "module.py").write_text("import torch\n\n\ndef build():\n    return torch.nn.Linear(3, 1)\n")
    made = bring(tmp_path, folder, trust_pickle=True, **options)
    with torch.no_grad():
        expected = network(torch.from_numpy(X)).numpy()[:, 0]
    np.testing.assert_allclose(made.answer(COLUMNS)["value"], expected, atol=1e-5)
    (folder / "module.py").write_text("import torch\n\n\ndef build():\n    return torch.nn.Linear(4, 1)\n")
    with pytest.raises(InvalidDataError, match="size mismatch"):
        bring(tmp_path, folder, trust_pickle=True, **options)


def test_g3_a_pickle_that_says_it_is_a_torchscript_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="is no TorchScript"):
        bring(tmp_path, {"m.pt": pickle.dumps([1])}, format="torchscript", trust_pickle=True)


def _with_header(header: object, data: bytes = b"\0" * 16, *, length: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


_WEIGHT = {"dtype": "F32", "shape": [1, 3], "data_offsets": [0, 12]}
_BIAS = {"dtype": "F32", "shape": [1], "data_offsets": [12, 16]}


@pytest.mark.parametrize(
    "content",
    [
        _with_header({"weight": _WEIGHT, "bias": _BIAS}, length=10_000),
        _with_header({"weight": _WEIGHT, "bias": {**_BIAS, "data_offsets": [8, 12]}}),
        _with_header({"weight": {**_WEIGHT, "shape": [-1, 3]}, "bias": _BIAS}),
        _with_header({"weight": _WEIGHT, "bias": _BIAS}, length=100 * 1024**2),
        _with_header({"weight": {**_WEIGHT, "data_offsets": [0, 12_000]}, "bias": _BIAS}),
    ],
    ids=["length-lies", "overlap", "negative-shape", "header-of-100-mb", "beyond-the-end"],
)
def test_f7_safetensors_that_lie_about_themselves_are_refused(tmp_path: Path, content: bytes) -> None:
    module = b"import torch\n\n\ndef build():\n    return torch.nn.Linear(3, 1)\n"
    options = {"task": "regression", "columns": NAMES, "input_shape": [3], "trust_pickle": True}
    with pytest.raises(InvalidDataError, match=r"module.py and net.safetensors do not make a network"):
        bring(tmp_path, {"net.safetensors": content, "module.py": module}, **options)
