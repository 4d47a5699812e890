"""The deployed local stack, started as a user starts it, on a free port and in a folder of its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
import pytest

import aimass
from aimass_local import lifecycle
from aimass_local.clients import build_client
from aimass_local.environment import DataDirectory
from tests.ports import free_port
from tests.targets import Target, client_of_target, required, skip_unless_local, target, variables_of_target

Result = TypeVar("Result")
BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running local cloud, and the ways in."""

    data: DataDirectory
    port: int
    config_path: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    """Beside this process's own; the server hands them on to everything that it starts."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_key(self) -> str:
        return str(tomllib.loads(self.config_path.read_text())["profiles"]["local"]["api_key"])

    @property
    def outputs(self) -> dict[str, str]:
        outputs: dict[str, str] = json.loads(self.data.outputs_path.read_text())
        return outputs

    def client(self, **options: Any) -> aimass.Client:
        return aimass.Client(**{"base_url": self.url, "api_key": self.api_key, **options})

    def aws(self, service: str) -> Any:
        return build_client(service, port=self.port)

    def cli(self, *arguments: str, exit_code: int = 0) -> str:
        """Runs `aimass` in a process of its own and returns its stdout."""
        done = subprocess.run(
            [str(BIN / "aimass"), *arguments], env=self.environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == exit_code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if exit_code == 0 else done.stderr

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.variables,
            "AIMASS_CONFIG_FILE": str(self.config_path),
            "AIMASS_DATA_DIR": str(self.data.root),
            "AIMASS_LOCAL_PORT": str(self.port),
            "COLUMNS": "200",
        }

    def kill(self) -> None:
        """As a power cut would."""
        skip_unless_local("It kills the local cloud")
        running = lifecycle.find(self.data)
        assert running is not None
        os.kill(running.pid, 9)
        wait_until(lambda: lifecycle.find(self.data) is None)

    def up(self) -> None:
        """`aimass local up`."""
        self.cli("local", "up", "--port", str(self.port))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed(Stack):
    """A platform that runs elsewhere already (tests.targets)."""

    base_url: str
    key: str

    @property
    def url(self) -> str:
        return self.base_url

    @property
    def api_key(self) -> str:
        return self.key

    @property
    def outputs(self) -> dict[str, str]:
        stacks = self.aws("cloudformation").describe_stacks()["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for stack in stacks for each in stack.get("Outputs", ())}

    def aws(self, service: str) -> Any:
        return client_of_target(service)

    def environment(self) -> dict[str, str]:
        ours = {"AIMASS_BASE_URL": self.base_url, "AIMASS_API_KEY": self.key, "COLUMNS": "200"}
        return {**os.environ, **self.variables, **ours, "AIMASS_CONFIG_FILE": str(self.config_path)}


def server_pid(stack: Stack) -> int:
    """The process of the local cloud, of which all others are children."""
    skip_unless_local("It looks at processes of the local cloud")
    running = lifecycle.find(stack.data)
    assert running is not None
    return running.pid


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests that leave it running."""
    folder = tmp_path_factory.mktemp("stack")
    if target() is Target.LOCAL:
        yield from run_stack(folder)
    else:
        yield _find_deployed(folder)


@pytest.fixture(scope="session")
def killed_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests that kill it, and leave it running again."""
    yield from run_stack(tmp_path_factory.mktemp("killed"))


def run_stack(folder: Path, *, variables: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """A stack in that folder, for the body of a fixture."""
    skip_unless_local("It starts a local cloud of its own")
    started = Stack(
        data=DataDirectory.at(folder / "data"),
        port=free_port(),
        config_path=folder / "config.toml",
        variables=variables or {},
    )
    # Roles are enforced by a server of its own, which `up` finds running (tests/e2e/enforcing_server.py).
    enforcing = _start_enforcing(started, folder) if "AIMASS_TEST_AUTH" in os.environ else None
    started.up()
    yield started
    lifecycle.down(started.data)
    if enforcing is not None:
        enforcing.wait(timeout=120)


def _start_enforcing(stack: Stack, folder: Path) -> subprocess.Popen[bytes]:
    program = Path(__file__).parent / "e2e" / "enforcing_server.py"
    command = [sys.executable, str(program), str(folder / "decisions.jsonl")]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--port", str(stack.port), "--data-dir", str(stack.data.root)], stdout=log, stderr=log
        )
    wait_until(lambda: (running := lifecycle.find(stack.data)) and lifecycle.is_healthy(running))
    return server


def _find_deployed(folder: Path) -> Deployed:
    url = required("AIMASS_TEST_URL").rstrip("/")
    return Deployed(
        base_url=url,
        key=required("AIMASS_TEST_API_KEY"),
        data=DataDirectory.at(folder / "data"),
        port=urlsplit(url).port or 443,
        config_path=folder / "config.toml",
        variables=variables_of_target(),
    )


@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[aimass.Client]:
    with stack.client() as made:
        yield made


@pytest.fixture(scope="session")
def loans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A train and a test CSV with numbers, categories, dates, gaps and a learnable rule."""
    folder = tmp_path_factory.mktemp("loans")
    paths = folder / "loans.csv", folder / "loans-test.csv"
    for path, num_rows, seed in ((paths[0], 1200, 0), (paths[1], 300, 1)):
        write_loans(path, num_rows=num_rows, seed=seed)
    return paths


def write_loans(path: Path, *, num_rows: int, seed: int) -> None:
    """Rows of income, age, region, since, repaid."""
    generator = np.random.default_rng(seed)
    income = generator.normal(40_000, 12_000, num_rows).round(2)
    age = generator.integers(18, 80, num_rows)
    region = generator.choice(["north", "south", "east", "wüst"], num_rows)
    day = generator.integers(0, 3650, num_rows)
    score = (income - 40_000) / 12_000 + (region == "north") * 1.5 - (age < 25) + generator.normal(0, 0.3, num_rows)
    since = np.datetime64("2015-01-01") + day
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["income", "age", "region", "since", "repaid"])
        for index in range(num_rows):
            gap = index % 17 == 0
            cells = ["" if gap else income[index], age[index], "" if index % 23 == 0 else region[index], since[index]]
            writer.writerow([*cells, "yes" if score[index] > 0 else "no"])


def wait_until(condition: Callable[[], Result], *, seconds: float = 180.0) -> Result:
    """The first truthy value of `condition`."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{condition} was not met within {seconds} s"
        time.sleep(0.05)
    return result
