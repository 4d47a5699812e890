"""What every Spark service does. A test module subclasses this with its own `spark` fixture."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from aimass_core.domain import keys
from aimass_core.domain.common import new_id
from aimass_core.domain.spark_runs import SparkStatus
from aimass_core.ports import Spark, SparkRun, SparkSubmission

PATIENCE_SECONDS = 120


def wait_for_run(spark: Spark, run_id: str, is_right: Callable[[SparkRun], bool]) -> SparkRun:
    """The run as soon as it is as wanted."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_right(run := spark.describe(run_id)):
        assert time.monotonic() < deadline, f"still {run}"
        time.sleep(0.05)
    return run


def has_ended(run: SparkRun) -> bool:
    return run.status.is_terminal


class SparkContract:
    """The suite. Its programs do not end by themselves."""

    @pytest.fixture
    def spark(self) -> Spark:
        """The service under test."""
        raise NotImplementedError

    def new_submission(self) -> SparkSubmission:
        """One that nobody has made yet."""
        workspace_id, job_id = new_id("ws"), new_id("job")
        folder = keys.job_spark_run(workspace_id, job_id, 1)
        return SparkSubmission(
            name=job_id,
            token=f"{job_id}-1",
            program=f"{folder}main.py",
            folder=folder,
            reads=[keys.dataset_prefix(workspace_id, new_id("ds"))],
            max_seconds=600,
            tags={"aimass:workspace": workspace_id, "aimass:job": job_id},
        )

    def test_a_repeated_submission_is_the_same_run(self, spark: Spark) -> None:
        submission = self.new_submission()
        run_id = spark.start(submission)
        assert spark.start(submission) == run_id
        spark.cancel(run_id)
        wait_for_run(spark, run_id, has_ended)
        assert spark.start(submission) == run_id
        assert spark.describe(run_id).status is SparkStatus.STOPPED

    def test_another_token_begins_another_run(self, spark: Spark) -> None:
        submission = self.new_submission()
        run_ids = [spark.start(submission), spark.start(replace(submission, token=f"{submission.name}-2"))]
        assert len(set(run_ids)) == 2
        for run_id in run_ids:
            spark.cancel(run_id)

    def test_a_cancelled_run_is_stopped_and_may_be_cancelled_again(self, spark: Spark) -> None:
        run_id = spark.start(self.new_submission())
        assert not spark.describe(run_id).status.is_terminal
        spark.cancel(run_id)
        run = wait_for_run(spark, run_id, has_ended)
        assert run.status is SparkStatus.STOPPED
        assert run.reason
        spark.cancel(run_id)
        assert spark.describe(run_id) == run
