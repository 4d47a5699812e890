"""Which machines work on a job together: worked out here, from what Batch or SageMaker says, and nowhere else."""

import socket
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aimass_core.errors import InvalidRequestError

# Below those that the system gives out by itself. Each job has 32 of its own, so that two jobs may share a machine.
_FIRST_PORT, _PORTS_PER_JOB, _NUM_BLOCKS = 10_240, 32, 700

_BATCH = "AWS_BATCH_JOB_"
_Resolve = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The processes of one attempt, one on each machine, and this one's place among them.

    Rank 0 is the main one: it claims the job, reports, and hands over what was made. `main_address` is an IP address
    that all of them reach, itself included; from `first_port` on it may listen. `interface` is the network interface
    between them, where the compute service names it.
    """

    rank: int = 0
    hosts: tuple[str, ...] = ("algo-1",)
    main_address: str = "127.0.0.1"
    first_port: int = _FIRST_PORT
    interface: str | None = None

    @property
    def num_processes(self) -> int:
        """The world's size."""
        return len(self.hosts)

    @property
    def host(self) -> str:
        """The name of this one's machine."""
        return self.hosts[self.rank]

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is nobody to talk to."""
        return self.num_processes == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Which of the workers of a study or a batch prediction this is. Each works alone; worker 0 claims the job, reports
    and hands over."""

    index: int = 0
    count: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is worker 0."""
        return self.index == 0


ALONE = Worker()


def worker_from_batch(variables: Mapping[str, str]) -> Worker:
    """Of a child of an array job, or of a job that is no array."""
    index = variables.get(f"{_BATCH}ARRAY_INDEX")
    return ALONE if index is None else Worker(index=int(index), count=int(variables[f"{_BATCH}ARRAY_SIZE"]))


def from_batch(variables: Mapping[str, str], *, resolve: _Resolve = socket.gethostbyname) -> Cluster:
    """Of a multi-node parallel job, or of a job with one container.

    The main node may have any index: ranks begin with it, the others follow in order. Batch tells everybody but the
    main node itself its address. https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
    """
    num_nodes = int(variables.get(f"{_BATCH}NUM_NODES", "1"))
    if num_nodes == 1:
        return Cluster()
    index, main = int(variables[f"{_BATCH}NODE_INDEX"]), int(variables[f"{_BATCH}MAIN_NODE_INDEX"])
    order = [main, *(other for other in range(num_nodes) if other != main)]
    told = variables.get(f"{_BATCH}MAIN_NODE_PRIVATE_IPV4_ADDRESS")
    job = variables[f"{_BATCH}ID"].partition("#")[0]
    return Cluster(
        rank=order.index(index),
        hosts=tuple(f"node-{other}" for other in order),
        main_address=told or resolve(socket.gethostname()),
        first_port=_choose_port(f"{job}/{variables.get(f'{_BATCH}ATTEMPT', '1')}"),
    )


def from_resources(config: Mapping[str, Any], *, job: str, resolve: _Resolve = socket.gethostbyname) -> Cluster:
    """Of SageMaker's resourceconfig.json; the first of its hosts is the main one.

    Raises:
        InvalidRequestError: The file lacks its hosts, or this one is none of them.
    """
    hosts: Any = config.get("hosts")
    current: Any = config.get("current_host")
    if not _are_names(hosts) or current not in hosts:
        raise InvalidRequestError(
            f"resourceconfig.json names the hosts {hosts!r} and the current host {current!r}: the hosts must be a "
            "list of names, the current one among them."
        )
    if len(hosts) == 1:
        return Cluster(hosts=tuple(hosts))
    return Cluster(
        rank=hosts.index(current),
        hosts=tuple(hosts),
        main_address=_find(hosts[0], resolve),
        first_port=_choose_port(job),
        interface=config.get("network_interface_name"),
    )


def _are_names(hosts: Any) -> bool:
    return isinstance(hosts, list) and bool(hosts) and all(isinstance(host, str) for host in hosts)


def _find(host: str, resolve: _Resolve) -> str:
    """Native libraries resolve names by themselves, and not all as Python does: they are given addresses."""
    try:
        return resolve(host)
    except OSError as error:
        raise InvalidRequestError(f"The host {host!r} of resourceconfig.json cannot be found: {error}.") from error


def _choose_port(job: str) -> int:
    """The same on every machine without a word between them, and another one for the next attempt."""
    return _FIRST_PORT + _PORTS_PER_JOB * (zlib.crc32(job.encode()) % _NUM_BLOCKS)
