"""Tells the other processes of a fit at which port the main one's tracker listens.

XGBoost's tracker cannot be reached before it is there, nor bound where the one before was: so it takes any free port.
"""

import socket
import time
from contextlib import suppress

from batch_jobs.runtime.cluster import Cluster

_ANSWER_SECONDS = 10.0
_AGAIN_SECONDS = 0.2


def announce(cluster: Cluster, port: int, *, wait_seconds: float) -> None:
    """The main process: returns when every other one knows. Raises OSError, such as TimeoutError."""
    deadline = time.monotonic() + wait_seconds
    missing = set(range(1, cluster.num_processes))
    # NOTE: at every address, as the others may know the main machine by another one than itself does.
    with socket.create_server(("", cluster.first_port)) as server:
        while missing:
            server.settimeout(max(deadline - time.monotonic(), 0.001))
            connection, _ = server.accept()
            # Whoever is none of us is not waited for.
            with connection, suppress(OSError, ValueError):
                connection.settimeout(_ANSWER_SECONDS)
                rank = int(connection.makefile("rb").readline(16))
                connection.sendall(f"{port}\n".encode())
                missing.discard(rank)


def ask(cluster: Cluster, *, wait_seconds: float) -> int:
    """Any other process: the port, once the main one tells it. Raises OSError."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return _ask_once(cluster)
        except (OSError, ValueError) as error:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{cluster.main_address} told no port in {wait_seconds:g} s") from error
            time.sleep(_AGAIN_SECONDS)


def _ask_once(cluster: Cluster) -> int:
    with socket.create_connection((cluster.main_address, cluster.first_port), timeout=_ANSWER_SECONDS) as connection:
        connection.sendall(f"{cluster.rank}\n".encode())
        return int(connection.makefile("rb").readline(16))
