"""Fixtures: the API over the real authorizer and the real handlers, on memory ports."""

import logging
from pathlib import Path

import httpx2
import pytest

from aimass import cli
from aimass.cli.output import Session
from tests.functional.gateway import Api, Gateway, open_api
from tests.functional.terminal import Ran, Run
from tests.functional.transport import InProcessTransport


@pytest.fixture
def gateway() -> Gateway:
    """A deployment without a workspace."""
    return Gateway()


@pytest.fixture
def api(gateway: Gateway) -> Api:
    """The admin of the first workspace; others are `api.as_role("viewer")`, `as_stranger()`, `as_nobody()`."""
    return open_api(gateway)


@pytest.fixture
def transport(gateway: Gateway) -> InProcessTransport:
    """For `aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test")`."""
    return InProcessTransport(gateway)


@pytest.fixture
def run(
    api: Api,
    transport: InProcessTransport,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> Run:
    """`run("jobs", "list")`; a transport of one's own replaces the real handlers."""
    # The handlers log to stdout, where Lambda wants it and this process has its data.
    caplog.set_level(logging.CRITICAL, logger="api")
    monkeypatch.setenv("AIMASS_API_KEY", str(api.token))
    monkeypatch.setenv("AIMASS_BASE_URL", "http://aimass.test")
    monkeypatch.setenv("COLUMNS", "220")
    monkeypatch.chdir(tmp_path)

    def call(*args: str, through: httpx2.BaseTransport = transport) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main(args, session=Session(transport=through))
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return Ran(code=caught.value.code, out=captured.out, err=captured.err)

    return call
