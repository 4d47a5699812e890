"""SageMaker Training runs the containers."""

from collections.abc import Mapping, Sequence
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.domain.compute_states import ComputeState, to_training_state
from aimass_core.errors import AimassError, InvalidRequestError, UnavailableError
from aimass_core.ports import Submission

_WHAT = "SageMaker"
_VOLUME_GB = 100
_RESTARTS = 2  # as many as Batch makes, where a machine went away
_LOCAL_CHECKPOINTS = "/opt/ml/checkpoints"


class SageMakerCompute:
    """Satisfies `Compute`. A training job's name is its id: SageMaker never gives it twice.

    Args:
        client: of boto3.
        image: of the job container.
        role_arn: what the container may do.
        bucket: of the lake; artifacts that SageMaker itself keeps go beside the job's own.
        environment: what every container gets.
    """

    def __init__(self, client: Any, *, image: str, role_arn: str, bucket: str, environment: Mapping[str, str]) -> None:
        self._client, self._image, self._role_arn = client, image, role_arn
        self._bucket, self._environment = bucket, environment

    def submit(self, submission: Submission) -> str:
        """See Compute."""
        try:
            self._client.create_training_job(**self._to_request(submission))
        except AWS_ERRORS as error:
            if code_of(error) != "ResourceInUse":
                raise _to_submit_error(error) from error
        return submission.name

    def find(self, name: str) -> str | None:
        """See Compute."""
        return None if self._describe(name) is None else name

    def describe(self, compute_job_ids: Sequence[str]) -> Sequence[ComputeState]:
        """See Compute."""
        found = [self._describe(name) for name in compute_job_ids]
        return [to_training_state(description) for description in found if description is not None]

    def terminate(self, compute_job_id: str, *, reason: str) -> None:  # noqa: ARG002 - SageMaker keeps no reason
        """See Compute. SageMaker refuses to stop what has ended, which is as good."""
        try:
            self._client.stop_training_job(TrainingJobName=compute_job_id)
        except AWS_ERRORS as error:
            if code_of(error) != "ValidationException":
                raise to_error(error, what=_WHAT) from error

    def _describe(self, name: str) -> Mapping[str, Any] | None:
        try:
            description: Mapping[str, Any] = self._client.describe_training_job(TrainingJobName=name)
        except AWS_ERRORS as error:
            if code_of(error) in ("ValidationException", "ResourceNotFound"):
                return None
            raise to_error(error, what=_WHAT) from error
        return description

    def _to_request(self, submission: Submission) -> dict[str, Any]:
        compute, folder = submission.compute, f"s3://{self._bucket}/{submission.prefix}"
        condition = {"MaxRuntimeInSeconds": submission.max_seconds}
        if compute.max_wait_seconds is not None:
            condition["MaxWaitTimeInSeconds"] = compute.max_wait_seconds
        region = {"AWS_DEFAULT_REGION": self._client.meta.region_name}
        return {
            "TrainingJobName": submission.name,
            "AlgorithmSpecification": {
                "TrainingImage": self._image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python", "-m", "batch_jobs", submission.kind],
            },
            "RoleArn": self._role_arn,
            "OutputDataConfig": {"S3OutputPath": f"{folder}sagemaker"},
            "CheckpointConfig": {"S3Uri": f"{folder}checkpoints/", "LocalPath": _LOCAL_CHECKPOINTS},
            "ResourceConfig": {
                "InstanceType": compute.instance_type,
                "InstanceCount": compute.instance_count,
                "VolumeSizeInGB": _VOLUME_GB,
            },
            "StoppingCondition": condition,
            "EnableManagedSpotTraining": compute.spot,
            "RetryStrategy": {"MaximumRetryAttempts": _RESTARTS},
            "Environment": {**self._environment, **region, **submission.environment},
            "Tags": [{"Key": "aimass:kind", "Value": submission.kind}],
        }


def _to_submit_error(error: Exception) -> AimassError:
    code = code_of(error)
    # NOTE: SageMaker's words name the wrong value; ARNs in them are of our own role and image.
    words = str(getattr(error, "response", {}).get("Error", {}).get("Message", ""))[:300]
    if code in ("ValidationException", "AccessDeniedException"):
        return InvalidRequestError(f"SageMaker will not take this job: {words or code}")
    if code == "ResourceLimitExceeded":
        return UnavailableError(f"The account's quota of SageMaker instances is used up: {words}")
    return to_error(error, what=_WHAT)
