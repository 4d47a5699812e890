"""How many processors and accelerators this container was given, not how many its machine has."""

import os
from collections.abc import Mapping
from pathlib import Path

_DEVICES = Path("/dev")


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
