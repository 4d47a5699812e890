"""The processes of a fit, connected by torch.distributed: gloo between processors, NCCL between GPUs."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from batch_jobs.algorithms.sharing import WAIT_SECONDS, Alone, Team, lost
from batch_jobs.runtime.cluster import Cluster

Value = TypeVar("Value")

# gloo raises plain RuntimeErrors.
_CONNECTION = re.compile(
    r"gloo|connection (was )?(closed|reset|refused)|broken pipe|timed out|NCCL|TCPStore|client socket", re.IGNORECASE
)


class TorchTeam:
    """Satisfies `Team`."""

    def __init__(self) -> None:
        self.rank, self.num_processes = dist.get_rank(), dist.get_world_size()

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """See Team."""
        raised = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised]

    def from_main(self, value: Value) -> Value:
        """See Team."""
        values: list[Any] = [value]
        dist.broadcast_object_list(values, src=0)
        sent: Value = values[0]
        return sent


@contextmanager
def joined(cluster: Cluster) -> Iterator[Team]:
    """Within it the processes of the cluster are a team. They stay connected for the process's next fit.

    Raises:
        UnavailableError: One of them was lost.
    """
    if cluster.is_alone:
        yield Alone()
        return
    try:
        if not dist.is_initialized():
            _connect(cluster)
        yield TorchTeam()
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or _CONNECTION.search(str(error)):
            raise lost(error) from error
        raise


def _connect(cluster: Cluster) -> None:
    if cluster.interface is not None:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", cluster.interface)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", cluster.interface)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"tcp://{cluster.main_address}:{cluster.first_port}",
        rank=cluster.rank,
        world_size=cluster.num_processes,
        timeout=timedelta(seconds=WAIT_SECONDS),
    )


class Replica:
    """A network that every process of a team has, and whose gradients are the mean of theirs."""

    def __init__(self, network: nn.Module, team: Team) -> None:
        self._is_shared = team.num_processes > 1
        self._network: Any = DistributedDataParallel(network) if self._is_shared else network

    def __call__(self, features: Tensor) -> Tensor:
        output: Tensor = self._network(features)
        return output

    @contextmanager
    def gathering(self, *, is_last: bool) -> Iterator[None]:
        """Around forward and backward of a batch: gradients are exchanged with the last batch of a step."""
        with self._network.no_sync() if self._is_shared and not is_last else nullcontext():
            yield


def total(team: Team, value: float) -> float:
    """The sum over all processes."""
    if team.num_processes == 1:
        return value
    tensor = torch.tensor([value], dtype=torch.float64)
    dist.all_reduce(tensor)
    return float(tensor)
