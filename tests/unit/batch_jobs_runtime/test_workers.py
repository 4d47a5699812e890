"""Which worker of which study a container is: an array's child on Batch, a host of a training job on SageMaker."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from aimass_core.domain.batch_predictions import PredictSpec
from aimass_core.domain.jobs import JobStatus
from aimass_core.domain.study_specs import SearchSpec
from batch_jobs.runtime import lifecycle
from batch_jobs.runtime.cluster import Cluster, Worker, worker_from_batch
from batch_jobs.runtime.environment import Environment, StudyPlace
from batch_jobs.runtime.exit_codes import ExitCode
from batch_jobs.runtime.fence import Fence
from batch_jobs.runtime.hosts import BatchHost, Host, OpenStudy, ParticipantHost, TrainingJobHost, find_place
from batch_jobs.runtime.reporting import Reporter
from tests.unit.batch_jobs_runtime.workplace import Workplace, new_workplace

SPEC = SearchSpec.model_validate(
    {"kind": "search", "dataset": "adult", "target": "income", "candidates": [{"algorithm": "linear"}]}
)
VARIABLES = {
    "AIMASS_WORKSPACE_ID": "ws",
    "AIMASS_JOB_ID": "job",
    "AIMASS_REGISTRY_TABLE": "registry",
    "AIMASS_STUDIES_TABLE": "studies",
    "AIMASS_LANDING_BUCKET": "landing",
    "AIMASS_LAKE_BUCKET": "lake",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_BATCH_JOB_ID": "d5c0a1e2",
    "AWS_BATCH_JOB_ATTEMPT": "2",
}


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return new_workplace(tmp_path, spec=SPEC, study_id="std_1")


def fence(workplace: Workplace, *, attempt: int) -> Fence:
    return Fence(
        ports=workplace.ports, workspace_id=workplace.job.workspace_id, job_id=workplace.job.id, attempt=attempt
    )


def child(index: int) -> dict[str, str]:
    return {"OMP_NUM_THREADS": "1", "AWS_BATCH_JOB_ARRAY_INDEX": str(index), "AWS_BATCH_JOB_ARRAY_SIZE": "4"}


def look(workplace: Workplace, host: Host) -> Environment:
    """The environment that a job gets from this host."""
    seen: list[Environment] = []

    def run(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        del reporter
        seen.append(environment)
        (environment.model_path / "model.onnx").write_bytes(b"best")
        return {}

    assert lifecycle.execute(host, lambda: run, {}) is ExitCode.SUCCESS
    return seen[0]


def opening(workplace: Workplace) -> OpenStudy:
    def open_study(study_id: str) -> StudyPlace:
        return StudyPlace(ports=workplace.ports, workspace_id="ws", study_id=study_id, client=None, table="studies")

    return open_study


def test_an_arrays_child_0_claims_the_job_and_works_on_its_study(workplace: Workplace) -> None:
    host = BatchHost(fence(workplace, attempt=1), workplace.folders, child(0), open_study=opening(workplace))
    environment = look(workplace, host)
    assert environment.worker == Worker(index=0, count=4)
    assert environment.worker.is_main
    assert environment.cluster.is_alone
    assert environment.study is not None
    assert environment.study.study_id == "std_1"
    assert workplace.stored().status is JobStatus.RUNNING
    assert "result.json" in workplace.names_left()


def test_another_child_takes_part_whatever_attempt_worker_0_is_in(workplace: Workplace) -> None:
    workplace.change(attempt=3, status=JobStatus.RUNNING)
    before = workplace.stored()
    host = ParticipantHost(
        fence(workplace, attempt=0), workplace.folders, child(2), Cluster(), open_study=opening(workplace)
    )
    environment = look(workplace, host)
    assert environment.worker == Worker(index=2, count=4)
    assert not environment.worker.is_main
    assert environment.study is not None
    assert workplace.stored() == before
    assert workplace.names_left() == []


def test_a_child_of_a_job_that_is_stopped_does_not_begin(workplace: Workplace) -> None:
    workplace.change(status=JobStatus.STOPPING)
    host = ParticipantHost(fence(workplace, attempt=0), workplace.folders, child(2), Cluster())
    assert lifecycle.execute(host, pytest.fail, {}) is ExitCode.PLATFORM_FAULT


@pytest.mark.parametrize("current", [1, 2])
def test_hosts_of_sagemaker_are_workers_that_train_alone(workplace: Workplace, current: int) -> None:
    workplace.folders.make()
    resources = {"current_host": f"127.0.0.{current}", "hosts": ["127.0.0.1", "127.0.0.2"]}
    (workplace.folders.config / "resourceconfig.json").write_text(json.dumps(resources))
    variables = {"OMP_NUM_THREADS": "1"}
    host: Host
    if current == 1:
        host = TrainingJobHost(fence(workplace, attempt=0), workplace.folders, variables)
    else:
        place = find_place(workplace.folders, variables)
        host = ParticipantHost(fence(workplace, attempt=0), workplace.folders, variables, place)
    environment = look(workplace, host)
    assert environment.worker == Worker(index=current - 1, count=2)
    assert environment.cluster.is_alone
    assert environment.cluster.is_main


@pytest.mark.parametrize("index", [0, 2])
def test_workers_of_a_batch_prediction_are_children_of_an_array_too(tmp_path: Path, index: int) -> None:
    spec = PredictSpec.model_validate({"kind": "predict", "model": "m@1", "dataset": "adult@1", "num_workers": 4})
    workplace = new_workplace(tmp_path, spec=spec)
    host: Host
    if index == 0:
        host = BatchHost(fence(workplace, attempt=1), workplace.folders, child(0))
    else:
        host = ParticipantHost(fence(workplace, attempt=1), workplace.folders, child(index), Cluster())
    environment = look(workplace, host)
    assert environment.worker == Worker(index=index, count=4)
    assert (environment.study, environment.cluster.is_alone) == (None, True)


def test_batch_says_which_worker_a_container_is(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker_from_batch({}) == Worker(index=0, count=1)
    for name, value in {**VARIABLES, "SAGEMAKER_BASE_DIR": str(workplace.folders.root)}.items():
        monkeypatch.setenv(name, value)
    main = lifecycle.resolve_host({**VARIABLES, **child(0)})
    assert type(main) is BatchHost
    assert main.attempt == 2
    other = lifecycle.resolve_host({**VARIABLES, **child(1)})
    assert type(other) is ParticipantHost
    assert other.attempt == 1
