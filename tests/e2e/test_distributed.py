"""Models that several machines train together: on Batch, on SageMaker, and with one of them killed in the middle."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

import aimass
from aimass.resources.jobs import Job
from aimass_core.domain import keys
from aimass_core.domain.jobs import EventType
from tests.e2e.processes import processes_of
from tests.stack import Stack, wait_until, write_loans

SECONDS = 400.0
SMALL: dict[str, Any] = {"vcpus": 1, "memory_mib": 2048}
NODES: dict[str, Any] = {"num_nodes": 2, **SMALL}
INSTANCES: dict[str, Any] = {"backend": "sagemaker", "instance_type": "ml.m5.large", "instance_count": 2}
MLP: dict[str, Any] = {
    "algorithm": "mlp",
    "hyperparameters": {"epochs": 10, "patience": 10, "batch_size": 64, "dropout": 0.0},
}
XGBOOST: dict[str, Any] = {"algorithm": "xgboost", "hyperparameters": {"num_rounds": 60}}


@pytest.mark.parametrize(
    ("what", "places", "tolerance"),
    [
        (XGBOOST, [NODES, INSTANCES], 0.02),
        # In `make test` networks are trained by several processes without the stack (tests/integration/distributed).
        pytest.param(MLP, [NODES, INSTANCES], 0.003, marks=pytest.mark.slow),
        pytest.param(MLP | {"framework": "tensorflow"}, [INSTANCES], 0.003, marks=pytest.mark.slow),
    ],
    ids=["xgboost", "torch", "tensorflow"],
)
def test_two_machines_train_the_model_of_one_on_batch_and_on_sagemaker(
    stack: Stack,
    client: aimass.Client,
    loans: tuple[Path, Path],
    what: dict[str, Any],
    places: list[dict[str, Any]],
    tolerance: float,
) -> None:
    dataset = client.datasets.upload(
        loans[0], name=f"shared-{what.get('framework', what['algorithm'])}", target="repaid"
    )
    alone = client.jobs.train(dataset, **what, **SMALL).wait()
    for where in places:
        job = client.jobs.train(dataset, **what, **where).wait()
        assert job.model_version is not None
        assert job.metrics["roc_auc"] == pytest.approx(alone.metrics["roc_auc"], abs=tolerance)
        assert job.attempt == 1
        assert any(f"job {job.id}, attempt 1" in line.message for line in job.logs())
        if where is NODES:
            nodes = stack.aws("batch").list_jobs(multiNodeJobId=job.compute_job_id, jobStatus="SUCCEEDED")
            assert any(node["nodeProperties"]["isMainNode"] for node in nodes["jobSummaryList"])


def test_cli_trains_on_nodes_and_says_so(stack: Stack, loans: tuple[Path, Path]) -> None:
    stack.cli("datasets", "upload", "nodes", str(loans[0]), "--target", "repaid")
    resources = ("--nodes", "2", "--vcpus", "1", "--memory-mib", "2048")
    table = stack.cli("train", "nodes", "--algorithm", "xgboost", "-H", "num_rounds=20", *resources)
    assert "ROC AUC" in table
    with stack.client() as client:
        job = next(job for job in client.jobs.list() if job.spec.dataset == "nodes")  # type: ignore[union-attr]
    assert "batch, 2 nodes" in stack.cli("jobs", "get", job.id)
    words = stack.cli("train", "nodes", "--algorithm", "linear", *resources, exit_code=3)
    assert "Several machines can train: xgboost" in words


def _rank_of(process: psutil.Process) -> int:
    return int(process.environ()["AWS_BATCH_JOB_NODE_INDEX"])


def _kill_node(job: Job, index: int) -> None:
    """All processes of the container."""
    for process in processes_of(job):
        if _rank_of(process) == index:
            os.kill(process.pid, signal.SIGKILL)


# In `make test` a machine of several is lost without the stack (tests/integration/distributed).
@pytest.mark.slow
@pytest.mark.parametrize(("framework", "epochs"), [("torch", 25), ("tensorflow", 12)])
def test_d15_a_killed_node_ends_the_attempt_and_the_next_ends_with_the_undisturbed_metrics(
    stack: Stack, client: aimass.Client, tmp_path: Path, framework: str, epochs: int
) -> None:
    write_loans(tmp_path / "loans.csv", num_rows=2000, seed=0)
    dataset = client.datasets.upload(tmp_path / "loans.csv", name=f"killed-{framework}", target="repaid").ref

    def train() -> Job:
        return client.jobs.train(
            dataset,
            algorithm="mlp",
            framework=framework,
            hyperparameters={"epochs": epochs, "patience": epochs, "batch_size": 16, "hidden": [32]},
            seed=5,
            checkpoint_seconds=1,
            **NODES,
        )

    def has_checkpoint(job: Job) -> bool:
        prefix, bucket = keys.job_checkpoints(job.workspace_id, job.id), stack.outputs["LakeBucketName"]
        return bool(stack.aws("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents"))

    job = train()
    wait_until(lambda: has_checkpoint(job), seconds=SECONDS)
    _kill_node(job, 1)
    ended = client.jobs.get(job.id).wait(timeout_seconds=SECONDS)
    assert ended.attempt == 2
    texts = [str(e.data["text"]) for e in client.jobs.events(job.id).events if e.type is EventType.MESSAGE]
    assert any("goes on from a checkpoint in epoch" in text for text in texts), texts
    assert ended.metrics == train().wait(timeout_seconds=SECONDS).metrics
    assert not processes_of(job)
