"""What becomes of a study's job: worker 0 tells, and whatever its end, the best model so far is registered."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.compute import Compute
from aimass_core.domain.jobs import Failure, Job, JobStatus
from aimass_core.domain.models import ModelVersion
from aimass_core.services import dispatch, job_events, jobs, models, reconciler, records
from tests.factories import platform
from tests.factories.platform import LIMITS, ManualClock, leave_best, leave_result, reload, search_request, tell


@pytest.fixture
def ports(clock: ManualClock) -> MemoryPorts:
    return platform.new_ports(clock)


@pytest.fixture
def job(ports: MemoryPorts, principal: Principal) -> Job:
    return submit(ports, principal)


def submit(ports: MemoryPorts, principal: Principal, *, compute: Compute | None = None, **spec: Any) -> Job:
    """A study's job that worker 0 has claimed."""
    request = search_request(study="mine", num_workers=3, **spec)
    request = request.model_copy(update={"compute": compute or Compute()})
    job = jobs.create(ports, principal, request, limits=LIMITS)
    job = dispatch.dispatch(ports, job.workspace_id, job.id)
    changes = {"status": JobStatus.RUNNING, "attempt": 1}
    return records.update(ports, Job, job.workspace_id, job.id, change=lambda _: changes)


def registered(ports: MemoryPorts, job: Job) -> list[ModelVersion]:
    page = ports.registry.query(keys.partition(job.workspace_id), keys.row_prefix("model_version"), limit=10)
    return [ModelVersion.model_validate(row.data) for row in page.rows]


def is_terminated(ports: MemoryPorts, job: Job) -> bool:
    """Whether compute was asked to end what is left of it. (What tells of its end is set by hand before.)"""
    return ports.compute.states[str(job.compute_job_id)].exit_code == 143


def test_workers_are_submitted_as_the_spec_says(ports: MemoryPorts, job: Job) -> None:
    submission = ports.compute.submissions[str(job.compute_job_id)]
    assert (submission.kind, submission.num_workers, submission.max_seconds) == ("search", 3, job.max_seconds)
    assert job.kind == "search"


def test_a_study_that_succeeds_registers_its_result(ports: MemoryPorts, principal: Principal, job: Job) -> None:
    leave_best(ports, job)
    leave_result(ports, job, model=b"ensemble")
    ended = tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
    assert (ended.status, ended.metrics) == (JobStatus.SUCCEEDED, {"validation/roc_auc": 0.93})
    (version,) = registered(ports, job)
    assert ended.model_version is not None
    assert (ended.model_version.model_name, ended.model_version.number, version.job_id) == ("adult", 1, job.id)
    assert ports.lake.get(keys.model_object(job.workspace_id, version.model_id, 1, "model.onnx")) == b"ensemble"


def test_e7_a_study_that_is_stopped_keeps_its_best_model(ports: MemoryPorts, principal: Principal, job: Job) -> None:
    best = leave_best(ports, job, model=b"so far")
    jobs.stop(ports, principal, job.id)
    ended = tell(ports, job, JobStatus.FAILED, reason="Stopped by the user.", exit_code=143)
    assert (ended.status, ended.failure, ended.metrics) == (JobStatus.STOPPED, None, best.metrics)
    assert ended.model_version is not None
    version = models.get_version_detail(ports, principal, "adult", 1)
    assert (version.job_id, version.metrics) == (job.id, best.metrics)
    assert ports.lake.get(keys.model_object(job.workspace_id, version.model_id, 1, "model.onnx")) == b"so far"
    assert jobs.retry(ports, principal, job.id, limits=LIMITS).study_id == job.study_id, "and it can go on"


def test_a_study_that_fails_keeps_its_best_model_and_says_why(ports: MemoryPorts, job: Job) -> None:
    leave_best(ports, job)
    ended = tell(ports, job, JobStatus.FAILED, reason="OutOfMemoryError: Container killed", exit_code=137)
    assert ended.status is JobStatus.FAILED
    assert ended.failure is not None
    assert ended.failure.code == "out_of_memory"
    assert ended.model_version is not None


def test_an_end_that_is_told_twice_registers_once(ports: MemoryPorts, job: Job) -> None:
    leave_best(ports, job)
    first = tell(ports, job, JobStatus.FAILED, exit_code=1)
    leave_best(ports, job, trial=9, model=b"late")
    assert tell(ports, job, JobStatus.FAILED, exit_code=1) == first
    assert len(registered(ports, job)) == 1


def test_an_end_that_was_interrupted_after_the_registration_is_told_again(ports: MemoryPorts, job: Job) -> None:
    leave_best(ports, job)
    best = job_events._find_best(ports, job)
    assert best is not None
    ended = tell(ports, job, JobStatus.FAILED, exit_code=1)
    assert ended.model_version == best.ref
    assert len(registered(ports, job)) == 1


