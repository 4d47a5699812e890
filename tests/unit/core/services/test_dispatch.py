"""From a row to exactly one submission."""

import json

from aimass_core.adapters.memory import MemoryCompute, MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Job, JobStatus, from_hyperparameters
from aimass_core.errors import InvalidRequestError, UnavailableError
from aimass_core.ports import Submission
from aimass_core.services import dispatch, jobs, records
from tests.factories.platform import (
    ManualClock,
    add_job,
    leave_result,
    reload,
    tell,
)


def run(ports: MemoryPorts, job: Job) -> Job:
    return dispatch.dispatch(ports, job.workspace_id, job.id)


def test_job_is_submitted_with_its_configuration_in_the_lake(ports: MemoryPorts, principal: Principal) -> None:
    job = add_job(ports, principal, hyperparameters={"max_depth": 3})
    queued = run(ports, job)
    assert queued.status is JobStatus.QUEUED
    (submission,) = ports.compute.submissions.values()
    assert (submission.name, submission.kind, submission.max_seconds) == (job.id, "train", 3600)
    assert submission.environment == {
        "AIMASS_WORKSPACE_ID": job.workspace_id,
        "AIMASS_JOB_ID": job.id,
        "AIMASS_LOG_LEVEL": "info",
    }
    config = {
        name: json.loads(ports.lake.get(keys.job_config(job.workspace_id, job.id, f"{name}.json")))
        for name in ("hyperparameters", "inputdataconfig", "resourceconfig")
    }
    assert from_hyperparameters(config["hyperparameters"]) == job.spec
    pin = job.channels["train"]
    manifest = keys.dataset_version_object(job.workspace_id, pin.dataset_id, pin.number, "manifest.json")
    assert config["inputdataconfig"]["train"]["manifest"] == manifest
    assert config["inputdataconfig"]["train"]["digest"] == pin.digest
    assert config["resourceconfig"]["hosts"] == [config["resourceconfig"]["current_host"]]


def test_c4_repeated_delivery_submits_once(ports: MemoryPorts, principal: Principal) -> None:
    job = add_job(ports, principal)
    for _ in range(3):
        run(ports, job)
    assert len(ports.compute.submissions) == 1


def test_c4_fresh_claim_of_somebody_else_is_respected_and_an_old_one_is_taken_over(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    job = add_job(ports, principal)
    records.save(ports, job, job.id, dispatched_at=clock())
    assert run(ports, job).status is JobStatus.SUBMITTED
    assert ports.compute.submissions == {}
    clock.advance(dispatch.CLAIM_SECONDS + 1)
    assert run(ports, job).status is JobStatus.QUEUED


def test_c4_submission_whose_answer_was_lost_is_found_by_its_name(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    job = add_job(ports, principal)
    run(ports, job)
    stored = reload(ports, job)
    records.save(ports, stored, job.id, status=JobStatus.SUBMITTED, compute_job_id=None)
    clock.advance(dispatch.CLAIM_SECONDS + 1)
    assert run(ports, job).compute_job_id == stored.compute_job_id
    assert len(ports.compute.submissions) == 1


class _RefusingCompute:
    """A compute service that does not take jobs."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.num_asked = 0

    def find(self, name: str) -> str | None:
        return None

    def submit(self, submission: Submission) -> str:
        self.num_asked += 1
        raise self._error


def test_c5_throttled_submission_is_tried_again_a_bounded_number_of_times(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    job = add_job(ports, principal)
    compute = _RefusingCompute(UnavailableError("Too many requests."))
    ports.compute = compute  # type: ignore[assignment]
    waiting = run(ports, job)
    assert waiting.status is JobStatus.SUBMITTED
    assert "Too many requests." in (waiting.status_reason or "")
    for _ in range(dispatch.MAX_ATTEMPTS + 3):
        clock.advance(dispatch.CLAIM_SECONDS + 1)
        ended = run(ports, job)
    assert compute.num_asked == dispatch.MAX_ATTEMPTS
    assert ended.failure is not None
    assert (ended.status, ended.failure.code) == (JobStatus.FAILED, "not_dispatched")
    assert "Too many requests." in ended.failure.cause


def test_c5_job_that_is_never_accepted_fails_with_the_cause(ports: MemoryPorts, principal: Principal) -> None:
    job = add_job(ports, principal)
    ports.compute = _RefusingCompute(InvalidRequestError("9999 GPUs"))  # type: ignore[assignment]
    failure = run(ports, job).failure
    assert failure is not None
    assert failure.code == "configuration"
    assert "9999 GPUs" in failure.cause


def test_job_waits_for_its_dependencies_and_is_woken(ports: MemoryPorts, principal: Principal) -> None:
    first = add_job(ports, principal)
    second = add_job(ports, principal, depends_on=[first.id])
    waiting = run(ports, second)
    assert (waiting.status, waiting.dispatched_at) == (JobStatus.SUBMITTED, None)
    first = run(ports, first)
    leave_result(ports, first)
    tell(ports, first, JobStatus.SUCCEEDED)
    woken = reload(ports, second)
    assert woken.revision > waiting.revision, "its row is written again, so the stream delivers it"
    assert run(ports, second).status is JobStatus.QUEUED


def test_c11_failed_dependency_fails_all_that_wait_for_it(ports: MemoryPorts, principal: Principal) -> None:
    first = add_job(ports, principal)
    chain = [add_job(ports, principal, depends_on=[first.id])]
    for _ in range(400):
        chain.append(add_job(ports, principal, depends_on=[chain[-1].id]))
    jobs.stop(ports, principal, first.id)
    for job in chain:
        ended = reload(ports, job)
        assert ended.failure is not None
        assert (ended.status, ended.failure.code) == (JobStatus.FAILED, "dependency_failed")
    assert first.id in (reload(ports, chain[0]).status_reason or "")


def test_d9_stop_between_claim_and_submission_leaves_nothing_running(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    job = add_job(ports, principal)
    records.save(ports, job, job.id, dispatched_at=clock())
    assert jobs.stop(ports, principal, job.id).status is JobStatus.STOPPING
    clock.advance(dispatch.CLAIM_SECONDS + 1)
    assert run(ports, job).status is JobStatus.STOPPED
    assert ports.compute.submissions == {}


def test_d9_stop_during_submission_stops_what_was_submitted(ports: MemoryPorts, principal: Principal) -> None:
    job = add_job(ports, principal)

    class StoppedMeanwhile(MemoryCompute):
        def submit(self, submission: Submission) -> str:
            jobs.stop(ports, principal, job.id)
            return super().submit(submission)

    ports.compute = StoppedMeanwhile()
    stopping = run(ports, job)
    assert (stopping.status, stopping.compute_job_id) == (JobStatus.STOPPING, "compute-0")
    assert ports.compute.states["compute-0"].status is JobStatus.FAILED


def test_c4_slow_dispatcher_does_not_submit_when_its_claim_is_nearly_over(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    job = add_job(ports, principal)

    class SlowToFind(MemoryCompute):
        def find(self, name: str) -> str | None:
            clock.advance(dispatch.CLAIM_SECONDS - 1)
            return super().find(name)

    ports.compute = SlowToFind()
    assert run(ports, job).status is JobStatus.SUBMITTED
    assert ports.compute.submissions == {}
