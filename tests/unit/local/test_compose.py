"""The compose file of LocalStack with our Batch and SageMaker beside it, as far as it can be read without Docker."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from aimass_local import planes
from aimass_local.environment import REPOSITORY

_FOLDER = REPOSITORY / "localstack"


@pytest.fixture
def services() -> dict[str, Any]:
    document = yaml.safe_load((_FOLDER / "docker-compose.yml").read_text("utf-8"))
    assert set(document) == {"services", "volumes"}
    found: dict[str, Any] = document["services"]
    return found


def _instructions(name: str) -> list[str]:
    text = (_FOLDER / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return re.findall(rf"^{name} +(.*)$", text, re.MULTILINE)


def test_the_image_runs_a_command_that_there_is(services: dict[str, Any]) -> None:
    (command,) = map(json.loads, _instructions("CMD"))
    assert command[:2] == ["python", "-m"]
    assert importlib.util.find_spec(command[2]) is not None
    options = planes.build_parser().parse_args(command[3:])
    assert (options.host, options.port) == ("0.0.0.0", planes.DEFAULT_PORT)
    (volume,) = services["planes"]["volumes"]
    assert options.data_dir == Path(volume.partition(":")[2])


def test_the_image_is_built_from_files_that_reach_it(services: dict[str, Any]) -> None:
    build = services["planes"]["build"]
    assert (_FOLDER / build["context"]).resolve() == REPOSITORY
    assert REPOSITORY / build["dockerfile"] == _FOLDER / "Dockerfile"
    let_in = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines() if line[0] == "!"]
    for copied in (each.split()[0] for each in _instructions("COPY")):
        assert (REPOSITORY / copied).exists()
        assert any(f"{name}/".startswith(f"{copied}/") for name in let_in), copied
    assert {"requirements/local.txt", "requirements/torch.txt", "requirements/install.sh"} <= set(let_in)


def test_both_are_found_from_outside_and_the_one_finds_the_other(services: dict[str, Any]) -> None:
    emulator = services["planes"]["environment"]["AWS_ENDPOINT_URL"]
    assert services["planes"]["network_mode"] == "service:localstack"
    assert "ports" not in services["planes"], "the network is the other's"
    ports = [f"127.0.0.1:{port}:{port}" for port in (4566, planes.DEFAULT_PORT)]
    assert services["localstack"]["ports"] == ports
    assert emulator == "http://127.0.0.1:4566"
    checks = [" ".join(service["healthcheck"]["test"]) for service in services.values()]
    assert f"{emulator}/_localstack/health" in checks[0]
    assert f"http://127.0.0.1:{planes.DEFAULT_PORT}{planes.HEALTH_PATH}" in checks[1]
