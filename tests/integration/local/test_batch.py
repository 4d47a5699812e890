"""AWS Batch as a part of the local cloud: one port, its events in EventBridge, its logs in CloudWatch Logs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.local.conftest import Cloud, Start, wait_until

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/aimass/batch-jobs:0.1.0"


@pytest.fixture
def definition(cloud: Cloud) -> str:
    return register(cloud)


def register(cloud: Cloud) -> str:
    """A queue and a job definition in the image of our jobs."""
    batch = cloud.client("batch")
    if not batch.describe_job_queues(jobQueues=["sample"])["jobQueues"]:
        resources = {"type": "EC2", "maxvCpus": 4, "instanceTypes": ["optimal"], "subnets": ["s"], "instanceRole": "r"}
        batch.create_compute_environment(
            computeEnvironmentName="sample",
            type="MANAGED",
            computeResources={**resources, "minvCpus": 0, "securityGroupIds": ["g"]},
        )
        batch.create_job_queue(
            jobQueueName="sample", priority=1, computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "sample"}]
        )
    requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}]
    registered = batch.register_job_definition(
        jobDefinitionName="sample",
        type="container",
        containerProperties={"image": IMAGE, "resourceRequirements": requirements, "command": ["python", "-V"]},
    )
    return str(registered["jobDefinitionArn"])


def _submit(cloud: Cloud, definition: str, code: str) -> str:
    submitted = cloud.client("batch").submit_job(
        jobName="sample",
        jobQueue="sample",
        jobDefinition=definition,
        containerOverrides={"command": ["python", "-c", code]},
    )
    return str(submitted["jobId"])


def _wait_for(cloud: Cloud, job_id: str, *statuses: str) -> dict[str, Any]:
    def described() -> dict[str, Any] | None:
        job: dict[str, Any] = cloud.client("batch").describe_jobs(jobs=[job_id])["jobs"][0]
        return job if job["status"] in statuses else None

    job = wait_until(described)
    assert job is not None
    return job


def run(cloud: Cloud, definition: str, code: str) -> dict[str, Any]:
    return _wait_for(cloud, _submit(cloud, definition, code), "SUCCEEDED", "FAILED")


def test_a_job_runs_with_the_local_clouds_environment(cloud: Cloud, definition: str) -> None:
    bucket = cloud.outputs["LandingBucketName"]
    code = f"import boto3; boto3.client('s3').put_object(Bucket={bucket!r}, Key='from-a-job', Body=b'x')"
    job = run(cloud, definition, code)
    assert job["status"] == "SUCCEEDED", job
    assert cloud.client("s3").head_object(Bucket=bucket, Key="from-a-job")["ContentLength"] == 1


def test_jobs_import_the_repositorys_packages(cloud: Cloud, definition: str) -> None:
    assert run(cloud, definition, "import aimass_core, batch_jobs")["status"] == "SUCCEEDED"


def test_output_of_a_job_is_in_cloudwatch_logs(cloud: Cloud, definition: str) -> None:
    stream = run(cloud, definition, "print('hello from the job')")["container"]["logStreamName"]
    request = {"logGroupName": "/aws/batch/job", "logStreamName": stream}
    events = wait_until(lambda: cloud.client("logs").get_log_events(**request)["events"])
    assert "hello from the job" in [event["message"] for event in events]


def test_state_changes_reach_the_rules_function(cloud: Cloud, definition: str) -> None:
    job = run(cloud, definition, "raise SystemExit(3)")
    assert job["status"] == "FAILED"
    key = {"pk": {"S": "event#aws.batch"}}
    table = cloud.client("dynamodb")

    def last_status() -> bool:
        item = table.get_item(TableName=cloud.outputs["SeenTable"], Key=key).get("Item")
        return item is not None and json.loads(item["value"]["S"])["jobId"] == job["jobId"]

    wait_until(last_status)


def _execute(cloud: Cloud, parameters: dict[str, Any], **state: Any) -> dict[str, Any]:
    """Runs a state machine of one task that submits a job and waits for it; answers the execution when it has ended."""
    states = cloud.client("stepfunctions")
    task = {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync", "Parameters": parameters, "End": True}
    definition = {"StartAt": "Run", "States": {"Run": {**task, **state}, "Caught": {"Type": "Pass", "End": True}}}
    machine = states.create_state_machine(
        name=f"machine-{time.monotonic_ns()}",
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::000000000000:role/states",
    )["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]

    def result() -> dict[str, Any] | None:
        described: dict[str, Any] = states.describe_execution(executionArn=execution)
        return None if described["status"] == "RUNNING" else described

    described = wait_until(result)
    assert described is not None
    return described


def test_a_state_machine_waits_for_its_job(cloud: Cloud, definition: str) -> None:
    described = _execute(cloud, {"JobName": "task", "JobQueue": "sample", "JobDefinition": definition})
    assert described["status"] == "SUCCEEDED", described


def test_a_state_machine_fails_with_its_job_and_has_the_jobs_description_as_the_cause(
    cloud: Cloud, definition: str
) -> None:
    command = {"Command": ["python", "-c", "raise SystemExit(3)"]}
    parameters = {"JobName": "task", "JobQueue": "sample", "JobDefinition": definition, "ContainerOverrides": command}
    described = _execute(cloud, parameters)
    assert (described["status"], described["error"]) == ("FAILED", "States.TaskFailed"), described
    job = json.loads(described["cause"])
    assert (job["Status"], job["StatusReason"]) == ("FAILED", "Essential container in task exited")
    assert job["Attempts"][-1]["Container"]["ExitCode"] == 3


@pytest.mark.parametrize("error", ["States.TaskFailed", "States.ALL"])
def test_a_state_machine_catches_a_failed_job(cloud: Cloud, definition: str, error: str) -> None:
    command = {"Command": ["python", "-c", "raise SystemExit(3)"]}
    parameters = {"JobName": "task", "JobQueue": "sample", "JobDefinition": definition, "ContainerOverrides": command}
    described = _execute(cloud, parameters, Catch=[{"ErrorEquals": [error], "Next": "Caught"}])
    assert described["status"] == "SUCCEEDED", described
    assert json.loads(described["output"])["Error"] == "States.TaskFailed"


def test_a_state_machine_is_told_of_a_refused_submission(cloud: Cloud, definition: str) -> None:
    described = _execute(cloud, {"JobName": "task", "JobQueue": "nobody", "JobDefinition": definition})
    assert described["error"] == "Batch.ClientException", described
    assert "nobody" in described["cause"]


def test_a_job_that_ran_when_the_machine_died_fails_and_says_so(start_cloud: Start, tmp_path: Path) -> None:
    first = start_cloud(tmp_path)
    pid_path = tmp_path / "pid"
    code = f"import os, pathlib, time; pathlib.Path({str(pid_path)!r}).write_text(str(os.getpid())); time.sleep(600)"
    job_id = _submit(first, register(first), code)
    pid = int(wait_until(lambda: pid_path.exists() and pid_path.read_text()))
    _wait_for(first, job_id, "RUNNING")
    first.kill()

    second = start_cloud(tmp_path)
    job = _wait_for(second, job_id, "FAILED")
    assert job["statusReason"].startswith("Host EC2")
    wait_until(lambda: not psutil.pid_exists(pid))
    assert run(second, register(second), "print(1)")["status"] == "SUCCEEDED"
