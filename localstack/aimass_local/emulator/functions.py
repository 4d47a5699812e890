"""Lambda: log lines without waiting, errors with their class, a cap on workers that die alone, retries for events."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import eventbridge, lambda_svc, sqs

from aimass_local.emulator.contract import require

# Lambda's own limit on the request and on the response of a synchronous invocation (6 MB, with MB = 1024 KB).
PAYLOAD_BYTES = 6 * 1024 * 1024

_END_MARK = "\x1eaimass-end-of-invocation\x1e"
_HANDLER_ERROR_KEY = "__aimass_handler_error__"
_END_MARK_SECONDS = 5.0
_WORKER_QUEUE_SECONDS = 20.0
_PATIENCE_SECONDS = 0.25
_BEGINNING_SECONDS = 60.0

_retired: list[Any] = []
"""Workers of code that was replaced, at work on their last request."""

_logger = logging.getLogger(__name__)

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


def patch_functions(*, max_workers_per_function: int) -> None:
    """Applies the patches of this module."""
    _patch_worker_script()
    _patch_handler_results()
    _patch_worker_pool(max_workers_per_function)
    _patch_dying_workers()
    _patch_replaced_workers()
    _patch_batches()
    _patch_event_targets()


def stop_workers() -> None:
    """Ends every Lambda worker process."""
    lambda_runtime.reset()
    lambda_runtime.kill_workers(_retired)


def _patch_worker_script() -> None:
    """The worker ends the log of each invocation with a mark, so that nobody has to wait 50 ms for log lines."""
    script: str = lambda_runtime._PYTHON_WORKER_SCRIPT
    require(script.count(_INVOCATION) == 1, "the Lambda worker script's invocation block is not as expected")
    patched = (
        _PATCHED_INVOCATION.replace("__HANDLER_ERROR__", _HANDLER_ERROR_KEY)
        .replace("__END_MARK__", _END_MARK.replace("\x1e", r"\x1e"))
        .replace("__LIMIT__", str(PAYLOAD_BYTES))
    )
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_INVOCATION, patched)
    require(hasattr(lambda_runtime.Worker, "_drain_stderr_bounded"), "Worker._drain_stderr_bounded is gone")
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
    execute: Callable[..., dict[str, Any]] = lambda_svc._execute_function_warm

    def execute_function_warm(func: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
        if _is_too_large(event):
            return _request_too_large()
        outcome = execute(func, event, request_id)
        body = outcome.get("body")
        if isinstance(body, dict) and _HANDLER_ERROR_KEY in body:
            return {**outcome, "body": body[_HANDLER_ERROR_KEY], "error": True}
        return outcome

    lambda_svc._execute_function_warm = execute_function_warm


def _is_too_large(event: object) -> bool:
    """Whether an API Gateway event is larger than Lambda accepts; base64 makes it larger than the HTTP body was."""
    body = event.get("body") if isinstance(event, dict) else None
    return isinstance(body, str) and len(body) > PAYLOAD_BYTES


def _request_too_large() -> dict[str, Any]:
    answer = {
        "statusCode": 413,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": "Request Too Long"}),
    }
    return {"body": answer, "error": True}


def _patch_batches() -> None:
    """An event source of a queue gives a function as many messages as it may have; the emulator ten at most."""
    for name in ("_receive_messages_for_esm", "_collect_msgs", "_dlq_sweep", "_expire_retained", "_get_q"):
        require(callable(getattr(sqs, name, None)), f"sqs.{name} is gone")

    def receive(queue_url: str, max_number: int) -> list[dict[str, Any]]:
        with sqs._queues_lock:
            queue = sqs._get_q(queue_url)
            sqs._expire_retained(queue)
            sqs._dlq_sweep(queue)
            visible_for = int(queue["attributes"].get("VisibilityTimeout", "30"))
            batch: list[dict[str, Any]] = sqs._collect_msgs(queue, int(max_number), visible_for)
            return batch

    sqs._receive_messages_for_esm = receive


def _patch_worker_pool(max_workers_per_function: int) -> None:
    """Invocations beyond the cap wait for a free worker instead of starting one process each."""
    acquire, release = lambda_runtime.acquire_worker, lambda_runtime.release_worker
    require(lambda_svc.acquire_worker is acquire, "lambda_svc.acquire_worker is not lambda_runtime's")
    require(lambda_svc.release_worker is release, "lambda_svc.release_worker is not lambda_runtime's")
    require(callable(getattr(lambda_runtime.Worker, "_spawn", None)), "Worker._spawn is gone")
    pool = _WorkerPool(max_workers_per_function, acquire, release, lambda_runtime.Worker._spawn)

    def spawn(worker: Any) -> None:
        pool.spawn(worker)

    lambda_runtime.Worker._spawn = spawn
    lambda_runtime.acquire_worker = lambda_svc.acquire_worker = pool.acquire
    lambda_runtime.release_worker = lambda_svc.release_worker = pool.release


class _WorkerPool:
    """Workers of a function begin one after the other, and only where none becomes free for a moment.

    Whoever comes while one begins gets that one, or another that is free before. Four that begin at once take the
    processors from each other, and none is there before the last.
    """

    def __init__(
        self,
        cap: int,
        acquire: Callable[..., tuple[Any, str]],
        release: Callable[[Any], None],
        spawn: Callable[[Any], None],
    ) -> None:
        self._cap, self._acquire, self._release, self._spawn = cap, acquire, release, spawn
        self._changed = threading.Condition()
        self._beginning: dict[str, Any] = {}

    def acquire(
        self,
        func_name: str,
        config: dict[str, Any],
        code_zip: bytes,
        qualifier: str = "$LATEST",
        max_concurrency: int | None = None,
    ) -> tuple[Any, str]:
        """A worker, or None where none was free for long."""
        key = lambda_runtime._worker_key(func_name, config, qualifier)
        cap = min(max_concurrency or self._cap, self._cap)
        came = since = time.monotonic()
        while True:
            _drop_dead(key)
            with self._changed:
                if key in self._beginning and time.monotonic() - came < _BEGINNING_SECONDS:
                    since = time.monotonic()
                waited, num_workers = time.monotonic() - since, len(lambda_runtime._workers.get(key, ()))
                allowed = cap if not num_workers or waited >= _PATIENCE_SECONDS else num_workers
                worker, reason = self._acquire(
                    func_name, config, code_zip, qualifier=qualifier, max_concurrency=min(allowed, cap)
                )
                if reason == "spawn":
                    self._beginning[key] = worker
                # NOTE: a function that invokes itself deeper than the cap waits here for itself, and is then throttled.
                if worker is not None or waited > _WORKER_QUEUE_SECONDS:
                    return worker, reason
                self._changed.wait(timeout=_PATIENCE_SECONDS)

    def spawn(self, worker: Any) -> None:
        """Begins it."""
        try:
            self._spawn(worker)
        finally:
            self._end_beginning(worker)

    def release(self, worker: Any) -> None:
        """It is free."""
        self._release(worker)
        self._end_beginning(worker)

    def _end_beginning(self, worker: Any) -> None:
        with self._changed:
            self._beginning = {key: each for key, each in self._beginning.items() if each is not worker}
            self._changed.notify_all()


def _drop_dead(key: str) -> None:
    """Nobody is given a worker that has died while it had nothing to do, as long as there are others."""
    with lambda_runtime._lock:
        workers = lambda_runtime._workers.get(key, [])
        dead = [
            each for each in workers if not each.in_use and each._proc is not None and each._proc.poll() is not None
        ]
        workers[:] = [each for each in workers if each not in dead]
    lambda_runtime.kill_workers(dead)


def _patch_dying_workers() -> None:
    """A worker that dies while it begins dies alone, and begins once more, as on AWS: no request is in its hands yet.

    The emulator would end all workers of its function, and with them the requests that these have.
    """
    worker_class = lambda_runtime.Worker
    require(callable(getattr(worker_class, "_spawn", None)), "Worker._spawn is gone")
    require(callable(getattr(lambda_runtime, "kill_workers", None)), "lambda_runtime.kill_workers is gone")
    spawn, invoke = worker_class._spawn, worker_class.invoke

    def spawn_twice(worker: Any) -> None:
        try:
            spawn(worker)
        except (OSError, RuntimeError) as error:
            _logger.warning("a worker of %s has not begun, and begins again: %s", worker.func_name, error)
            lambda_runtime.kill_workers([worker])
            spawn(worker)

    def invoke_alone(worker: Any, *args: Any, **options: Any) -> dict[str, Any]:
        try:
            outcome: dict[str, Any] = invoke(worker, *args, **options)
        except (OSError, RuntimeError) as error:
            lambda_runtime.kill_workers([worker])
            return {"status": "error", "error": str(error), "cold_start": True}
        return outcome

    worker_class._spawn, worker_class.invoke = spawn_twice, invoke_alone


def _patch_replaced_workers() -> None:
    """A worker whose code or configuration is replaced ends what it is at, as on AWS: a deployment fails no request."""
    invalidate, release = lambda_runtime.invalidate_worker, lambda_runtime.release_worker
    require(lambda_svc.invalidate_worker is invalidate, "lambda_svc.invalidate_worker is not lambda_runtime's")

    def invalidate_idle(func_name: str, *args: Any, **options: Any) -> None:
        with lambda_runtime._lock:
            for key, workers in lambda_runtime._workers.items():
                if func_name in key.split(":"):
                    _retired.extend(worker for worker in workers if worker.in_use)
                    workers[:] = [worker for worker in workers if not worker.in_use]
        invalidate(func_name, *args, **options)

    def release_or_end(worker: Any) -> None:
        release(worker)
        with lambda_runtime._lock:
            is_retired = worker in _retired
            if is_retired:
                _retired.remove(worker)
        if is_retired:
            lambda_runtime.kill_workers([worker])

    lambda_runtime.invalidate_worker = lambda_svc.invalidate_worker = invalidate_idle
    lambda_runtime.release_worker = lambda_svc.release_worker = release_or_end


def _patch_event_targets() -> None:
    """A rule invokes its function asynchronously: with Lambda's retries and dead letter queue, not just once."""
    require(callable(getattr(eventbridge, "_dispatch_to_lambda", None)), "eventbridge._dispatch_to_lambda is gone")

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        function, config, name = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            _logger.warning("EventBridge: the target function %s does not exist", name)
            return
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch_to_lambda
