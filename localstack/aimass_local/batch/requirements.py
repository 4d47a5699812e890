"""What a container needs of the machine, and what the machine has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aimass_local.batch.errors import ClientError
from aimass_local.batch.wire import Document

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Of one container."""

    vcpus: float
    memory_mib: int
    num_gpus: int = 0

    @classmethod
    def of(cls, container: Document) -> Requirements:
        """Reads container properties, in the newer form (`resourceRequirements`) or the older one.

        Raises:
            ClientError: a figure is missing or out of range.
        """
        asked = {entry["type"]: entry["value"] for entry in container.get("resourceRequirements", [])}
        vcpus = asked.get("VCPU", container.get("vcpus"))
        memory = asked.get("MEMORY", container.get("memory"))
        if vcpus is None or memory is None:
            raise ClientError("Container properties have to name VCPU and MEMORY in resourceRequirements")
        return cls(
            vcpus=_read_number("VCPU", vcpus, smallest=0.25),
            memory_mib=_read_integer("MEMORY", memory, smallest=4),
            num_gpus=_read_integer("GPU", asked.get("GPU", 0), smallest=0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A share of the machine, given to all containers of one job together."""

    compute_environment: str
    vcpus: float
    memory_mib: int
    gpus: tuple[tuple[str, ...], ...]
    """Ids of the GPUs of each container."""


class Capacity:
    """The machine's vCPUs, memory and GPUs, and how much of them is free."""

    def __init__(self, *, vcpus: float, memory_mib: int, gpus: Sequence[str]) -> None:
        self._vcpus = self._free_vcpus = vcpus
        self._memory_mib = self._free_memory_mib = memory_mib
        self._num_gpus = len(gpus)
        self._free_gpus = list(gpus)

    def find_excess(self, needs: Sequence[Requirements]) -> str | None:
        """Why these containers can never run here at once; None if they can."""
        totals = {
            "VCPU": (math.fsum(need.vcpus for need in needs), self._vcpus),
            "MEMORY": (sum(need.memory_mib for need in needs), self._memory_mib),
            "GPU": (sum(need.num_gpus for need in needs), self._num_gpus),
        }
        excess = [f"{kind} {need:g} of {has:g}" for kind, (need, has) in totals.items() if need > has + _ROUNDING]
        return f"the job needs more than this machine has: {', '.join(excess)}" if excess else None

    def take(self, needs: Sequence[Requirements], *, compute_environment: str) -> Placement | None:
        """Reserves room for all containers, or for none."""
        vcpus = math.fsum(need.vcpus for need in needs)
        memory_mib = sum(need.memory_mib for need in needs)
        num_gpus = sum(need.num_gpus for need in needs)
        if (
            vcpus > self._free_vcpus + _ROUNDING
            or memory_mib > self._free_memory_mib
            or num_gpus > len(self._free_gpus)
        ):
            return None
        self._free_vcpus -= vcpus
        self._free_memory_mib -= memory_mib
        return Placement(
            compute_environment=compute_environment,
            vcpus=vcpus,
            memory_mib=memory_mib,
            gpus=tuple(tuple(self._free_gpus.pop(0) for _ in range(need.num_gpus)) for need in needs),
        )

    def give_back(self, placement: Placement) -> None:
        self._free_vcpus += placement.vcpus
        self._free_memory_mib += placement.memory_mib
        self._free_gpus = sorted([*self._free_gpus, *(gpu for group in placement.gpus for gpu in group)])


def _read_number(kind: str, value: str | float, *, smallest: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not smallest <= number < math.inf:
        raise ClientError(f"{kind} is {value!r}: it has to be a number of at least {smallest:g}")
    return number


def _read_integer(kind: str, value: str | int, *, smallest: int) -> int:
    text = str(value)
    if not text.isdecimal() or int(text) < smallest:
        raise ClientError(f"{kind} is {value!r}: it has to be a whole number of at least {smallest}")
    return int(text)
