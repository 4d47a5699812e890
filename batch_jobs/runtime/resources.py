"""How many processors, how much memory and which accelerators this container was given, not what its machine has."""

import os
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

from aimass_core.domain.compute import Compute
from aimass_core.services import prices

_DEVICES = Path("/dev")
_CGROUPS = Path("/sys/fs/cgroup")
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""Of versions 2 and 1."""


def count_cpus(variables: Mapping[str, str]) -> int:
    """OMP_NUM_THREADS, which compute services set to the container's vCPUs, else the processors we may run on."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = variables.get("OMP_NUM_THREADS", "")
    return min(int(given), available) if given.isdecimal() and int(given) > 0 else available


def count_gpus(variables: Mapping[str, str], *, devices: Path = _DEVICES) -> int:
    """CUDA_VISIBLE_DEVICES where it is set (empty: none), else the NVIDIA devices that the container can see."""
    visible = variables.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    return len(list(devices.glob("nvidia[0-9]*")))


def count_memory_bytes(compute: Compute | None, *, cgroups: Path = _CGROUPS) -> int:
    """The least of what the job asked for, what the container's control group allows, and what the machine has."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    machine = None if compute is None else prices.load().machine(compute)
    if machine is not None:
        found.append(int(machine.memory_gib * 1024**3))
    for name in _LIMITS:
        with suppress(OSError, ValueError):  # there is no such file, or it says "max"
            found.append(int((cgroups / name).read_text()))
    return min(found)


def settle_threads(variables: MutableMapping[str, str]) -> None:
    """Tells native thread pools to be as many as the processors, and to sleep while they wait.

    Must come before the libraries are loaded. Threads that spin on processors which others use too (a container has a
    share of its machine) made a training of 3 s one of 32 s.
    """
    variables.setdefault("OMP_NUM_THREADS", str(count_cpus(variables)))
    variables.setdefault("OMP_WAIT_POLICY", "PASSIVE")
