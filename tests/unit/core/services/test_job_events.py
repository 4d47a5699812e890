"""What the compute service tells, in every order, and what the job makes of it."""

import itertools
from dataclasses import replace

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.compute_states import ComputeState, to_compute_state
from aimass_core.domain.jobs import Failure, Job, JobStatus
from aimass_core.domain.models import ModelVersion
from aimass_core.ports import Put
from aimass_core.services import dispatch, job_events, job_story, jobs, models, records
from tests.factories import platform
from tests.factories.platform import MODEL_FILES, ManualClock, artifact_key, leave_result, reload, tell


@pytest.fixture
def ports(clock: ManualClock) -> MemoryPorts:
    return platform.new_ports(clock)


@pytest.fixture
def principal() -> Principal:
    return platform.new_principal()


@pytest.fixture
def job(ports: MemoryPorts, principal: Principal) -> Job:
    dataset = platform.add_dataset(ports, principal)
    platform.add_version(ports, principal, dataset)
    job = platform.add_job(ports, principal)
    return dispatch.dispatch(ports, job.workspace_id, job.id)


def test_job_succeeds_with_a_registered_model(ports: MemoryPorts, principal: Principal, job: Job) -> None:
    assert job.status is JobStatus.QUEUED
    assert tell(ports, job, JobStatus.STARTING).status is JobStatus.STARTING
    running = tell(ports, job, JobStatus.RUNNING)
    assert (running.status, running.attempt, running.started_at) == (JobStatus.RUNNING, 1, ports.clock())
    leave_result(ports, job)

    ended = tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)

    assert ended.status is JobStatus.SUCCEEDED
    assert ended.metrics == {"validation/roc_auc": 0.93}
    assert ended.model_version is not None
    version = models.get_version(ports, principal, "adult", 1)
    assert version.job_id == job.id
    assert ports.lake.get(keys.model_object(job.workspace_id, version.model_id, 1, "model.onnx")) == b"onnx"


STATES = (JobStatus.QUEUED, JobStatus.STARTING, JobStatus.RUNNING, JobStatus.SUCCEEDED)


@pytest.mark.parametrize("order", list(itertools.permutations(STATES)))
def test_d5_states_in_any_order_and_twice_end_the_same(
    ports: MemoryPorts, job: Job, order: tuple[JobStatus, ...]
) -> None:
    leave_result(ports, job)
    statuses = [tell(ports, job, status).status for status in [*order, *order]]
    assert statuses[-1] is JobStatus.SUCCEEDED
    ended_at = statuses.index(JobStatus.SUCCEEDED)
    assert set(statuses[ended_at:]) == {JobStatus.SUCCEEDED}
    before = [STATES.index(status) for status in statuses[:ended_at]]
    assert before == sorted(before), "it never steps back"
    page = ports.registry.query(keys.partition(job.workspace_id), keys.row_prefix("model_version"), limit=10)
    assert len(page.rows) == 1


def test_d5_late_queued_of_the_same_attempt_is_no_step_back(ports: MemoryPorts, job: Job) -> None:
    tell(ports, job, JobStatus.STARTING)
    assert tell(ports, job, JobStatus.QUEUED).status is JobStatus.STARTING
    tell(ports, job, JobStatus.RUNNING)
    assert tell(ports, job, JobStatus.QUEUED).status is JobStatus.RUNNING


def test_d5_events_of_yesterday_change_nothing(clock: ManualClock, ports: MemoryPorts, job: Job) -> None:
    tell(ports, job, JobStatus.RUNNING)
    ended = tell(ports, job, JobStatus.FAILED, exit_code=1)
    clock.advance(24 * 3600)
    for status in (*STATES, JobStatus.FAILED):
        assert tell(ports, job, status) == ended


