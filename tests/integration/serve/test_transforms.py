"""Pre- and post-processing of a package that is not ours: installed with pip, around a model in the container."""

import shutil
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.integration.serve.server import serving
from tests.unit.batch_jobs.serve.bench import put_model

PACKAGE = Path(__file__).parents[3] / "examples" / "transform"


def install(folder: Path) -> Path:
    """Where Python finds it."""
    source, site = folder / "source", folder / "site"
    shutil.copytree(PACKAGE, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(site), str(source)], check=True, capture_output=True)
    return site


def test_a_package_works_before_and_after_a_model(tmp_path: Path) -> None:
    site = install(tmp_path)
    put_model(tmp_path)
    put_model(tmp_path, "plain")
    with serving(
        tmp_path / "models", "--workers", "1", "--transform", "adult=cautious", PYTHONPATH=str(site)
    ) as server:

        def predict(name: str, **row: object) -> httpx2.Response:
            return httpx2.post(f"{server.url}/v1/endpoints/{name}/predict", json={"rows": [row]})

        unsure = predict("adult", age=0, city="Oslo").json()["predictions"][0]
        plain = predict("plain", age=0, city="Oslo").json()["predictions"][0]
        assert (unsure["label"], unsure["probabilities"]) == ("unsure", plain["probabilities"])
        assert plain["label"] in ("no", "yes")
        capped, oldest = (predict("adult", age=age, city="Rome").json()["predictions"][0] for age in (1e6, 120))
        assert capped["probabilities"] == oldest["probabilities"]
        assert predict("adult", age=-1, city="Rome").json()["predictions"][0]["error"]
        inputs = [
            {"name": "age", "datatype": "FP32", "shape": [1, 1], "data": [0]},
            {"name": "city", "datatype": "BYTES", "shape": [1, 1], "data": ["Oslo"]},
        ]
        asked = {"inputs": inputs, "outputs": [{"name": "label"}]}
        answered = httpx2.post(f"{server.url}/v2/models/adult/infer", json=asked)
        assert answered.json()["outputs"][0]["data"] == ["unsure"]
        inputs[0]["data"] = [-1]
        refused = httpx2.post(f"{server.url}/v2/models/adult/infer", json=asked)
        assert refused.status_code == 400
        assert "'cautious' refuses the request: age: a person is 0 years old or more" in refused.json()["error"]


def test_a_transform_that_is_not_installed_ends_the_server_with_usage(tmp_path: Path) -> None:
    put_model(tmp_path)
    command = [sys.executable, "-m", "batch_jobs", "serve", "--models", str(tmp_path / "models")]
    done = subprocess.run(
        [*command, "--transform", "adult=tidy"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "there is no transform 'tidy': install the package that has it. Installed are: none" in done.stderr
