"""The service: an ASGI application that speaks SageMaker's protocols and runs containers as process groups.

Unlike Batch, SageMaker has no queue: every job gets instances of its own. A machine has no more than it has, so jobs
beyond `max_running` wait in step Pending, as they would for scarce instances.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aimass_local.asgi import Receive, Scope, Send, read_body, send_body
from aimass_local.containers import Image, PutLogEvents, clear_runs
from aimass_local.documents import Document, DocumentStore
from aimass_local.sagemaker import cloudformation, events, queries, requests, wire
from aimass_local.sagemaker.errors import InternalError, InUseError, SageMakerError, ValidationError
from aimass_local.sagemaker.hosting import Hosting, runtime
from aimass_local.sagemaker.jobs import (
    ARN_PREFIX,
    INTERNAL_SERVER_ERROR,
    Status,
    Step,
    TrainingJob,
    to_description,
    to_tags,
)
from aimass_local.sagemaker.ledger import Ledger
from aimass_local.sagemaker.machine import Machine
from aimass_local.sagemaker.runs import Ending, Run

# SageMaker gives a container so long to save its model, and then kills it.
STOP_GRACE_SECONDS = 120.0
_SHUTDOWN_GRACE_SECONDS = 3.0
_MAX_LOG_BYTES = 50_000_000
_MAX_BODY_BYTES = 4_000_000
_KIND = "training-job"

_logger = logging.getLogger(__name__)


class SageMakerService:
    """SageMaker Training and hosting on this machine.

    Args:
        data_dir: keeps the state and the folders of running containers; one server at a time.
        images: glob over image names -> what stands for the image. The first match counts.
        environment: variables of every container; nothing else is inherited.
        s3: a boto3 client; used in threads.
        max_running: jobs that run at the same time.
        emit_event: takes each EventBridge event. Called on the event loop: it must not block.
        put_log_events: takes `(group, stream, events)`. Called in threads.
        clock: seconds since 1970.
        stop_grace_seconds: from SIGTERM to SIGKILL.
        max_log_bytes: of each container; the rest is dropped, and the log says so.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        images: Mapping[str, Image],
        environment: Mapping[str, str],
        s3: Any,
        max_running: int,
        emit_event: Callable[[Document], None],
        put_log_events: PutLogEvents,
        clock: Callable[[], float] = time.time,
        stop_grace_seconds: float = STOP_GRACE_SECONDS,
        max_log_bytes: int = _MAX_LOG_BYTES,
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._emit_event = emit_event
        self._clock = clock
        self._machine = Machine(
            images=images,
            environment=environment,
            run_folder=self._data_dir / "run",
            s3=s3,
            put_log_events=put_log_events,
            clock=clock,
            stop_grace_seconds=stop_grace_seconds,
            max_log_bytes=max_log_bytes,
            slots=asyncio.Semaphore(max_running),
        )
        self._jobs: dict[str, TrainingJob] = {}
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[Ending]] = set()
        self._ledger: Ledger | None = None
        self._hosting: Hosting | None = None
        self._is_closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._operations: dict[str, Callable[[Document], Document]] = {
            "CreateTrainingJob": self._create,
            "DescribeTrainingJob": lambda parameters: to_description(self._find(parameters["TrainingJobName"])),
            "ListTrainingJobs": lambda parameters: queries.list_training_jobs(self._jobs.values(), parameters),
            "StopTrainingJob": self._stop,
            "AddTags": self._add_tags,
            "ListTags": lambda parameters: queries.to_tag_list(self._find_tagged(parameters["ResourceArn"])[0]),
            "DeleteTags": self._delete_tags,
        }

    async def start(self) -> None:
        """Opens the state, ends what a killed server left running, and settles its jobs.

        Raises:
            StateLockedError: another server uses the folder.
        """
        self._loop, self._loop_thread = asyncio.get_running_loop(), threading.get_ident()
        store = DocumentStore.open(self._data_dir / "sagemaker.sqlite3")
        self._ledger = Ledger(store, emit_event=self._emit_event)
        await asyncio.to_thread(clear_runs, self._machine.run_folder)
        for name, document in self._ledger.load(_KIND):
            self._jobs[name] = TrainingJob.from_document(document)
        for job in self._jobs.values():
            if not job.status.is_final:
                self._recover(job)
        self._hosting = Hosting(self._machine, self._ledger)
        self._hosting.load()
        self._operations |= self._hosting.operations
        self._ledger.flush()

    async def close(self) -> None:
        """Ends the running containers; at the next start their jobs have lost their machine."""
        if self._ledger is None or self._hosting is None:
            return
        self._is_closing = True
        for run in self._runs.values():
            run.stop(grace_seconds=_SHUTDOWN_GRACE_SECONDS)
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._hosting.close()
        self._machine.watchdog.close()
        self._ledger.close()
        self._ledger = self._hosting = None

    # doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; only HTTP."""
        if scope["type"] != "http":
            return
        if scope["path"].startswith(runtime.PATH_PREFIX) and self._hosting is not None:
            await self._hosting.invoke(scope, receive, send)
            return
        body = await read_body(receive, max_bytes=_MAX_BODY_BYTES)
        names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        status, answer, headers = self.handle(names.get("x-amz-target", ""), body)
        await send_body(send, status, wire.CONTENT_TYPE, json.dumps(answer).encode(), headers.items())

    def handle(self, target: str, body: bytes) -> tuple[int, Document, dict[str, str]]:
        """Answers one request: HTTP status, JSON body, headers. On the event loop only."""
        request_id = {"x-amzn-requestid": str(uuid.uuid4())}
        try:
            if len(body) > _MAX_BODY_BYTES:
                raise ValidationError(f"The request is larger than {_MAX_BODY_BYTES:,} bytes")
            return 200, self._perform(*wire.parse_request(target, body)), request_id
        except SageMakerError as error:
            if isinstance(error, InternalError):
                _logger.error("%s", error.message)
            return error.status, {"__type": error.code, "message": error.message}, request_id

    def invoke(self, operation: str, parameters: Document) -> Document:
        """Performs an operation for a caller inside this process, in any thread. Raises SageMakerError."""
        operation, checked = wire.parse_request(f"{wire.TARGET_PREFIX}{operation}", json.dumps(parameters).encode())
        if self._loop is None:
            raise InternalError("SageMaker has not been started yet")
        if threading.get_ident() == self._loop_thread:
            return self._perform(operation, checked)

        async def perform() -> Document:
            return self._perform(operation, checked)

        return asyncio.run_coroutine_threadsafe(perform(), self._loop).result()

    def cloudformation_handlers(self) -> dict[str, dict[str, Any]]:
        """Handlers of the resource types AWS::SageMaker::*, by type."""
        return cloudformation.build_handlers(self.invoke)

    def _perform(self, operation: str, parameters: Document) -> Document:
        perform = self._operations.get(operation)
        if perform is None:
            raise ValidationError(f"{operation} is not supported by the local SageMaker")
        if not wire.is_reading(operation):
            self._require_ledger().flush()  # refuses while earlier changes cannot be saved, before it makes another one
        answer = wire.validate_answer(operation, perform(parameters))
        if not wire.is_reading(operation):
            self._require_ledger().flush()
        return answer

    # operations

    def _create(self, parameters: Document) -> Document:
        name = parameters["TrainingJobName"]
        if name in self._jobs:
            raise InUseError(
                "Training job names must be unique within an AWS account and region, and a training job with this "
                f"name already exists ({ARN_PREFIX}{name})"
            )
        requests.check(parameters)
        now = self._clock()
        tags = to_tags(parameters.get("Tags", []))
        job = self._jobs[name] = TrainingJob(request=parameters, created_at=now, changed_at=now, tags=tags)
        self._advance(job, Step.STARTING)
        self._begin(job)
        return {"TrainingJobArn": job.arn}

    def _stop(self, parameters: Document) -> Document:
        job = self._find(parameters["TrainingJobName"])
        if job.status.is_final:
            raise ValidationError(
                f"The request was rejected because the training job is in status {job.status}. Only a job that is "
                "InProgress can be stopped"
            )
        if job.status is not Status.STOPPING:
            self._advance(job, Step.STOPPING, status=Status.STOPPING)
            self._runs[job.name].stop()
        return {}

    def _add_tags(self, parameters: Document) -> Document:
        tags, save = self._find_tagged(parameters["ResourceArn"])
        tags |= to_tags(parameters["Tags"])
        save()
        return queries.to_tag_list(tags)

    def _delete_tags(self, parameters: Document) -> Document:
        tags, save = self._find_tagged(parameters["ResourceArn"])
        for key in parameters["TagKeys"]:
            tags.pop(key, None)
        save()
        return {}

    def _find_tagged(self, arn: str) -> tuple[dict[str, str], Callable[[], None]]:
        found = None if self._hosting is None else self._hosting.find_tagged(arn)
        if found is not None:
            return found
        job = self._find(arn.removeprefix(ARN_PREFIX))
        return job.tags, lambda: self._save(job)

    def _find(self, name: str) -> TrainingJob:
        if name not in self._jobs:
            raise ValidationError("Requested resource not found.")
        return self._jobs[name]

    # runs

    def _begin(self, job: TrainingJob) -> None:
        """Starts a run; its first turn comes after the answer, and what it needs is saved before."""
        run = self._runs[job.name] = Run(job, self._machine, on_step=lambda step: self._note_step(job, step))
        task = asyncio.get_running_loop().create_task(run.execute(), name=f"training job {job.name}")
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._note_end(job, task))

    def _note_step(self, job: TrainingJob, step: Step) -> None:
        if self._is_closing or job.status is Status.STOPPING:
            return
        if step is Step.TRAINING and job.started_at is None:
            job.started_at = self._clock()
        self._advance(job, step)
        self._require_ledger().flush_soon()

    def _note_end(self, job: TrainingJob, task: asyncio.Task[Ending]) -> None:
        self._tasks.discard(task)
        if self._is_closing or task.cancelled():
            return
        del self._runs[job.name]
        if error := task.exception():
            _logger.error("the run of the training job %s broke", job.name, exc_info=error)
            ending = Ending(status=Status.FAILED, step=Step.FAILED, reason=INTERNAL_SERVER_ERROR)
        else:
            ending = task.result()
        self._advance(job, ending.step, status=ending.status, reason=ending.reason)
        self._require_ledger().flush_soon()

    def _recover(self, job: TrainingJob) -> None:
        """A job whose machine has gone: SageMaker calls that an internal error, which a RetryStrategy tries again."""
        if job.status is Status.STOPPING:
            self._advance(job, Step.STOPPED, status=Status.STOPPED)
        elif job.num_restarts < job.num_restarts_allowed:
            job.num_restarts += 1
            self._advance(job, Step.RESTARTING)
            self._begin(job)
        else:
            self._advance(job, Step.FAILED, status=Status.FAILED, reason=INTERNAL_SERVER_ERROR)

    # state

    def _advance(
        self, job: TrainingJob, step: Step, *, status: Status | None = None, reason: str | None = None
    ) -> None:
        job.advance(step, at=self._clock(), status=status, reason=reason)
        self._save(job)
        self._require_ledger().tell(events.build_event(job))

    def _save(self, job: TrainingJob) -> None:
        self._require_ledger().save(_KIND, job.name, job.to_document)

    def _require_ledger(self) -> Ledger:
        if self._ledger is None:
            raise InternalError("SageMaker has not been started yet")
        return self._ledger