def test_d4_late_events_of_an_attempt_that_was_replaced_change_nothing(ports: MemoryPorts, job: Job) -> None:
    tell(ports, job, JobStatus.RUNNING)
    second = tell(ports, job, JobStatus.RUNNING, attempt=2)
    for status in (JobStatus.QUEUED, JobStatus.STARTING, JobStatus.RUNNING):
        late = tell(ports, job, status, attempt=1)
        assert (late.status, late.attempt, late.log_stream) == (second.status, 2, second.log_stream)


def test_d16_rows_of_another_version_of_our_code_are_read_and_their_jobs_end(
    ports: MemoryPorts, principal: Principal, job: Job
) -> None:
    """A deployment meets fifty jobs: the former code's rows lack our newest fields, the next code's have more."""
    defaults = {
        name: field.get_default(call_default_factory=True)
        for name, field in Job.model_fields.items()
        if not field.is_required()
    }
    many = [platform.add_job(ports, principal) for _ in range(50)]
    for number, submitted in enumerate(many):
        queued = dispatch.dispatch(ports, submitted.workspace_id, submitted.id)
        leave_result(ports, queued, model=str(number).encode())
        row = records.to_row(queued)
        data = {name: value for name, value in row.data.items() if name not in defaults or value != defaults[name]}
        data |= {"of_the_next_version": {"nested": [1]}, "revision": row.revision + 1}
        assert "metrics" not in data
        ports.registry.write(Put(row=replace(row, data=data, revision=row.revision + 1), expected=row.revision))
    for queued in many:
        tell(ports, queued, JobStatus.RUNNING)
        assert tell(ports, queued, JobStatus.SUCCEEDED, exit_code=0).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize("status", ["SUBMITTED", "RUNNING", "SUCCEEDED", "FAILED"])
def test_d16_events_with_more_and_with_less_than_today_are_read(status: str) -> None:
    least = {"jobId": "b-1", "jobName": "job_1", "status": status}
    more = {**least, "attempts": [], "container": {"new": {}}, "eksProperties": {}, "isTerminated": False, "new": [1]}
    for detail in (least, more):
        state = to_compute_state(detail)
        assert (state.compute_job_id, state.attempt, state.exit_code) == ("b-1", 1, None)


def test_new_attempt_of_the_compute_service_is_shown(ports: MemoryPorts, principal: Principal, job: Job) -> None:
    tell(ports, job, JobStatus.RUNNING)
    queued = tell(ports, job, JobStatus.QUEUED, attempt=2, reason="Host EC2 (instance i-1) terminated.")
    assert (queued.status, queued.status_reason) == (JobStatus.QUEUED, "Host EC2 (instance i-1) terminated.")
    assert tell(ports, job, JobStatus.RUNNING, attempt=1).status is JobStatus.QUEUED, "a zombie's event changes nothing"
    running = tell(ports, job, JobStatus.RUNNING, attempt=2)
    assert (running.status, running.attempt) == (JobStatus.RUNNING, 2)
    leave_result(ports, job, attempt=2)
    tell(ports, job, JobStatus.SUCCEEDED, attempt=2)

    events = job_story.read_events(ports, principal, job.id).events
    assert [event.data["status"] for event in events] == [
        "SUBMITTED",
        "QUEUED",
        "RUNNING",
        "QUEUED",
        "RUNNING",
        "SUCCEEDED",
    ]
    assert sorted({event.number for event in events}) == [event.number for event in events]


def test_container_that_claims_its_attempt_before_any_event_keeps_the_story_in_order(
    ports: MemoryPorts, principal: Principal, job: Job
) -> None:
    """Events take longer than a container: at each of its claims the platform still believes in the state before."""
    job = platform.add_job(ports, principal)
    claimed = _claim(ports, job, attempt=1)
    assert claimed.status is JobStatus.SUBMITTED
    dispatch.dispatch(ports, job.workspace_id, job.id)
    assert tell(ports, job, JobStatus.STARTING).status is JobStatus.STARTING
    assert tell(ports, job, JobStatus.RUNNING).status is JobStatus.RUNNING
    events = job_story.read_events(ports, principal, job.id).events
    assert max(event.number for event in events) < 1_000_001, "or a follower would miss what the container tells"

    _claim(ports, job, attempt=2)
    reason = "Host EC2 (instance i-1) terminated."
    for _ in range(2):
        again = tell(ports, job, JobStatus.QUEUED, attempt=2, reason=reason)
        assert (again.status, again.status_reason) == (JobStatus.RUNNING, reason)
        tell(ports, job, JobStatus.RUNNING, attempt=2)
    (event,) = job_story.read_events(ports, principal, job.id, after=events[-1].number).events
    assert event.data == {"status": "RUNNING", "reason": reason}
    assert 1_900_000 < event.number < 2_000_001


