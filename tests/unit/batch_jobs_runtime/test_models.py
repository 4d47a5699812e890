"""Registered models come beside the channels as they were registered, or the job says what is wrong with them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from aimass_core.domain import keys
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.jobs import JobResult, to_hyperparameters
from aimass_core.domain.training import LearningSpec
from batch_jobs.runtime import lifecycle
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.exit_codes import ExitCode
from batch_jobs.runtime.hosts import SageMakerHost
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.runtime.storage.folders import Folders
from tests.unit.batch_jobs_runtime.workplace import Workplace, new_workplace

FILES = {"model.onnx": b"a graph", "signature.json": b"{}", "card.json": b"{}", "golden.json": b"{}"}
ROLES = ("member-1", "member-2")
SPEC = CompressSpec(kind="compress", parent="adult@3", data=LearningSpec(dataset="adult@1"))  # type: ignore[arg-type]


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """Its configuration names two models, as dispatch writes it."""
    workplace = new_workplace(tmp_path)
    config = keys.job_config(workplace.job.workspace_id, workplace.job.id, "inputdataconfig.json")
    content = json.loads(workplace.ports.lake.get(config))
    for role in ROLES:
        for name, body in FILES.items():
            workplace.ports.lake.put(key_of(role, name), role.encode() + body)
        files = {
            name: {"key": key_of(role, name), "sha256": hashlib.sha256(role.encode() + body).hexdigest()}
            for name, body in FILES.items()
        }
        content[role] = {"TrainingInputMode": "File", "model": "adult@3", "files": files}
    workplace.ports.lake.put(config, json.dumps(content).encode())
    return workplace


def key_of(role: str, name: str) -> str:
    return f"models/{role}/{name}"


def run(workplace: Workplace, kind: lifecycle.Run) -> ExitCode:
    return lifecycle.execute(workplace.host(), lambda: kind, {})


def read(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
    assert sorted(environment.channels) == ["train"]
    assert sorted(environment.models) == list(ROLES)
    for role, path in environment.models.items():
        assert {file.name: file.read_bytes() for file in path.iterdir()} == {
            name: role.encode() + body for name, body in FILES.items()
        }
    return {"num_models": len(environment.models)}


def decompose(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
    for path in (environment.model_path, environment.parts_path / "gate"):
        path.mkdir(parents=True, exist_ok=True)
        (path / "model.onnx").write_bytes(b"a graph")
    return {}


def test_models_are_brought_in_beside_the_channels(workplace: Workplace) -> None:
    assert run(workplace, read) is ExitCode.SUCCESS


def test_f8_model_that_was_replaced_after_registration_fails_the_job(workplace: Workplace) -> None:
    workplace.ports.lake.put(key_of("member-2", "model.onnx"), b"an evil graph")
    assert run(workplace, read) is ExitCode.DATA_ERROR
    failure = json.loads(workplace.left("failure.json"))
    assert "model.onnx of the model version adult@3 was replaced after it was registered" in failure["cause"]


def test_model_whose_bytes_are_gone_fails_the_job(workplace: Workplace) -> None:
    workplace.ports.lake.delete(key_of("member-1", "golden.json"))
    assert run(workplace, read) is ExitCode.DATA_ERROR
    assert "golden.json of the model version adult@3 is gone" in json.loads(workplace.left("failure.json"))["cause"]


def test_parts_are_left_beside_the_model(workplace: Workplace) -> None:
    assert run(workplace, decompose) is ExitCode.SUCCESS
    result = JobResult.model_validate_json(workplace.left("result.json"))
    assert [artifact.name for artifact in result.artifacts] == ["model/model.onnx", "parts/gate/model.onnx"]
    assert run(workplace, lambda *_: {}) is ExitCode.SUCCESS
    assert json.loads(workplace.left("result.json"))["artifacts"] == [], "no attempt leaves an earlier one's parts"


def test_sagemaker_tells_models_by_their_role_and_graph(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.make()
    (folders.config / "hyperparameters.json").write_text(json.dumps(to_hyperparameters(SPEC)))
    (folders.config / "resourceconfig.json").write_text('{"current_host": "algo-1", "hosts": ["algo-1"]}')
    for name in ("train", "parent", "single", "graphs"):
        (folders.data / name).mkdir()
    for name in ("parent", "graphs"):
        (folders.data / name / "model.onnx").write_bytes(b"a graph")
    seen: list[Environment] = []

    def kind(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        seen.append(environment)
        return decompose(environment, reporter)

    assert lifecycle.execute(SageMakerHost(folders, {}), lambda: kind, {}) is ExitCode.SUCCESS
    (environment,) = seen
    assert environment.models == {"parent": folders.data / "parent"}
    assert sorted(environment.channels) == ["graphs", "single", "train"], "a channel of such a name is one"
    assert environment.dataset == "adult@1", "of the data that judge"
    assert (folders.model / "parts" / "gate" / "model.onnx").read_bytes() == b"a graph"
