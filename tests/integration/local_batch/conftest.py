"""The stand-alone server in a process of its own, spoken to by a real client."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from aimass_core.domain.job_queues import queue_names

Document = dict[str, Any]

PATIENCE_SECONDS = 120.0


class Server:
    """One run of `python -m aimass_local.batch`."""

    def __init__(self, data_dir: Path, *, port: int) -> None:
        self.lines: list[Document] = []
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "aimass_local.batch"),
                *("--port", str(port), "--data-dir", str(data_dir), "--vcpus", "2", "--memory-mib", "4096"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=data_dir.parent,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "localstack")},
        )
        self.client = boto3.client(
            "batch",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard", "max_attempts": 1}),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until(lambda: _is_listening(port))

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self._end()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self._end()

    def set_up(self) -> None:
        client = self.client
        client.create_compute_environment(computeEnvironmentName="machine", type="MANAGED")
        order = [{"order": 1, "computeEnvironment": "machine"}]
        for name in queue_names("queue"):
            client.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order)

    def define(
        self,
        *command: str,
        name: str = "definition",
        vcpus: str = "1",
        environment: dict[str, str] | None = None,
        **top: Any,
    ) -> None:
        requirements = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": "256"}]
        container = {
            "image": "any",
            "command": list(command),
            "resourceRequirements": requirements,
            "environment": [{"name": key, "value": value} for key, value in (environment or {}).items()],
        }
        self.client.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties=container, **top
        )

    def submit(self, **parameters: Any) -> str:
        request = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "definition", **parameters}
        job_id: str = self.client.submit_job(**request)["jobId"]
        return job_id

    def describe(self, job_id: str) -> Document:
        job: Document = self.client.describe_jobs(jobs=[job_id])["jobs"][0]
        return job

    def wait(self, job_id: str, *statuses: str) -> Document:
        wanted = statuses or ("SUCCEEDED", "FAILED")
        job: Document = wait_until(lambda: self.describe(job_id), lambda job: job["status"] in wanted)
        return job

    def log_of(self, job: Document) -> list[str]:
        stream = job["container"]["logStreamName"]
        entries = [line for line in list(self.lines) if line.get("stream") == stream]
        return [event["message"] for entry in entries for event in entry["events"]]

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def _end(self) -> None:
        self.process.wait(PATIENCE_SECONDS)
        self._reader.join()
        self.client.close()
        if self.process.stdout:
            self.process.stdout.close()


def wait_until(read: Callable[[], Any], is_right: Callable[[Any], bool] = bool) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_right(value := read()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value}")
        time.sleep(0.01)
    return value


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def start_server(tmp_path: Path, socket_enabled: None) -> Iterator[Callable[[], Server]]:
    """Starts servers on one folder and one port, one after the other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started: list[Server] = []

    def start() -> Server:
        server = Server(tmp_path / "batch", port=port)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def server(start_server: Callable[[], Server]) -> Server:
    """A server with a compute environment and the queue `queue`."""
    server = start_server()
    server.set_up()
    return server
