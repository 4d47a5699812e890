"""AWS's `sagemaker-training`, which most SageMaker containers run on, inside a training job."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from tests.guests.conftest import IMAGE, PROGRAMS, ROLE
from tests.integration.local_sagemaker.conftest import BUCKET, Cloud, channel


def _train(cloud: Cloud, *, name: str, **hyperparameters: Any) -> dict[str, Any]:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as writer:
        writer.add(PROGRAMS / "fit.py", "fit.py")
    cloud.s3.put_object(Bucket=BUCKET, Key="source.tar.gz", Body=archive.getvalue())
    for part, rows in enumerate(("1\n2\n", "6\n")):
        cloud.s3.put_object(Bucket=BUCKET, Key=f"rows/{part}.csv", Body=rows.encode())
    asked = {
        "sagemaker_program": "fit.py",
        "sagemaker_submit_directory": f"s3://{BUCKET}/source.tar.gz",
        "sagemaker_region": "us-east-1",
        **hyperparameters,
    }
    cloud.sagemaker.create_training_job(
        TrainingJobName=name,
        # No entry point: the container is started with the image's program `train`.
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        HyperParameters={key: json.dumps(value) for key, value in asked.items()},
        RoleArn=ROLE,
        InputDataConfig=[channel("train", f"s3://{BUCKET}/rows/")],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/toolkit"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    return cloud.wait(name)


def test_a_script_gets_its_arguments_channel_and_hosts_from_the_toolkit(cloud: Cloud) -> None:
    job = _train(cloud, name="toolkit-1", slope=0.5)
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), cloud.log_of("toolkit-1"))
    files = cloud.unpack(job["ModelArtifacts"]["S3ModelArtifacts"])
    model = json.loads(files["algo-1.json"])
    assert model == {"slope": 0.5, "mean": 3.0, "hosts": ["algo-1"], "current_host": "algo-1"}
    assert any(line.startswith("fitted") for line in cloud.log_of("toolkit-1"))


def test_a_failed_script_is_the_jobs_failure_reason(cloud: Cloud) -> None:
    job = _train(cloud, name="toolkit-2", slope=0.5, fail="no rows today")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ")
    assert "no rows today" in job["FailureReason"]
    assert job["FailureReason"].endswith("exit code: 1")
