"""Lets Python find the hosts of a training job: algo-1, algo-2, ... are addresses of this machine's loopback.

A container of SageMaker has these names in its /etc/hosts. Here the containers of a job share the machine's, so this
folder lies on their PYTHONPATH and Python's own look-ups answer from AIMASS_LOCAL_HOSTS ("algo-1=127.0.0.1,...").
Native code (NCCL, MPI) does not see it. A `sitecustomize` that this one hides is run after it.
"""

import importlib.machinery
import importlib.util
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

_HOSTS = dict(pair.split("=") for pair in os.environ.get("AIMASS_LOCAL_HOSTS", "").split(",") if pair)


def _translating(look_up: Callable[..., Any]) -> Callable[..., Any]:
    def translated(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return look_up(_HOSTS.get(name, host), *arguments, **options)

    return translated


def _run_hidden() -> None:
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would slow every start down
    others = [entry for entry in sys.path if os.path.abspath(entry) != here]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _translating_address(use: Callable[..., Any]) -> Callable[..., Any]:
    def translated(self: socket.socket, address: Any) -> Any:
        is_named = isinstance(address, tuple) and address and address[0] in _HOSTS
        return use(self, (_HOSTS[address[0]], *address[1:]) if is_named else address)

    return translated


for _name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
    setattr(socket, _name, _translating(getattr(socket, _name)))
for _name in ("bind", "connect", "connect_ex"):
    setattr(socket.socket, _name, _translating_address(getattr(socket.socket, _name)))
_run_hidden()
