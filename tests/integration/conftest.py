"""A plain emulator of AWS in a process of its own, on a free port, for adapters and storages."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import httpx2
import pytest

from aimass_core.bootstrap import AwsClients
from tests.ports import free_port
from tests.targets import Target, target, variables_of_target

_START_SECONDS = 120


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The variables that point clients at it, or at the target that runs already (tests.targets)."""
    if target() is not Target.LOCAL:
        yield variables_of_target()
        return
    port = free_port()
    folder = tmp_path_factory.mktemp("emulator")
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
    }
    server = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "S3_DATA_DIR": str(folder), "TMPDIR": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "ministack")],
            env={**os.environ, **environment, **server},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(process, environment["AWS_ENDPOINT_URL"], folder / "log")
            yield environment
        finally:
            process.terminate()
            process.wait(timeout=120)


@pytest.fixture(scope="module")
def clients(emulator: Mapping[str, str]) -> Iterator[AwsClients]:
    """boto3 clients as bootstrap makes them, of this process and of those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.items():
            patch.setenv(name, value)
        boto3.DEFAULT_SESSION = None
        yield AwsClients()
        boto3.DEFAULT_SESSION = None


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            httpx2.get(f"{url}/_ministack/health", timeout=10)
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the emulator did not answer in {_START_SECONDS} s:\n{log.read_text()}")
