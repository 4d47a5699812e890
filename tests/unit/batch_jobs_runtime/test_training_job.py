"""A job of ours on SageMaker: which attempt it is, which hosts there are, and where its result goes."""

import json
import os
from pathlib import Path

import pytest

from aimass_core.domain.jobs import JobStatus
from batch_jobs.runtime import lifecycle
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.exit_codes import ExitCode
from batch_jobs.runtime.fence import Fence, SupersededError
from batch_jobs.runtime.hosts import BatchHost, ParticipantHost, SageMakerHost, TrainingJobHost
from batch_jobs.runtime.reporting import Reporter
from tests.unit.batch_jobs_runtime.test_lifecycle import train
from tests.unit.batch_jobs_runtime.workplace import Workplace, new_workplace

OURS = {"AIMASS_WORKSPACE_ID": "ws", "AIMASS_JOB_ID": "job", "AIMASS_REGISTRY_TABLE": "registry"}
STORAGE = {
    "AIMASS_STUDIES_TABLE": "studies",
    "AIMASS_LANDING_BUCKET": "landing",
    "AIMASS_LAKE_BUCKET": "lake",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return new_workplace(tmp_path)


def uncounted(workplace: Workplace) -> Fence:
    return Fence(ports=workplace.ports, workspace_id=workplace.job.workspace_id, job_id=workplace.job.id)


def host(workplace: Workplace, *, hosts: int = 1, current: int = 1) -> TrainingJobHost:
    workplace.folders.make()
    names = [f"127.0.0.{number + 1}" for number in range(hosts)]
    resources = {"current_host": f"127.0.0.{current}", "hosts": names}
    (workplace.folders.config / "resourceconfig.json").write_text(json.dumps(resources))
    return TrainingJobHost(uncounted(workplace), workplace.folders, {"OMP_NUM_THREADS": "1"})


def test_the_first_container_is_attempt_1_whether_the_event_came_before_it_or_not(workplace: Workplace) -> None:
    assert uncounted(workplace).claim().attempt == 1
    workplace.change(status=JobStatus.STARTING, attempt=1)
    fence = uncounted(workplace)
    assert fence.claim().attempt == fence.attempt == 1


def test_a_restarted_container_is_the_next_attempt_and_shuts_the_former_out(workplace: Workplace) -> None:
    former = uncounted(workplace)
    assert former.claim().status is JobStatus.RUNNING
    later = uncounted(workplace)
    assert later.claim().attempt == 2
    with pytest.raises(SupersededError):
        former.check()
    later.check()


@pytest.mark.parametrize("told", [{"status": JobStatus.QUEUED}, {"status": JobStatus.STARTING, "attempt": 2}], ids=str)
def test_an_interruption_that_was_told_before_is_not_counted_twice(
    workplace: Workplace, told: dict[str, object]
) -> None:
    uncounted(workplace).claim()
    workplace.change(num_attempts_ended=1, **told)
    assert uncounted(workplace).claim().attempt == 2


def test_the_result_is_in_the_lake_as_on_batch(workplace: Workplace) -> None:
    on_sagemaker = host(workplace)
    saved = workplace.folders.checkpoints / "state"
    saved.write_text("saved")
    assert lifecycle.execute(on_sagemaker, lambda: train, {}) is ExitCode.SUCCESS
    assert workplace.left("model/model.onnx") == b"rows 2"
    assert "result.json" in workplace.names_left()
    assert saved.read_text() == "saved"


def participant(workplace: Workplace, *, attempt: int) -> ParticipantHost:
    fence = Fence(
        ports=workplace.ports, workspace_id=workplace.job.workspace_id, job_id=workplace.job.id, attempt=attempt
    )
    place = Cluster(rank=1, hosts=("algo-1", "algo-2"))
    return ParticipantHost(fence, workplace.folders, {"OMP_NUM_THREADS": "1"}, place)


def test_a_machine_that_takes_part_reads_the_data_and_leaves_no_trace(workplace: Workplace) -> None:
    seen: list[Environment] = []

    def look(environment: Environment, reporter: Reporter) -> dict[str, float]:
        reporter.message("said to its own log")
        seen.append(environment)
        return {}

    assert lifecycle.execute(participant(workplace, attempt=1), lambda: look, {}) is ExitCode.SUCCESS
    assert (seen[0].cluster.rank, seen[0].job, seen[0].spec) == (1, workplace.job.id, workplace.job.spec)
    assert len(list(seen[0].channels["train"].glob("*.parquet"))) == 2
    assert workplace.stored() == workplace.job
    assert (workplace.events(), workplace.names_left()) == ([], [])


def test_a_machine_that_fails_leaves_the_job_to_the_main_one(workplace: Workplace) -> None:
    def fail(environment: Environment, reporter: Reporter) -> dict[str, float]:
        del environment, reporter
        raise MemoryError("as large as a house")

    assert lifecycle.execute(participant(workplace, attempt=1), lambda: fail, {}) is ExitCode.PLATFORM_FAULT
    assert workplace.stored() == workplace.job
    assert "more memory" in workplace.folders.failure.read_text()


def test_a_machine_of_an_attempt_that_was_overtaken_does_not_begin(workplace: Workplace) -> None:
    workplace.change(attempt=2)
    assert lifecycle.execute(participant(workplace, attempt=1), lambda: train, {}) is ExitCode.PLATFORM_FAULT
    assert not (workplace.folders.data / "train").exists()


def test_the_variables_say_where_a_container_runs(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    host(workplace, hosts=2, current=1)
    for name, value in {**OURS, **STORAGE, "SAGEMAKER_BASE_DIR": str(workplace.folders.root)}.items():
        monkeypatch.setenv(name, value)
    assert type(lifecycle.resolve_host(os.environ)) is TrainingJobHost
    host(workplace, hosts=2, current=2)
    assert type(lifecycle.resolve_host(os.environ)) is ParticipantHost
    monkeypatch.setenv("AWS_BATCH_JOB_ID", "1")
    assert type(lifecycle.resolve_host(os.environ)) is BatchHost
    assert type(lifecycle.resolve_host({})) is SageMakerHost
