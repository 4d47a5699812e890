"""A real server without a stack, and training jobs of a few lines of Python in the image of our jobs."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from aimass_local import lifecycle
from aimass_local.clients import build_client
from aimass_local.containers import Image
from aimass_local.environment import HOST, DataDirectory
from aimass_local.sagemaker import SageMakerService
from tests.integration.local.conftest import free_port, wait_until
from tests.integration.local_sagemaker.guest_image import write_guest_image
from tests.sockets import allow_hosts

Document = dict[str, Any]

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/aimass/batch-jobs:0.1.0"
BUCKET = "training"
FINAL = ("Completed", "Failed", "Stopped")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_hosts(items, Path(__file__).parent, [HOST, "127.0.0.2"])


def build_request(s3: Any, code: str, **changes: Any) -> Document:
    """CreateTrainingJob of a job that runs Python code, which it gets as the channel `code`."""
    key = f"code/{hashlib.sha256(code.encode()).hexdigest()}/"
    s3.put_object(Bucket=BUCKET, Key=f"{key}main.py", Body=code.encode())
    channels = [*changes.pop("InputDataConfig", []), channel("code", f"s3://{BUCKET}/{key}")]
    return {
        "TrainingJobName": f"job-{uuid4().hex}",
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python", "/opt/ml/input/data/code/main.py"],
        },
        "InputDataConfig": channels,
        "RoleArn": "arn:aws:iam::000000000000:role/training",
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        **changes,
    }


def channel(name: str, uri: str, **source: str) -> Document:
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **source}}
    return {"ChannelName": name, "DataSource": data}


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """A started local cloud with an empty bucket."""

    data: DataDirectory
    port: int

    @cached_property
    def sagemaker(self) -> Any:
        return build_client("sagemaker", port=self.port)

    @cached_property
    def runtime(self) -> Any:
        return build_client("sagemaker-runtime", port=self.port)

    @cached_property
    def logs(self) -> Any:
        return build_client("logs", port=self.port)

    @cached_property
    def s3(self) -> Any:
        return build_client("s3", port=self.port)

    def client(self, service: str) -> Any:
        return build_client(service, port=self.port)

    def create(self, code: str, **changes: Any) -> str:
        request = build_request(self.s3, code, **changes)
        self.sagemaker.create_training_job(**request)
        return str(request["TrainingJobName"])

    def describe(self, name: str) -> Document:
        described: Document = self.sagemaker.describe_training_job(TrainingJobName=name)
        return described

    def wait(self, name: str, *statuses: str) -> Document:
        """The job as soon as its status, or its secondary status, is one of these (by default: it has ended)."""

        def find() -> Document | None:
            job = self.describe(name)
            return job if {job["TrainingJobStatus"], job["SecondaryStatus"]} & set(statuses or FINAL) else None

        job = wait_until(find)
        assert job is not None
        return job

    def run(self, code: str, **changes: Any) -> Document:
        return self.wait(self.create(code, **changes))

    def log_of(self, name: str, host: str = "algo-1") -> list[str]:
        group = "/aws/sagemaker/TrainingJobs"
        found = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/{host}-")["logStreams"]
        (stream,) = [stream["logStreamName"] for stream in found]
        events = self.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
        return [str(event["message"]) for event in events]

    def unpack(self, uri: str) -> dict[str, bytes]:
        """The files of an archive in S3."""
        key = uri.removeprefix(f"s3://{BUCKET}/")
        body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            members = [(member.name, archive.extractfile(member)) for member in archive]
            return {name: file.read() for name, file in members if file}


class Plane:
    """The service alone, on an event loop in a thread, with S3 of a cloud: for what a server fixes for its life."""

    def __init__(self, data_dir: Path, cloud: Cloud, **options: Any) -> None:
        self.events: list[Document] = []
        self._s3 = cloud.s3
        self.service = SageMakerService(
            data_dir,
            **{
                "images": {"*": Image(python=Path(sys.executable))},
                "environment": {"PATH": "/usr/bin:/bin"},
                "s3": self._s3,
                "max_running": 2,
                "emit_event": lambda event: self.events.append(json.loads(json.dumps(event))),
                "put_log_events": lambda *_: None,
                **options,
            },
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._await(self.service.start())

    def close(self) -> None:
        self._await(self.service.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def call(self, operation: str, **parameters: Any) -> tuple[int, Document]:
        async def handle() -> tuple[int, Document]:
            status, answer, _ = self.service.handle(f"SageMaker.{operation}", json.dumps(parameters).encode())
            return status, answer

        answer: tuple[int, Document] = self._await(handle())
        return answer

    def create(self, code: str, **changes: Any) -> str:
        request = build_request(self._s3, code, **changes)
        status, answer = self.call("CreateTrainingJob", **request)
        assert status == 200, answer
        return str(request["TrainingJobName"])

    def wait(self, name: str, *statuses: str) -> Document:
        def find() -> Document | None:
            _, job = self.call("DescribeTrainingJob", TrainingJobName=name)
            return job if {job["TrainingJobStatus"], job["SecondaryStatus"]} & set(statuses or FINAL) else None

        job = wait_until(find)
        assert job is not None
        return job

    def _await(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(120)


StartPlane = Callable[..., Plane]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    data = DataDirectory.at(tmp_path_factory.mktemp("sagemaker"))
    data.create()
    data.images_path.write_text(json.dumps(write_guest_image(data.root / "image")))
    port = free_port()
    process = lifecycle.start(data, port=port)
    started = Cloud(data=data, port=port)
    try:
        started.s3.create_bucket(Bucket=BUCKET)
        yield started
    finally:
        lifecycle.down(data)
        process.wait()


@pytest.fixture
def start_plane(cloud: Cloud, tmp_path: Path) -> Iterator[StartPlane]:
    """Starts services on one folder, one after the other."""
    started: list[Plane] = []

    def start(**options: Any) -> Plane:
        started.append(Plane(tmp_path / "plane", cloud, **options))
        return started[-1]

    yield start
    for plane in started:
        if plane._thread.is_alive():
            plane.close()
