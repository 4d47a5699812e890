"""`python -m batch_jobs serve` in processes of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from tests.ports import free_port

START_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Server:
    """A container that runs."""

    process: "subprocess.Popen[bytes]"
    port: int
    grpc_port: int
    log: Path

    @property
    def url(self) -> str:
        """Of HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # it has died meanwhile
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def is_ready(self) -> bool:
        """As whoever runs the container asks."""
        try:
            return httpx2.get(f"{self.url}/ping", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@contextmanager
def serving(models: Path, *arguments: str, **variables: str) -> Iterator[Server]:
    """Ready, until the end of the block."""
    port, grpc_port, log = free_port(), free_port(), models.parent / "server.log"
    command = [sys.executable, "-m", "batch_jobs", "serve", "--models", str(models), "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--grpc-port", str(grpc_port), *arguments],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "SAGEMAKER_BASE_DIR": str(models.parent / "nowhere"), **variables},
        )
    server = Server(process=process, port=port, grpc_port=grpc_port, log=log)
    try:
        wait_until(server.is_ready, process=process, log=log)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait_until(condition: Callable[[], bool], *, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Raises AssertionError with the log where it does not come to that."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
