"""The adapter of EMR Serverless against the local plane, which runs real processes of PySpark where there is one."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aimass_core.adapters.emr_serverless import EmrServerlessSpark
from aimass_core.domain.common import new_id
from aimass_core.domain.spark_runs import SparkStatus
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Spark, SparkSubmission
from aimass_local.emr_serverless.buckets import Buckets, read_policy
from tests.contracts.spark import SparkContract, has_ended, wait_for_run
from tests.integration.local_sagemaker.conftest import BUCKET, Cloud, cloud

__all__ = ["cloud"]

ROLE = "arn:aws:iam::000000000000:role/aimass-spark-recipes"
HAS_SPARK = find_spec("pyspark") is not None and shutil.which("java") is not None
SLEEPING = b"import time\ntime.sleep(300)\n"


@pytest.fixture(scope="module")
def application(cloud: Cloud) -> str:
    made = cloud.client("emr-serverless").create_application(name="aimass", releaseLabel="emr-7.9.0", type="SPARK")
    return str(made["applicationId"])


@pytest.fixture
def adapter(cloud: Cloud, application: str) -> EmrServerlessSpark:
    client = cloud.client("emr-serverless")
    return EmrServerlessSpark(client, application_id=application, role_arn=ROLE, bucket=BUCKET)


class _Putting:
    """Leaves the program of each submission where it is looked for."""

    def __init__(self, adapter: EmrServerlessSpark, s3: Any, body: bytes) -> None:
        self._adapter, self._s3, self._body = adapter, s3, body
        self.describe, self.cancel = adapter.describe, adapter.cancel

    def start(self, submission: SparkSubmission) -> str:
        self._s3.put_object(Bucket=BUCKET, Key=submission.program, Body=self._body)
        return self._adapter.start(submission)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_SPARK, reason="needs Java and PySpark: make test-spark")
class TestEmrServerlessSpark(SparkContract):
    @pytest.fixture
    def spark(self, adapter: EmrServerlessSpark, cloud: Cloud) -> Spark:
        return _Putting(adapter, cloud.s3, SLEEPING)

    def test_a_token_of_another_request_is_refused(self, cloud: Cloud, application: str, spark: Spark) -> None:
        submission = self.new_submission()
        run_id = spark.start(submission)
        other = EmrServerlessSpark(
            cloud.client("emr-serverless"), application_id=application, role_arn=f"{ROLE}-2", bucket=BUCKET
        )
        with pytest.raises(Exception, match="changing at this moment"):
            other.start(submission)
        spark.cancel(run_id)

    def test_d6_a_program_that_fails_says_its_exit_code(self, adapter: EmrServerlessSpark, cloud: Cloud) -> None:
        spark = _Putting(adapter, cloud.s3, b"import sys\nsys.exit(3)\n")
        run = wait_for_run(spark, spark.start(self.new_submission()), has_ended)
        assert run.status is SparkStatus.FAILED
        assert "ExitCode: " in run.reason

    def test_a_program_that_is_not_there_fails(self, adapter: EmrServerlessSpark) -> None:
        run = wait_for_run(adapter, adapter.start(self.new_submission()), has_ended)
        assert (run.status, "there is no ..." in run.reason) == (SparkStatus.FAILED, True)


@pytest.mark.skipif(HAS_SPARK, reason="there is a Spark")
def test_j13_a_machine_without_spark_says_what_it_misses(adapter: EmrServerlessSpark) -> None:
    with pytest.raises(InvalidRequestError, match="has no Spark: install it"):
        adapter.start(SparkContract().new_submission())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"executionIamPolicy": {"policyArns": []}}, "executionIamPolicy.policy is required"),
        ({"executionIamPolicy": {"policy": "{"}}, "cannot be kept by this machine"),
        ({"jobDriver": {"hive": {"query": "select 1"}}}, "runs Spark alone"),
        ({"mode": "STREAMING"}, "no streaming jobs"),
        ({"retryPolicy": {"maxAttempts": 3}}, "retryPolicy is not supported"),
    ],
    ids=str,
)
def test_what_this_machine_cannot_keep_is_refused(
    cloud: Cloud, application: str, changes: dict[str, Any], words: str
) -> None:
    request = {
        "applicationId": application,
        "clientToken": new_id("job"),
        "executionRoleArn": ROLE,
        "executionIamPolicy": {"policy": '{"Statement": []}'},
        "jobDriver": {"sparkSubmit": {"entryPoint": f"s3://{BUCKET}/main.py"}},
    }
    with pytest.raises(ClientError, match=words) as caught:
        cloud.client("emr-serverless").start_job_run(**request | changes)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_runs_of_others_are_not_there(cloud: Cloud, application: str) -> None:
    client = cloud.client("emr-serverless")
    for operation in (client.get_job_run, client.cancel_job_run):
        with pytest.raises(ClientError, match="does not exist"):
            operation(applicationId=application, jobRunId="00none")
    assert client.list_job_runs(applicationId=application)["jobRuns"] == [] or HAS_SPARK


def test_h2_a_run_finds_what_its_policy_names_and_its_own_goes_back(
    cloud: Cloud, adapter: EmrServerlessSpark, tmp_path: Path
) -> None:
    submission = SparkContract().new_submission()
    (reads,) = submission.reads
    policy = adapter._to_policy(submission)
    assert read_policy(policy, "s3:PutObject") == [(BUCKET, submission.folder)]
    for key in (f"{reads}files/0/part.parquet", f"{submission.folder}main.py", "datasets/other/part.parquet"):
        cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=b"before")
    buckets = Buckets(cloud.s3, policy, tmp_path)
    buckets.download(is_stopped=lambda: False)
    found = {path.relative_to(tmp_path / BUCKET).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {f"{reads}files/0/part.parquet", f"{submission.folder}main.py"}
    assert buckets.settings[f"spark.hadoop.fs.viewfs.mounttable.{BUCKET}.link./jobs"].endswith(f"/{BUCKET}/jobs")

    own = tmp_path / BUCKET / submission.folder
    for name in ("result.json", "parts/0/part-0.parquet", "parts/0/_temporary/1/part-1.parquet", ".result.json.crc"):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_bytes(b"after")
    (own / "main.py").unlink()
    (tmp_path / BUCKET / reads / "files/0/part.parquet").write_bytes(b"after")
    buckets.upload()
    assert cloud.s3.head_object(Bucket=BUCKET, Key=submission.program)
    buckets.upload(is_last=True)
    listed = cloud.s3.list_objects_v2(Bucket=BUCKET, Prefix=submission.folder)["Contents"]
    assert {item["Key"].removeprefix(submission.folder) for item in listed} == {"result.json", "parts/0/part-0.parquet"}
    assert cloud.s3.get_object(Bucket=BUCKET, Key=f"{reads}files/0/part.parquet")["Body"].read() == b"before"
