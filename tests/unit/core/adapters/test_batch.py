"""What is sent to AWS Batch, and what its refusals mean. (Its answers are tested on a real service, by integration.)"""

import dataclasses
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from aimass_core.adapters.batch import GRACE_SECONDS, BatchCompute
from aimass_core.domain.compute import Compute
from aimass_core.domain.job_queues import queue_names
from aimass_core.domain.jobs import JobStatus
from aimass_core.errors import InvalidRequestError, UnavailableError
from aimass_core.ports import Submission


@pytest.fixture
def client() -> Any:
    return boto3.client("batch", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def compute(client: Any) -> BatchCompute:
    return BatchCompute(
        client,
        job_queue="queue",
        job_definition="definition",
        collect_job_definition="collect",
        transfer_job_definition="transfer",
        multinode_job_definition="nodes",
    )


def submission(**compute: Any) -> Submission:
    return Submission(
        name="job_1",
        kind="train",
        environment={"AIMASS_WORKSPACE_ID": "ws_1", "AIMASS_JOB_ID": "job_1"},
        compute=Compute(**compute),
        max_seconds=60,
        prefix="jobs/ws_1/job_1/",
    )


@pytest.mark.parametrize(
    ("kind", "definition"), [("collect", "collect"), ("export", "transfer"), ("import_workspace", "transfer")]
)
def test_b11_only_jobs_that_read_sources_or_move_workspaces_have_roles_that_may(
    stub: Stubber, compute: BatchCompute, kind: str, definition: str
) -> None:
    collecting = dataclasses.replace(submission(), kind=kind)
    expected = {
        "jobName": "job_1",
        "jobQueue": "queue",
        "jobDefinition": definition,
        "containerOverrides": ANY,
        "timeout": {"attemptDurationSeconds": 60 + GRACE_SECONDS},
    }
    stub.add_response("submit_job", {"jobName": "job_1", "jobId": "batch-1"}, expected)
    assert compute.submit(collecting) == "batch-1"


def test_c8_command_is_a_list_of_our_own_words(stub: Stubber, compute: BatchCompute) -> None:
    overrides = {
        "command": ["python", "-m", "batch_jobs", "train"],
        "environment": [
            {"name": "AIMASS_WORKSPACE_ID", "value": "ws_1"},
            {"name": "AIMASS_JOB_ID", "value": "job_1"},
        ],
        "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "2048"}],
    }
    expected = {
        "jobName": "job_1",
        "jobQueue": "queue",
        "jobDefinition": "definition",
        "containerOverrides": overrides,
        "timeout": {"attemptDurationSeconds": 60 + GRACE_SECONDS},
    }
    stub.add_response("submit_job", {"jobName": "job_1", "jobId": "b-1"}, expected)
    assert compute.submit(submission(vcpus=2, memory_mib=2048, gpus=0)) == "b-1"


def test_jobs_on_several_machines_have_a_definition_of_their_own(stub: Stubber, compute: BatchCompute) -> None:
    overrides = {"command": ANY, "environment": ANY, "resourceRequirements": [{"type": "VCPU", "value": "1"}]}
    expected = {
        "jobName": "job_1",
        "jobQueue": "queue-nodes",
        "jobDefinition": "nodes",
        "nodeOverrides": {
            "numNodes": 3,
            "nodePropertyOverrides": [{"targetNodes": "0:", "containerOverrides": overrides}],
        },
        "timeout": {"attemptDurationSeconds": 60 + GRACE_SECONDS},
    }
    stub.add_response("submit_job", {"jobName": "job_1", "jobId": "b-1"}, expected)
    assert compute.submit(submission(num_nodes=3, vcpus=1)) == "b-1"


RETRIES = {
    "attempts": 3,
    "evaluateOnExit": [
        {"action": "EXIT", "onReason": "OutOfMemory*"},
        {"action": "RETRY", "onExitCode": "75"},
        {"action": "RETRY", "onExitCode": "137"},
        {"action": "RETRY", "onStatusReason": "Host EC2*"},
        {"action": "EXIT", "onReason": "*"},
    ],
}


@pytest.mark.parametrize(
    ("num_workers", "queue", "array"),
    [(1, "queue", {}), (4, "queue-background", {"arrayProperties": {"size": 4}})],
)
def test_workers_of_a_study_are_an_array_whose_children_are_replaced_when_killed(
    stub: Stubber, compute: BatchCompute, num_workers: int, queue: str, array: dict[str, Any]
) -> None:
    expected = {
        "jobName": "job_1",
        "jobQueue": queue,
        "jobDefinition": "definition",
        "containerOverrides": ANY,
        "retryStrategy": RETRIES,
        "timeout": {"attemptDurationSeconds": 60 + GRACE_SECONDS},
        **array,
    }
    stub.add_response("submit_job", {"jobName": "job_1", "jobId": "b-1"}, expected)
    assert compute.submit(replace(submission(), kind="search", num_workers=num_workers)) == "b-1"


def test_an_array_is_described_by_its_first_child(stub: Stubber, compute: BatchCompute) -> None:
    common = {"jobName": "job_1", "jobQueue": "queue", "startedAt": 1, "jobDefinition": "definition"}
    array = {**common, "jobId": "b-1", "status": "PENDING", "arrayProperties": {"size": 2}}
    other = {**common, "jobId": "b-2", "status": "RUNNABLE"}
    young = {**common, "jobId": "b-3", "status": "SUBMITTED", "arrayProperties": {"size": 2}}
    worker = {**common, "jobId": "b-1:0", "status": "RUNNING", "container": {"logStreamName": "s"}}
    stub.add_response("describe_jobs", {"jobs": [array, other, young]}, {"jobs": ["b-1", "b-2", "b-3"]})
    stub.add_response("describe_jobs", {"jobs": [worker]}, {"jobs": ["b-1:0", "b-3:0"]})
    states = compute.describe(["b-1", "b-2", "b-3"])
    assert [(state.compute_job_id, state.status, state.log_stream) for state in states] == [
        ("b-1", JobStatus.RUNNING, "s"),
        ("b-2", JobStatus.QUEUED, None),
        ("b-3", JobStatus.QUEUED, None),
    ]


@pytest.mark.parametrize(
    ("code", "message", "status", "expected", "words"),
    [
        ("TooManyRequestsException", "Rate exceeded", 429, UnavailableError, "busy"),
        ("ThrottlingException", "Rate exceeded", 400, UnavailableError, "busy"),
        ("ServerException", "fault", 500, UnavailableError, "busy"),
        ("SomethingNew", "fault", 503, UnavailableError, "fault"),
        ("AccessDeniedException", "not authorized to perform: batch:SubmitJob", 403, InvalidRequestError, "SubmitJob"),
        ("ClientException", "vCPU 9999 is too large", 400, InvalidRequestError, "9999"),
        ("ClientException", "", 400, InvalidRequestError, "ClientException"),
    ],
)
def test_c5_refusal_of_a_submission_is_tried_again_or_told(
    stub: Stubber,
    compute: BatchCompute,
    code: str,
    message: str,
    status: int,
    expected: type[Exception],
    words: str,
) -> None:
    for _ in range(10):
        stub.add_client_error("submit_job", code, message, http_status_code=status)
    with pytest.raises(expected, match=words):
        compute.submit(submission())
    stub._queue.clear()


@pytest.mark.parametrize(
    "message",
    [
        "JobQueue aimass-jobs is not ENABLED: it takes no new jobs",
        "Job queue arn:aws:batch:eu-central-1:000000000000:job-queue/aimass is not in an ENABLED state",
        "Cannot submit to job queue aimass: it is DISABLED",
    ],
)
def test_c12_disabled_queue_is_asked_again_and_says_why(stub: Stubber, compute: BatchCompute, message: str) -> None:
    stub.add_client_error("submit_job", "ClientException", message)
    with pytest.raises(UnavailableError, match="job queue is disabled") as caught:
        compute.submit(submission())
    assert "arn:" not in str(caught.value)


def test_c4_job_is_found_by_its_name_the_first_of_them(stub: Stubber, compute: BatchCompute) -> None:
    found = [
        {"jobId": "b-2", "jobName": "job_1", "createdAt": 2},
        {"jobId": "b-1", "jobName": "job_1", "createdAt": 1},
        {"jobId": "b-0", "jobName": "job_10", "createdAt": 0},
    ]
    stub.add_response(
        "list_jobs", {"jobSummaryList": found[2:], "nextToken": "more"}, {"jobQueue": "queue", "filters": ANY}
    )
    more = {"jobQueue": "queue", "filters": ANY, "nextToken": "more"}
    stub.add_response("list_jobs", {"jobSummaryList": found[1:2]}, more)
    for name in queue_names("queue")[1:]:
        left = found[:1] if name.endswith("-gpu") else []
        stub.add_response("list_jobs", {"jobSummaryList": left}, {"jobQueue": name, "filters": ANY})
    assert compute.find("job_1") == "b-1"