def test_a_result_that_is_not_whole_leaves_the_best_model(ports: MemoryPorts, job: Job) -> None:
    leave_best(ports, job)
    leave_result(ports, job)
    ports.lake.delete(platform.artifact_key(job, "model/model.onnx"))
    ended = tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
    assert ended.failure is not None
    assert (ended.status, ended.failure.code) == (JobStatus.FAILED, "artifact_missing")
    assert ended.model_version is not None


@pytest.mark.parametrize("name", ["model/model.onnx", "model/card.json"])
@pytest.mark.parametrize("body", [None, b"{}"])
def test_a_best_model_with_other_bytes_is_not_registered(
    ports: MemoryPorts, job: Job, name: str, body: bytes | None
) -> None:
    leave_best(ports, job, trial=3)
    key = keys.study_trial(job.workspace_id, str(job.study_id), 3, name)
    ports.lake.delete(key)
    if body is not None:
        ports.lake.put(key, body)
    ended = tell(ports, job, JobStatus.FAILED, exit_code=1)
    assert (ended.status, ended.model_version, registered(ports, job)) == (JobStatus.FAILED, None, [])


def test_e8_a_study_whose_trials_all_failed_registers_nothing(ports: MemoryPorts, job: Job) -> None:
    record = Failure(
        code="invalid_data", cause="12 of 12 trials failed. The commonest cause: the target has one value."
    )
    ports.lake.put(platform.artifact_key(job, "failure.json"), record.model_dump_json().encode())
    ended = tell(ports, job, JobStatus.FAILED, reason="Essential container in task exited", exit_code=65)
    assert (ended.status, ended.status_reason) == (JobStatus.FAILED, record.cause)
    assert (ended.model_version, registered(ports, job)) == (None, [])


def test_what_an_earlier_job_of_the_study_found_is_registered_once(
    ports: MemoryPorts, principal: Principal, clock: ManualClock, job: Job
) -> None:
    leave_best(ports, job)
    tell(ports, job, JobStatus.FAILED, exit_code=1)
    clock.advance(60)
    second = submit(ports, principal)
    assert tell(ports, second, JobStatus.FAILED, exit_code=1).model_version is None
    clock.advance(60)
    third = submit(ports, principal)
    leave_best(ports, third, trial=20)
    ended = tell(ports, third, JobStatus.FAILED, exit_code=1)
    assert ended.model_version is not None
    assert [version.job_id for version in registered(ports, job)] == [job.id, third.id]


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED])
def test_the_end_of_worker_0_ends_the_others(ports: MemoryPorts, job: Job, status: JobStatus) -> None:
    leave_result(ports, job)
    compute_job_id = str(job.compute_job_id)
    ports.compute.set_state(compute_job_id, JobStatus.RUNNING)
    state = ports.compute.states[compute_job_id]
    told = replace(state, status=status, exit_code=0 if status is JobStatus.SUCCEEDED else 1)
    ended = job_events.apply(ports, job.workspace_id, job.id, told)
    assert ended is not None
    assert ended.status is JobStatus.SUCCEEDED, "what was handed over counts, whatever came after"
    assert is_terminated(ports, job)


def test_a_lone_worker_leaves_nobody_to_end(ports: MemoryPorts, principal: Principal) -> None:
    job = platform.add_job(ports, principal)
    job = dispatch.dispatch(ports, job.workspace_id, job.id)
    leave_result(ports, job)
    state = ports.compute.set_state(str(job.compute_job_id), JobStatus.RUNNING)
    job_events.apply(ports, job.workspace_id, job.id, replace(state, status=JobStatus.SUCCEEDED))
    assert not is_terminated(ports, job)


def test_worker_0_that_was_killed_begins_another_attempt(ports: MemoryPorts, job: Job) -> None:
    again = tell(ports, job, JobStatus.QUEUED, attempt=2)
    assert (again.status, again.num_attempts_ended) == (JobStatus.QUEUED, 1)
    assert tell(ports, job, JobStatus.RUNNING, attempt=2).attempt == 2


def test_a_study_that_compute_has_forgotten_keeps_its_best_model(
    ports: MemoryPorts, job: Job, clock: ManualClock
) -> None:
    leave_best(ports, job)
    ports.compute.states.clear()
    clock.advance(timedelta(minutes=10).total_seconds())
    reconciler.run(ports)
    ended = reload(ports, job)
    assert ended.failure is not None
    assert (ended.status, ended.failure.code) == (JobStatus.FAILED, "lost")
    assert ended.model_version is not None
