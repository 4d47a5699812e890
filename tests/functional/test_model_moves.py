"""Models brought in and taken out, on the command line over the real handlers."""

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from aimass_core.domain import keys
from aimass_core.domain.jobs import ImportSpec, Job, JobStatus
from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Datatype, Golden, Signature, Task, TensorSpec
from aimass_core.services import dispatch
from tests.factories.platform import add_dataset, add_job, add_version, leave_result, tell
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.test_jobs import owner_of
from tests.unit.batch_jobs.registered import imported


def test_an_import_sends_the_model_its_rows_and_its_signature_as_one_source(run: Run, api: Api, tmp_path: Path) -> None:
    folder = tmp_path / "My Model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "w.bin").write_bytes(b"weights")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    arguments = ["--samples", str(tmp_path / "rows.csv"), "--task", "binary", "--labels", "no,yes", "-d", "-o", "json"]
    ran = run("models", "import", str(folder), *arguments)
    assert ran.code == 0, ran.err
    job = Job.model_validate(json.loads(ran.out)[0])
    assert isinstance(job.spec, ImportSpec)
    assert (job.spec.model, job.spec.labels, job.spec.format) == ("my-model", ["no", "yes"], "auto")
    body = api.ports.lake.get(keys.job_source(owner_of(api).workspace_id, job.spec.source))
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert archive.getnames() == ["model/saved_model.pb", "model/variables/w.bin", "samples.csv"]
    assert "my-model from auto" in run("jobs", "get", job.id).out
    started = dispatch.dispatch(api.ports, job.workspace_id, job.id)
    leave_result(api.ports, started)
    ended = tell(api.ports, started, JobStatus.SUCCEEDED, exit_code=0)
    assert ended.model_version is not None
    assert (ended.model_version.model_name, ended.model_version.number) == ("my-model", 1)


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["nothing.onnx"], "nothing.onnx is neither a file nor a folder", 3),
        (["m.onnx", "--samples", "rows.xlsx"], "rows.xlsx is none of .csv, .jsonl, .npy, .npz", 3),
        (["m.onnx", "--task", "multilabel"], "imported with a signature.json that describes it", 3),
        (["m.onnx", "--task", "binary", "--labels", "a,b,c"], "a binary model has two labels, and 3 are given", 3),
        (["m.onnx", "--input-shape", "1,x"], "write whole numbers with commas between", 2),
    ],
)
def test_what_cannot_be_imported_is_refused_before_anything_is_sent(
    run: Run, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(b"x")
    ran = run("models", "import", *arguments)
    assert ran.code == code
    assert words in " ".join(ran.err.replace("│", "").split())
    assert api.get("/v1/jobs").json["items"] == []


def test_a_source_that_has_not_arrived_is_no_import(api: Api) -> None:
    refused = api.post("/v1/jobs", {"spec": {"kind": "import", "source": "0" * 64, "model": "m"}})
    assert (refused.status, "has not arrived" in refused.text) == (409, True)


def make_signature(**changes: Any) -> Signature:
    inputs = [
        TensorSpec(name=name, datatype=Datatype.FP32, shape=[-1, 1], column=name, column_type=ColumnType.NUMBER)
        for name in imported.COLUMNS
    ]
    outputs = [
        TensorSpec(name="label", datatype=Datatype.BYTES, shape=[-1]),
        TensorSpec(name="probabilities", datatype=Datatype.FP32, shape=[-1, 2]),
    ]
    fields = {"labels": list(imported.LABELS), "inputs": inputs, "outputs": outputs, **changes}
    return Signature(kind=DatasetKind.TABLE, task=Task.BINARY, target="y", **fields)


@pytest.fixture
def exported(run: Run, api: Api, tmp_path: Path) -> Path:
    """The folder of a model that was trained, exported and unpacked."""
    model = imported.build("plain").SerializeToString()
    rows = {name: [[0.25], [-1.5], [None]] for name in imported.COLUMNS}
    tensors = {
        name: np.array([[np.nan if v is None else v for v in row] for row in values], np.float32)
        for name, values in rows.items()
    }
    label, scores = onnxruntime.InferenceSession(model).run(["label", "probabilities"], tensors)
    golden = Golden(inputs=rows, outputs={"label": label.tolist(), "probabilities": scores.tolist()})
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))
    job = add_job(api.ports, owner_of(api))
    job = dispatch.dispatch(api.ports, job.workspace_id, job.id)
    extra = {"model/golden.json": golden.model_dump_json().encode()}
    leave_result(api.ports, job, model=model, signature=make_signature(), extra=extra)
    tell(api.ports, job, JobStatus.SUCCEEDED, exit_code=0)
    ran = run("models", "export", "adult@1", str(tmp_path / "adult.zip"))
    assert ran.code == 0, ran.err
    with zipfile.ZipFile(tmp_path / "adult.zip") as archive:
        archive.extractall(tmp_path)
    return tmp_path / "adult"


