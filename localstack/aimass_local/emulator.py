"""Every patch of the emulator (MiniStack) and every hook into it: no other module names one of its private parts.

MiniStack is imported as a library and pinned to one version. Each patch first checks that what it replaces is what it
expects, and raises `EmulatorChangedError` otherwise, so that an upgrade fails at start and not in some far-off request.
The environment variables of `environment.server_environment` have to be set before this module is imported.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import queue
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from ministack import app as ministack_app
from ministack.core import lambda_runtime, persistence, responses
from ministack.services import (
    apigateway,
    cloudwatch_logs,
    dynamodb,
    eventbridge,
    lambda_svc,
    s3,
    stepfunctions,
)
from ministack.services.cloudformation import provisioners

from aimass_local.environment import ACCOUNT_ID, REGION
from aimass_local.state import StateUnreadableError, write_atomically

PINNED_VERSION = "1.5.33"
# Lambda's own limit on the request and on the response of a synchronous invocation (6 MB, with MB = 1024 KB).
LAMBDA_PAYLOAD_BYTES = 6 * 1024 * 1024
STREAM_RECORDS_KEY = "stream_records"

_END_MARK = "\x1eaimass-end-of-invocation\x1e"
_HANDLER_ERROR_KEY = "__aimass_handler_error__"
_END_MARK_SECONDS = 5.0
_WORKER_QUEUE_SECONDS = 20.0
_SNAPSHOT_ATTEMPTS = 20

Handler = Callable[..., Any]
Result = TypeVar("Result")

application = ministack_app.app
_logger = logging.getLogger(__name__)
_events = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aws-events")


class EmulatorChangedError(Exception):
    """The emulator is not the version that the patches were written for."""


def install_patches(*, max_workers_per_function: int, multipart_path: Path) -> None:
    """Applies all patches. Call once per process, before the first request.

    Args:
        max_workers_per_function: processes that run one function at the same time.
        multipart_path: folder that keeps the parts of unfinished uploads.

    Raises:
        EmulatorChangedError: a patched name or text is not as expected.
    """
    _require(version("ministack") == PINNED_VERSION, f"MiniStack {version('ministack')} instead of {PINNED_VERSION}")
    _patch_worker_script()
    _patch_handler_results()
    _patch_worker_pool(max_workers_per_function)
    _patch_cloudformation_properties()
    _patch_event_targets()
    _patch_persistence()
    _patch_multipart_uploads(multipart_path)


# --- hooks for our own services ------------------------------------------------------------------------------------


def emit_event(event: Mapping[str, Any]) -> None:
    """Sends one event of an AWS service to EventBridge, in order and off the caller's thread.

    Args:
        event: as a rule's target receives it: `source`, `detail-type`, `detail`, `resources`, and optionally
            `id`, `time` (ISO 8601), `account`, `region`.
    """
    record = {
        "EventId": event.get("id") or str(uuid.uuid4()),
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Resources": list(event.get("resources", ())),
        "EventBusName": "default",
        "Time": event.get("time") or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Account": event.get("account", ACCOUNT_ID),
        "Region": event.get("region", REGION),
    }
    _events.submit(_in_account, eventbridge._dispatch_event, record)


def put_log_events(group: str, stream: str, events: Sequence[Mapping[str, Any]]) -> None:
    """Appends `{"timestamp": milliseconds, "message": text}` rows to CloudWatch Logs; makes group and stream."""
    _in_account(_put_log_events, group, stream, [dict(event) for event in events])


def register_cloudformation(resource_type: str, handlers: Mapping[str, Any]) -> None:
    """Teaches CloudFormation a resource type.

    Args:
        resource_type: such as `AWS::Batch::JobQueue`.
        handlers: `create(logical_id, properties, stack) -> (physical_id, attributes)`,
            `update(physical_id, old, new, stack, logical_id) -> (physical_id, attributes)` with
            `"update_with_logical_id": True`, and `delete(physical_id, properties)`.
    """
    provisioners._RESOURCE_HANDLERS[resource_type] = dict(handlers)


def register_step_functions(resource: str, handler: Callable[[str, dict[str, Any]], Any]) -> None:
    """Makes `resource` (`arn:aws:states:::batch:submitJob`, also with `.sync`) a task of state machines."""
    stepfunctions._SERVICE_DISPATCH[resource] = handler


# --- state -------------------------------------------------------------------------------------------------------


def state_keys() -> frozenset[str]:
    """Names of all state files of the services that have been used."""
    return frozenset(ministack_app._build_persistence_save_dict()) | {STREAM_RECORDS_KEY}


async def snapshot(keys: Collection[str]) -> dict[str, Any]:
    """Takes a consistent copy of each service's state.

    Has to run on the server's event loop: DynamoDB and most others change only there. The few that also change in
    threads (logs, Lambda) are copied again if they changed meanwhile.
    """
    getters: dict[str, Callable[[], Any]] = dict(ministack_app._build_persistence_save_dict())
    getters[STREAM_RECORDS_KEY] = _pending_stream_records
    states: dict[str, Any] = {}
    # NOTE: no `await` between DynamoDB and its stream records, or a write could be in the one and not in the other.
    pair = [key for key in ("dynamodb", STREAM_RECORDS_KEY) if key in keys and key in getters]
    states.update(await _copy_state(lambda: {key: getters[key]() for key in pair}))
    for key in sorted(set(keys) & set(getters) - set(pair)):
        state = await _copy_state(getters[key])
        if state is not None:
            states[key] = state
        await asyncio.sleep(0)
    return states


def encode_state(key: str, state: object) -> bytes:
    """The content of the state file `<key>.json`, as the emulator reads it."""
    document = {"__ministack_format__": persistence._state_format_version(key), "payload": state}
    return json.dumps(document, default=persistence._json_default).encode()


def trim_logs(*, max_streams: int, max_events: int) -> None:
    """Drops the oldest log streams of each group: every invocation makes one, and nothing else ends them."""
    for group in list(cloudwatch_logs._log_groups._data.values()):
        streams = group["streams"]
        newest_first = sorted(streams.items(), key=lambda item: item[1]["creationTime"], reverse=True)
        num_events = 0
        for position, (name, stream) in enumerate(newest_first):
            num_events += len(stream["events"])
            if position >= max_streams or (position > 0 and num_events > max_events):
                streams.pop(name, None)
    records = cloudwatch_logs._log_records._data
    for pointer in list(records)[: max(0, len(records) - max_events)]:
        records.pop(pointer, None)


def stop_workers() -> None:
    """Ends every Lambda worker process."""
    lambda_runtime.reset()


# --- Lambda ------------------------------------------------------------------------------------------------------

_INVOCATION = r"""        try:
            result = handler_fn(event, context)
            _real_stdout.write(json.dumps({"status": "ok", "result": result}) + "\n")
        except Exception as e:
            _real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\n")
        _real_stdout.flush()
