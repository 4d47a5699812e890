"""What is sent to EMR Serverless, and what its refusals mean. (Its answers are tested on a real service.)"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from aimass_core.adapters.emr_serverless import EmrServerlessSpark
from aimass_core.domain.spark_runs import SparkStatus
from aimass_core.errors import InvalidRequestError, UnavailableError
from aimass_core.ports import SparkSubmission

ROLE = "arn:aws-cn:iam::000000000000:role/aimass-spark-recipes"
SUBMISSION = SparkSubmission(
    name="job_1",
    token="job_1-2",
    program="jobs/ws_1/job_1/spark/0002/main.py",
    folder="jobs/ws_1/job_1/spark/0002/",
    reads=["datasets/ws_1/ds_1/", "datasets/ws_2/ds_2/"],
    max_seconds=601,
    tags={"aimass:job": "job_1"},
)


@pytest.fixture
def client() -> Any:
    return boto3.client(
        "emr-serverless", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


@pytest.fixture
def spark(client: Any) -> EmrServerlessSpark:
    return EmrServerlessSpark(client, application_id="00app", role_arn=ROLE, bucket="lake")


def expect_start(stub: Stubber, **parameters: Any) -> None:
    answer = {"applicationId": "00app", "jobRunId": "00run", "arn": f"arn:aws:emr-serverless:x:{'0' * 12}:/{'a' * 40}"}
    fields = ("clientToken", "executionRoleArn", "executionIamPolicy", "name", "jobDriver", "tags")
    expected = {**dict.fromkeys(fields, ANY), "applicationId": "00app", "executionTimeoutMinutes": ANY, **parameters}
    stub.add_response("start_job_run", answer, expected)


def test_a_run_is_named_by_its_token_and_ends_with_the_jobs_time(stub: Stubber, spark: EmrServerlessSpark) -> None:
    driver = {
        "sparkSubmit": {
            "entryPoint": f"s3://lake/{SUBMISSION.program}",
            "entryPointArguments": [f"s3://lake/{SUBMISSION.folder}"],
            "sparkSubmitParameters": ANY,
        }
    }
    expect_start(stub, clientToken="job_1-2", executionTimeoutMinutes=11, executionRoleArn=ROLE)
    expect_start(stub, jobDriver=driver, tags={"aimass:job": "job_1"}, name="job_1")
    assert [spark.start(SUBMISSION), spark.start(SUBMISSION)] == ["00run", "00run"]


def test_h2_a_run_may_read_its_datasets_and_write_in_one_place(spark: EmrServerlessSpark) -> None:
    statements = json.loads(spark._to_policy(SUBMISSION))["Statement"]
    objects = {
        action.removeprefix("s3:"): statement["Resource"]
        for statement in statements
        for action in statement["Action"]
        if action.endswith("Object")
    }
    lake = "arn:aws-cn:s3:::lake"
    own = f"{lake}/jobs/ws_1/job_1/spark/0002/*"
    assert objects == {
        "GetObject": [own, f"{lake}/datasets/ws_1/ds_1/*", f"{lake}/datasets/ws_2/ds_2/*"],
        "PutObject": [own],
        "DeleteObject": [own],
    }


def test_more_datasets_than_a_policy_can_name_are_refused_with_what_to_do(spark: EmrServerlessSpark) -> None:
    many = replace(SUBMISSION, reads=[f"datasets/ws_{'1' * 27}/ds_{each:027}/" for each in range(30)])
    with pytest.raises(InvalidRequestError, match="reads 30 datasets, more than"):
        spark.start(many)


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("ValidationException", InvalidRequestError, "will not take this run: no role ..."),
        ("ConflictException", UnavailableError, "changing at this moment"),
        ("InternalServerException", UnavailableError, "had a fault"),
    ],
)
def test_c5_refusals_say_whether_to_try_again(
    stub: Stubber, spark: EmrServerlessSpark, code: str, error: type[Exception], words: str
) -> None:
    status = 500 if code.startswith("Internal") else 400
    stub.add_client_error("start_job_run", code, f"no role {ROLE}", http_status_code=status)
    with pytest.raises(error, match=words):
        spark.start(SUBMISSION)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        *((state, SparkStatus.WAITING) for state in ("SUBMITTED", "PENDING", "SCHEDULED", "QUEUED")),
        ("RUNNING", SparkStatus.RUNNING),
        ("SUCCESS", SparkStatus.SUCCEEDED),
        ("FAILED", SparkStatus.FAILED),
        ("CANCELLED", SparkStatus.STOPPED),
    ],
)
def test_states_of_the_service_are_ours(
    stub: Stubber, spark: EmrServerlessSpark, state: str, status: SparkStatus
) -> None:
    stub.add_response("get_job_run", {"jobRun": describe(state)}, {"applicationId": "00app", "jobRunId": "00run"})
    run = spark.describe("00run")
    assert (run.status, run.reason) == (status, "see ...")
    assert (run.vcpu_hours, run.memory_gb_hours) == (1.5, 6.0)


def test_d9_a_run_that_is_still_ending_is_followed_to_its_end(stub: Stubber, spark: EmrServerlessSpark) -> None:
    stub.add_response("get_job_run", {"jobRun": describe("CANCELLING")})
    assert not spark.describe("00run").status.is_terminal


def test_what_has_ended_may_be_cancelled(stub: Stubber, spark: EmrServerlessSpark) -> None:
    stub.add_client_error("cancel_job_run", "ValidationException", "it has ended", http_status_code=400)
    spark.cancel("00run")


def describe(state: str) -> Mapping[str, Any]:
    return {
        "applicationId": "00app",
        "jobRunId": "00run",
        "arn": f"arn:aws:emr-serverless:x:{'0' * 12}:/{'a' * 40}",
        "createdBy": ROLE,
        "createdAt": 0,
        "updatedAt": 0,
        "executionRole": ROLE,
        "state": state,
        "stateDetails": "see s3://lake/logs",
        "releaseLabel": "emr-7.9.0",
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://lake/main.py"}},
        "billedResourceUtilization": {"vCPUHour": 1.5, "memoryGBHour": 6.0},
    }
