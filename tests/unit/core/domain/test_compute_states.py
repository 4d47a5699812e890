"""Batch's JobDetail in our words. The details are shaped as EventBridge and DescribeJobs give them."""

from typing import Any

import pytest

from aimass_core.domain.compute_states import JobAddress, from_event, to_compute_state, to_job_address
from aimass_core.domain.jobs import JobStatus


def detail(status: str, **fields: Any) -> dict[str, Any]:
    environment = [{"name": "AIMASS_WORKSPACE_ID", "value": "ws_1"}, {"name": "AIMASS_JOB_ID", "value": "job_1"}]
    container = {"environment": environment, **fields.pop("container", {})}
    return {"jobId": "b-1", "jobName": "job_1", "status": status, "attempts": [], "container": container, **fields}


def attempt(**container: Any) -> dict[str, Any]:
    return {"container": container, "statusReason": "Essential container in task exited"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("SUBMITTED", JobStatus.QUEUED),
        ("PENDING", JobStatus.QUEUED),
        ("RUNNABLE", JobStatus.QUEUED),
        ("STARTING", JobStatus.STARTING),
        ("RUNNING", JobStatus.RUNNING),
        ("SUCCEEDED", JobStatus.SUCCEEDED),
        ("FAILED", JobStatus.FAILED),
    ],
)
def test_every_status_of_batch_is_known(status: str, expected: JobStatus) -> None:
    assert to_compute_state(detail(status)).status is expected


def test_attempt_that_has_not_ended_comes_after_those_that_have() -> None:
    assert to_compute_state(detail("RUNNING")).attempt == 1
    assert to_compute_state(detail("RUNNABLE", attempts=[attempt(exitCode=75)])).attempt == 2
    assert to_compute_state(detail("RUNNING", attempts=[attempt(exitCode=75)])).attempt == 2
    assert to_compute_state(detail("SUCCEEDED", attempts=[attempt(exitCode=75), attempt(exitCode=0)])).attempt == 2


def test_job_that_failed_before_it_ever_ran_is_in_its_first_attempt() -> None:
    state = to_compute_state(detail("FAILED", statusReason="Dependent job failed", attempts=[]))
    assert (state.attempt, state.exit_code, state.reason) == (1, None, "Dependent job failed")


def test_reasons_of_container_and_job_are_joined() -> None:
    state = to_compute_state(
        detail(
            "FAILED",
            statusReason="Essential container in task exited",
            attempts=[attempt(exitCode=137, reason="OutOfMemoryError: killed", logStreamName="job/default/2")],
            container={"exitCode": 137, "reason": "OutOfMemoryError: killed", "logStreamName": "job/default/2"},
        )
    )
    assert state.reason == "OutOfMemoryError: killed; Essential container in task exited"
    assert (state.exit_code, state.log_stream) == (137, "job/default/2")


def test_exit_code_of_a_former_attempt_is_not_that_of_the_present_one() -> None:
    state = to_compute_state(detail("RUNNABLE", attempts=[attempt(exitCode=75)], container={"exitCode": 75}))
    assert state.exit_code is None


def test_job_of_ours_is_known_by_its_environment() -> None:
    assert to_job_address(detail("RUNNING")) == JobAddress(workspace_id="ws_1", job_id="job_1")


def test_job_on_several_machines_is_known_by_the_environment_of_its_nodes() -> None:
    job = detail("RUNNING")
    container = job.pop("container")
    job["nodeProperties"] = {"numNodes": 2, "nodeRangeProperties": [{"targetNodes": "0:", "container": container}]}
    assert to_job_address(job) == JobAddress(workspace_id="ws_1", job_id="job_1")


def child(index: int, status: str, **fields: Any) -> dict[str, Any]:
    return detail(status, jobId=f"b-1:{index}", arrayProperties={"index": index}, **fields)


def event(job_detail: dict[str, Any]) -> dict[str, Any]:
    return {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": job_detail}


def test_the_first_child_of_an_array_tells_of_the_job_under_the_id_of_the_array() -> None:
    told = from_event(event(child(0, "RUNNING", attempts=[attempt(exitCode=137)], container={"logStreamName": "s/2"})))
    assert told is not None
    address, state = told
    assert address == JobAddress(workspace_id="ws_1", job_id="job_1")
    assert (state.compute_job_id, state.status, state.attempt) == ("b-1", JobStatus.RUNNING, 2)
    assert state.log_stream == "s/2"


@pytest.mark.parametrize("status", ["RUNNABLE", "RUNNING", "SUCCEEDED", "FAILED"])
def test_the_other_children_and_the_array_itself_tell_nothing(status: str) -> None:
    assert from_event(event(child(1, status))) is None
    array = detail(status, arrayProperties={"size": 4, "statusSummary": {status: 4}})
    assert from_event(event(array)) is None


def test_a_job_that_is_no_array_may_say_so() -> None:
    assert from_event(event(detail("RUNNING", arrayProperties={}))) is not None


@pytest.mark.parametrize("container", [{"environment": []}, {"environment": [{"name": "AIMASS_JOB_ID", "value": ""}]}])
def test_job_of_somebody_else_has_no_address(container: dict[str, Any]) -> None:
    assert to_job_address({"container": container}) is None
    assert to_job_address({}) is None
