"""The service: an ASGI application that speaks EMR Serverless's protocol, and runs Spark on this machine.

An application is a name for its runs, which get this machine's Python, with PySpark, for the application's image. A run
has to bring a policy (`executionIamPolicy`): what it may read is brought to it, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from botocore import model

from aimass_local.asgi import Receive, Scope, Send, read_body, send_body
from aimass_local.containers import Image, PutLogEvents, Watchdog, clear_runs
from aimass_local.documents import Document, DocumentStore, NotSavedError
from aimass_local.emr_serverless.buckets import read_policy
from aimass_local.emr_serverless.errors import (
    ConflictError,
    EmrServerlessError,
    InternalError,
    NotFoundError,
    ValidationError,
)
from aimass_local.emr_serverless.runs import Execution, JobRun, Machine, State, find_spark
from aimass_local.environment import ACCOUNT_ID, REGION, REPOSITORY
from aimass_local.rest_json import RestJson, is_reading, load_description

_STOP_GRACE_SECONDS = 5.0
_MAX_LOG_BYTES = 50_000_000
_MAX_BODY_BYTES = 4_000_000
_APPLICATION, _RUN = "application", "job-run"

_logger = logging.getLogger(__name__)


class EmrServerlessService:
    """EMR Serverless on this machine.

    Args:
        data_dir: keeps the state and the folders of running runs; one server at a time.
        environment: variables of every run; nothing else is inherited.
        s3: a boto3 client; used in threads.
        put_log_events: takes `(group, stream, events)`. Called in threads.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        environment: Mapping[str, str],
        s3: Any,
        put_log_events: PutLogEvents,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._clock = clock
        self._machine = Machine(
            image=Image(python=Path(sys.executable), cwd=REPOSITORY),
            environment=environment,
            run_folder=self._data_dir / "run",
            s3=s3,
            put_log_events=put_log_events,
            clock=clock,
            stop_grace_seconds=_STOP_GRACE_SECONDS,
            max_log_bytes=_MAX_LOG_BYTES,
            watchdog=Watchdog(),
        )
        self._applications: dict[str, Document] = {}
        self._runs: dict[str, JobRun] = {}
        self._executions: dict[str, Execution] = {}
        self._tasks: set[asyncio.Task[tuple[State, str]]] = set()
        self._store: DocumentStore | None = None
        self._is_closing = False
        self._operations: dict[str, Callable[[Document], Document]] = {
            "CreateApplication": self._create_application,
            "StartJobRun": self._start_run,
            "GetJobRun": lambda parameters: {"jobRun": self._find(parameters).to_description()},
            "ListJobRuns": self._list_runs,
            "CancelJobRun": self._cancel_run,
        }

    async def start(self) -> None:
        """Opens the state, and ends what a killed server left running: those runs have failed.

        Raises:
            StateLockedError: another server uses the folder.
        """
        self._store = DocumentStore.open(self._data_dir / "emr-serverless.sqlite3")
        await asyncio.to_thread(clear_runs, self._machine.run_folder)
        self._applications = dict(self._store.load(_APPLICATION))
        self._runs = {name: JobRun.from_document(document) for name, document in self._store.load(_RUN)}
        for run in self._runs.values():
            if not run.state.is_final:
                self._advance(run, State.FAILED, "Job failed: its machine has gone")

    async def close(self) -> None:
        """Ends what runs; at the next start it has failed."""
        if self._store is None:
            return
        self._is_closing = True
        for execution in self._executions.values():
            execution.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._machine.watchdog.close()
        self._store.close()
        self._store = None

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
                raise ValidationError(f"the request is larger than {_MAX_BODY_BYTES:,} bytes")
            operation, parameters = _protocol().parse(method, path, query, body)
            if operation not in self._operations:
                raise ValidationError(f"{operation} is not supported by the local EMR Serverless")
            answer = _protocol().validate_answer(operation, self._operations[operation](parameters))
            if not is_reading(operation):
                self._flush()
        except EmrServerlessError as error:
            if isinstance(error, InternalError):
                _logger.error("%s", error.message)
            return error.status, {"message": error.message}, {**request_id, "x-amzn-errortype": error.code}
        return 200, answer, request_id

    # operations

    def _create_application(self, parameters: Document) -> Document:
        if parameters["type"].upper() != "SPARK":
            raise ValidationError(f"the local EMR Serverless runs Spark alone, and no {parameters['type']}")
        application_id = f"00{secrets.token_hex(7)}"
        self._applications[application_id] = parameters
        self._require_store().save(_APPLICATION, application_id, lambda: parameters)
        arn = f"arn:aws:emr-serverless:{REGION}:{ACCOUNT_ID}:/applications/{application_id}"
        return {"applicationId": application_id, "arn": arn}

    def _start_run(self, parameters: Document) -> Document:
        application = self._applications.get(parameters["applicationId"])
        if application is None:
            raise NotFoundError(f"Application {parameters['applicationId']} does not exist")
        for known in self._runs.values():
            if known.request["clientToken"] == parameters["clientToken"]:
                if known.request != parameters:
                    raise ConflictError("The client token was used for another request")
                return _to_started(known)
        _check(parameters)
        now = self._clock()
        run_id = f"00{secrets.token_hex(7)}"
        run = JobRun(
            request=parameters, run_id=run_id, release=application["releaseLabel"], created_at=now, changed_at=now
        )
        self._runs[run_id] = run
        self._advance(run, State.SUBMITTED, "Job submitted")
        self._flush()
        self._begin(run)
        return _to_started(run)

    def _list_runs(self, parameters: Document) -> Document:
        """All of an application, the newest first; nothing else of them is asked here."""
        if others := parameters.keys() - {"applicationId"}:
            raise ValidationError(f"ListJobRuns takes no {', '.join(sorted(others))} on the local EMR Serverless")
        found = [run for run in self._runs.values() if run.request["applicationId"] == parameters["applicationId"]]
        found.sort(key=lambda run: run.created_at, reverse=True)
        return {"jobRuns": [run.to_summary() for run in found]}

    def _cancel_run(self, parameters: Document) -> Document:
        run = self._find(parameters)
        if run.state.is_final:
            raise ValidationError(f"Job run {run.run_id} is in state {run.state} and cannot be cancelled")
        self._advance(run, State.CANCELLING, "Job is being cancelled")
        self._executions[run.run_id].stop()
        return {"applicationId": parameters["applicationId"], "jobRunId": run.run_id}

    def _find(self, parameters: Document) -> JobRun:
        run = self._runs.get(parameters["jobRunId"])
        if run is None or run.request["applicationId"] != parameters["applicationId"]:
            raise NotFoundError(f"Job run {parameters['jobRunId']} does not exist")
        return run

    # runs

    def _begin(self, run: JobRun) -> None:
        def note_state(state: State, details: str) -> None:
            if not self._is_closing and run.state is not State.CANCELLING:
                self._advance(run, state, details)

        execution = self._executions[run.run_id] = Execution(run, self._machine, on_state=note_state)
        task = asyncio.get_running_loop().create_task(execution.execute(), name=f"job run {run.run_id}")
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._note_end(run, task))

    def _note_end(self, run: JobRun, task: asyncio.Task[tuple[State, str]]) -> None:
        self._tasks.discard(task)
        del self._executions[run.run_id]
        if self._is_closing or task.cancelled():
            return
        if error := task.exception():
            _logger.error("the job run %s broke", run.run_id, exc_info=error)
            self._advance(run, State.FAILED, "Job failed: internal error")
            return
        self._advance(run, *task.result())

    # state

    def _advance(self, run: JobRun, state: State, details: str) -> None:
        run.state, run.details, run.changed_at = state, details, self._clock()
        self._require_store().save(_RUN, run.run_id, run.to_document)
        if state.is_final:
            try:
                self._flush()
            except InternalError as error:
                # The next change saves it; until then a killed server takes the run for one that has failed.
                _logger.error("%s", error.message)

    def _flush(self) -> None:
        try:
            self._require_store().flush()
        except NotSavedError as error:
            raise InternalError(str(error)) from error

    def _require_store(self) -> DocumentStore:
        if self._store is None:
            raise InternalError("EMR Serverless has not been started yet")
        return self._store


