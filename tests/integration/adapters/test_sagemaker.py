"""The adapter of SageMaker against the local plane, which runs real processes."""

import pytest

from aimass_core.adapters.logs import TrainingJobLogs
from aimass_core.adapters.sagemaker import SageMakerCompute
from aimass_core.domain.compute import Backend
from aimass_core.domain.compute import Compute as ComputeRequest
from aimass_core.domain.jobs import JobStatus
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Compute
from tests.contracts.compute import ComputeContract, wait_for_state
from tests.integration.local_sagemaker.conftest import BUCKET, IMAGE, Cloud, cloud

__all__ = ["cloud"]


@pytest.fixture
def adapter(cloud: Cloud) -> SageMakerCompute:
    return SageMakerCompute(
        cloud.sagemaker,
        image=IMAGE,
        role_arn="arn:aws:iam::000000000000:role/aimass-training",
        bucket=BUCKET,
        environment={"AIMASS_LAKE_BUCKET": BUCKET},
    )


class TestSageMakerCompute(ComputeContract):
    request = ComputeRequest(backend=Backend.SAGEMAKER, instance_type="ml.m5.large")

    @pytest.fixture
    def compute(self, adapter: SageMakerCompute) -> Compute:
        return adapter

    def test_a_repeated_submission_is_the_same_job(self, compute: Compute) -> None:
        submission = self.new_submission()
        assert compute.submit(submission) == compute.submit(submission)
        compute.terminate(submission.name, reason="seen enough")

    def test_the_training_job_is_as_the_job_asks(self, adapter: SageMakerCompute, cloud: Cloud) -> None:
        asked = {"instance_count": 2, "spot": True, "max_wait_seconds": 90}
        self.request = self.request.model_copy(update=asked)
        submission = self.new_submission(kind="ingest")
        adapter.submit(submission)
        job = cloud.describe(submission.name)
        assert job["ResourceConfig"]["InstanceType"] == "ml.m5.large"
        assert job["ResourceConfig"]["InstanceCount"] == 2
        assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}
        assert job["EnableManagedSpotTraining"] is True
        assert job["AlgorithmSpecification"]["ContainerEntrypoint"] == ["python", "-m", "batch_jobs", "ingest"]
        assert job["Environment"].items() >= {**submission.environment, "AIMASS_LAKE_BUCKET": BUCKET}.items()
        assert job["CheckpointConfig"]["S3Uri"] == f"s3://{BUCKET}/{submission.prefix}checkpoints/"
        adapter.terminate(submission.name, reason="seen enough")

    def test_a_failure_tells_its_exit_code_and_its_log(self, adapter: SageMakerCompute, cloud: Cloud) -> None:
        submission = self.new_submission(kind="no-such-kind")
        adapter.submit(submission)
        state = wait_for_state(adapter, submission.name, lambda state: state.status.is_terminal)
        assert (state.status, state.exit_code) == (JobStatus.FAILED, 64)
        assert state.log_stream is not None
        logs = TrainingJobLogs(cloud.logs, group="/aws/sagemaker/TrainingJobs")
        lines, cursor = logs.read(state.log_stream, cursor=None, limit=10)
        assert "usage: python -m batch_jobs" in lines[0].message
        assert logs.read(state.log_stream, cursor=cursor, limit=10)[0] == []
        assert logs.read("no-such-job/algo-1", cursor=None, limit=10) == ([], None)

    def test_what_sagemaker_will_never_take_is_the_requests_fault(self, adapter: SageMakerCompute) -> None:
        self.request = ComputeRequest(backend=Backend.SAGEMAKER, instance_type="ml.huge.large")
        with pytest.raises(InvalidRequestError, match=r"ml\.huge\.large"):
            adapter.submit(self.new_submission())
