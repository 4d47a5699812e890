"""Array jobs and dependencies."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.local_batch.harness import LocalBatch, RefusedError


def test_array_runs_a_child_for_each_index(batch: LocalBatch) -> None:
    batch.define("sh", "-c", "echo $AWS_BATCH_JOB_ARRAY_INDEX of $AWS_BATCH_JOB_ARRAY_SIZE as $AWS_BATCH_JOB_ID")
    parent_id = batch.submit(arrayProperties={"size": 5})
    parent = batch.wait(parent_id)
    assert parent["status"] == "SUCCEEDED"
    summary = parent["arrayProperties"]["statusSummary"]
    assert parent["arrayProperties"]["size"] == 5
    assert {status: count for status, count in summary.items() if count} == {"SUCCEEDED": 5}
    for index in range(5):
        child = batch.describe(f"{parent_id}:{index}")
        assert child["arrayProperties"] == {"index": index}
        assert batch.log_of(child) == [f"{index} of 5 as {parent_id}:{index}"]


def test_array_is_pending_until_its_children_end_and_fails_with_one_of_them(batch: LocalBatch) -> None:
    batch.define("sh", "-c", "exit $((AWS_BATCH_JOB_ARRAY_INDEX == 2 ? 3 : 0))")
    parent_id = batch.submit(arrayProperties={"size": 4})
    parent = batch.wait(parent_id)
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert parent["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 3
    assert parent["arrayProperties"]["statusSummary"]["FAILED"] == 1
    assert batch.statuses_of(parent_id) == ["PENDING", "FAILED"]
    assert all(batch.describe(f"{parent_id}:{index}")["stoppedAt"] <= parent["stoppedAt"] for index in range(4))


def test_children_are_retried_each_for_itself(batch: LocalBatch) -> None:
    batch.define("sh", "-c", "exit $((AWS_BATCH_JOB_ATTEMPT == 1 ? AWS_BATCH_JOB_ARRAY_INDEX : 0))")
    parent_id = batch.submit(arrayProperties={"size": 2}, retryStrategy={"attempts": 2})
    assert batch.wait(parent_id)["status"] == "SUCCEEDED"
    assert [len(batch.describe(f"{parent_id}:{index}")["attempts"]) for index in range(2)] == [1, 2]


def test_terminating_an_array_terminates_all_children(batch: LocalBatch) -> None:
    batch.define("sleep", "60")
    parent_id = batch.submit(arrayProperties={"size": 10})
    batch.wait(f"{parent_id}:1", "RUNNING")
    batch.call("TerminateJob", jobId=parent_id, reason="stop")
    assert batch.wait(parent_id)["status"] == "FAILED"
    children = batch.call("ListJobs", arrayJobId=parent_id, jobStatus="FAILED")["jobSummaryList"]
    assert [child["arrayProperties"]["index"] for child in children] == list(range(10))
    assert {child["statusReason"] for child in children} == {"stop"}


def test_cancelling_an_array_leaves_the_children_that_run(batch: LocalBatch) -> None:
    batch.define("sh", "-c", "while [ ! -e Ref::file ]; do sleep 0.05; done")
    file = batch.data_dir / "go"
    parent_id = batch.submit(arrayProperties={"size": 6}, parameters={"file": str(file)})
    batch.wait(f"{parent_id}:1", "RUNNING")
    batch.wait(f"{parent_id}:0", "RUNNING")
    batch.call("CancelJob", jobId=parent_id, reason="not needed")
    batch.wait(f"{parent_id}:5")
    file.touch()
    summary = batch.wait(parent_id)["arrayProperties"]["statusSummary"]
    assert (summary["SUCCEEDED"], summary["FAILED"]) == (2, 4)


def test_termination_of_an_array_is_not_forgotten_by_a_restart(start_batch: Callable[..., LocalBatch]) -> None:
    batch = start_batch()
    batch.set_up()
    batch.define("sleep", "60")
    parent_id = batch.submit(arrayProperties={"size": 1000}, retryStrategy={"attempts": 3})
    batch.wait(f"{parent_id}:0", "RUNNING")
    batch.call("TerminateJob", jobId=parent_id, reason="stop")
    batch.close()
    batch = start_batch()
    parent = batch.wait(parent_id)
    assert (parent["status"], parent["arrayProperties"]["statusSummary"]["FAILED"]) == ("FAILED", 1000)
    assert {batch.describe(f"{parent_id}:{index}")["statusReason"] for index in (0, 1, 999)} == {"stop"}


@pytest.mark.parametrize("size", [-1, 0, 1, 10_001])
def test_c9_array_size_out_of_range_is_refused(batch: LocalBatch, size: int) -> None:
    batch.define("true")
    with pytest.raises(RefusedError, match=r"between 2 and 10,000"):
        batch.submit(arrayProperties={"size": size})


def test_dependent_job_waits_for_success(batch: LocalBatch) -> None:
    batch.define("sleep", "0.3")
    first = batch.submit()
    second = batch.submit(dependsOn=[{"jobId": first}])
    batch.wait(second, "PENDING")
    assert batch.wait(second)["status"] == "SUCCEEDED"
    assert batch.describe(first)["stoppedAt"] <= batch.describe(second)["startedAt"]
    assert batch.statuses_of(second) == ["PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_c11_failure_runs_down_a_chain_of_dependents(batch: LocalBatch) -> None:
    batch.define("false")
    first = batch.submit()
    second = batch.submit(dependsOn=[{"jobId": first}])
    third = batch.submit(dependsOn=[{"jobId": second}])
    job = batch.wait(third)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Dependent Job failed")
    assert "startedAt" not in job
    late = batch.wait(batch.submit(dependsOn=[{"jobId": first}]))
    assert (late["status"], late["statusReason"]) == ("FAILED", "Dependent Job failed")


def test_sequential_children_run_one_after_the_other(batch: LocalBatch) -> None:
    batch.define("true")
    parent_id = batch.submit(arrayProperties={"size": 4}, dependsOn=[{"type": "SEQUENTIAL"}])
    assert batch.wait(parent_id)["status"] == "SUCCEEDED"
    children = [batch.describe(f"{parent_id}:{index}") for index in range(4)]
    for earlier, later in itertools.pairwise(children):
        assert earlier["stoppedAt"] <= later["startedAt"]


def test_failure_ends_a_sequence_of_thousands(batch: LocalBatch) -> None:
    batch.define("false")
    parent_id = batch.submit(arrayProperties={"size": 2000}, dependsOn=[{"type": "SEQUENTIAL"}])
    parent = batch.wait(parent_id)
    assert parent["arrayProperties"]["statusSummary"]["FAILED"] == 2000
    assert batch.describe(f"{parent_id}:1999")["statusReason"] == "Dependent Job failed"


def test_n_to_n_children_wait_for_the_same_index_only(batch: LocalBatch) -> None:
    batch.define("sh", "-c", "exit $((AWS_BATCH_JOB_ARRAY_INDEX == 1 ? 3 : 0))", name="flaky")
    batch.define("true")
    first = batch.submit("flaky", arrayProperties={"size": 3})
    second = batch.submit(arrayProperties={"size": 3}, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    batch.wait(second)
    assert [batch.describe(f"{second}:{index}")["status"] for index in range(3)] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dependsOn": [{"jobId": "nobody"}]}, "does not exist"),
        ({"dependsOn": [{"type": "SEQUENTIAL"}]}, "array jobs only"),
        (
            {"dependsOn": [{"jobId": "{first}", "type": "N_TO_N"}], "arrayProperties": {"size": 2}},
            "array job of size 2",
        ),
        ({"dependsOn": [{"jobId": "{first}", "type": "SEQUENTIAL"}], "arrayProperties": {"size": 2}}, "SEQUENTIAL"),
        ({"dependsOn": [{}]}, "has a jobId"),
        ({"dependsOn": [{"jobId": "{first}"}] * 21}, "at most 20"),
    ],
)
def test_c11_impossible_dependencies_are_refused(batch: LocalBatch, parameters: dict[str, Any], message: str) -> None:
    batch.define("true")
    first = batch.submit()
    for dependency in parameters["dependsOn"]:
        if dependency.get("jobId") == "{first}":
            dependency["jobId"] = first
    with pytest.raises(RefusedError, match=message):
        batch.submit(**parameters)