def _check(parameters: Document) -> None:
    """What this machine cannot give is refused, never left out silently."""
    if "sparkSubmit" not in parameters.get("jobDriver", {}):
        raise ValidationError("jobDriver.sparkSubmit is required: the local EMR Serverless runs Spark alone")
    if "policy" not in parameters.get("executionIamPolicy", {}):
        raise ValidationError(
            "executionIamPolicy.policy is required: the local EMR Serverless brings a run what it allows to read"
        )
    for name in ("retryPolicy", "configurationOverrides"):
        if name in parameters:
            raise ValidationError(f"{name} is not supported by the local EMR Serverless")
    if parameters.get("mode", "BATCH") != "BATCH":
        raise ValidationError("the local EMR Serverless has no streaming jobs")
    if not parameters["jobDriver"]["sparkSubmit"]["entryPoint"].startswith("s3://"):
        raise ValidationError("jobDriver.sparkSubmit.entryPoint has to lie in S3: there are no images on this machine")
    try:
        for action in ("s3:GetObject", "s3:PutObject"):
            read_policy(parameters["executionIamPolicy"]["policy"], action)
    except (ValueError, KeyError, TypeError) as error:
        raise ValidationError(f"executionIamPolicy.policy cannot be kept by this machine: {error}") from error
    find_spark()


def _to_started(run: JobRun) -> Document:
    return {"applicationId": run.request["applicationId"], "jobRunId": run.run_id, "arn": run.arn}


@cache
def _protocol() -> RestJson:
    return RestJson(
        model.ServiceModel(load_description("emr-serverless"), "emr-serverless"),
        invalid=ValidationError,
        unknown=NotFoundError,
        broken=InternalError,
    )
