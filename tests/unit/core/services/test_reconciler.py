"""What events missed."""

from datetime import timedelta

from aimass_core.adapters.memory import MemoryPorts, MemoryPredictor
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.endpoints import EndpointCreate, EndpointStatus, EndpointUpdate
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.errors import UnavailableError
from aimass_core.ports import Put, Row
from aimass_core.services import dispatch, endpoints, jobs, reconciler, records
from aimass_core.services.reconciler import Healed
from tests.factories.platform import (
    ManualClock,
    add_job,
    leave_result,
    reload,
    tell,
)


def queued(ports: MemoryPorts, principal: Principal) -> Job:
    job = add_job(ports, principal)
    return dispatch.dispatch(ports, job.workspace_id, job.id)


def test_c4_job_that_the_stream_lost_is_dispatched_after_the_grace_time(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    job = add_job(ports, principal)
    assert reconciler.run(ports) == Healed()
    clock.advance(61)
    assert reconciler.run(ports) == Healed(dispatched=1)
    assert reload(ports, job).status is JobStatus.QUEUED


def test_d5_lost_events_are_asked_for(ports: MemoryPorts, principal: Principal, clock: ManualClock) -> None:
    many = [queued(ports, principal) for _ in range(120)]
    for index, job in enumerate(many):
        leave_result(ports, job)
        status = JobStatus.SUCCEEDED if index % 2 else JobStatus.FAILED
        ports.compute.set_state(str(job.compute_job_id), status, exit_code=1)
    clock.advance(61)
    assert reconciler.run(ports) == Healed(jobs=120)
    assert [reload(ports, job).status for job in many] == [JobStatus.FAILED, JobStatus.SUCCEEDED] * 60


def test_job_that_reports_is_left_alone(ports: MemoryPorts, principal: Principal, clock: ManualClock) -> None:
    job = queued(ports, principal)
    tell(ports, job, JobStatus.RUNNING)
    clock.advance(3600)
    stored = reload(ports, job)
    records.save(ports, stored, job.id, metrics={"train/loss": 1.0})
    ports.compute.states.clear()
    assert reconciler.run(ports) == Healed()


def test_d5_job_that_compute_forgot_is_lost(ports: MemoryPorts, principal: Principal, clock: ManualClock) -> None:
    job = queued(ports, principal)
    ports.compute.states.clear()
    clock.advance(61)
    assert reconciler.run(ports) == Healed()
    clock.advance(reconciler.LOST_AFTER.total_seconds())
    assert reconciler.run(ports) == Healed(jobs=1)
    lost = reload(ports, job)
    assert lost.failure is not None
    assert (lost.status, lost.failure.code) == (JobStatus.FAILED, "lost")
    assert f"aimass jobs retry {job.id}" in lost.failure.cause


def test_d5_job_that_compute_forgot_but_that_left_its_result_has_succeeded(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    job = queued(ports, principal)
    tell(ports, job, JobStatus.RUNNING)
    leave_result(ports, job)
    ports.compute.states.clear()
    clock.advance(3600)
    reconciler.run(ports)
    assert reload(ports, job).status is JobStatus.SUCCEEDED


def test_d9_stop_whose_request_to_compute_was_lost_is_repeated(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    job = queued(ports, principal)
    tell(ports, job, JobStatus.RUNNING)
    running = ports.compute.states[str(job.compute_job_id)]
    jobs.stop(ports, principal, job.id)
    ports.compute.states[str(job.compute_job_id)] = running
    clock.advance(1)
    reconciler.run(ports)
    assert ports.compute.states[str(job.compute_job_id)].status is JobStatus.FAILED
    reconciler.run(ports)
    assert reload(ports, job).status is JobStatus.STOPPED


def test_c11_job_whose_dependency_failed_unseen_fails(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    first = add_job(ports, principal)
    second = add_job(ports, principal, depends_on=[first.id])
    records.save(ports, first, first.id, status=JobStatus.FAILED)
    clock.advance(61)
    reconciler.run(ports)
    failure = reload(ports, second).failure
    assert failure is not None
    assert failure.code == "dependency_failed"


def test_c12_reason_why_a_job_does_not_start_is_shown_also_where_no_event_told_it(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    job = queued(ports, principal)
    reason = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - no compute environment is that large"
    ports.compute.set_state(str(job.compute_job_id), JobStatus.QUEUED, reason=reason)
    clock.advance(61)
    reconciler.run(ports)
    blocked = reload(ports, job)
    assert (blocked.status, blocked.status_reason) == (JobStatus.QUEUED, reason)


def test_row_that_cannot_be_read_does_not_keep_the_others_from_healing(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    broken = Row(
        key=keys.row(principal.workspace_id, "job", "job_broken"),
        data={"compute_job_id": None, "status": "nonsense"},
        revision=1,
        resource="job",
        status="SUBMITTED",
        at=clock() - timedelta(days=1),
    )
    ports.registry.write(Put(row=broken))
    job = add_job(ports, principal)
    clock.advance(61)
    assert reconciler.run(ports) == Healed(dispatched=1, faults=1)
    assert reload(ports, job).status is JobStatus.QUEUED


def test_endpoint_that_nobody_verified_is_verified(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    _trained(ports, principal)
    endpoints.create(ports, principal, EndpointCreate(model="adult"))
    clock.advance(61)
    assert reconciler.run(ports) == Healed(endpoints=1)
    assert endpoints.get(ports, principal, "adult").status is EndpointStatus.READY


def test_endpoint_that_cannot_be_verified_in_time_is_given_up(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    _trained(ports, principal)
    endpoint = endpoints.create(ports, principal, EndpointCreate(model="adult"))
    endpoints.activate(ports, endpoint.workspace_id, endpoint.id)
    ready = endpoints.get(ports, principal, "adult")

    def throttled(payload: object) -> dict[str, object]:
        raise UnavailableError("throttled")

    ports.predictor = MemoryPredictor(throttled)
    endpoints.update(ports, principal, "adult", EndpointUpdate(model="adult@1"), revision=ready.revision)
    clock.advance(61)
    assert reconciler.run(ports) == Healed(faults=1)
    assert endpoints.get(ports, principal, "adult").status is EndpointStatus.UPDATING
    clock.advance(reconciler.ENDPOINT_DEADLINE.total_seconds())
    assert reconciler.run(ports) == Healed(endpoints=1)
    after = endpoints.get(ports, principal, "adult")
    assert (after.status, after.serving) == (EndpointStatus.READY, ready.serving)
    assert "10 minutes" in (after.status_reason or "")


def _trained(ports: MemoryPorts, principal: Principal) -> Job:
    job = queued(ports, principal)
    leave_result(ports, job)
    return tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
