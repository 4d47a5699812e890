"""What a container finds and leaves: SageMaker's contract, in real processes."""

from __future__ import annotations

import json

from tests.integration.local_sagemaker.conftest import BUCKET, IMAGE, Cloud, channel

ROOT = "import json, os, pathlib; root = pathlib.Path(os.environ['SAGEMAKER_BASE_DIR']);"
# Leaves the configuration, the variables and the list of its input files as the model.
SHOW = (
    ROOT
    + """
config = {path.name: json.loads(path.read_text()) for path in (root / "input/config").iterdir()}
data = root / "input/data"
files = {path.relative_to(data).as_posix(): path.read_text() for path in data.glob("[!c]*/**/*") if path.is_file()}
shown = {"config": config, "environment": dict(os.environ), "files": files, "root": str(root)}
current = config["resourceconfig.json"]["current_host"]
(root / "model" / f"{current}.json").write_text(json.dumps(shown))
"""
)


def test_container_finds_its_configuration_and_variables(cloud: Cloud) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key="contract/a.csv", Body=b"1")
    job = cloud.run(
        SHOW,
        HyperParameters={"epochs": "3", "path": "/opt/ml/input/data/train"},
        Environment={"COLOUR": "green", "WHERE": "/opt/ml/model"},
        InputDataConfig=[{**channel("train", f"s3://{BUCKET}/contract/"), "ContentType": "text/csv"}],
    )
    assert job["TrainingJobStatus"] == "Completed", job
    seen = json.loads(cloud.unpack(job["ModelArtifacts"]["S3ModelArtifacts"])["algo-1.json"])
    root = seen["root"]
    assert seen["config"]["hyperparameters.json"] == {"epochs": "3", "path": f"{root}/input/data/train"}
    assert seen["config"]["inputdataconfig.json"]["train"] == {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
        "ContentType": "text/csv",
    }
    resources = seen["config"]["resourceconfig.json"]
    assert (resources["current_host"], resources["hosts"]) == ("algo-1", ["algo-1"])
    assert resources["current_instance_type"] == "ml.m5.large"
    assert resources["instance_groups"] == [
        {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
    ]
    environment = seen["environment"]
    assert environment["COLOUR"] == "green"
    assert environment["WHERE"] == f"{root}/model"
    assert environment["TRAINING_JOB_NAME"] == job["TrainingJobName"]
    assert environment["TRAINING_JOB_ARN"] == job["TrainingJobArn"]
    assert environment["AWS_REGION"] == "us-east-1"
    assert seen["files"] == {"train/a.csv": "1"}


def test_hosts_share_a_channel_and_reach_each_other_by_name(cloud: Cloud) -> None:
    for index in range(5):
        cloud.s3.put_object(Bucket=BUCKET, Key=f"shards/part-{index}", Body=str(index).encode())
    talk = """
import socket, time
resources = json.loads((root / "input/config/resourceconfig.json").read_text())
if resources["current_host"] == "algo-1":
    with socket.create_server(("algo-1", 0)) as server:
        (root / "port").write_text("")
        pathlib.Path(os.environ["MEETING"]).write_text(str(server.getsockname()[1]))
        connection, _ = server.accept()
        (root / "model/heard").write_bytes(connection.recv(100))
else:
    deadline = time.monotonic() + 120
    meeting = pathlib.Path(os.environ["MEETING"])
    while not meeting.exists() or not meeting.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with socket.create_connection(("algo-1", int(meeting.read_text()))) as connection:
        connection.sendall(b"hello from " + resources["current_host"].encode())
"""
    meeting = cloud.data.scratch / "meeting"
    meeting.unlink(missing_ok=True)
    job = cloud.run(
        SHOW + talk,
        Environment={"MEETING": str(meeting)},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 5},
        InputDataConfig=[
            channel("shared", f"s3://{BUCKET}/shards/", S3DataDistributionType="ShardedByS3Key"),
            channel("whole", f"s3://{BUCKET}/shards/part-"),
        ],
    )
    assert job["TrainingJobStatus"] == "Completed", job
    files = cloud.unpack(job["ModelArtifacts"]["S3ModelArtifacts"])
    seen = [json.loads(files[f"algo-{number}.json"]) for number in (1, 2)]
    assert [sorted(each["files"]) for each in seen] == [
        ["shared/part-0", "shared/part-2", "shared/part-4", *(f"whole/part-{index}" for index in range(5))],
        ["shared/part-1", "shared/part-3", *(f"whole/part-{index}" for index in range(5))],
    ]
    assert [each["config"]["resourceconfig.json"]["hosts"] for each in seen] == [["algo-1", "algo-2"]] * 2
    assert files["heard"] == b"hello from algo-2"


