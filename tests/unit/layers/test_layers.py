"""Layers hold what their functions import, nothing that Lambda refuses, and the versions that are tested here."""

import io
import json
import os
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from aimass_core.domain import keys
from tests.factories.served_models import IMAGES, TABLE, deploy, image_model, table_model
from tests.unit.layers.contents import (
    OWN_PACKAGES,
    REPOSITORY,
    RUNTIME,
    distributions_of,
    function_names,
    layer_of,
    left_out,
    link_into,
    locked,
    modules_of,
    num_bytes_of,
    requirements_of,
)
from tests.unit.predictions.bench import Bench, proxy_event

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


def test_function_serves_tables_and_pictures_with_what_is_left_of_its_layer(tmp_path: Path) -> None:
    bench = Bench(folder=tmp_path / "models")
    deploy(bench.ports, bench.workspace_id, model=table_model(), signature=TABLE)
    deploy(bench.ports, bench.workspace_id, name="digits", model=image_model(), signature=IMAGES)
    picture = io.BytesIO()
    Image.new("L", (6, 4), 102).save(picture, "JPEG")
    rows = {"rows": [{"age": 40, "city": "Rome"}]}
    asked = [
        ("/v1/endpoints/adult/predict", {"explain": "true"}, "application/json", json.dumps(rows).encode()),
        ("/v1/endpoints/digits/predict", {}, "image/jpeg", picture.getvalue()),
    ]
    events = [
        proxy_event(
            "POST",
            path,
            query=query,
            body=body,
            headers={"content-type": kind},
            workspace_id=bench.workspace_id,
            role="viewer",
        )
        for path, query, kind, body in asked
    ]
    found = bench.ports.registry.query(keys.partition(bench.workspace_id), "", limit=100).rows
    blobs = {blob.key: bench.ports.lake.get(blob.key) for blob in bench.ports.lake.list("")}
    (tmp_path / "world").write_bytes(pickle.dumps((list(found), blobs, events)))
    held = distributions_of(*(requirement.name for requirement in requirements_of("inference")))
    link_into(tmp_path / "layer", held, left_out("inference"))
    link_into(tmp_path / "runtime", distributions_of(RUNTIME) - held, [])
    places = [tmp_path / "layer", tmp_path / "runtime", REPOSITORY / "layers" / "core" / "python", REPOSITORY]
    done = subprocess.run(
        # NOTE: -S leaves out the packages that are installed here.
        [sys.executable, "-S", "-c", _SERVING, str(tmp_path / "world"), str(tmp_path / "files")],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(map(str, places)), "AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert [status for status, _ in told] == [200, 200], told
    assert [bench.handler(event, bench.context)["statusCode"] for event in events] == [200, 200]  # type: ignore[arg-type]
    assert [body for _, body in told] == [json.loads(bench.handler(e, bench.context)["body"]) for e in events]  # type: ignore[arg-type]
    assert told[0][1]["predictions"][0]["explanation"]


_SERVING = """
import json, pickle, sys
from pathlib import Path
from aimass_core.adapters.memory import MemoryPorts
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from aimass_core.ports import Put
from functions.predictions.app import make_handler
rows, blobs, events = pickle.loads(Path(sys.argv[1]).read_bytes())
ports = MemoryPorts()
for row in rows: ports.registry.write(Put(row=row))
for key, body in blobs.items(): ports.lake.put(key, body)
class Context:
    function_name, memory_limit_in_mb, aws_request_id, invoked_function_arn = "f", 2048, "r", "arn"
    def get_remaining_time_in_millis(self): return 29_000
endpoints = ServingEndpoints(ports, ModelStore(ports, Path(sys.argv[2])))
handler = make_handler(lambda: endpoints)
for event in events:
    answered = handler(event, Context())
    print(json.dumps([answered["statusCode"], json.loads(answered["body"])]))
"""


def test_layer_of_serving_keeps_below_its_goal() -> None:
    assert num_bytes_of("inference") <= 100e6


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
