"""Room on the machine: who runs when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.local_batch.harness import Document, LocalBatch, RefusedError, build_requirements, until

ALL_VCPUS = build_requirements(vcpus="2")["resourceRequirements"]


def started_at(batch: LocalBatch, job_ids: list[str]) -> list[int]:
    return [batch.wait(job_id)["startedAt"] for job_id in job_ids]


def test_jobs_share_the_machine_and_no_more(batch: LocalBatch) -> None:
    batch.define("sleep", "0.2")
    job_ids = [batch.submit() for _ in range(4)]
    spans = [(job["startedAt"], job["stoppedAt"]) for job in map(batch.wait, job_ids)]
    for moment, _ in spans:
        assert sum(begin <= moment < end for begin, end in spans) <= 2


def test_queue_is_first_in_first_out(batch: LocalBatch) -> None:
    batch.define("true", resourceRequirements=ALL_VCPUS)
    job_ids = [batch.submit() for _ in range(5)]
    assert started_at(batch, job_ids) == sorted(started_at(batch, job_ids))


def test_queue_with_higher_priority_goes_first(batch: LocalBatch, tmp_path: Path) -> None:
    batch.set_up(queue="urgent", priority=10)
    batch.define("sh", "-c", until(tmp_path / "end"), resourceRequirements=ALL_VCPUS)
    blocker = batch.submit()
    batch.wait(blocker, "RUNNING")
    low = batch.submit()
    high = batch.submit(jobQueue="urgent")
    (tmp_path / "end").touch()
    assert batch.wait(high)["startedAt"] < batch.wait(low)["startedAt"]


@pytest.mark.parametrize(
    ("requirements", "text"),
    [
        ({"vcpus": "3"}, "VCPU 3 of 2"),
        ({"memory": "5000"}, "MEMORY 5000 of 4096"),
        ({"gpus": "1"}, "GPU 1 of 0"),
    ],
)
def test_job_larger_than_the_machine_waits_and_says_why(
    batch: LocalBatch, requirements: dict[str, str], text: str
) -> None:
    batch.define("true", **build_requirements(**requirements))
    job_id = batch.submit()
    job = batch.wait_until(lambda: batch.describe(job_id), lambda job: "statusReason" in job)
    assert job["status"] == "RUNNABLE"
    assert job["statusReason"].startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - ")
    assert text in job["statusReason"]
    blocked = [event for event in batch.events if event["detail-type"] == "Batch Job Queue Blocked"]
    assert [event["detail"]["jobId"] for event in blocked] == [job_id]
    batch.call("CancelJob", jobId=job_id, reason="too large")
    batch.define("true")
    assert batch.wait(batch.submit())["status"] == "SUCCEEDED"


def test_job_larger_than_its_compute_environment_waits_and_says_why(batch: LocalBatch) -> None:
    resources = {"type": "EC2", "maxvCpus": 1, "subnets": ["s"]}
    batch.call("UpdateComputeEnvironment", computeEnvironment="machine", computeResources=resources)
    batch.define("true", resourceRequirements=ALL_VCPUS)
    job_id = batch.submit()
    job = batch.wait_until(lambda: batch.describe(job_id), lambda job: "statusReason" in job)
    assert job["statusReason"].startswith("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE")
    resources["maxvCpus"] = 4
    batch.call("UpdateComputeEnvironment", computeEnvironment="machine", computeResources=resources)
    assert batch.wait(job_id)["status"] == "SUCCEEDED"


def test_c12_disabled_compute_environment_holds_jobs_back(batch: LocalBatch) -> None:
    batch.call("UpdateComputeEnvironment", computeEnvironment="machine", state="DISABLED")
    batch.define("true")
    job_id = batch.submit()
    job = batch.wait_until(lambda: batch.describe(job_id), lambda job: "statusReason" in job)
    assert "DISABLED" in job["statusReason"]
    batch.call("UpdateComputeEnvironment", computeEnvironment="machine", state="ENABLED")
    assert batch.wait(job_id)["status"] == "SUCCEEDED"


def test_c12_disabled_queue_takes_no_new_jobs(batch: LocalBatch) -> None:
    batch.define("true")
    batch.call("UpdateJobQueue", jobQueue="queue", state="DISABLED")
    with pytest.raises(RefusedError, match="not ENABLED"):
        batch.submit()


def test_gpus_are_given_out_by_id(start_batch: Callable[..., LocalBatch], tmp_path: Path) -> None:
    batch = start_batch(gpus=["GPU-a", "GPU-b"])
    batch.set_up()
    source = f"echo $CUDA_VISIBLE_DEVICES; {until(tmp_path / 'end')}"
    batch.define("sh", "-c", source, **build_requirements(gpus="1"))
    job_ids = [batch.submit(), batch.submit()]
    for job_id in job_ids:
        batch.wait(job_id, "RUNNING")
    (tmp_path / "end").touch()
    both = [batch.wait(job_id) for job_id in job_ids]
    assert sorted(batch.log_of(job)[0] for job in both) == ["GPU-a", "GPU-b"]
    batch.define("sh", "-c", source, **build_requirements(gpus="2"))
    assert batch.log_of(batch.wait(batch.submit())) == ["GPU-a,GPU-b"]


@pytest.mark.parametrize(
    "requirements",
    [{"memory": "1e3"}, {"memory": "0"}, {"memory": "-1"}, {"vcpus": "0"}, {"vcpus": "nan"}, {"gpus": "x"}],
)
def test_c9_requirements_out_of_range_are_refused(batch: LocalBatch, requirements: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="has to be a"):
        batch.define("true", **build_requirements(**requirements))


def test_deleting_a_queue_terminates_its_jobs(batch: LocalBatch) -> None:
    batch.define("sleep", "60")
    job_id = batch.submit()
    batch.wait(job_id, "RUNNING")
    with pytest.raises(RefusedError, match="has to be DISABLED first"):
        batch.call("DeleteJobQueue", jobQueue="queue")
    batch.call("UpdateJobQueue", jobQueue="queue", state="DISABLED")
    batch.call("DeleteJobQueue", jobQueue="queue")
    assert batch.wait(job_id)["statusReason"] == "The job queue was deleted"


def test_list_jobs_filters_and_pages(batch: LocalBatch) -> None:
    batch.define("true", name="other")
    batch.define("true")
    job_ids = [batch.submit(jobName=f"Train{index}") for index in range(5)] + [batch.submit("other")]
    for job_id in job_ids:
        batch.wait(job_id)

    def list_ids(**parameters: object) -> list[str]:
        answer = batch.call("ListJobs", jobQueue="queue", **parameters)
        return [entry["jobId"] for entry in answer["jobSummaryList"]]

    assert list_ids() == []  # without a status only RUNNING ones
    assert list_ids(jobStatus="SUCCEEDED") == job_ids[::-1]
    assert list_ids(filters=[{"name": "JOB_NAME", "values": ["train*"]}]) == job_ids[4::-1]
    assert list_ids(filters=[{"name": "JOB_NAME", "values": ["TRAIN3"]}]) == [job_ids[3]]
    assert list_ids(filters=[{"name": "JOB_DEFINITION", "values": ["other"]}]) == [job_ids[5]]
    pages: list[str] = []
    token: Document = {}
    while True:
        answer = batch.call("ListJobs", jobQueue="queue", jobStatus="SUCCEEDED", maxResults=2, **token)
        pages += [entry["jobId"] for entry in answer["jobSummaryList"]]
        if "nextToken" not in answer:
            break
        token = {"nextToken": answer["nextToken"]}
    assert pages == job_ids[::-1]
    with pytest.raises(RefusedError, match="nextToken"):
        list_ids(nextToken="forged")
    with pytest.raises(RefusedError, match="Exactly one of"):
        batch.call("ListJobs")
