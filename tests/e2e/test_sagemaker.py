"""SageMaker as a second home of training jobs: the same model, and the same words when something breaks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import aimass
from aimass.errors import JobFailedError
from aimass_core.domain import keys
from aimass_core.domain.jobs import JobStatus
from tests.e2e.processes import processes_of
from tests.e2e.test_kills import SECONDS, _wait_for_training
from tests.stack import Stack, wait_until, write_loans

SAGEMAKER = {"backend": "sagemaker", "instance_type": "ml.m5.large"}
LONG = {"epochs": 400, "patience": 400, "batch_size": 16}


def test_the_same_job_makes_the_same_model_on_batch_and_on_sagemaker(
    stack: Stack, client: aimass.Client, loans: tuple[Path, Path]
) -> None:
    dataset = client.datasets.upload(loans[0], name="homes", target="repaid")
    hyperparameters = {"num_rounds": 30}
    on_batch = client.jobs.train(dataset, algorithm="xgboost", hyperparameters=hyperparameters, vcpus=2).wait()
    job = client.jobs.train(dataset, algorithm="xgboost", hyperparameters=hyperparameters, **SAGEMAKER).wait()

    assert job.metrics == on_batch.metrics
    assert job.model_version is not None
    assert on_batch.model_version is not None
    mine, other = job.model_version.get(), on_batch.model_version.get()
    assert mine.digest == other.digest
    s3, bucket = stack.aws("s3"), stack.outputs["LakeBucketName"]
    bodies = [
        s3.get_object(Bucket=bucket, Key=keys.model_object(v.workspace_id, v.model_id, v.number, "model.onnx"))
        for v in (mine, other)
    ]
    assert bodies[0]["Body"].read() == bodies[1]["Body"].read()

    described = stack.aws("sagemaker").describe_training_job(TrainingJobName=job.compute_job_id)
    assert described["TrainingJobStatus"] == "Completed"
    archive = described["ModelArtifacts"]["S3ModelArtifacts"]
    assert archive.startswith(f"s3://{bucket}/{keys.job_prefix(job.workspace_id, job.id)}sagemaker/")
    assert s3.head_object(Bucket=bucket, Key=archive.removeprefix(f"s3://{bucket}/"))["ContentLength"] > 0
    assert any(f"job {job.id}, attempt 1" in line.message for line in job.logs())


def test_cli_trains_on_spot_instances(stack: Stack, loans: tuple[Path, Path]) -> None:
    stack.cli("datasets", "upload", "spots", str(loans[0]), "--target", "repaid")
    where = ("--backend", "sagemaker", "--instance-type", "ml.m5.large", "--instance-count", "2")
    table = stack.cli(
        *("train", "spots", "--algorithm", "xgboost", "-H", "num_rounds=20", *where),
        *("--spot", "--max-seconds", "600", "--max-wait-seconds", "1200"),
    )
    assert "ROC AUC" in table
    with stack.client() as client:
        job = next(job for job in client.jobs.list() if job.spec.dataset == "spots")  # type: ignore[union-attr]
        assert "sagemaker, 2 x ml.m5.large (spot)" in stack.cli("jobs", "get", job.id)
    words = stack.cli("train", "spots", "--algorithm", "xgboost", *where, "--spot", exit_code=3)
    assert "spot needs max_wait_seconds" in words


@pytest.fixture(scope="module")
def dataset(killed_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sagemaker") / "loans.csv"
    write_loans(path, num_rows=2000, seed=0)
    with killed_stack.client() as client:
        return client.datasets.upload(path, name="on-sagemaker", target="repaid").ref


def test_killed_container_says_why_and_a_retry_may_be_stopped(killed_stack: Stack, dataset: str) -> None:
    with killed_stack.client() as client:
        job = client.jobs.train(dataset, algorithm="mlp", hyperparameters=LONG, **SAGEMAKER)
        _wait_for_training(job)
        for process in processes_of(job):
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(JobFailedError, match="killed") as caught:
            job.wait(timeout_seconds=SECONDS)
        assert caught.value.job.failure is not None
        assert caught.value.job.failure.exit_code == 137
        again = client.jobs.retry(job.id)
        assert again.compute == job.compute
        _wait_for_training(again)
        again.stop()
        stopped = again.wait(raise_on_failure=False, timeout_seconds=SECONDS)
        assert stopped.status is JobStatus.STOPPED
        wait_until(lambda: not processes_of(again))


@pytest.mark.slow
def test_killed_local_cloud_in_mid_training_restarts_the_job(killed_stack: Stack, dataset: str) -> None:
    with killed_stack.client() as client:
        hyperparameters = {"epochs": 25, "batch_size": 16, "patience": 25}
        job = client.jobs.train(dataset, algorithm="mlp", hyperparameters=hyperparameters, **SAGEMAKER)
        _wait_for_training(job)
        killed_stack.kill()
        killed_stack.up()
        ended = client.jobs.get(job.id).wait(timeout_seconds=SECONDS)
        assert ended.status is JobStatus.SUCCEEDED
        assert ended.attempt == 2
        assert ended.model_version is not None
        assert ended.model_version.get().metrics["roc_auc"] > 0.8
        steps = killed_stack.aws("sagemaker").describe_training_job(TrainingJobName=ended.compute_job_id)
        assert "Restarting" in [step["Status"] for step in steps["SecondaryStatusTransitions"]]
