"""A real server on a free port, with a small stack deployed; loopback sockets only."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from aimass_local import deployment, lifecycle
from aimass_local.clients import build_client
from aimass_local.environment import HOST, REPOSITORY, DataDirectory
from tests.sockets import allow_hosts

Result = TypeVar("Result")

STACK_DIR = Path(__file__).parent / "stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A started local cloud."""

    data: DataDirectory
    port: int
    process: subprocess.Popen[bytes]
    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        return build_client(service, port=self.port)

    def invoke(self, **event: Any) -> Any:
        """Runs the sample function and returns what it returns.

        Raises:
            AssertionError: the function failed.
        """
        answer = self.client("lambda").invoke(FunctionName="probe", Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        lifecycle.down(self.data)
        self.process.wait()

    def deploy(self) -> dict[str, str]:
        return deployment.deploy(STACK_DIR, repository=REPOSITORY, port=self.port)


Start = Callable[[Path], Cloud]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_hosts(items, Path(__file__).parent, [HOST, "localhost"])


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One server with the sample stack, for all tests that leave it running."""
    started = _start(tmp_path_factory.mktemp("cloud"), deploy=True)
    yield started
    started.stop()


@pytest.fixture
def start_cloud() -> Iterator[Start]:
    """Starts servers of the test's own, on a folder that it may start again."""
    started: list[Cloud] = []

    def start(folder: Path) -> Cloud:
        started.append(_start(folder, deploy=not (folder / "state").exists()))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Result], *, seconds: float = 120.0) -> Result:
    """The first truthy value of `condition`.

    Raises:
        AssertionError: it did not come in time.
    """
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{condition} was not met within {seconds} s"
        time.sleep(0.02)
    return result


def _start(folder: Path, *, deploy: bool) -> Cloud:
    data = DataDirectory.at(folder)
    port = free_port()
    process = lifecycle.start(data, port=port)
    outputs: dict[str, str] = {}
    if deploy:
        outputs = deployment.deploy(STACK_DIR, repository=REPOSITORY, port=port)
        data.outputs_path.write_text(json.dumps(outputs))
        lifecycle.save(port)
    else:
        outputs = json.loads(data.outputs_path.read_text())
    return Cloud(data=data, port=port, process=process, outputs=outputs)
