"""Spark on EMR Serverless."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, hide_places, to_error
from aimass_core.domain.spark_runs import SparkStatus
from aimass_core.errors import InvalidRequestError, UnavailableError
from aimass_core.ports import SparkRun, SparkSubmission

_WHAT = "EMR Serverless"
# All others are of runs that wait.
_STATUSES = {
    "RUNNING": SparkStatus.RUNNING,
    "CANCELLING": SparkStatus.RUNNING,
    "SUCCESS": SparkStatus.SUCCEEDED,
    "FAILED": SparkStatus.FAILED,
    "CANCELLED": SparkStatus.STOPPED,
}
# The Python of the application's image (batch_jobs/images/spark.Dockerfile), on every machine of a run.
_PYTHON = "/opt/aimass/bin/python"
_SETTINGS = (
    f"spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON={_PYTHON}",
    f"spark.emr-serverless.driverEnv.PYSPARK_PYTHON={_PYTHON}",
    f"spark.executorEnv.PYSPARK_PYTHON={_PYTHON}",
)
_MAX_POLICY = 2_048


class EmrServerlessSpark:
    """Satisfies `Spark`. Of what the role may do, a run gets what its own policy names.

    Args:
        client: of boto3.
        application_id: whose runs these are.
        role_arn: what a run may do at most.
        bucket: of the lake.
    """

    def __init__(self, client: Any, *, application_id: str, role_arn: str, bucket: str) -> None:
        self._client, self._application_id = client, application_id
        self._role_arn, self._bucket = role_arn, bucket

    def start(self, submission: SparkSubmission) -> str:
        """See Spark. The service keeps tokens, so nobody has to know whether an answer was lost."""
        lake = f"s3://{self._bucket}"
        try:
            answer = self._client.start_job_run(
                applicationId=self._application_id,
                clientToken=submission.token,
                executionRoleArn=self._role_arn,
                executionIamPolicy={"policy": self._to_policy(submission)},
                name=submission.name,
                jobDriver={
                    "sparkSubmit": {
                        "entryPoint": f"{lake}/{submission.program}",
                        "entryPointArguments": [f"{lake}/{submission.folder}"],
                        "sparkSubmitParameters": " ".join(f"--conf {setting}" for setting in _SETTINGS),
                    }
                },
                executionTimeoutMinutes=math.ceil(submission.max_seconds / 60),
                tags=dict(submission.tags),
            )
        except AWS_ERRORS as error:
            if code_of(error) == "ConflictException":
                raise UnavailableError("The Spark application is changing at this moment. Try again.") from error
            if code_of(error) == "ValidationException":
                words = hide_places(str(getattr(error, "response", {})["Error"].get("Message", "")))
                raise InvalidRequestError(f"EMR Serverless will not take this run: {words}") from error
            raise to_error(error, what=_WHAT) from error
        return str(answer["jobRunId"])

    def describe(self, run_id: str) -> SparkRun:
        """See Spark."""
        try:
            found = self._client.get_job_run(applicationId=self._application_id, jobRunId=run_id)["jobRun"]
        except AWS_ERRORS as error:
            raise to_error(error, what=_WHAT) from error
        billed: Mapping[str, float] = found.get("billedResourceUtilization", {})
        state = found["state"]
        return SparkRun(
            status=_STATUSES.get(state, SparkStatus.WAITING),
            reason=hide_places(found["stateDetails"]) or state,
            vcpu_hours=billed.get("vCPUHour"),
            memory_gb_hours=billed.get("memoryGBHour"),
        )

    def cancel(self, run_id: str) -> None:
        """See Spark. The service refuses what has ended, which is as good."""
        try:
            self._client.cancel_job_run(applicationId=self._application_id, jobRunId=run_id)
        except AWS_ERRORS as error:
            if code_of(error) not in ("ValidationException", "ResourceNotFoundException"):
                raise to_error(error, what=_WHAT) from error

    def _to_policy(self, submission: SparkSubmission) -> str:
        """Raises InvalidRequestError where the service does not take as many prefixes."""
        bucket = f"arn:{self._role_arn.split(':')[1]}:s3:::{self._bucket}"
        read = [f"{prefix}*" for prefix in (submission.folder, *submission.reads)]
        statements = [
            _allow(["s3:GetObject"], [f"{bucket}/{prefix}" for prefix in read]),
            _allow(
                ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                [f"{bucket}/{submission.folder}*"],
            ),
            # NOTE: a session's policy only narrows: what follows are rights that the role has, or has not.
            _allow(["s3:ListBucket"], [bucket]),
            _allow(["kms:Decrypt", "kms:GenerateDataKey", "logs:*"], ["*"]),
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
        if len(policy) > _MAX_POLICY:
            raise InvalidRequestError(
                f"The recipe reads {len(submission.reads)} datasets, more than a run on Spark can be let read at once: "
                "make it several, of which each joins some of them."
            )
        return policy


def _allow(actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
