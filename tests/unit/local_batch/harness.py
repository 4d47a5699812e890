"""A Batch service on an event loop in a thread, spoken to without sockets."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aimass_local.batch import BatchService, Image
from aimass_local.batch.wire import service_model

Document = dict[str, Any]

PATIENCE_SECONDS = 120.0


class RefusedError(Exception):
    """The service answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class LocalBatch:
    """The service under test, with everything that it sends out."""

    def __init__(self, data_dir: Path, **options: Any) -> None:
        self.data_dir = data_dir
        self.events: list[Document] = []
        self.logs: dict[tuple[str, str], list[str]] = {}
        self.service = BatchService(
            data_dir,
            **{
                "images": {"*": Image(python=Path(sys.executable))},
                "environment": {"PATH": "/usr/bin:/bin"},
                "vcpus": 2,
                "memory_mib": 4096,
                "emit_event": lambda event: self.events.append(json.loads(json.dumps(event))),
                "put_log_events": self._put_log_events,
                **options,
            },
        )
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.await_(self.service.start())

    def close(self) -> None:
        self.await_(self.service.close())
        self.abandon()

    def abandon(self) -> None:
        """Stops the loop as it is."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def await_(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_SECONDS)

    def request(self, method: str, path: str, body: bytes = b"", query: str = "") -> tuple[int, Document, Document]:
        async def handle() -> tuple[int, Document, Document]:
            status, answer, headers = self.service.handle(method, path, query, body)
            return status, answer, dict(headers)

        answer: tuple[int, Document, Document] = self.await_(handle())
        return answer

    def call(self, operation: str, **parameters: Any) -> Document:
        path = service_model().operation_model(operation).http["requestUri"]
        status, answer, headers = self.request("POST", path, json.dumps(parameters).encode())
        if status != 200:
            raise RefusedError(status, headers["x-amzn-errortype"], answer["message"])
        return answer

    def set_up(self, *, queue: str = "queue", priority: int = 1) -> None:
        """A compute environment and a queue."""
        if not self.call("DescribeComputeEnvironments")["computeEnvironments"]:
            self.call("CreateComputeEnvironment", computeEnvironmentName="machine", type="MANAGED")
        order = [{"order": 1, "computeEnvironment": "machine"}]
        self.call("CreateJobQueue", jobQueueName=queue, priority=priority, computeEnvironmentOrder=order)

    def define(self, *command: str, name: str = "definition", **properties: Any) -> str:
        """Registers a container definition; answers its ARN."""
        top = {key: properties.pop(key) for key in ("retryStrategy", "timeout", "parameters") if key in properties}
        container = {"image": "any", "command": list(command), **build_requirements(), **properties}
        definition = {"jobDefinitionName": name, "type": "container", "containerProperties": container}
        arn: str = self.call("RegisterJobDefinition", **definition, **top)["jobDefinitionArn"]
        return arn

    def define_python(self, source: str, **options: Any) -> str:
        return self.define("python", "-c", source, **options)

    def submit(self, definition: str = "definition", **parameters: Any) -> str:
        request = {"jobName": "job", "jobQueue": "queue", "jobDefinition": definition, **parameters}
        job_id: str = self.call("SubmitJob", **request)["jobId"]
        return job_id

    def describe(self, job_id: str) -> Document:
        job: Document = self.call("DescribeJobs", jobs=[job_id])["jobs"][0]
        return job

    def wait(self, job_id: str, *statuses: str) -> Document:
        """The job's detail, as soon as it is in one of `statuses` (by default: ended)."""
        wanted = statuses or ("SUCCEEDED", "FAILED")
        job: Document = self.wait_until(lambda: self.describe(job_id), lambda job: job["status"] in wanted)
        return job

    def wait_until(self, read: Callable[[], Any], is_right: Callable[[Any], bool] = bool) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_right(value := read()):
            if time.monotonic() > deadline:
                raise AssertionError(f"still {value}")
            time.sleep(0.005)
        return value

    def log_of(self, job: Mapping[str, Any]) -> list[str]:
        return self.logs.get(("/aws/batch/job", job["container"]["logStreamName"]), [])

    def statuses_of(self, job_id: str) -> list[str]:
        """The statuses that events have told of."""
        changes = [event["detail"] for event in self.events if event["detail-type"] == "Batch Job State Change"]
        return [detail["status"] for detail in changes if detail["jobId"] == job_id]

    def _put_log_events(self, group: str, stream: str, events: list[Document]) -> None:
        assert all(isinstance(event["timestamp"], int) for event in events)
        self.logs.setdefault((group, stream), []).extend(event["message"] for event in events)


def until(path: Path) -> str:
    """A shell's command that ends when there is such a file: a job that goes on for as long as a test wants."""
    return f"until [ -e '{path}' ]; do sleep 0.02; done"


def build_requirements(*, vcpus: str = "1", memory: str = "128", gpus: str | None = None) -> Document:
    entries = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]
    return {"resourceRequirements": entries + ([{"type": "GPU", "value": gpus}] if gpus else [])}
