"""Every operation through a real client, which validates what it sends and parses what it gets."""

from __future__ import annotations

import pytest

from aimass_core.domain.job_queues import queue_names
from tests.integration.local_batch.conftest import Server


def test_every_operation_answers_a_real_client(server: Server) -> None:
    client = server.client
    environment = client.describe_compute_environments(computeEnvironments=["machine"])["computeEnvironments"][0]
    assert (environment["status"], environment["state"], environment["type"]) == ("VALID", "ENABLED", "MANAGED")
    client.update_compute_environment(computeEnvironment="machine", computeResources={"maxvCpus": 8})
    queue = client.describe_job_queues(jobQueues=["queue"])["jobQueues"][0]
    client.update_job_queue(jobQueue=queue["jobQueueArn"], priority=5)
    policy = client.create_scheduling_policy(name="policy", tags={"a": "b"})["arn"]
    assert client.describe_scheduling_policies(arns=[policy])["schedulingPolicies"][0]["tags"] == {"a": "b"}
    assert client.list_scheduling_policies()["schedulingPolicies"] == [{"arn": policy}]
    client.update_scheduling_policy(arn=policy, fairsharePolicy={"shareDecaySeconds": 60})
    client.delete_scheduling_policy(arn=policy)
    server.define("sleep", "60")
    definition = client.describe_job_definitions(jobDefinitionName="definition")["jobDefinitions"][0]
    assert definition["revision"] == 1
    running, waiting, cancelled = server.submit(), server.submit(), server.submit()
    server.wait(running, "RUNNING")
    client.cancel_job(jobId=cancelled, reason="cancelled")
    client.terminate_job(jobId=running, reason="terminated")
    client.terminate_job(jobId=waiting, reason="terminated")
    assert [server.wait(job_id)["statusReason"] for job_id in (running, cancelled)] == ["terminated", "cancelled"]
    pages = client.get_paginator("list_jobs").paginate(
        jobQueue="queue", filters=[{"name": "JOB_NAME", "values": ["jo*"]}], PaginationConfig={"PageSize": 1}
    )
    assert {entry["jobId"] for page in pages for entry in page["jobSummaryList"]} == {running, waiting, cancelled}
    client.tag_resource(resourceArn=queue["jobQueueArn"], tags={"x": "1", "y": "2"})
    client.untag_resource(resourceArn=queue["jobQueueArn"], tagKeys=["x"])
    assert client.list_tags_for_resource(resourceArn=queue["jobQueueArn"])["tags"] == {"y": "2"}
    client.deregister_job_definition(jobDefinition=definition["jobDefinitionArn"])
    for name in queue_names("queue"):
        client.update_job_queue(jobQueue=name, state="DISABLED")
        client.delete_job_queue(jobQueue=name)
    client.update_compute_environment(computeEnvironment="machine", state="DISABLED")
    client.delete_compute_environment(computeEnvironment="machine")


def test_refusal_is_the_clients_own_exception(server: Server) -> None:
    client = server.client
    with pytest.raises(client.exceptions.ClientException, match="JobDefinition nothing not found") as refused:
        client.submit_job(jobName="job", jobQueue="queue", jobDefinition="nothing")
    assert refused.value.response["Error"]["Code"] == "ClientException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_thirty_jobs_at_once_all_end(server: Server) -> None:
    server.define("true")
    job_ids = [server.submit() for _ in range(30)]
    assert {server.wait(job_id)["status"] for job_id in job_ids} == {"SUCCEEDED"}