def test_c12_reason_why_a_job_cannot_start_is_shown(ports: MemoryPorts, job: Job) -> None:
    reason = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - no instance is that large"
    blocked = tell(ports, job, JobStatus.QUEUED, reason=reason)
    assert (blocked.status, blocked.status_reason) == (JobStatus.QUEUED, reason)


@pytest.mark.parametrize("absent", ["result.json", *MODEL_FILES, "output/validation_predictions.parquet"])
def test_d11_success_without_an_artifact_is_a_failure(ports: MemoryPorts, job: Job, absent: str) -> None:
    leave_result(ports, job)
    ports.lake.delete(artifact_key(job, absent))

    ended = tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)

    assert ended.status is JobStatus.FAILED
    assert ended.failure is not None
    assert ended.failure.code == "artifact_missing"
    assert absent in ended.failure.cause
    page = ports.registry.query(keys.partition(job.workspace_id), keys.row_prefix("model_version"), limit=1)
    assert not page.rows


def test_d16_a_container_of_an_earlier_release_leaves_no_report_data(ports: MemoryPorts, job: Job) -> None:
    result = leave_result(ports, job)
    kept = [artifact for artifact in result.artifacts if artifact.name != "model/report.json"]
    earlier = result.model_copy(update={"artifacts": kept})
    ports.lake.put(artifact_key(job, "result.json"), earlier.model_dump_json().encode())
    ports.lake.delete(artifact_key(job, "model/report.json"))
    assert tell(ports, job, JobStatus.SUCCEEDED, exit_code=0).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize("name", ["model/model.onnx", "model/golden.json", "result.json"])
def test_d11_success_with_other_bytes_is_a_failure(ports: MemoryPorts, job: Job, name: str) -> None:
    leave_result(ports, job)
    ports.lake.put(artifact_key(job, name), b"{}")

    ended = tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)

    assert ended.failure is not None
    assert ended.failure.code == "artifact_invalid"
    assert name in ended.failure.cause


@pytest.mark.parametrize(
    ("reason", "exit_code", "code", "words"),
    [
        ("OutOfMemoryError: Container killed due to memory usage", 137, "out_of_memory", "memory_mib"),
        ("Essential container in task exited", 137, "killed", "aimass jobs retry job_"),
        ("Essential container in task exited", 139, "segmentation_fault", "exit code 139"),
        ("Job attempt duration exceeded timeout", 137, "timeout", "max_seconds of 3600"),
        ("Host EC2 (instance i-0abc) terminated.", None, "host_terminated", "i-0abc"),
        ("CannotPullContainerError: no such image", None, "could_not_start", "no such image"),
        ("Essential container in task exited", 75, "interrupted", "aimass jobs retry job_"),
        ("Essential container in task exited", 3, "failed", "exit code 3"),
    ],
)
def test_d6_failure_without_a_record_says_how_it_ended(
    ports: MemoryPorts, job: Job, reason: str, exit_code: int | None, code: str, words: str
) -> None:
    ended = tell(ports, job, JobStatus.FAILED, reason=reason, exit_code=exit_code)
    assert ended.status is JobStatus.FAILED
    assert ended.failure is not None
    assert (ended.failure.code, ended.failure.exit_code) == (code, exit_code)
    assert words in ended.failure.cause
    assert ended.status_reason == ended.failure.cause


