"""Jobs that run a user's own script: their source, their data, and the model that may come of them."""

import hashlib
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.job_sources import MAX_MODEL_BYTES, JobSourceCreate
from aimass_core.domain.jobs import (
    Artifact,
    Job,
    JobCreate,
    JobKind,
    JobResult,
    JobStatus,
    ScriptSpec,
    from_hyperparameters,
    to_hyperparameters,
)
from aimass_core.errors import ConflictError, InvalidDataError, NotFoundError
from aimass_core.services import dispatch, job_sources, jobs, models
from tests.factories.platform import (
    LIMITS,
    artifact_key,
    leave_result,
    new_principal,
    tell,
)

SOURCE = b"a packed folder"
SHA256 = hashlib.sha256(SOURCE).hexdigest()


@pytest.fixture
def principal(ports: MemoryPorts, principal: Principal) -> Principal:
    """Who has uploaded a script too."""
    ports.lake.put(keys.job_source(principal.workspace_id, SHA256), SOURCE)
    return principal


def submit(ports: MemoryPorts, principal: Principal, **fields: Any) -> Job:
    spec = {"kind": "script", "source": SHA256, "entry_point": "train.py", **fields}
    return jobs.create(ports, principal, JobCreate.model_validate({"spec": spec}), limits=LIMITS)


def run(ports: MemoryPorts, job: Job) -> Job:
    return dispatch.dispatch(ports, job.workspace_id, job.id)


def leave_files(ports: MemoryPorts, job: Job, files: dict[str, bytes]) -> None:
    """What a container leaves of a script that made no model."""
    for name, body in files.items():
        ports.lake.put(artifact_key(job, name), body)
    artifacts = [
        Artifact(name=name, num_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
        for name, body in files.items()
    ]
    result = JobResult(job_id=job.id, attempt=1, artifacts=artifacts, metrics={"loss": 0.5})
    ports.lake.put(artifact_key(job, "result.json"), result.model_dump_json().encode())


def test_script_job_pins_its_channels_and_names_its_source(ports: MemoryPorts, principal: Principal) -> None:
    job = run(ports, submit(ports, principal, channels={"train": "adult", "validation": "adult@1"}))
    assert job.kind is JobKind.SCRIPT
    assert {name: pin.number for name, pin in job.channels.items()} == {"train": 1, "validation": 1}
    assert isinstance(job.spec, ScriptSpec)
    assert from_hyperparameters(to_hyperparameters(job.spec)) == job.spec
    compute_job_id = ports.compute.find(job.id)
    assert compute_job_id is not None
    assert ports.compute.submissions[compute_job_id].kind == "script"


def test_script_without_data_needs_none(ports: MemoryPorts, principal: Principal) -> None:
    assert submit(ports, principal).channels == {}


def test_source_is_sent_once(ports: MemoryPorts, principal: Principal) -> None:
    asked = JobSourceCreate(sha256=SHA256, num_bytes=len(SOURCE))
    assert job_sources.create(ports, principal, asked).request is None
    other = JobSourceCreate(sha256="1" * 64, num_bytes=5)
    assert job_sources.create(ports, principal, other).request is not None


def test_source_that_has_not_arrived_is_asked_for(ports: MemoryPorts, principal: Principal) -> None:
    with pytest.raises(ConflictError, match="has not arrived"):
        submit(ports, principal, source="1" * 64)


def test_source_of_another_workspace_is_not_there(ports: MemoryPorts, principal: Principal) -> None:
    with pytest.raises(ConflictError, match="has not arrived"):
        submit(ports, new_principal())


def test_source_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="num_bytes"):
        JobSourceCreate(sha256=SHA256, num_bytes=MAX_MODEL_BYTES + 1)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"entry_point": "../train.py"}, ValueError),
        ({"entry_point": "/etc/train.py"}, ValueError),
        ({"entry_point": "a/../../train.py"}, ValueError),
        ({"entry_point": "-c.py"}, ValueError),
        ({"entry_point": "train.sh"}, ValueError),
        ({"source": "zz"}, ValueError),
        ({"channels": {"../x": "adult"}}, ValueError),
        ({"channels": {"train": "unknown"}}, NotFoundError),
        ({"hyperparameters": {"--x": 1}}, ValueError),
        ({"hyperparameters": {"x": [1]}}, ValueError),
        ({"hyperparameters": {"x": float("nan")}}, ValueError),
        ({"environment": {"A": "b"}}, ValueError),
    ],
)
def test_spec_that_is_not_as_it_should_be_is_refused(
    ports: MemoryPorts, principal: Principal, fields: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        submit(ports, principal, **fields)


@pytest.mark.parametrize(("model", "name"), [(None, "adult"), ("mine", "mine")])
def test_model_that_a_script_leaves_is_registered(
    ports: MemoryPorts, principal: Principal, model: str | None, name: str
) -> None:
    job = run(ports, submit(ports, principal, channels={"train": "adult"}, model=model))
    leave_result(ports, job)
    ended = tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
    assert ended.model_version is not None
    assert ended.model_version.model_name == name
    assert models.get_version(ports, principal, name).datasets == job.channels


def test_files_without_a_model_make_a_success_without_one(ports: MemoryPorts, principal: Principal) -> None:
    job = run(ports, submit(ports, principal))
    leave_files(ports, job, {"output/model/clf.pkl": b"\x80\x04."})
    ended = tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
    assert (ended.status, ended.model_version, ended.metrics) == (JobStatus.SUCCEEDED, None, {"loss": 0.5})
    assert models.list_models(ports, principal, limit=10) == ([], None)


def test_model_without_its_papers_fails_the_job(ports: MemoryPorts, principal: Principal) -> None:
    job = run(ports, submit(ports, principal))
    leave_files(ports, job, {"model/model.onnx": b"onnx"})
    ended = tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
    assert ended.status is JobStatus.FAILED
    assert ended.failure is not None
    assert ended.failure.code == "artifact_missing"


def test_failed_script_can_be_run_again_on_the_same_source_and_data(ports: MemoryPorts, principal: Principal) -> None:
    job = run(ports, submit(ports, principal, channels={"train": "adult"}))
    tell(ports, job, JobStatus.FAILED, exit_code=64)
    again = jobs.retry(ports, principal, job.id, limits=LIMITS)
    assert (again.spec, again.channels, again.kind) == (job.spec, job.channels, JobKind.SCRIPT)


def test_training_is_still_what_a_spec_without_a_kind_means(ports: MemoryPorts, principal: Principal) -> None:
    request = JobCreate.model_validate({"spec": {"dataset": "adult", "algorithm": "cnn"}})
    assert request.spec.kind is JobKind.TRAIN
    with pytest.raises(InvalidDataError):
        jobs.create(ports, principal, request, limits=LIMITS)
