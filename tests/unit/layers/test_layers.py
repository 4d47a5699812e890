"""Layers hold what their functions import, nothing that Lambda refuses, and the versions that are tested here."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import onnxruntime
import pytest

from tests.factories.served_models import image_model
from tests.unit.layers.contents import (
    OWN_PACKAGES,
    REPOSITORY,
    RUNTIME,
    distributions_of,
    function_names,
    layer_of,
    left_out,
    locked,
    modules_of,
    num_bytes_of,
    requirements_of,
)

LAYERS = ("deps", "identity", "inference", "preparation")
ADAPTERS = {"identity": ["cognito", "dynamodb"], "inference": ["dynamodb", "s3"], "preparation": ["s3"]}
# Lambda's limit is 250 MiB for the function and all its layers, unpacked; 10 MiB are kept for our own code.
MAX_BYTES = 240 * 1024**2

_IMPORT = """
import fnmatch, importlib, json, pkgutil, sys

allowed, patterns, names = json.loads(sys.argv[1])

class OnlyTheLayers:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        is_standard = top in sys.stdlib_module_names or top.startswith("_sysconfigdata_")
        if not is_standard and top not in allowed:
            raise ModuleNotFoundError(f"{name} is in none of the function's layers", name=name)
        path = name.replace(".", "/")
        if any(fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(path + "/", pattern) for pattern in patterns):
            raise ModuleNotFoundError(f"{name} is left out of the layer", name=name)
        return None

sys.meta_path.insert(0, OnlyTheLayers())
for name in names:
    importlib.import_module(name)
"""


def run_import(modules: list[str], *, layer: str) -> subprocess.CompletedProcess[str]:
    """Imports in a process that can import nothing but the runtime, the core layer and this layer."""
    held = distributions_of(RUNTIME, *(requirement.name for requirement in requirements_of(layer)))
    allowed = sorted(modules_of(held) | OWN_PACKAGES)
    arguments = json.dumps([allowed, left_out(layer), modules])
    return subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", _IMPORT, arguments],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("function", function_names())
def test_function_imports_only_what_its_layers_hold(function: str) -> None:
    adapters = ADAPTERS.get(layer_of(function), _adapters())
    modules = [f"functions.{function}.app", *(f"aimass_core.adapters.{name}" for name in adapters)]
    done = run_import(modules, layer=layer_of(function))
    assert done.returncode == 0, done.stderr


def test_tokens_are_read_with_what_the_layer_of_the_authorizer_holds() -> None:
    done = run_import(["jwt.algorithms", "cryptography.hazmat.primitives.asymmetric.rsa"], layer="identity")
    assert done.returncode == 0, done.stderr
    assert "cryptography" not in distributions_of(*(requirement.name for requirement in requirements_of("deps")))


def test_import_outside_of_the_layers_is_noticed() -> None:
    done = run_import(["onnxruntime"], layer="deps")
    assert "onnxruntime is in none of the function's layers" in done.stderr
    done = run_import(["pyarrow.flight"], layer="deps")
    assert "pyarrow._flight is left out of the layer" in done.stderr


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_stays_below_lambdas_limit(layer: str) -> None:
    num_bytes = num_bytes_of(layer)
    assert 20 * 1024**2 < num_bytes < MAX_BYTES, f"{num_bytes / 1024**2:.0f} MiB"


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_pins_the_versions_that_are_tested(layer: str) -> None:
    held = locked(REPOSITORY / "layers" / layer / "requirements.txt")
    assert {str(requirement) for requirement in requirements_of(layer)} <= held
    assert held <= locked(REPOSITORY / "requirements" / "dev.txt")


def test_layers_leave_out_what_serving_never_needs() -> None:
    held = distributions_of(*(requirement.name for requirement in requirements_of("inference")))
    assert held & {"onnx", "torch", "scikit-learn", "pandas", "pyarrow", "boto3"} == set()


def test_models_and_pictures_work_without_what_the_layer_leaves_out(tmp_path: Path) -> None:
    site = Path(onnxruntime.__file__).parents[1]
    for name in ("onnxruntime", "PIL", "pillow.libs"):
        shutil.copytree(site / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for pattern in left_out("inference"):
        for path in tmp_path.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (tmp_path / "model.onnx").write_bytes(image_model())
    done = subprocess.run(
        [sys.executable, "-c", _SERVING],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "onnxruntime"), str(tmp_path / "PIL"), "102", "102"]


_SERVING = """
import io, os, numpy, onnxruntime, PIL
from PIL import Image
print(os.path.dirname(onnxruntime.__file__), os.path.dirname(PIL.__file__))
session = onnxruntime.InferenceSession("model.onnx")
for form in ("PNG", "JPEG"):
    file = io.BytesIO()
    Image.fromarray(numpy.full((8, 12, 3), 102, numpy.uint8)).save(file, form)
    picture = Image.open(file, formats=("PNG", "JPEG")).convert("L").resize((6, 4), Image.Resampling.BILINEAR)
    print(round(float(session.run(["value"], {"image": numpy.asarray(picture)[None, :, :, None]})[0][0])))
"""


def test_extra_lambda_has_what_the_layers_hold() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = " ".join([*project["lambda"], *project["aws"]])
    for layer in LAYERS:
        for requirement in requirements_of(layer):
            if requirement.name != "pydantic":
                assert requirement.name in named


def _adapters() -> list[str]:
    folder = REPOSITORY / "layers" / "core" / "python" / "aimass_core" / "adapters"
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
