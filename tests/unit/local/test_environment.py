"""The environment that processes of the local cloud run with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aimass_local.environment import (
    DEFAULT_PORT,
    REPOSITORY,
    DataDirectory,
    applied,
    client_environment,
    server_environment,
)


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ROLE_ARN",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "LAMBDA_EXECUTOR",
        "AUTH",
        "S3_ENDPOINT",
    ],
)
def test_the_developers_aws_settings_do_not_leak_in(tmp_path: Path, name: str) -> None:
    environment = server_environment(DataDirectory.at(tmp_path), port=4566, host_environment={name: "foreign"})
    assert environment.get(name) != "foreign"


def test_the_developers_credentials_are_replaced(tmp_path: Path) -> None:
    host = {
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "PATH": "/bin",
    }
    environment = server_environment(DataDirectory.at(tmp_path), port=4566, host_environment=host)
    assert environment["AWS_ACCESS_KEY_ID"] == "test"
    assert environment["AWS_DEFAULT_REGION"] == "us-east-1"
    assert environment["PATH"] == "/bin"
    assert "real" not in environment.values()


def test_clients_read_no_file_and_use_no_proxy() -> None:
    environment = client_environment(5000)
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5000"
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert "127.0.0.1" in environment["NO_PROXY"]


def test_the_server_listens_on_loopback_only(tmp_path: Path) -> None:
    assert server_environment(DataDirectory.at(tmp_path), port=1, host_environment={})["BIND_HOST"] == "127.0.0.1"


def test_data_directory_is_private(tmp_path: Path) -> None:
    data = DataDirectory.at(tmp_path / "new" / "data")
    data.create()
    assert data.root.stat().st_mode & 0o777 == 0o700


def test_the_checked_in_variables_are_those_of_clients() -> None:
    lines = (REPOSITORY / "localstack" / "local.env").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    environment = client_environment(DEFAULT_PORT)
    assert variables == {name: environment[name] for name in variables}
    assert {name for name in environment if name.startswith("AWS_")} == set(variables)


def test_applied_environment_is_the_whole_one_and_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "real")
    with applied({"ONLY": "this"}):
        assert dict(os.environ) == {"ONLY": "this"}
    assert os.environ["AWS_PROFILE"] == "real"
    assert "ONLY" not in os.environ
