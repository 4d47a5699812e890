"""The loopback port: taking it, and naming who has it when it is taken."""

from __future__ import annotations

import errno
import socket
import time

import psutil

from aimass_local.environment import HOST

_POLL_SECONDS = 0.02


class PortTakenError(Exception):
    """Another process listens on the port."""

    def __init__(self, port: int) -> None:
        self.owner = find_listener(port)
        who = f"process {self.owner.pid} ({self.owner.name()})" if self.owner else "another process"
        super().__init__(f"port {port} is taken by {who}: stop it, or choose another with `aimass local up --port`")


def listen(port: int) -> socket.socket:
    """A socket bound to the loopback port.

    Raises:
        PortTakenError: another process listens there.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(port) from error
        raise
    listener.setblocking(False)
    return listener


def require_free(port: int, *, patience_seconds: float = 2.0) -> None:
    """Returns when the port is free.

    A port that is taken and has no owner to name is one that a killed process is about to leave: that is waited for.

    Raises:
        PortTakenError: another process listens there.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            listen(port).close()
        except PortTakenError as error:
            if error.owner is not None or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return


def find_listener(port: int) -> psutil.Process | None:
    """The process that listens on the port, as far as this user may see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None  # macOS tells only root
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return psutil.Process(connection.pid) if connection.pid else None
    return None
