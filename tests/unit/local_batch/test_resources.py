"""Compute environments, queues, definitions, policies, tags; and what the protocol refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from aimass_local.batch import wire
from aimass_local.batch.errors import ServerError
from tests.unit.local_batch.harness import LocalBatch, RefusedError, build_requirements


def test_unknown_path_is_an_unknown_operation(batch: LocalBatch) -> None:
    status, answer, headers = batch.request("POST", "/v1/nosuchthing")
    assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert "/v1/nosuchthing" in answer["message"]


def test_operation_of_the_model_that_is_missing_here_says_so(batch: LocalBatch) -> None:
    with pytest.raises(RefusedError, match="ListServiceJobs is not supported by the local AWS Batch") as refused:
        batch.call("ListServiceJobs", jobQueue="queue")
    assert (refused.value.status, refused.value.code) == (400, "ClientException")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"text"', b"\xff", b'{"jobs": "text"}', b'{"jobs": [], "more": 1}', b""]
)
def test_malformed_body_is_refused(batch: LocalBatch, body: bytes) -> None:
    status, answer, headers = batch.request("POST", "/v1/describejobs", body)
    assert (status, headers["x-amzn-errortype"]) == (400, "ClientException")
    assert answer["message"].startswith("Error executing request")


def test_answer_that_does_not_follow_the_model_is_our_fault() -> None:
    with pytest.raises(ServerError, match="does not follow the model"):
        wire.validate_answer("SubmitJob", {"jobId": 5})


def test_revisions_count_up_and_are_never_used_twice(start_batch: Callable[..., LocalBatch]) -> None:
    batch = start_batch()
    batch.set_up()
    assert [batch.define("true").rsplit(":", 1)[-1] for _ in range(3)] == ["1", "2", "3"]
    batch.call("DeregisterJobDefinition", jobDefinition="definition:3")
    batch.close()
    batch = start_batch()
    assert batch.define("true").endswith(":4")
    batch.call("DeregisterJobDefinition", jobDefinition="definition:4")
    assert batch.describe(batch.submit())["jobDefinition"].endswith(":2")
    with pytest.raises(RefusedError, match="not found, or it is not ACTIVE"):
        batch.submit("definition:4")
    listed = batch.call("DescribeJobDefinitions", jobDefinitionName="definition", status="ACTIVE")["jobDefinitions"]
    assert [entry["revision"] for entry in listed] == [2, 1]


def test_deleting_what_is_in_use_is_refused(batch: LocalBatch) -> None:
    with pytest.raises(RefusedError, match="DISABLED first"):
        batch.call("DeleteComputeEnvironment", computeEnvironment="machine")
    batch.call("UpdateComputeEnvironment", computeEnvironment="machine", state="DISABLED")
    with pytest.raises(RefusedError, match="found existing JobQueue relationship: queue"):
        batch.call("DeleteComputeEnvironment", computeEnvironment="machine")
    batch.call("UpdateJobQueue", jobQueue="queue", state="DISABLED")
    for _ in range(2):
        batch.call("DeleteJobQueue", jobQueue="queue")
        batch.call("DeleteComputeEnvironment", computeEnvironment="machine")
    assert batch.call("DescribeComputeEnvironments")["computeEnvironments"] == []


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("CreateJobQueue", {"jobQueueName": "q", "priority": 1}, "at least one compute environment"),
        ("CreateComputeEnvironment", {"computeEnvironmentName": "a b", "type": "MANAGED"}, "is not a name"),
        ("CreateComputeEnvironment", {"computeEnvironmentName": "machine", "type": "MANAGED"}, "already exists"),
        ("UpdateJobQueue", {"jobQueue": "nobody"}, "does not exist"),
        ("RegisterJobDefinition", {"jobDefinitionName": "d", "type": "container"}, "has containerProperties"),
        ("DescribeJobQueues", {"nextToken": "x"}, "nextToken"),
    ],
)
def test_wrong_requests_are_refused(
    batch: LocalBatch, operation: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(RefusedError, match=message):
        batch.call(operation, **parameters)


@pytest.mark.parametrize("name", ["secrets", "mountPoints", "volumes"])
def test_definition_that_would_miss_something_here_is_refused(batch: LocalBatch, name: str) -> None:
    entry = {"name": "x", "valueFrom": "arn"} if name == "secrets" else {}
    properties: dict[str, Any] = {name: [entry]}
    with pytest.raises(RefusedError, match=f"containerProperties.{name} is not supported"):
        batch.define("true", **properties)


def test_tags_are_set_listed_and_removed(batch: LocalBatch) -> None:
    batch.define("true")
    arns = [
        batch.call("DescribeJobQueues")["jobQueues"][0]["jobQueueArn"],
        batch.call("DescribeComputeEnvironments")["computeEnvironments"][0]["computeEnvironmentArn"],
        batch.call("DescribeJobDefinitions")["jobDefinitions"][0]["jobDefinitionArn"],
        batch.describe(batch.submit())["jobArn"],
    ]
    for arn in arns:
        path = f"/v1/tags/{arn}"
        assert batch.request("POST", path, json.dumps({"tags": {"a": "1", "b": "2"}}).encode())[0] == 200
        assert batch.request("DELETE", path, query="tagKeys=a&tagKeys=c")[0] == 200
        assert batch.request("GET", path)[1] == {"tags": {"b": "2"}}
    assert batch.request("GET", f"/v1/tags/{arns[0]}x")[0] == 400


def test_scheduling_policy_orders_jobs_by_priority(batch: LocalBatch) -> None:
    arn = batch.call("CreateSchedulingPolicy", name="policy")["arn"]
    assert batch.call("ListSchedulingPolicies")["schedulingPolicies"] == [{"arn": arn}]
    assert batch.call("DescribeSchedulingPolicies", arns=[arn])["schedulingPolicies"][0]["name"] == "policy"
    batch.call("UpdateJobQueue", jobQueue="queue", schedulingPolicyArn=arn)
    with pytest.raises(RefusedError, match="job queues use the scheduling policy: queue"):
        batch.call("DeleteSchedulingPolicy", arn=arn)
    batch.define("sleep", "0.2", **build_requirements(vcpus="2"))
    with pytest.raises(RefusedError, match="shareIdentifier has to be given"):
        batch.submit()
    batch.wait(batch.submit(shareIdentifier="a"), "RUNNING")
    low, high = (batch.submit(shareIdentifier="a", schedulingPriorityOverride=number) for number in (1, 2))
    assert batch.wait(high)["startedAt"] < batch.wait(low)["startedAt"]


def test_request_over_a_megabyte_is_refused(batch: LocalBatch) -> None:
    status, answer, _ = batch.request("POST", "/v1/describejobs", b" " * 1_000_001)
    assert status == 400
    assert "larger than" in answer["message"]
