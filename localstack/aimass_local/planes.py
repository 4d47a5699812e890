"""AWS Batch and SageMaker beside another AWS emulator: `python -m aimass_local.planes`.

`AWS_ENDPOINT_URL` leads to that emulator (LocalStack: http://127.0.0.1:4566; an IP, as S3 is asked by host name
otherwise). Its S3 has the data, its EventBridge gets the state changes, its CloudWatch Logs the output. Clients of the
two services come here: AWS_ENDPOINT_URL_BATCH, AWS_ENDPOINT_URL_SAGEMAKER, AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aimass_local.asgi import Receive, Scope, Send, send_body
from aimass_local.batch import BatchService
from aimass_local.clients import build_config
from aimass_local.documents import Document, StateLockedError
from aimass_local.environment import HOST, applied, endpoint_environment, endpoint_url, without_foreign_variables
from aimass_local.images import list_images
from aimass_local.sagemaker import SageMakerService
from aimass_local.serving import serve_until_stopped

DEFAULT_PORT = 4588
HEALTH_PATH = "/health"

_BATCH_PATH = "/v1/"
# Browsers send one of them with all that changes something.
_BROWSER_HEADERS = frozenset({b"origin", b"sec-fetch-site"})
# CloudWatch Logs takes 1 MiB at once, and counts 26 bytes more for each event.
_MAX_LOG_BYTES, _EVENT_BYTES = 1024**2, 26
_AWS_ERRORS = (ClientError, BotoCoreError)

_logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """Of the command line."""
    parser = argparse.ArgumentParser(prog="python -m aimass_local.planes", description=__doc__)
    parser.add_argument("--host", default=HOST, help="to listen on; 0.0.0.0 in a container")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--data-dir", type=Path, default=Path(".aimass/planes"))
    parser.add_argument("--vcpus", type=float, help="that Batch's jobs may reserve; by default the machine's")
    parser.add_argument("--memory-mib", type=int, help="the same of memory")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is stopped; returns the exit code."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with applied(_environment(os.environ, port=options.port)):
            asyncio.run(_serve(options))
    except (StateLockedError, OSError) as error:
        sys.stderr.write(f"aimass local planes: {error}\n")
        return 1
    return 0


def _environment(host_environment: Mapping[str, str], *, port: int) -> dict[str, str]:
    """Of this process and of its containers, which see the emulator, these two services, and nothing else of AWS."""
    emulator = host_environment.get("AWS_ENDPOINT_URL")
    if not emulator:
        raise OSError("AWS_ENDPOINT_URL has to lead to the emulator, such as http://127.0.0.1:4566")
    services = ("BATCH", "SAGEMAKER", "SAGEMAKER_RUNTIME")
    return {
        **without_foreign_variables(host_environment),
        **endpoint_environment(emulator),
        **{f"AWS_ENDPOINT_URL_{service}": endpoint_url(port) for service in services},
    }


async def _serve(options: argparse.Namespace) -> None:
    planes = Planes(options.data_dir, vcpus=options.vcpus, memory_mib=options.memory_mib)
    await planes.start()
    try:
        await serve_until_stopped(planes, host=options.host, port=options.port)
    finally:
        await planes.close()


class Planes:
    """Both services as one ASGI application, in the environment of `_environment`."""

    def __init__(self, data_dir: Path, *, vcpus: float | None = None, memory_mib: int | None = None) -> None:
        self._emulator = _Emulator()
        images, environment = list_images(data_dir / "images.json"), dict(os.environ)
        self._batch = BatchService(
            data_dir / "batch",
            images=images,
            environment=environment,
            vcpus=vcpus,
            memory_mib=memory_mib,
            emit_event=self._emulator.emit_event,
            put_log_events=self._emulator.put_log_events,
        )
        self._sagemaker = SageMakerService(
            data_dir / "sagemaker",
            images=images,
            environment=environment,
            s3=_build_client("s3"),
            max_running=max(1, (os.cpu_count() or 1) // 2),
            emit_event=self._emulator.emit_event,
            put_log_events=self._emulator.put_log_events,
        )

    async def start(self) -> None:
        """Raises StateLockedError where another process uses the folder."""
        await self._batch.start()
        await self._sagemaker.start()

    async def close(self) -> None:
        """Ends the containers, and sends what is still to be told."""
        await asyncio.gather(self._batch.close(), self._sagemaker.close())
        await asyncio.to_thread(self._emulator.close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; only HTTP."""
        if scope["type"] != "http":
            return
        if any(name in _BROWSER_HEADERS for name, _ in scope["headers"]):
            # Jobs run commands: no web page may submit one, of whatever name it got this address.
            await send_body(send, 403, "application/json", b'{"message": "Web pages may not call this address."}')
        elif scope["path"] == HEALTH_PATH:
            await send_body(send, 200, "application/json", b'{"status": "ready"}')
        elif scope["path"].startswith(_BATCH_PATH):
            await self._batch(scope, receive, send)
        else:
            await self._sagemaker(scope, receive, send)


class _Emulator:
    """EventBridge and CloudWatch Logs of the emulator. What they do not take is told in the log, and lost."""

    def __init__(self) -> None:
        self._events, self._logs = _build_client("events"), _build_client("logs")
        self._sending = ThreadPoolExecutor(1, thread_name_prefix="aws-events")

    def emit_event(self, event: Document) -> None:
        """In order, and off the caller's thread."""
        self._sending.submit(self._put_event, event)

    def put_log_events(self, group: str, stream: str, events: list[Document]) -> None:
        """Makes group and stream."""
        try:
            for together in _split(events):
                self._put_together(group, stream, together)
        except _AWS_ERRORS as error:
            _logger.warning("CloudWatch Logs has not taken %d lines of %s: %s", len(events), stream, error)

    def close(self) -> None:
        """Blocks until all events are sent."""
        self._sending.shutdown()

    def _put_event(self, event: Document) -> None:
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": list(event.get("resources", ())),
        }
        try:
            (answer,) = self._events.put_events(Entries=[entry])["Entries"]
        except _AWS_ERRORS as error:
            _logger.warning("EventBridge has not taken an event of %s: %s", event["source"], error)
            return
        if "ErrorCode" in answer:
            # NOTE: AWS itself lets nobody speak for its services; LocalStack does.
            _logger.warning("EventBridge has refused an event of %s: %s", event["source"], answer["ErrorMessage"])

    def _put_together(self, group: str, stream: str, events: list[Document]) -> None:
        missing, place = self._logs.exceptions.ResourceNotFoundException, {"logGroupName": group}
        try:
            self._logs.put_log_events(**place, logStreamName=stream, logEvents=events)
        except missing:
            with contextlib.suppress(self._logs.exceptions.ResourceAlreadyExistsException):
                self._logs.create_log_group(**place)
            with contextlib.suppress(self._logs.exceptions.ResourceAlreadyExistsException):
                self._logs.create_log_stream(**place, logStreamName=stream)
            self._logs.put_log_events(**place, logStreamName=stream, logEvents=events)


def _split(events: list[Document]) -> Iterator[list[Document]]:
    """As many at once as CloudWatch Logs takes."""
    together: list[Document] = []
    num_bytes = 0
    for event in events:
        size = len(event["message"].encode()) + _EVENT_BYTES
        if together and num_bytes + size > _MAX_LOG_BYTES:
            yield together
            together, num_bytes = [], 0
        together.append(event)
        num_bytes += size
    if together:
        yield together


def _build_client(service: str) -> Any:
    return boto3.client(service, config=build_config(service))


if __name__ == "__main__":
    sys.exit(main())
