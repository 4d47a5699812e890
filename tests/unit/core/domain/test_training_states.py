"""SageMaker's descriptions in our words. They are shaped as EventBridge and DescribeTrainingJob give them."""

from typing import Any

import pytest

from aimass_core.domain.common import new_id
from aimass_core.domain.compute_states import (
    JobAddress,
    from_event,
    to_training_address,
    to_training_job_name,
    to_training_state,
)
from aimass_core.domain.jobs import JobStatus


def describe(status: str, *steps: str, **fields: Any) -> dict[str, Any]:
    transitions = [{"Status": step, "StartTime": 1.0, "StatusMessage": f"about {step}"} for step in steps]
    return {
        "TrainingJobName": "aimass-1",
        "TrainingJobStatus": status,
        "SecondaryStatus": steps[-1],
        "SecondaryStatusTransitions": transitions,
        **fields,
    }


def test_names_lead_back_to_the_job_and_are_allowed() -> None:
    address = JobAddress(workspace_id=new_id("ws"), job_id=new_id("job"))
    name = to_training_job_name(address.workspace_id, address.job_id)
    assert to_training_address(name) == address
    assert len(name) <= 63
    assert "_" not in name
    for other in ("somebody-elses", f"{name}-2", name.upper()):
        assert to_training_address(other) is None


@pytest.mark.parametrize(
    ("status", "step", "expected"),
    [
        ("InProgress", "Starting", JobStatus.QUEUED),
        ("InProgress", "Pending", JobStatus.QUEUED),
        ("InProgress", "Downloading", JobStatus.STARTING),
        ("InProgress", "Training", JobStatus.STARTING),
        ("InProgress", "Uploading", JobStatus.STARTING),
        ("Stopping", "Stopping", JobStatus.STARTING),
        ("Completed", "Completed", JobStatus.SUCCEEDED),
        ("Failed", "Failed", JobStatus.FAILED),
        ("Stopped", "Stopped", JobStatus.FAILED),
        ("Stopped", "MaxRuntimeExceeded", JobStatus.FAILED),
    ],
)
def test_only_a_container_says_that_a_job_runs(status: str, step: str, expected: JobStatus) -> None:
    assert to_training_state(describe(status, step)).status is expected


def test_restarts_count_as_attempts() -> None:
    spot = ["Starting", "Training", "Interrupted", "Restarting", "Training", "Interrupted"]
    attempts = [to_training_state(describe("InProgress", *spot[: end + 1])).attempt for end in range(len(spot))]
    assert attempts == [1, 1, 2, 2, 2, 3]


def test_waiting_says_why() -> None:
    state = to_training_state(describe("InProgress", "Starting"))
    assert (state.reason, state.log_stream) == ("about Starting", None)
    assert to_training_state(describe("InProgress", "Training")).log_stream == "aimass-1/algo-1"


def test_exit_code_is_the_last_that_the_reason_names() -> None:
    reason = "AlgorithmError: a child ended with exit code: 3, exit code: 65"
    assert to_training_state(describe("Failed", "Failed", FailureReason=reason)).exit_code == 65
    state = to_training_state(describe("Failed", "Failed", FailureReason="InternalServerError: try again"))
    assert (state.exit_code, state.reason) == (None, "InternalServerError: try again")


def test_events_of_both_services_are_read_and_foreign_ones_left() -> None:
    workspace_id, job_id = new_id("ws"), new_id("job")
    detail = describe("Completed", "Completed", TrainingJobName=to_training_job_name(workspace_id, job_id))
    told = from_event({"source": "aws.sagemaker", "detail": detail})
    assert told is not None
    assert told[0] == JobAddress(workspace_id=workspace_id, job_id=job_id)
    assert told[1].status is JobStatus.SUCCEEDED
    foreign = describe("Completed", "Completed", TrainingJobName="mine")
    assert from_event({"source": "aws.sagemaker", "detail": foreign}) is None
    batch = {"jobId": "b", "jobName": "n", "status": "RUNNING", "container": {"environment": []}}
    assert from_event({"source": "aws.batch", "detail": batch}) is None
