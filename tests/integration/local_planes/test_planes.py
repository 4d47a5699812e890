"""Our Batch and SageMaker beside another emulator: data in its S3, events in its queues, output in its logs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from aimass_local.planes import HEALTH_PATH
from tests.integration.local.conftest import free_port, wait_until
from tests.integration.local_sagemaker.conftest import BUCKET, FINAL, IMAGE, build_request

_OURS = ("batch", "sagemaker", "sagemaker-runtime")
_PUT = f"""
import boto3, os
s3 = boto3.client("s3")
s3.put_object(Bucket="{BUCKET}", Key="answer", Body=os.environ["QUESTION"].upper().encode())
print("the answer is there")
"""
_TRAIN = """
import os, pathlib
root = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
body = (root / "input/data/rows/rows.csv").read_text()
(root / "model/model.txt").write_text(body[::-1])
print("trained")
"""


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """An emulator and our two services beside it, each a process."""

    emulator_url: str
    planes_url: str
    log_path: Path

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.planes_url if service in _OURS else self.emulator_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard"}),
        )


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    folder = tmp_path_factory.mktemp("planes")
    emulator_port, port = free_port(), free_port()
    emulator_url = f"http://127.0.0.1:{emulator_port}"
    made = Neighbours(emulator_url=emulator_url, planes_url=f"http://127.0.0.1:{port}", log_path=folder / "planes.log")
    emulator = [sys.executable, str(Path(__file__).parent / "emulator.py"), str(emulator_port)]
    planes = [
        *(sys.executable, "-m", "aimass_local.planes"),
        *("--port", str(port), "--data-dir", str(folder / "data")),
    ]
    variables = {**os.environ, "AWS_ENDPOINT_URL": emulator_url}
    with (
        (folder / "emulator.log").open("wb") as emulator_log,
        made.log_path.open("wb") as log,
        subprocess.Popen(emulator, stdout=emulator_log, stderr=emulator_log, cwd=folder) as first,
        subprocess.Popen(planes, stdout=log, stderr=log, cwd=folder, env=variables) as second,
    ):
        try:
            wait_until(lambda: _is_there(f"{emulator_url}/_ministack/health"))
            wait_until(lambda: _is_there(f"{made.planes_url}{HEALTH_PATH}"))
            made.client("s3").create_bucket(Bucket=BUCKET)
            yield made
        finally:
            second.terminate()
            first.terminate()
    assert second.returncode == 0


def _is_there(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _subscribe(neighbours: Neighbours, pattern: Mapping[str, Any]) -> str:
    """A queue of the emulator that a rule of its EventBridge fills."""
    name = f"q-{uuid4().hex}"
    sqs, events = neighbours.client("sqs"), neighbours.client("events")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return url


def _receive(neighbours: Neighbours, queue_url: str) -> dict[str, Any] | None:
    answer = neighbours.client("sqs").receive_message(QueueUrl=queue_url, WaitTimeSeconds=1)
    bodies: list[dict[str, Any]] = [json.loads(each["Body"]) for each in answer.get("Messages", [])]
    return bodies[0] if bodies else None


def test_batch_job_leaves_its_object_its_output_and_its_event_in_the_emulator(neighbours: Neighbours) -> None:
    batch = neighbours.client("batch")
    batch.create_compute_environment(computeEnvironmentName="machine", type="MANAGED")
    order = [{"order": 1, "computeEnvironment": "machine"}]
    batch.create_job_queue(jobQueueName="queue", priority=1, computeEnvironmentOrder=order)
    needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}]
    container = {
        "image": IMAGE,
        "command": ["python", "-c", _PUT],
        "resourceRequirements": needs,
        "environment": [{"name": "QUESTION", "value": "forty-two"}],
    }
    batch.register_job_definition(jobDefinitionName="put", type="container", containerProperties=container)
    pattern = {"source": ["aws.batch"], "detail": {"status": ["SUCCEEDED"]}}
    queue_url = _subscribe(neighbours, pattern)
    job_id = batch.submit_job(jobName="put", jobQueue="queue", jobDefinition="put")["jobId"]

    event = wait_until(lambda: _receive(neighbours, queue_url))

    assert (event["source"], event["detail-type"]) == ("aws.batch", "Batch Job State Change")
    assert event["detail"]["jobId"] == job_id
    assert event["resources"] == [event["detail"]["jobArn"]]
    answer = neighbours.client("s3").get_object(Bucket=BUCKET, Key="answer")["Body"].read()
    assert answer == b"FORTY-TWO"
    stream = event["detail"]["container"]["logStreamName"]
    logged = neighbours.client("logs").get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)
    assert [each["message"] for each in logged["events"]] == ["the answer is there"]


def test_training_job_leaves_its_model_its_output_and_its_event_in_the_emulator(neighbours: Neighbours) -> None:
    s3, sagemaker = neighbours.client("s3"), neighbours.client("sagemaker")
    s3.put_object(Bucket=BUCKET, Key="rows/rows.csv", Body=b"a,b\n1,2\n")
    rows = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows/"}}
    request = build_request(s3, _TRAIN, InputDataConfig=[{"ChannelName": "rows", "DataSource": rows}])
    name = request["TrainingJobName"]
    pattern = {"source": ["aws.sagemaker"], "detail": {"TrainingJobStatus": list(FINAL)}}
    queue_url = _subscribe(neighbours, pattern)
    sagemaker.create_training_job(**request)

    event = wait_until(lambda: _receive(neighbours, queue_url))

    assert (event["source"], event["detail"]["TrainingJobName"]) == ("aws.sagemaker", name)
    assert event["detail"]["TrainingJobStatus"] == "Completed", event["detail"]
    described = sagemaker.describe_training_job(TrainingJobName=name)
    key = described["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{BUCKET}/")
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        member = archive.extractfile("model.txt")
        assert member is not None
        assert member.read() == b"\n2,1\nb,a"
    group, logs = "/aws/sagemaker/TrainingJobs", neighbours.client("logs")
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"]
    logged = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])
    assert "trained" in [each["message"] for each in logged["events"]]


def test_the_runtime_answers_at_the_same_address(neighbours: Neighbours) -> None:
    with pytest.raises(ClientError, match="not found"):
        neighbours.client("sagemaker-runtime").invoke_endpoint(EndpointName="nowhere", Body=b"[1]")


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Site"])
def test_web_pages_cannot_submit_jobs(neighbours: Neighbours, header: str) -> None:
    headers = {header: "same-origin", "Content-Type": "text/plain"}
    request = urllib.request.Request(f"{neighbours.planes_url}/v1/describejobqueues", data=b"{}", headers=headers)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)


def test_nothing_went_wrong_on_the_way(neighbours: Neighbours) -> None:
    """A refused event or line would be told here."""
    assert neighbours.log_path.read_text() == ""


def test_without_an_emulator_nothing_starts(tmp_path: Path) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "aimass_local.planes", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "AWS_ENDPOINT_URL has to lead to the emulator" in done.stderr
