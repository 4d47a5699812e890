"""A job on SageMaker goes the same way as one on Batch."""

from datetime import timedelta
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryCompute, MemoryPorts
from aimass_core.domain.common import Principal, utc_now
from aimass_core.domain.compute import Compute
from aimass_core.domain.compute_states import ComputeState, to_training_state
from aimass_core.domain.jobs import Job, JobStatus, LogLine
from aimass_core.errors import UnavailableError
from aimass_core.services import dispatch, job_events, job_story, jobs, reconciler
from tests.factories.platform import (
    LIMITS,
    ManualClock,
    add_dataset,
    add_version,
    leave_result,
    new_ports,
    new_principal,
    reload,
    train_request,
)
from tests.unit.core.domain.test_training_states import describe

SAGEMAKER = Compute(backend="sagemaker", instance_type="ml.m5.xlarge")  # type: ignore[arg-type]


def submit(ports: MemoryPorts, principal: Principal, compute: Compute = SAGEMAKER) -> Job:
    job = jobs.create(ports, principal, train_request().model_copy(update={"compute": compute}), limits=LIMITS)
    return dispatch.dispatch(ports, job.workspace_id, job.id)


def told(ports: MemoryPorts, job: Job, status: str, *steps: str, **fields: Any) -> Job:
    """SageMaker reaches a step, and its event arrives."""
    name = str(job.compute_job_id)
    state = to_training_state({**describe(status, *steps, **fields), "TrainingJobName": name})
    ports.sagemaker.states[name] = state
    after = job_events.apply(ports, job.workspace_id, job.id, state)
    assert after is not None
    return after


def test_the_job_goes_to_its_service_under_a_name_that_leads_back(ports: MemoryPorts, principal: Principal) -> None:
    job = submit(ports, principal)
    assert job.status is JobStatus.QUEUED
    assert ports.compute.submissions == {}
    (submission,) = ports.sagemaker.submissions.values()
    assert submission.name == f"aimass-{job.workspace_id[3:]}-{job.id[4:]}"
    assert submission.compute == SAGEMAKER
    assert submission.prefix == f"jobs/{job.workspace_id}/{job.id}/"


def test_success_registers_the_model(ports: MemoryPorts, principal: Principal) -> None:
    job = submit(ports, principal)
    job = told(ports, job, "InProgress", "Starting", "Training")
    assert (job.status, job.attempt) == (JobStatus.STARTING, 1)
    leave_result(ports, job)
    ended = told(ports, job, "Completed", "Completed")
    assert ended.status is JobStatus.SUCCEEDED
    assert ended.model_version is not None


def test_stop_goes_to_its_service(ports: MemoryPorts, principal: Principal) -> None:
    job = submit(ports, principal)
    assert jobs.stop(ports, principal, job.id).status is JobStatus.STOPPING
    assert ports.sagemaker.states[str(job.compute_job_id)].status is JobStatus.FAILED
    assert told(ports, job, "Stopped", "Stopping", "Stopped").status is JobStatus.STOPPED


def test_interrupted_job_waits_and_a_restart_is_the_next_attempt(ports: MemoryPorts, principal: Principal) -> None:
    job = submit(ports, principal)
    steps = ["Starting", "Training"]
    told(ports, job, "InProgress", *steps)
    steps.append("Interrupted")
    waiting = told(ports, job, "InProgress", *steps)
    assert (waiting.status, waiting.status_reason) == (JobStatus.QUEUED, "about Interrupted")
    steps += ["Restarting", "Training"]
    again = told(ports, job, "InProgress", *steps)
    assert (again.status, again.attempt) == (JobStatus.STARTING, 2)


@pytest.mark.parametrize(
    ("ending", "code", "words"),
    [
        (("Failed", "Failed", "AlgorithmError: , exit code: 137"), "killed", "SIGKILL"),
        (
            ("Failed", "Failed", "InternalServerError: We encountered an internal error."),
            "host_terminated",
            "aimass jobs retry",
        ),
        (("Failed", "Failed", "ClientError: Data download failed:gone"), "could_not_start", "gone"),
        (("Failed", "Failed", "CapacityError: Unable to provision"), "no_machines", "instance_type"),
        (("Stopped", "MaxRuntimeExceeded", None), "timeout", "max_seconds"),
        (("Stopped", "MaxWaitTimeExceeded", None), "no_machines", "max_wait_seconds"),
        (("Stopped", "Stopped", None), "failed", "stopped in SageMaker"),
    ],
    ids=str,
)
def test_endings_say_why(
    ports: MemoryPorts, principal: Principal, ending: tuple[str, str, str | None], code: str, words: str
) -> None:
    job = submit(ports, principal)
    status, step, reason = ending
    failed = told(ports, job, status, step, **({"FailureReason": reason} if reason else {}))
    assert failed.status is JobStatus.FAILED
    assert failed.failure is not None
    assert failed.failure.code == code
    assert words in failed.failure.cause


def test_reconciler_follows_the_jobs_of_each_service(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    on_batch, on_sagemaker = submit(ports, principal, Compute()), submit(ports, principal)
    ports.compute.set_state(str(on_batch.compute_job_id), JobStatus.FAILED, exit_code=137)
    ports.sagemaker.set_state(str(on_sagemaker.compute_job_id), JobStatus.FAILED, exit_code=139)
    clock.advance(120)
    assert reconciler.run(ports).jobs == 2
    codes = [job.failure and job.failure.exit_code for job in (reload(ports, on_batch), reload(ports, on_sagemaker))]
    assert codes == [137, 139]


class _Silent(MemoryCompute):
    def describe(self, compute_job_ids: object) -> list[ComputeState]:
        raise UnavailableError("SageMaker is busy.")


def test_a_service_that_cannot_be_asked_has_not_lost_its_jobs(clock: ManualClock) -> None:
    ports = new_ports(clock)
    ports.sagemaker = _Silent()
    principal = new_principal()
    add_version(ports, principal, add_dataset(ports, principal))
    on_batch, on_sagemaker = submit(ports, principal, Compute()), submit(ports, principal)
    ports.compute.set_state(str(on_batch.compute_job_id), JobStatus.FAILED, exit_code=137)
    clock.advance(3600)
    healed = reconciler.run(ports)
    assert (healed.jobs, healed.faults) == (1, 1)
    assert reload(ports, on_batch).status is JobStatus.FAILED
    assert reload(ports, on_sagemaker).status is JobStatus.QUEUED


def test_logs_are_read_where_the_service_writes(ports: MemoryPorts, principal: Principal) -> None:
    job = told(ports, submit(ports, principal), "InProgress", "Training")
    line = LogLine(at=utc_now() - timedelta(seconds=1), message="hello")
    ports.sagemaker_logs.lines[str(job.log_stream)] = [line]
    assert job_story.read_logs(ports, principal, job.id, cursor=None, limit=10)[0] == [line]
