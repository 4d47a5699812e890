"""Training jobs from their creation to their end, as boto3 sees them; events, restarts, limits."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from aimass_local import lifecycle
from aimass_local.clients import build_client
from aimass_local.environment import DataDirectory
from tests.integration.local.conftest import free_port, wait_until
from tests.integration.local_sagemaker.conftest import BUCKET, Cloud, StartPlane, build_request

SLEEP = "import time; time.sleep(600)"
# Says when it may be stopped, and takes no notice of it.
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
SAVING = """
import os, pathlib, signal, time
root = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
def save(*_):
    (root / "model/saved").write_text("saved")
    raise SystemExit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(600)
"""


def _processes(name: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TRAINING_JOB_NAME") == name:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_steps_are_told_in_order_with_their_times(cloud: Cloud) -> None:
    job = cloud.run("")
    steps = [step["Status"] for step in job["SecondaryStatusTransitions"] if step["Status"] != "Pending"]
    assert steps == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all(step["StartTime"] <= step["EndTime"] for step in job["SecondaryStatusTransitions"])
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"]


def test_names_are_unique_and_unknown_ones_are_not_found(cloud: Cloud) -> None:
    request = build_request(cloud.s3, "")
    arn = cloud.sagemaker.create_training_job(**request)["TrainingJobArn"]
    assert arn.endswith(f":training-job/{request['TrainingJobName']}")
    with pytest.raises(ClientError, match="already exists") as caught:
        cloud.sagemaker.create_training_job(**request)
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"
    with pytest.raises(ClientError, match=r"ValidationException.*Requested resource not found"):
        cloud.describe("no-such-job")
    cloud.wait(request["TrainingJobName"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"TrainingJobName": "job_1"}, "regular expression pattern"),
        ({"ResourceConfig": {"InstanceType": "ml.huge.xlarge", "InstanceCount": 1}}, "enum value set"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 0}}, "at least 1"),
        ({"EnableManagedSpotTraining": True}, "Invalid MaxWaitTimeInSeconds"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}}, "EnableManagedSpotTraining"),
        ({"HyperParameters": {"long": "x" * 2501}}, "at most 2500"),
        ({"CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/c", "LocalPath": "/tmp/c"}}, "has to lie below /opt/ml"),
        ({"AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "Pipe"}}, "no Pipe mode"),
    ],
    ids=str,
)
def test_requests_that_cannot_be_kept_are_refused(cloud: Cloud, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words) as caught:
        cloud.sagemaker.create_training_job(**build_request(cloud.s3, "", **changes))
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_jobs_are_listed_by_name_status_and_page(cloud: Cloud) -> None:
    names = [cloud.create("", TrainingJobName=f"listed-{index}") for index in range(3)]
    for name in names:
        cloud.wait(name)
    pages = cloud.sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains="listed-",
        StatusEquals="Completed",
        SortBy="Name",
        SortOrder="Ascending",
        PaginationConfig={"PageSize": 2},
    )
    found = [[job["TrainingJobName"] for job in page["TrainingJobSummaries"]] for page in pages]
    assert found == [names[:2], names[2:]]


def test_tags_are_kept(cloud: Cloud) -> None:
    name = cloud.create("", Tags=[{"Key": "team", "Value": "blue"}])
    arn = cloud.wait(name)["TrainingJobArn"]
    cloud.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "cost", "Value": "7"}])
    tags = cloud.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "team", "Value": "blue"}, {"Key": "cost", "Value": "7"}]


def test_stop_gives_the_container_time_to_save_its_model(cloud: Cloud) -> None:
    name = cloud.create(SAVING)
    cloud.wait(name, "Training")
    wait_until(lambda: _has_logged(cloud, name))
    cloud.sagemaker.stop_training_job(TrainingJobName=name)
    job = cloud.wait(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert cloud.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"saved": b"saved"}
    with pytest.raises(ClientError, match="in status Stopped"):
        cloud.sagemaker.stop_training_job(TrainingJobName=name)


def _has_logged(cloud: Cloud, name: str) -> bool:
    try:
        return "ready" in cloud.log_of(name)
    except (ClientError, ValueError):
        return False


def test_what_does_not_end_is_killed_after_the_grace(start_plane: StartPlane) -> None:
    lines: list[str] = []
    plane = start_plane(
        stop_grace_seconds=0.5, put_log_events=lambda _g, _s, events: lines.extend(e["message"] for e in events)
    )
    name = plane.create(DEAF)
    wait_until(lambda: "ready" in lines)
    plane.call("StopTrainingJob", TrainingJobName=name)
    assert plane.wait(name)["SecondaryStatus"] == "Stopped"
    assert _processes(name) == []


def test_time_limit_ends_the_job_with_its_model(start_plane: StartPlane) -> None:
    plane = start_plane(stop_grace_seconds=0.1)
    name = plane.create(SLEEP, StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = plane.wait(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("/model.tar.gz")


def test_jobs_beyond_the_machine_wait_and_spot_jobs_not_for_ever(start_plane: StartPlane) -> None:
    plane = start_plane(max_running=1, stop_grace_seconds=0.1)
    first = plane.create(SLEEP)
    plane.wait(first, "Training")
    spot = {"EnableManagedSpotTraining": True}
    waiting = plane.create("", **spot, StoppingCondition={"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1})
    stopped = plane.create("")
    plane.wait(stopped, "Pending")
    plane.call("StopTrainingJob", TrainingJobName=stopped)
    assert plane.wait(stopped)["SecondaryStatus"] == "Stopped"
    assert plane.wait(waiting)["SecondaryStatus"] == "MaxWaitTimeExceeded"
    after = plane.create("")
    plane.call("StopTrainingJob", TrainingJobName=first)
    assert plane.wait(after)["TrainingJobStatus"] == "Completed"


def test_killed_container_and_failed_neighbours_say_why(cloud: Cloud) -> None:
    name = cloud.create(SLEEP)
    cloud.wait(name, "Training")
    for process in wait_until(lambda: _processes(name)):
        process.kill()
    assert cloud.wait(name)["FailureReason"] == "AlgorithmError: , exit code: 137"
    second_fails = (
        "import json, os, pathlib, time; root = pathlib.Path(os.environ['SAGEMAKER_BASE_DIR']);"
        "host = json.loads((root / 'input/config/resourceconfig.json').read_text())['current_host'];"
        "host == 'algo-1' and time.sleep(600);"
        "(root / 'output/failure').write_text(host + ' gave up'); raise SystemExit(4)"
    )
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 5}
    job = cloud.run(second_fails, ResourceConfig=resources)
    assert job["FailureReason"] == "AlgorithmError: algo-2 gave up, exit code: 4"
    assert _processes(job["TrainingJobName"]) == []


def test_events_carry_the_description(start_plane: StartPlane) -> None:
    plane = start_plane()
    name = plane.create("raise SystemExit(1)", Tags=[{"Key": "team", "Value": "blue"}])
    plane.wait(name)
    events = [event for event in plane.events if event["detail"]["TrainingJobName"] == name]
    assert {event["detail-type"] for event in events} == {"SageMaker Training Job State Change"}
    assert [event["detail"]["SecondaryStatus"] for event in events] == ["Starting", "Downloading", "Training", "Failed"]
    detail = events[-1]["detail"]
    assert detail["FailureReason"] == "AlgorithmError: , exit code: 1"
    assert detail["Tags"] == {"team": "blue"}
    assert isinstance(detail["CreationTime"], int)
    assert abs(detail["CreationTime"] / 1000 - time.time()) < 3600


def test_events_reach_a_rule_of_eventbridge(cloud: Cloud) -> None:
    events, sqs = build_client("events", port=cloud.port), build_client("sqs", port=cloud.port)
    url = sqs.create_queue(QueueName="states")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.sagemaker"], "detail": {"TrainingJobName": [{"prefix": "watched-"}]}}
    events.put_rule(Name="states", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="states", Targets=[{"Id": "queue", "Arn": arn}])
    cloud.wait(cloud.create("", TrainingJobName="watched-1"))
    seen: list[str] = []

    def is_completed() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            seen.append(json.loads(message["Body"])["detail"]["SecondaryStatus"])
        return "Completed" in seen

    wait_until(is_completed)


def test_killed_server_fails_or_restarts_the_jobs_that_ran(tmp_path: Path) -> None:
    data, port = DataDirectory.at(tmp_path / "data"), free_port()
    process = lifecycle.start(data, port=port)
    cloud = Cloud(data=data, port=port)
    try:
        cloud.s3.create_bucket(Bucket=BUCKET)
        ended = cloud.run("")
        marker = tmp_path / "marker"
        once = f"import pathlib, time; p = pathlib.Path({str(marker)!r}); p.exists() or [p.touch(), time.sleep(600)]"
        lost = cloud.create(SLEEP)
        cloud.wait(lost, "Training")
        children = wait_until(lambda: _processes(lost))
        process.kill()
        process.wait()
        wait_until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))
        process = lifecycle.start(data, port=port)
        assert cloud.describe(ended["TrainingJobName"])["TrainingJobStatus"] == "Completed"
        job = cloud.wait(lost)
        assert job["TrainingJobStatus"] == "Failed"
        assert job["FailureReason"] == "InternalServerError: We encountered an internal error. Please try again."
        again = cloud.create(once, RetryStrategy={"MaximumRetryAttempts": 1})
        wait_until(marker.exists)
        os.kill(process.pid, 9)
        process.wait()
        process = lifecycle.start(data, port=port)
        job = cloud.wait(again)
        assert job["TrainingJobStatus"] == "Completed"
        assert "Restarting" in [step["Status"] for step in job["SecondaryStatusTransitions"]]
    finally:
        lifecycle.down(data)
        process.wait()
