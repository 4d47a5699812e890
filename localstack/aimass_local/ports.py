"""The loopback port: taking it, and naming who has it when it is taken."""

from __future__ import annotations

import errno
import socket

import psutil

from aimass_local.environment import HOST


class PortTakenError(Exception):
    """Another process listens on the port."""

    def __init__(self, port: int) -> None:
        owner = find_listener(port)
        who = f"process {owner.pid} ({owner.name()})" if owner else "another process"
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


def require_free(port: int) -> None:
    """Raises:
    PortTakenError: another process listens there.
    """
    listen(port).close()


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