def alone(folder: Path, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A program of the export in a Python that sees the standard library, onnxruntime and numpy, and nothing else."""
    site = folder.parent / "site"
    site.mkdir(exist_ok=True)
    for package in (onnxruntime, np):
        path = Path(str(package.__file__)).parent
        for found in (path, path.with_name(f"{path.name}.libs")):
            if found.exists() and not (site / found.name).exists():
                (site / found.name).symlink_to(found)
    code = f"import runpy, sys; sys.path[:0] = [{str(site)!r}, {str(folder)!r}]; sys.argv = {[program, *arguments]!r}; "
    code += f"runpy.run_path({str(folder / program)!r}, run_name='__main__')"
    return subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)


def test_an_exported_model_answers_with_onnxruntime_and_numpy_alone(exported: Path) -> None:
    names = {path.name for path in exported.iterdir()}
    assert names >= {
        "model.onnx",
        "signature.json",
        "card.json",
        "golden.json",
        "sample.csv",
        "Dockerfile",
        "README.md",
    }
    assert "adult@1" in (exported / "README.md").read_text()
    checked = alone(exported, "predict.py", "--check")
    assert (checked.returncode, "It answers as it did" in checked.stdout) == (0, True), checked.stderr
    golden = json.loads((exported / "golden.json").read_text())
    answers = [
        json.loads(line) for line in alone(exported, "predict.py", str(exported / "sample.csv")).stdout.splitlines()
    ]
    assert [answer["label"] for answer in answers] == golden["outputs"]["label"]
    found = [[answer["probabilities"][name] for name in imported.LABELS] for answer in answers]
    np.testing.assert_allclose(found, golden["outputs"]["probabilities"], atol=1e-6)
    (exported / "bad.csv").write_text("a,b,c\n1,much,2\n")
    assert "b: 'much' is not a number" in alone(exported, "predict.py", str(exported / "bad.csv")).stderr


def test_an_exported_model_that_was_changed_says_so(exported: Path) -> None:
    golden = json.loads((exported / "golden.json").read_text())
    golden["outputs"]["probabilities"][0] = [0.5, 0.5]
    (exported / "golden.json").write_text(json.dumps(golden))
    changed = alone(exported, "predict.py", "--check")
    assert (changed.returncode, "the answers differ by" in changed.stderr) == (1, True)


def test_the_lambda_recipe_answers_events_and_requests_of_its_url(exported: Path) -> None:
    event = {"requestContext": {}, "body": json.dumps([{"a": 0.25, "b": 0.25, "c": 0.25}])}
    bad = {"requestContext": {}, "body": "{}x"}
    (exported / "ask.py").write_text(
        f"import json\nfrom lambda_function import handler\nprint(json.dumps([handler({event!r}, None), "
        f"handler({bad!r}, None), handler([{{'a': 0.25, 'b': 0.25, 'c': 0.25}}], None)]))\n"
    )
    ran = alone(exported, "ask.py")
    assert ran.returncode == 0, ran.stderr
    good, refused, direct = json.loads(ran.stdout)
    golden = json.loads((exported / "golden.json").read_text())
    assert json.loads(good["body"]) == direct
    assert direct["predictions"][0]["label"] == golden["outputs"]["label"][0]
    assert refused["statusCode"] == 400
