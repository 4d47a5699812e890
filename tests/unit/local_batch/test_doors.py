"""CloudFormation and Step Functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aimass_local.batch import TaskFailedError
from aimass_local.batch.errors import ClientError
from tests.unit.local_batch.harness import LocalBatch

# As CDK's L2 constructs write them.
ENVIRONMENT = {
    "Type": "managed",
    "ComputeResources": {
        "Type": "EC2",
        "AllocationStrategy": "BEST_FIT_PROGRESSIVE",
        "MaxvCpus": "4",
        "MinvCpus": 0,
        "InstanceRole": "arn:aws:iam::000000000000:instance-profile/x",
        "InstanceTypes": ["optimal"],
        "SecurityGroupIds": ["sg-1"],
        "Subnets": ["subnet-1"],
        "UpdateToLatestImageVersion": True,
    },
    "ReplaceComputeEnvironment": False,
    "State": "ENABLED",
    "UpdatePolicy": {"TerminateJobsOnUpdate": True},
}
DEFINITION = {
    "Type": "container",
    "ContainerProperties": {
        "Image": "any",
        "Command": ["sh", "-c", "exit Ref::code"],
        "Environment": [{"Name": "N", "Value": "1"}],
        "ResourceRequirements": [{"Type": "MEMORY", "Value": "128"}, {"Type": "VCPU", "Value": 1}],
        "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-stream-prefix": "x"}},
    },
    "Parameters": {"code": "0", "OtherCase": "Kept"},
    "PlatformCapabilities": ["EC2"],
    "RetryStrategy": {"Attempts": "2", "EvaluateOnExit": [{"Action": "EXIT", "OnExitCode": "*"}]},
    "Timeout": {"AttemptDurationSeconds": 3600},
    "Tags": {"owner": "Me"},
}


@pytest.fixture
def stack(start_batch: Callable[..., LocalBatch]) -> tuple[LocalBatch, dict[str, tuple[str, Any]]]:
    """A deployed stack: physical id and attributes by logical id."""
    batch = start_batch()
    handlers = batch.service.cloudformation_handlers()
    environment = handlers["AWS::Batch::ComputeEnvironment"]["create"]("Environment", ENVIRONMENT, "stack")
    queue = {
        "JobQueueName": "queue",
        "Priority": 1,
        "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": environment[0]}],
    }
    return batch, {
        "Environment": environment,
        "Queue": handlers["AWS::Batch::JobQueue"]["create"]("Queue", queue, "stack"),
        "Definition": handlers["AWS::Batch::JobDefinition"]["create"]("Definition", DEFINITION, "stack"),
    }


def test_stack_is_created_with_arns_as_ids_and_attributes(stack: tuple[LocalBatch, dict[str, tuple[str, Any]]]) -> None:
    batch, created = stack
    arn = "arn:aws:batch:us-east-1:000000000000:"
    assert created["Environment"] == (
        f"{arn}compute-environment/stack-Environment",
        {"ComputeEnvironmentArn": f"{arn}compute-environment/stack-Environment"},
    )
    assert created["Queue"][1] == {"JobQueueArn": f"{arn}job-queue/queue"}
    definition = batch.call("DescribeJobDefinitions")["jobDefinitions"][0]
    assert definition["jobDefinitionArn"] == created["Definition"][0] == f"{arn}job-definition/stack-Definition:1"
    assert definition["parameters"] == {"code": "0", "OtherCase": "Kept"}
    assert definition["retryStrategy"] == {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onExitCode": "*"}]}
    assert definition["containerProperties"]["logConfiguration"]["options"] == {"awslogs-stream-prefix": "x"}
    assert batch.wait(batch.submit("stack-Definition"))["status"] == "SUCCEEDED"


def test_update_of_a_definition_is_a_new_revision(stack: tuple[LocalBatch, dict[str, tuple[str, Any]]]) -> None:
    batch, created = stack
    update = batch.service.cloudformation_handlers()["AWS::Batch::JobDefinition"]["update"]
    new = {**DEFINITION, "Parameters": {"code": "1"}}
    physical_id, attributes = update(created["Definition"][0], DEFINITION, new, "stack", "Definition")
    assert physical_id == attributes["JobDefinitionArn"]
    assert physical_id.endswith("stack-Definition:2")
    statuses = {d["revision"]: d["status"] for d in batch.call("DescribeJobDefinitions")["jobDefinitions"]}
    assert statuses == {1: "INACTIVE", 2: "ACTIVE"}


def test_update_and_delete_of_queue_and_environment(stack: tuple[LocalBatch, dict[str, tuple[str, Any]]]) -> None:
    batch, created = stack
    handlers = batch.service.cloudformation_handlers()
    queue_id, environment_id = created["Queue"][0], created["Environment"][0]
    order = [{"Order": 1, "ComputeEnvironment": environment_id}]
    new = {"JobQueueName": "queue", "Priority": "7", "ComputeEnvironmentOrder": order}
    handlers["AWS::Batch::JobQueue"]["update"](queue_id, {}, new, "stack", "Queue")
    assert batch.call("DescribeJobQueues")["jobQueues"][0]["priority"] == 7
    handlers["AWS::Batch::ComputeEnvironment"]["update"](environment_id, {}, ENVIRONMENT, "stack", "Environment")
    for _ in range(2):
        handlers["AWS::Batch::JobQueue"]["delete"](queue_id, new)
        handlers["AWS::Batch::ComputeEnvironment"]["delete"](environment_id, ENVIRONMENT)
    assert batch.call("DescribeJobQueues")["jobQueues"] == []


def test_property_that_nobody_knows_fails_the_stack(batch: LocalBatch) -> None:
    create = batch.service.cloudformation_handlers()["AWS::Batch::JobQueue"]["create"]
    with pytest.raises(ClientError, match="Prioritie is not supported"):
        create("Queue", {"Prioritie": 1, "Priority": 1}, "stack")


def test_handlers_work_on_the_loop_as_well(batch: LocalBatch) -> None:
    async def create() -> Any:
        return batch.service.cloudformation_handlers()["AWS::Batch::JobDefinition"]["create"]("D", DEFINITION, "s")

    assert batch.await_(create())[0].endswith("s-D:1")


def submit_in_thread(batch: LocalBatch, resource: str, task_input: dict[str, Any]) -> dict[str, Any]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(batch.service.submit_job_task, resource, task_input).result(20)


def test_step_functions_submits_and_waits(batch: LocalBatch) -> None:
    batch.define("sh", "-c", "exit Ref::exitCode", parameters={"exitCode": "0"})
    task_input = {"JobName": "job", "JobQueue": "queue", "JobDefinition": "definition"}
    detail = submit_in_thread(batch, "arn:aws:states:::batch:submitJob.sync", task_input)
    assert (detail["Status"], detail["Container"]["ExitCode"]) == ("SUCCEEDED", 0)
    assert detail["Parameters"] == {"exitCode": "0"}
    answer = submit_in_thread(batch, "arn:aws:states:::batch:submitJob", task_input)
    assert batch.wait(answer["JobId"])["status"] == "SUCCEEDED"


def test_step_functions_sees_why_a_job_failed(batch: LocalBatch) -> None:
    batch.define("sh", "-c", "exit Ref::exitCode")
    task_input = {"JobName": "job", "JobQueue": "queue", "JobDefinition": "definition", "Parameters": {"exitCode": "3"}}
    with pytest.raises(TaskFailedError) as failed:
        submit_in_thread(batch, "arn:aws:states:::batch:submitJob.sync", task_input)
    assert failed.value.error == "States.TaskFailed"
    assert json.loads(failed.value.cause)["Container"]["ExitCode"] == 3
    with pytest.raises(TaskFailedError) as refused:
        submit_in_thread(batch, "arn:aws:states:::batch:submitJob", {**task_input, "JobQueue": "nobody"})
    assert refused.value.error == "Batch.ClientException"