"""

# An error of the handler is an answer like any other: the worker stays warm, as on AWS.
_PATCHED_INVOCATION = r"""        def _failure(kind, message, stack):
            error = {"errorMessage": message, "errorType": kind, "stackTrace": stack}
            error["requestId"] = context.aws_request_id
            return json.dumps({"status": "ok", "result": {"__HANDLER_ERROR__": error}})
        try:
            _answer = json.dumps({"status": "ok", "result": handler_fn(event, context)})
            if len(_answer) > __LIMIT__:
                _size = len(json.dumps(json.loads(_answer)["result"], ensure_ascii=False).encode())
                if _size > __LIMIT__:
                    _answer = _failure("Function.ResponseSizeTooLarge", "Response payload size (%d bytes) exceeded "
                                       "maximum allowed payload size (%d bytes)." % (_size, __LIMIT__), [])
        except Exception as e:
            sys.stderr.write(traceback.format_exc())
            _answer = _failure(type(e).__name__, str(e), traceback.format_tb(e.__traceback__)[1:])
        sys.stderr.write("__END_MARK__\n")
        sys.stderr.flush()
        _real_stdout.write(_answer + "\n")
        _real_stdout.flush()
"""


def _patch_worker_script() -> None:
    """The worker ends the log of each invocation with a mark, so that nobody has to wait 50 ms for log lines."""
    script: str = lambda_runtime._PYTHON_WORKER_SCRIPT
    _require(script.count(_INVOCATION) == 1, "the Lambda worker script's invocation block is not as expected")
    patched = (
        _PATCHED_INVOCATION.replace("__HANDLER_ERROR__", _HANDLER_ERROR_KEY)
        .replace("__END_MARK__", _END_MARK.replace("\x1e", r"\x1e"))
        .replace("__LIMIT__", str(LAMBDA_PAYLOAD_BYTES))
    )
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_INVOCATION, patched)
    _require(hasattr(lambda_runtime.Worker, "_drain_stderr_bounded"), "Worker._drain_stderr_bounded is gone")
    lambda_runtime.Worker._drain_stderr_bounded = _drain_until_mark


def _drain_until_mark(worker: Any, *_waits: float) -> str:
    """All log lines of the invocation that has just ended on this worker."""
    lines: list[str] = []
    deadline = time.monotonic() + _END_MARK_SECONDS
    while time.monotonic() < deadline:
        try:
            line: str = worker._stderr_queue.get(timeout=0.05)
        except queue.Empty:
            if worker._proc is None or worker._proc.poll() is not None:
                break
            continue
        if line.endswith(_END_MARK):
            lines += [line.removesuffix(_END_MARK)] if line != _END_MARK else []
            break
        lines.append(line)
    return "\n".join(lines)


def _patch_handler_results() -> None:
    """Handler errors keep their class and stack trace (Step Functions' `Catch` matches on the class)."""
    execute: Handler = lambda_svc._execute_function_warm

    def execute_function_warm(func: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
        if _is_too_large(event):
            return _request_too_large()
        outcome: dict[str, Any] = execute(func, event, request_id)
        body = outcome.get("body")
        if isinstance(body, dict) and _HANDLER_ERROR_KEY in body:
            return {**outcome, "body": body[_HANDLER_ERROR_KEY], "error": True}
        return outcome

    lambda_svc._execute_function_warm = execute_function_warm


def _is_too_large(event: object) -> bool:
    """Whether an API Gateway event is larger than Lambda accepts; base64 makes it larger than the HTTP body was."""
    body = event.get("body") if isinstance(event, dict) else None
    return isinstance(body, str) and len(body) > LAMBDA_PAYLOAD_BYTES


def _request_too_large() -> dict[str, Any]:
    answer = {
        "statusCode": 413,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": "Request Too Long"}),
    }
    return {"body": answer, "error": True}


def _patch_worker_pool(max_workers_per_function: int) -> None:
    """Invocations beyond the cap wait for a free worker instead of starting one process each."""
    acquire, release = lambda_runtime.acquire_worker, lambda_runtime.release_worker
    _require(lambda_svc.acquire_worker is acquire, "lambda_svc.acquire_worker is not lambda_runtime's")
    _require(lambda_svc.release_worker is release, "lambda_svc.release_worker is not lambda_runtime's")
    freed = threading.Condition()

    def acquire_worker(
        func_name: str,
        config: dict[str, Any],
        code_zip: bytes,
        qualifier: str = "$LATEST",
        max_concurrency: int | None = None,
    ) -> tuple[Any, str]:
        cap = min(max_concurrency or max_workers_per_function, max_workers_per_function)
        deadline = time.monotonic() + _WORKER_QUEUE_SECONDS
        while True:
            worker, reason = acquire(func_name, config, code_zip, qualifier=qualifier, max_concurrency=cap)
            # NOTE: a function that invokes itself deeper than the cap waits here for itself, and is then throttled.
            if worker is not None or time.monotonic() > deadline:
                return worker, reason
            with freed:
                freed.wait(timeout=0.25)

    def release_worker(worker: Any) -> None:
        release(worker)
        with freed:
            freed.notify()

    lambda_runtime.acquire_worker = lambda_svc.acquire_worker = acquire_worker
    lambda_runtime.release_worker = lambda_svc.release_worker = release_worker


def _patch_event_targets() -> None:
    """A rule invokes its function asynchronously: with Lambda's retries and dead letter queue, not just once."""
    _require(callable(getattr(eventbridge, "_dispatch_to_lambda", None)), "eventbridge._dispatch_to_lambda is gone")

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        function, config, name = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            _logger.warning("EventBridge: the target function %s does not exist", name)
            return
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch_to_lambda


# --- CloudFormation ----------------------------------------------------------------------------------------------


def _patch_cloudformation_properties() -> None:
    """Properties that the emulator's CloudFormation drops or stores in a form that its own service does not read."""
    _after("AWS::Lambda::Function", _keep_function_properties)
    _after("AWS::ApiGatewayV2::Api", _keep_cors_configuration)


def _after(resource_type: str, keep: Callable[[str, dict[str, Any]], None]) -> None:
    handlers = provisioners._RESOURCE_HANDLERS.get(resource_type, {})
    _require({"create", "update"} <= set(handlers), f"CloudFormation's handler of {resource_type} is not as expected")
    create, update = handlers["create"], handlers["update"]

    def create_and_keep(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        result = create(logical_id, properties, stack)
        keep(result[0], properties)
        return result

    def update_and_keep(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any, **named: Any) -> Any:
        result = update(physical_id, old, new, *rest, **named)
        keep(result[0], new)
        return result

    handlers["create"], handlers["update"] = create_and_keep, update_and_keep


def _keep_function_properties(name: str, properties: dict[str, Any]) -> None:
    function = lambda_svc._functions[name]
    reserved = properties.get("ReservedConcurrentExecutions")
    function["concurrency"] = None if reserved is None else int(reserved)
    if properties.get("DeadLetterConfig"):
        function["config"]["DeadLetterConfig"] = properties["DeadLetterConfig"]
    else:
        function["config"].pop("DeadLetterConfig", None)


def _keep_cors_configuration(api_id: str, properties: dict[str, Any]) -> None:
    cors = properties.get("CorsConfiguration")
    if cors:
        apigateway._apis[api_id]["corsConfiguration"] = {key[0].lower() + key[1:]: value for key, value in cors.items()}


# --- persistence -------------------------------------------------------------------------------------------------


def _patch_persistence() -> None:
    """Saving is `state.py`'s; loading refuses unreadable files and brings back the stream records not yet consumed."""
    for name in ("save_all", "load_state", "_load_persisted_state", "_build_persistence_save_dict"):
        _require(callable(getattr(ministack_app, name, None)), f"ministack.app.{name} is gone")
    load_all = ministack_app._load_persisted_state

    def load_persisted_state() -> None:
        load_all()
        _restore_stream_records(_load_state(STREAM_RECORDS_KEY))

    def save_nothing(_services: Mapping[str, Callable[[], Any]]) -> None:
        """The state saver has the last word, after the server has stopped."""

    ministack_app.load_state = _load_state
    ministack_app._load_persisted_state = load_persisted_state
    ministack_app.save_all = save_nothing


def _load_state(key: str) -> Any:
    state = persistence.load_state(key)
    path = Path(persistence.STATE_DIR) / f"{key}.json"
    if state is None and path.exists():
        raise StateUnreadableError(
            f"cannot read {path}: move it away to go on without it, or run `aimass local reset` to begin anew"
        )
    return state


def _pending_stream_records() -> dict[str, Any]:
    """DynamoDB stream records that at least one event source mapping has not consumed yet.

    The emulator keeps them in memory only, and persists the mappings' positions: after a restart the positions would
    point past the end of the emptied stream, and the next records would be skipped.
    """
    positions: dict[tuple[str, str, str], list[int]] = {}
    with lambda_svc._dynamodb_stream_positions_lock:
        for (account, region, mapping_id), position in lambda_svc._dynamodb_stream_positions._data.items():
            mapping = lambda_svc._esms._data.get((account, region, mapping_id))
            table = _stream_table(mapping)
            if table:
                positions.setdefault((account, region, table), []).append(position)
    pending = responses.AccountRegionScopedDict()
    for scoped_table, consumed in positions.items():
        records = dynamodb._stream_records._data.get(scoped_table, [])
        trimmed = dynamodb._stream_trimmed._data.get(scoped_table, 0)
        waiting = records[max(0, min(consumed) - trimmed) :]
        if waiting:
            pending._data[scoped_table] = list(waiting)
    return {"records": pending}


def _restore_stream_records(state: Any) -> None:
    with lambda_svc._dynamodb_stream_positions_lock:
        for scoped_mapping in list(lambda_svc._dynamodb_stream_positions._data):
            lambda_svc._dynamodb_stream_positions._data[scoped_mapping] = 0
    if state:
        dynamodb._stream_records._data.update(state["records"]._data)


def _stream_table(mapping: Mapping[str, Any] | None) -> str | None:
    """The table of `arn:aws:dynamodb:<region>:<account>:table/<table>/stream/<label>`."""
    arn = (mapping or {}).get("EventSourceArn", "")
    return arn.split("/")[1] if ":dynamodb:" in arn and "/stream/" in arn else None


def _patch_multipart_uploads(folder: Path) -> None:
    """Parts of unfinished uploads are on disk before they are acknowledged, as whole objects are."""
    uploads = _UnfinishedUploads(folder)
    uploads.load()
    for name, keep in (
        ("_create_multipart_upload", uploads.keep_uploads),
        ("_upload_part", uploads.keep_part),
        ("_upload_part_copy", uploads.keep_part),
        ("_complete_multipart_upload", uploads.keep_uploads),
        ("_abort_multipart_upload", uploads.keep_uploads),
    ):
        _require(callable(getattr(s3, name, None)), f"s3.{name} is gone")
        setattr(s3, name, _then(getattr(s3, name), keep))


def _then(handle: Handler, keep: Callable[[Mapping[str, Any]], None]) -> Handler:
    def handle_and_keep(*arguments: Any, **named: Any) -> Any:
        answer = handle(*arguments, **named)
        if answer[0] < 300:
            keep(next((argument for argument in arguments if isinstance(argument, dict)), {}))
        return answer

    return handle_and_keep


class _UnfinishedUploads:
    """A folder per upload: `upload.json`, and for each part its bytes and `<number>.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: set[tuple[str, str]] = set()

    def load(self) -> None:
        for path in self._folder.glob("*/*/upload.json"):
            upload = self._decode(path)
            for part_path in path.parent.glob("[0-9]*.json"):
                body = part_path.with_suffix(".bin").read_bytes()
                upload["parts"][int(part_path.stem)] = {**self._decode(part_path), "body": body}
            scoped_id = (path.parent.parent.name, path.parent.name)
            s3._multipart_uploads._data[scoped_id] = upload
            self._kept.add(scoped_id)

    def keep_uploads(self, _query: Mapping[str, Any]) -> None:
        """Brings the folders in line with the uploads that there are."""
        present = set(s3._multipart_uploads._data)
        for scoped_id in present - self._kept:
            self._write(scoped_id, "upload.json", {**s3._multipart_uploads._data[scoped_id], "parts": {}})
        for account, upload_id in self._kept - present:
            shutil.rmtree(self._folder / account / upload_id, ignore_errors=True)
        self._kept = present

    def keep_part(self, query: Mapping[str, Any]) -> None:
        scoped_id = (responses.get_account_id(), s3._qp(query, "uploadId"))
        number = int(s3._qp(query, "partNumber"))
        parts = s3._multipart_uploads._data[scoped_id]["parts"]
        # NOTE: UploadPartCopy numbers its parts in text, UploadPart in numbers.
        part = parts.pop(str(number), None) or parts[number]
        parts[number] = part
        write_atomically(self._folder.joinpath(*scoped_id, f"{number}.bin"), part["body"])
        self._write(scoped_id, f"{number}.json", {key: value for key, value in part.items() if key != "body"})

    def _write(self, scoped_id: tuple[str, str], name: str, content: Mapping[str, Any]) -> None:
        path = self._folder.joinpath(*scoped_id, name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, json.dumps(content, default=persistence._json_default).encode())

    def _decode(self, path: Path) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(path.read_bytes(), object_hook=persistence._json_object_hook)
        return content


async def _copy_state(getter: Callable[[], Any]) -> Any:
    for _ in range(_SNAPSHOT_ATTEMPTS):
        try:
            return getter()
        except RuntimeError as error:
            # "dictionary changed size during iteration": a thread was writing.
            _logger.debug("state changed while it was copied: %s", error)
            await asyncio.sleep(0.01)
    return getter()


# --- shared ------------------------------------------------------------------------------------------------------


def _put_log_events(group: str, stream: str, events: list[dict[str, Any]]) -> None:
    if group not in cloudwatch_logs._log_groups:
        cloudwatch_logs._create_log_group({"logGroupName": group})
    if stream not in cloudwatch_logs._log_groups[group]["streams"]:
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    cloudwatch_logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": events})


def _in_account(function: Callable[..., Result], *arguments: Any) -> Result:
    """Runs `function` in the local account and region without changing the caller's context."""

    def scoped() -> Result:
        responses.set_request_account_id(ACCOUNT_ID)
        responses.set_request_region(REGION)
        return function(*arguments)

    return contextvars.copy_context().run(scoped)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise EmulatorChangedError(
            f"{what}. The local cloud needs ministack=={PINNED_VERSION}: pip install ministack[full]=={PINNED_VERSION}"
        )