def test_failure_record_of_the_container_wins_over_its_exit_code(ports: MemoryPorts, job: Job) -> None:
    record = Failure(code="invalid_data", cause="The target 'income' has one value.", traceback="x" * 100_000)
    ports.lake.put(artifact_key(job, "failure.json"), record.model_dump_json().encode())
    failure = tell(ports, job, JobStatus.FAILED, reason="Essential container in task exited", exit_code=65).failure
    assert failure is not None
    assert (failure.code, failure.cause, failure.exit_code) == ("invalid_data", record.cause, 65)
    assert len(failure.traceback or "") < 10_000


def test_interruption_in_the_last_attempt_is_told_as_the_end(ports: MemoryPorts, job: Job) -> None:
    record = Failure(code="interrupted", cause="It is tried again as long as attempts are left.", exit_code=75)
    ports.lake.put(artifact_key(job, "failure.json", attempt=3), record.model_dump_json().encode())
    failure = tell(ports, job, JobStatus.FAILED, exit_code=75, attempt=3).failure
    assert failure is not None
    assert "in each of its attempts" in failure.cause


def test_damaged_failure_record_is_ignored(ports: MemoryPorts, job: Job) -> None:
    ports.lake.put(artifact_key(job, "failure.json"), b'{"code": 1')
    failure = tell(ports, job, JobStatus.FAILED, exit_code=139).failure
    assert failure is not None
    assert failure.code == "segmentation_fault"


def test_d9_end_after_stop_is_stopped(ports: MemoryPorts, principal: Principal, job: Job) -> None:
    tell(ports, job, JobStatus.RUNNING)
    jobs.stop(ports, principal, job.id)
    ended = tell(ports, job, JobStatus.FAILED, reason="Stopped by the user.", exit_code=143)
    assert (ended.status, ended.failure) == (JobStatus.STOPPED, None)


def test_d9_finish_during_stop_keeps_its_result(ports: MemoryPorts, principal: Principal, job: Job) -> None:
    tell(ports, job, JobStatus.RUNNING)
    leave_result(ports, job)
    jobs.stop(ports, principal, job.id)
    assert tell(ports, job, JobStatus.SUCCEEDED, exit_code=0).status is JobStatus.SUCCEEDED


def test_d4_event_of_another_submission_is_ignored(ports: MemoryPorts, job: Job) -> None:
    foreign = ComputeState(
        compute_job_id="compute-of-somebody-else",
        name=job.id,
        status=JobStatus.FAILED,
        reason=None,
        exit_code=1,
        attempt=1,
        log_stream=None,
    )
    job_events.apply(ports, job.workspace_id, job.id, foreign)
    assert reload(ports, job).status is JobStatus.QUEUED


def test_d4_running_container_of_an_ended_job_is_stopped(ports: MemoryPorts, job: Job) -> None:
    tell(ports, job, JobStatus.FAILED, exit_code=1)
    tell(ports, job, JobStatus.RUNNING)
    assert ports.compute.states[str(job.compute_job_id)].status is JobStatus.FAILED


def test_two_jobs_of_one_model_get_two_numbers(ports: MemoryPorts, principal: Principal, job: Job) -> None:
    second = platform.add_job(ports, principal)
    second = dispatch.dispatch(ports, second.workspace_id, second.id)
    leave_result(ports, second, model=b"second")
    leave_result(ports, job, model=b"first")
    tell(ports, second, JobStatus.SUCCEEDED)
    tell(ports, job, JobStatus.SUCCEEDED)
    model = models.get(ports, principal, "adult")
    assert (model.latest_version, model.last_number) == (2, 2)
    for number, body in ((1, b"second"), (2, b"first")):
        version = records.get(ports, ModelVersion, job.workspace_id, model.id, number)
        assert ports.lake.get(keys.model_object(job.workspace_id, model.id, version.number, "model.onnx")) == body


def _claim(ports: MemoryPorts, job: Job, *, attempt: int) -> Job:
    """What a container does first."""
    return records.update(ports, Job, job.workspace_id, job.id, change=lambda _: {"attempt": attempt})
