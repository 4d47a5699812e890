"""The loopback port."""

from __future__ import annotations

import os
import socket
import threading
import time

import psutil
import pytest

from aimass_local import ports
from aimass_local.ports import PortTakenError

pytestmark = pytest.mark.usefixtures("socket_enabled")


def _port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_j14_taken_port_is_refused_at_once_with_the_pid() -> None:
    started = time.monotonic()
    with ports.listen(0) as listener, pytest.raises(PortTakenError, match=f"process {os.getpid()} ") as caught:
        ports.require_free(_port_of(listener), patience_seconds=3600.0)
    assert time.monotonic() - started < 3600.0
    assert caught.value.owner == psutil.Process()


def test_j14_port_that_a_killed_process_is_leaving_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel names no owner any more, and yet the port is still taken for a moment."""
    monkeypatch.setattr(psutil, "net_connections", lambda kind: [])
    listener = ports.listen(0)
    closing = threading.Timer(0.2, listener.close)
    closing.start()
    ports.require_free(_port_of(listener), patience_seconds=60.0)
    closing.join()


def test_j14_port_without_an_owner_that_stays_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "net_connections", lambda kind: [])
    with ports.listen(0) as listener, pytest.raises(PortTakenError, match="another process"):
        ports.require_free(_port_of(listener), patience_seconds=0.1)
