"""Tells the processes of a fit where each of them listens, before their framework connects them.

A port that the process before had may not be free again: so every process takes any free one, and says which.
"""

import json
import socket
import time
from contextlib import ExitStack, suppress
from typing import TextIO

from batch_jobs.runtime.cluster import Cluster

Address = tuple[str, int]
"""An IP address and a port."""

_ANSWER_SECONDS = 10.0
_AGAIN_SECONDS = 0.2
_LINE = 2**20
_ALL_HERE = "all are here"
_YES = "yes"


def meet(cluster: Cluster, port: int, *, wait_seconds: float) -> list[Address]:
    """Where every process listens, in the order of their ranks, once all have come.

    Args:
        port: where this one does; 0 where it does not.

    Raises:
        OSError: Such as TimeoutError; or one of them left before all had come.
    """
    deadline = time.monotonic() + wait_seconds
    if not cluster.is_main:
        return _come(cluster, port, deadline)
    others: dict[int, tuple[Address, TextIO]] = {}
    # NOTE: at every address, as the others may know the main machine by another one than itself does.
    with ExitStack() as stack, socket.create_server(("", cluster.first_port)) as server:
        while len(others) < cluster.num_processes - 1:
            server.settimeout(max(deadline - time.monotonic(), 0.001))
            connection, (host, _) = server.accept()
            stack.enter_context(connection)
            # Whoever is none of us is not waited for.
            with suppress(OSError, ValueError):
                connection.settimeout(_ANSWER_SECONDS)
                lines: TextIO = stack.enter_context(connection.makefile("rw"))
                rank, its_port = map(int, lines.readline(32).split())
                others[rank] = (host, its_port), lines
        addresses: list[Address] = [(cluster.main_address, port), *(others[rank][0] for rank in sorted(others))]
        # Nobody begins to connect before all are known to be there: the frameworks would wait long for one that is not.
        for text in (json.dumps(addresses), _ALL_HERE):
            for _, lines in others.values():
                _exchange(lines, text)
    return addresses


def find_free_port() -> int:
    """Of this machine, as of now."""
    with socket.create_server(("", 0)) as server:
        return int(server.getsockname()[1])


def _exchange(lines: TextIO, text: str) -> str:
    """Sends a line, and returns the one that answers it."""
    lines.write(f"{text}\n")
    lines.flush()
    answer = lines.readline(_LINE)
    if not answer:
        raise ConnectionError("a process left before all had come")
    return answer


def _come(cluster: Cluster, port: int, deadline: float) -> list[Address]:
    """Any process but the main one."""
    with _reach_main(cluster, deadline) as connection, connection.makefile("rw") as lines:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        (_, main_port), *others = json.loads(_exchange(lines, f"{cluster.rank} {port}"))
        _exchange(lines, _YES)
        lines.write(f"{_YES}\n")
    return [(cluster.main_address, main_port), *((host, its_port) for host, its_port in others)]


def _reach_main(cluster: Cluster, deadline: float) -> socket.socket:
    """The main process may begin to listen later than this one comes."""
    while True:
        try:
            return socket.create_connection((cluster.main_address, cluster.first_port), timeout=_ANSWER_SECONDS)
        except OSError as error:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{cluster.main_address} did not answer in time") from error
            time.sleep(_AGAIN_SECONDS)
