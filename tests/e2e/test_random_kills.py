"""J15: kill -9 of the local cloud at random moments, with several writers at work; nothing acknowledged is lost.

Five kills in `make test`; `make kills` for the 200 that FAULTS asks for, with the moments of `KILLS_SEED`.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from aimass_local import lifecycle, lock
from tests.stack import Stack, run_stack, wait_until

_NUM_KILLS = int(os.environ.get("AIMASS_TEST_KILLS", "5"))
_SEED = int(os.environ.get("AIMASS_TEST_KILLS_SEED", "15"))


@dataclass
class _Writers:
    """Write until the server is gone, and keep what it has acknowledged."""

    stack: Stack
    round: int
    queue_url: str
    datasets: list[tuple[str, str]] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        writers: list[Callable[[], None]] = [
            *[lambda number=number: self._create_datasets(number) for number in range(3)],  # type: ignore[misc]
            self._put_objects,
            self._send_messages,
            self._put_parameters,
        ]
        with ThreadPoolExecutor(len(writers)) as pool:
            running = [pool.submit(writer) for writer in writers]
            try:
                yield
            finally:
                self._stop.set()
        for each in running:
            each.result()

    def _names(self, kind: str) -> Iterator[str]:
        number = 0
        while not self._stop.is_set():
            yield f"{kind}-{self.round}-{number}"
            number += 1

    def _create_datasets(self, writer: int) -> None:
        headers = {"authorization": f"Bearer {self.stack.api_key}"}
        with httpx2.Client(base_url=self.stack.url, headers=headers, timeout=30) as client:
            for name in self._names(f"dataset-{writer}"):
                try:
                    answer = client.post("/v1/datasets", json={"name": name})
                except httpx2.TransportError:
                    return
                if answer.status_code == 201:
                    self.datasets.append((answer.json()["id"], name))
                else:
                    self.unexpected.append(answer.text)

    def _put_objects(self) -> None:
        s3, bucket = self.stack.aws("s3"), self.stack.outputs["LandingBucketName"]
        self._write("objects", self.objects, lambda name: s3.put_object(Bucket=bucket, Key=name, Body=b"x" * 1000))

    def _send_messages(self) -> None:
        sqs = self.stack.aws("sqs")
        self._write("message", self.messages, lambda name: sqs.send_message(QueueUrl=self.queue_url, MessageBody=name))

    def _put_parameters(self) -> None:
        ssm = self.stack.aws("ssm")
        self._write(
            "parameter", self.parameters, lambda name: ssm.put_parameter(Name=f"/{name}", Value=name, Type="String")
        )

    def _write(self, kind: str, acknowledged: list[str], write: Callable[[str], object]) -> None:
        for name in self._names(kind):
            try:
                write(name)
            except ClientError as error:
                self.unexpected.append(str(error))
            except BotoCoreError:
                return
            else:
                acknowledged.append(name)


def _kill_during_start(stack: Stack, moment: float) -> None:
    """Lets a start begin, and kills it after so many seconds, wherever it is then."""
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(lifecycle.start, stack.data, port=stack.port)
        holder = wait_until(lambda: lock.find_holder(stack.data.lock_path))
        _kill_at(time.monotonic() + moment, holder.pid)
        with contextlib.suppress(lifecycle.LifecycleError):
            starting.result().wait()


def _kill_at(moment: float, pid: int) -> None:
    threading.Event().wait(max(0.0, moment - time.monotonic()))
    os.kill(pid, signal.SIGKILL)


def _assert_kept(stack: Stack, written: _Writers) -> None:
    assert not written.unexpected
    headers = {"authorization": f"Bearer {stack.api_key}"}
    with httpx2.Client(base_url=stack.url, headers=headers, timeout=120) as client:
        for dataset_id, name in written.datasets:
            answer = client.get(f"/v1/datasets/{dataset_id}")
            assert answer.status_code == 200, f"{name}: {answer.text}"
            assert answer.json()["name"] == name
    s3, ssm = stack.aws("s3"), stack.aws("ssm")
    for name in written.objects:
        assert s3.head_object(Bucket=stack.outputs["LandingBucketName"], Key=name)["ContentLength"] == 1000
    for name in written.parameters:
        assert ssm.get_parameter(Name=f"/{name}")["Parameter"]["Value"] == name


def _receive_all(stack: Stack, queue_url: str) -> set[str]:
    sqs = stack.aws("sqs")
    found: set[str] = set()
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        found |= {message["Body"] for message in messages}
    return found


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    yield from run_stack(tmp_path / "stack")


@pytest.mark.timeout(300 + 60 * _NUM_KILLS)
def test_j15_kills_at_random_moments_lose_nothing_that_was_acknowledged(own_stack: Stack) -> None:
    moments = random.Random(_SEED)
    hidden = {"VisibilityTimeout": "3600"}
    queue_url = own_stack.aws("sqs").create_queue(QueueName="kept", Attributes=hidden)["QueueUrl"]
    own_stack.kill()
    process = lifecycle.start(own_stack.data, port=own_stack.port)
    sent: set[str] = set()
    counts: dict[str, int] = dict.fromkeys(("datasets", "objects", "messages", "parameters"), 0)
    try:
        for number in range(_NUM_KILLS):
            _warm_up(own_stack)
            written = _Writers(own_stack, number, queue_url)
            with written.at_work():
                if number == 0:
                    # A busy machine may take long for what a moment brings elsewhere.
                    wait_until(lambda: all(getattr(written, kind) for kind in counts))  # noqa: B023
                _kill_at(time.monotonic() + moments.uniform(0.05, 2.0), process.pid)
                process.wait()
            if number % 4 == 3:
                _kill_during_start(own_stack, moments.uniform(0, 1.2))
            process = lifecycle.start(own_stack.data, port=own_stack.port)
            _assert_kept(own_stack, written)
            sent |= set(written.messages)
            for kind in counts:
                counts[kind] += len(getattr(written, kind))
        assert sent <= _receive_all(own_stack, queue_url)
        print(f"{_NUM_KILLS} kills (seed {_SEED}); acknowledged, and each found: {counts}; lost: 0")
        assert min(counts.values()) > 0
    finally:
        process.kill()
        process.wait()


def _warm_up(stack: Stack) -> None:
    """The functions' workers begin anew with each server; kills are to meet writes and not that."""
    with stack.client() as client:
        client.http.request("GET", "/v1/me")
