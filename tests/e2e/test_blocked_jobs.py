"""C12: a job that cannot start says why, where its user looks; it starts when it can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aimass
from aimass_core.domain.jobs import JobStatus
from tests.stack import Stack, wait_until

_SHORT = {"num_rounds": 5}


@pytest.fixture(scope="module")
def dataset(client: aimass.Client, loans: tuple[Path, Path]) -> str:
    return client.datasets.upload(loans[0], name="blocked", target="repaid").ref


@pytest.fixture
def queue(stack: Stack) -> Iterator[dict[str, Any]]:
    """The stack's job queue and its compute environment; both ENABLED again afterwards."""
    batch = stack.aws("batch")
    (found,) = batch.describe_job_queues(jobQueues=["aimass"])["jobQueues"]
    yield found
    for order in found["computeEnvironmentOrder"]:
        batch.update_compute_environment(computeEnvironment=order["computeEnvironment"], state="ENABLED")
    batch.update_job_queue(jobQueue=found["jobQueueName"], state="ENABLED")


def _wait_for_reason(stack: Stack, job_id: str, text: str) -> None:
    wait_until(lambda: text in stack.cli("jobs", "get", job_id))


def test_c12_job_larger_than_the_machine_says_so_and_can_be_stopped(
    stack: Stack, client: aimass.Client, dataset: str
) -> None:
    job = client.jobs.train(dataset, algorithm="xgboost", hyperparameters=_SHORT, memory_mib=1_500_000)
    _wait_for_reason(stack, job.id, "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")
    assert client.jobs.get(job.id).status is JobStatus.QUEUED
    job.stop()
    assert job.wait(raise_on_failure=False, timeout_seconds=300).status is JobStatus.STOPPED


def test_c12_disabled_compute_environment_is_named_and_the_job_runs_once_it_is_enabled(
    stack: Stack, client: aimass.Client, dataset: str, queue: dict[str, Any]
) -> None:
    batch = stack.aws("batch")
    environments = [order["computeEnvironment"] for order in queue["computeEnvironmentOrder"]]
    for environment in environments:
        batch.update_compute_environment(computeEnvironment=environment, state="DISABLED")
    job = client.jobs.train(dataset, algorithm="xgboost", hyperparameters=_SHORT)
    _wait_for_reason(stack, job.id, "every compute environment of the job queue is DISABLED")
    for environment in environments:
        batch.update_compute_environment(computeEnvironment=environment, state="ENABLED")
    assert job.wait(timeout_seconds=300).status is JobStatus.SUCCEEDED


def test_c12_job_of_a_disabled_queue_waits_and_says_why(
    stack: Stack, client: aimass.Client, dataset: str, queue: dict[str, Any]
) -> None:
    """That it is dispatched again is tested on a clock of its own: the claim on it lasts two minutes."""
    stack.aws("batch").update_job_queue(jobQueue=queue["jobQueueName"], state="DISABLED")
    job = client.jobs.train(dataset, algorithm="xgboost", hyperparameters=_SHORT)
    _wait_for_reason(stack, job.id, "job queue is disabled")
    assert client.jobs.get(job.id).status is JobStatus.SUBMITTED
