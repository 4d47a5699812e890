"""The commands on the real stack of the repository."""

from __future__ import annotations

import http.client
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aimass_local import lifecycle
from aimass_local.cli import app
from aimass_local.environment import HOST, DataDirectory
from tests.integration.local.conftest import free_port

# The server is meant to outlive the command that starts it.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataDirectory]:
    data = DataDirectory.at(tmp_path / "data")
    monkeypatch.setenv("AIMASS_DATA_DIR", str(data.root))
    monkeypatch.setenv("AIMASS_LOCAL_PORT", str(free_port()))
    monkeypatch.setenv("AIMASS_CONFIG_FILE", str(tmp_path / "config.toml"))
    monkeypatch.setenv("COLUMNS", "300")
    # A developer's own AWS configuration, which must have no effect.
    monkeypatch.setenv("AWS_PROFILE", "real-account")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    yield data
    lifecycle.down(data)


def _run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def _status_of(url: str, api_key: str) -> int:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=120)
    try:
        connection.request("GET", "/v1/workspaces", headers={"Authorization": f"Bearer {api_key}"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_life_of_a_local_cloud(data: DataDirectory, tmp_path: Path) -> None:
    first = _run("up")
    profile = tomllib.loads((tmp_path / "config.toml").read_text())["profiles"]["local"]
    assert profile["api_key"] in first
    assert _status_of(profile["base_url"], profile["api_key"]) == 200
    assert _status_of(profile["base_url"], profile["api_key"] + "x") == 401

    again = _run("up")
    assert "already running, pid" in again
    assert f"s3://{profile['drop_bucket']}/drop/default/" in again
    assert profile["api_key"] not in again
    assert profile["base_url"] in _run("status")
    assert "START RequestId" in _run("logs", "--function", "authorizer")

    assert "stopped, pid" in _run("down")
    _run("status", code=3)
    _run("up")
    assert _status_of(profile["base_url"], profile["api_key"]) == 200  # the first key outlives the server
    _run("reset", "--yes")
    assert not data.root.exists()


def test_key_that_is_lost_is_made_anew(data: DataDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del data
    _run("key", code=3)
    _run("up")
    lost = tomllib.loads((tmp_path / "config.toml").read_text())["profiles"]["local"]
    monkeypatch.setenv("AIMASS_CONFIG_FILE", str(tmp_path / "another.toml"))
    assert "another.toml holds no key of this local cloud: `aimass local key` makes another" in _run("up")
    shown = _run("key")
    profile = tomllib.loads((tmp_path / "another.toml").read_text())["profiles"]["local"]
    assert profile["api_key"] in shown
    assert profile["api_key"] != lost["api_key"]
    assert profile["drop_bucket"] == lost["drop_bucket"]
    assert _status_of(profile["base_url"], profile["api_key"]) == 200
    assert _status_of(lost["base_url"], lost["api_key"]) == 200
    assert "holds no key" not in _run("up")


def test_j14_up_on_a_taken_port_says_who_has_it(data: DataDirectory, tmp_path: Path) -> None:
    _run("up")
    port = lifecycle.find(data)
    assert port is not None
    output = _run("up", "--data-dir", str(tmp_path / "other"), "--port", str(port.port), code=1)
    assert f"process {port.pid}" in output
    assert "--port" in output


def test_up_follows_the_port_in_the_profile(data: DataDirectory, tmp_path: Path) -> None:
    _run("up")
    _run("down")
    port = free_port()
    _run("up", "--port", str(port))
    profile = tomllib.loads((tmp_path / "config.toml").read_text())["profiles"]["local"]
    assert profile["base_url"] == f"http://{HOST}:{port}"
    assert _status_of(profile["base_url"], profile["api_key"]) == 200