def test_manifest_file_names_the_objects(cloud: Cloud) -> None:
    for name in ("a", "b", "sub/c"):
        cloud.s3.put_object(Bucket=BUCKET, Key=f"listed/{name}", Body=name.encode())
    manifest = json.dumps([{"prefix": f"s3://{BUCKET}/listed/"}, "a", "sub/c"])
    cloud.s3.put_object(Bucket=BUCKET, Key="manifest", Body=manifest.encode())
    job = cloud.run(SHOW, InputDataConfig=[channel("data", f"s3://{BUCKET}/manifest", S3DataType="ManifestFile")])
    seen = json.loads(cloud.unpack(job["ModelArtifacts"]["S3ModelArtifacts"])["algo-1.json"])
    assert seen["files"] == {"data/a": "a", "data/sub/c": "sub/c"}


def test_absent_data_and_absent_images_fail_with_the_reason(cloud: Cloud) -> None:
    job = cloud.run("", InputDataConfig=[channel("train", f"s3://{BUCKET}/nothing-here/")])
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Data download failed:No S3 objects found under S3 URL")
    absent = {"TrainingImage": "elsewhere/image:1", "TrainingInputMode": "File"}
    job = cloud.run("", AlgorithmSpecification=absent)
    assert "CannotPullContainerError" in job["FailureReason"]
    assert "elsewhere/image:1" in job["FailureReason"]
    absent = {"TrainingImage": IMAGE, "TrainingInputMode": "File", "ContainerEntrypoint": ["no-such-program"]}
    job = cloud.run("", AlgorithmSpecification=absent)
    assert "CannotStartContainerError: exec 'no-such-program'" in job["FailureReason"]


def test_failure_file_and_exit_code_become_the_reason(cloud: Cloud) -> None:
    job = cloud.run(ROOT + "(root / 'output/failure').write_text('bad data: ' + 'x' * 2000); raise SystemExit(3)")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    reason = job["FailureReason"]
    assert reason.startswith("AlgorithmError: bad data: xxx")
    assert reason.endswith("x, exit code: 3")
    assert len(reason) == 1024
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == ""


def test_output_and_log_are_kept(cloud: Cloud) -> None:
    job = cloud.run(ROOT + "(root / 'output/data/metrics.json').write_text('{}'); print('a line')")
    model = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert cloud.unpack(model) == {}
    assert cloud.unpack(model.replace("model.tar.gz", "output.tar.gz")) == {"metrics.json": b"{}"}
    assert cloud.log_of(job["TrainingJobName"]) == ["a line"]


def test_artifacts_may_stay_uncompressed(cloud: Cloud) -> None:
    output = {"S3OutputPath": f"s3://{BUCKET}/plain", "CompressionType": "NONE"}
    job = cloud.run(ROOT + "(root / 'model/weights').write_text('w')", OutputDataConfig=output)
    prefix = f"plain/{job['TrainingJobName']}/output/model/"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/{prefix}"
    assert cloud.s3.get_object(Bucket=BUCKET, Key=f"{prefix}weights")["Body"].read() == b"w"


def test_checkpoints_of_one_job_are_there_for_the_next(cloud: Cloud) -> None:
    uri = f"s3://{BUCKET}/checkpoints/one/"
    code = ROOT + (
        "state = root / 'checkpoints/state';"
        "state.write_text(state.read_text() + '+' if state.exists() else 'first');"
        "(root / 'model/state').write_text(state.read_text())"
    )
    for expected in (b"first", b"first+"):
        job = cloud.run(code, CheckpointConfig={"S3Uri": uri})
        assert cloud.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"state": expected}
        assert cloud.s3.get_object(Bucket=BUCKET, Key="checkpoints/one/state")["Body"].read() == expected


def test_a_key_never_leads_out_of_its_channel(cloud: Cloud) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key="trap/../../../escaped", Body=b"x")
    job = cloud.run("", InputDataConfig=[channel("train", f"s3://{BUCKET}/trap/")])
    assert job["TrainingJobStatus"] == "Failed"
    assert "leads out of its channel" in job["FailureReason"]
