"""The service: an ASGI application that speaks AWS Batch's protocol, with doors for CloudFormation and Step Functions.

What a job definition may ask of a container and this machine cannot give (users, networks, devices) is taken and shown,
but has no effect; what a job would miss at once (secrets, volumes, EKS) is refused.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil

from aimass_local.asgi import Receive, Scope, Send, read_body, send_body
from aimass_local.batch import cloudformation, submission, wire
from aimass_local.batch.attempts import Host
from aimass_local.batch.casing import from_pascal_case, to_pascal_case
from aimass_local.batch.errors import BatchError, ClientError, ServerError, TaskFailedError
from aimass_local.batch.jobs import JobStatus, to_detail
from aimass_local.batch.queries import Queries, to_job_id
from aimass_local.batch.requirements import Capacity
from aimass_local.batch.resources import ARN_PREFIX, Resources
from aimass_local.batch.scheduler import Scheduler
from aimass_local.batch.wire import Document
from aimass_local.containers import Image, PutLogEvents, clear_runs
from aimass_local.documents import DocumentStore

Result = TypeVar("Result")

_STOP_GRACE_SECONDS = 30.0
_SHUTDOWN_GRACE_SECONDS = 3.0
_MAX_LOG_BYTES = 50_000_000
_MAX_BODY_BYTES = 1_000_000
_MAX_TAGS = 50

_logger = logging.getLogger(__name__)


class BatchService:
    """AWS Batch on this machine.

    Args:
        data_dir: keeps the state and the folders of running containers; one server at a time.
        images: glob over image names -> what stands for the image. The first match counts.
        environment: variables of every container; nothing else is inherited.
        vcpus: capacity, by default the machine's.
        memory_mib: capacity, by default the machine's.
        gpus: ids as CUDA_VISIBLE_DEVICES takes them.
        emit_event: takes each EventBridge event. Called on the event loop: it must not block.
        put_log_events: takes `(group, stream, events)`. Called in threads.
        clock: seconds since 1970.
        stop_grace_seconds: from SIGTERM to SIGKILL; ECS waits as long.
        max_log_bytes: of each container; the rest is dropped, and the log says so.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        images: Mapping[str, Image],
        environment: Mapping[str, str],
        vcpus: float | None = None,
        memory_mib: int | None = None,
        gpus: Sequence[str] = (),
        emit_event: Callable[[Document], None],
        put_log_events: PutLogEvents,
        clock: Callable[[], float] = time.time,
        stop_grace_seconds: float = _STOP_GRACE_SECONDS,
        max_log_bytes: int = _MAX_LOG_BYTES,
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._emit_event = emit_event
        self._capacity = Capacity(
            vcpus=vcpus or os.cpu_count() or 1,
            memory_mib=memory_mib or psutil.virtual_memory().total // 1024**2,
            gpus=gpus,
        )
        self._host = Host(
            images=images,
            environment=environment,
            run_folder=self._data_dir / "run",
            put_log_events=put_log_events,
            now_ms=lambda: int(clock() * 1000),
            stop_grace_seconds=stop_grace_seconds,
            max_log_bytes=max_log_bytes,
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Opens the state, ends what a killed server left running, and goes on with its jobs.

        Raises:
            StateLockedError: another server uses the folder.
        """
        self._loop = asyncio.get_running_loop()
        self._store = DocumentStore.open(self._data_dir / "batch.sqlite3")
        await asyncio.to_thread(clear_runs, self._host.run_folder)
        self._resources = Resources(self._store)
        self._scheduler = Scheduler(
            self._store, self._resources, capacity=self._capacity, host=self._host, emit_event=self._emit_event
        )
        self._queries = Queries(self._scheduler, self._resources)
        self._operations = self._list_operations()
        self._scheduler.start()

    async def close(self) -> None:
        """Ends the running containers; their jobs are retried or FAILED at the next start, as if the host had gone."""
        if self._loop is None:
            return
        await self._scheduler.close(grace_seconds=_SHUTDOWN_GRACE_SECONDS)
        self._store.close()
        self._loop = None

    # doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; only HTTP."""
        if scope["type"] != "http":
            return
        body = await read_body(receive, max_bytes=_MAX_BODY_BYTES)
        status, answer, headers = self.handle(scope["method"], scope["path"], scope["query_string"].decode(), body)
        await send_body(send, status, "application/json", json.dumps(answer).encode(), headers.items())

    def handle(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Document, dict[str, str]]:
        """Answers one request: HTTP status, JSON body, headers. On the event loop only."""
        request_id = {"x-amzn-requestid": str(uuid.uuid4())}
        try:
            if len(body) > _MAX_BODY_BYTES:
                raise ClientError(f"the request is larger than {_MAX_BODY_BYTES:,} bytes")
            request = wire.parse_request(method, path, query, body)
            return 200, self._perform(request.operation, request.parameters), request_id
        except BatchError as error:
            if isinstance(error, ServerError):
                _logger.error("%s", error.message)
            return error.status, {"message": error.message}, {**request_id, "x-amzn-errortype": error.code}

    def invoke(self, operation: str, parameters: Document) -> Document:
        """Performs an operation for a caller inside this process, in any thread.

        Raises:
            BatchError: as the operation.
        """
        wire.validate_parameters(operation, parameters)

        async def perform() -> Document:
            return self._perform(operation, parameters)

        if _is_running(self._require_loop()):
            return self._perform(operation, parameters)
        return self._wait_for(perform())

    def cloudformation_handlers(self) -> dict[str, dict[str, Any]]:
        """Handlers of the resource types AWS::Batch::*, by type."""
        return cloudformation.build_handlers(self.invoke)

    def submit_job_task(self, resource: str, task_input: Document) -> Document:
        """Step Functions' `batch:submitJob`, and `.sync`, which waits. Call it in a thread of its own.

        Raises:
            TaskFailedError: the request is refused, or the job has FAILED.
        """
        shape = wire.service_model().operation_model("SubmitJob").input_shape
        try:
            answer = self.invoke("SubmitJob", from_pascal_case(task_input, shape))
        except BatchError as error:
            raise TaskFailedError(f"Batch.{error.code}", error.message) from error
        if ".sync" not in resource:
            return dict(to_pascal_case(answer))
        job = self._queries.get_job(answer["jobId"])
        self._wait_for(self._scheduler.wait(job))
        detail: Document = to_pascal_case(to_detail(job))
        if job.status is not JobStatus.SUCCEEDED:
            raise TaskFailedError("States.TaskFailed", json.dumps(detail))
        return detail

    # operations

    def _perform(self, operation: str, parameters: Document) -> Document:
        self._require_loop()
        perform = self._operations.get(operation)
        if perform is None:
            raise ClientError(f"{operation} is not supported by the local AWS Batch")
        if wire.is_reading(operation):
            return wire.validate_answer(operation, perform(parameters))
        self._scheduler.flush()  # refuses while earlier changes cannot be saved, before it makes another one
        answer = wire.validate_answer(operation, perform(parameters))
        self._scheduler.flush()
        self._scheduler.wake()
        return answer

    def _list_operations(self) -> dict[str, Callable[[Document], Document]]:
        resources, queries = self._resources, self._queries
        return {
            "CreateComputeEnvironment": resources.create_compute_environment,
            "DescribeComputeEnvironments": resources.describe_compute_environments,
            "UpdateComputeEnvironment": resources.update_compute_environment,
            "DeleteComputeEnvironment": resources.delete_compute_environment,
            "CreateJobQueue": resources.create_job_queue,
            "DescribeJobQueues": resources.describe_job_queues,
            "UpdateJobQueue": resources.update_job_queue,
            "DeleteJobQueue": self._delete_job_queue,
            "RegisterJobDefinition": resources.register_job_definition,
            "DescribeJobDefinitions": resources.describe_job_definitions,
            "DeregisterJobDefinition": resources.deregister_job_definition,
            "CreateSchedulingPolicy": resources.create_scheduling_policy,
            "DescribeSchedulingPolicies": resources.describe_scheduling_policies,
            "ListSchedulingPolicies": resources.list_scheduling_policies,
            "UpdateSchedulingPolicy": resources.update_scheduling_policy,
            "DeleteSchedulingPolicy": resources.delete_scheduling_policy,
            "SubmitJob": self._submit_job,
            "DescribeJobs": queries.describe_jobs,
            "ListJobs": queries.list_jobs,
            "CancelJob": self._cancel_job,
            "TerminateJob": self._terminate_job,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "ListTagsForResource": self._list_tags,
        }

    def _submit_job(self, parameters: Document) -> Document:
        spec = submission.build_spec(
            parameters,
            definition=self._resources.get_job_definition(parameters["jobDefinition"]),
            queue=self._resources.get_job_queue(parameters["jobQueue"]),
        )
        for dependency in spec.depends_on:
            if "jobId" in dependency:
                target = self._queries.get_job(dependency["jobId"])
                if dependency.get("type") == "N_TO_N" and target.spec.array_size != spec.array_size:
                    raise ClientError(f"dependsOn: {target.id} is not an array job of size {spec.array_size}")
        job = self._scheduler.submit(spec, job_id=str(uuid.uuid4()))
        return {"jobId": job.id, "jobName": spec.name, "jobArn": job.arn}

    def _cancel_job(self, parameters: Document) -> Document:
        self._scheduler.cancel(self._queries.get_job(parameters["jobId"]), _check_reason(parameters))
        return {}

    def _terminate_job(self, parameters: Document) -> Document:
        self._scheduler.terminate(self._queries.get_job(parameters["jobId"]), _check_reason(parameters))
        return {}

    def _delete_job_queue(self, parameters: Document) -> Document:
        arn = f"{ARN_PREFIX}job-queue/{parameters['jobQueue'].rsplit('/', 1)[-1]}"
        answer = self._resources.delete_job_queue(parameters)
        self._scheduler.terminate_queue(arn, "The job queue was deleted")
        return answer

    def _tag_resource(self, parameters: Document) -> Document:
        tags = self._find_tags(parameters["resourceArn"])
        if len(tags | parameters["tags"]) > _MAX_TAGS:
            raise ClientError(f"a resource can have at most {_MAX_TAGS} tags")
        tags.update(parameters["tags"])
        self._save_tags(parameters["resourceArn"])
        return {}

    def _untag_resource(self, parameters: Document) -> Document:
        tags = self._find_tags(parameters["resourceArn"])
        for key in parameters["tagKeys"]:
            tags.pop(key, None)
        self._save_tags(parameters["resourceArn"])
        return {}

    def _list_tags(self, parameters: Document) -> Document:
        return {"tags": dict(self._find_tags(parameters["resourceArn"]))}

    def _find_tags(self, arn: str) -> Document:
        if to_job_id(arn) != arn:
            return self._queries.get_job(arn).spec.tags
        return self._resources.get_tags(arn)

    def _save_tags(self, arn: str) -> None:
        if to_job_id(arn) != arn:
            self._scheduler.save_spec(self._queries.get_job(arn))
        else:
            self._resources.save_tags(arn)

    # threads

    def _wait_for(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._require_loop()).result()

    def _require_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise ServerError("AWS Batch has not been started yet")
        return self._loop


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the caller is on that very loop, where waiting for it would never end."""
    return asyncio._get_running_loop() is loop


def _check_reason(parameters: Document) -> str:
    reason: str = parameters["reason"]
    if not 1 <= len(reason) <= 1024:
        raise ClientError("reason has to have 1 to 1024 characters")
    return reason
