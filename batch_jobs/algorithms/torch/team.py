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

from aimass_core.domain.algorithms.networks import NetworkHyperparameters, Sharding
from batch_jobs.algorithms.learning import Listener
from batch_jobs.algorithms.sharing import WAIT_SECONDS, Alone, Team, lost
from batch_jobs.algorithms.torch.devices import compiled
from batch_jobs.algorithms.torch.sharding import sharded
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
    """A network that every process of a team has, whole or in parts, and whose gradients are the mean of theirs.

    Its `network` holds the weights that are trained: it is the one that was given, or a copy in parts.
    """

    def __init__(
        self,
        network: nn.Module,
        team: Team,
        device: torch.device,
        *,
        hyperparameters: NetworkHyperparameters,
        listener: Listener,
    ) -> None:
        is_shared = team.num_processes > 1
        self.is_in_parts = is_shared and hyperparameters.sharding is Sharding.FULL
        self._device, self._num_processes = device, team.num_processes
        self.network = self.place(network)
        self._is_copied = is_shared and not self.is_in_parts
        self._outer: Any = self._copied() if self._is_copied else self.network
        self._compute = compiled(self._outer, device, listener) if hyperparameters.compile else self._outer

    def _copied(self) -> DistributedDataParallel:
        """Buffers are shared before they judge (`share_buffers`): before every batch all would wait for them."""
        return DistributedDataParallel(self.network, forward_sync_buffers=False, gradient_as_bucket_view=True)

    def place(self, network: nn.Module) -> nn.Module:
        """A network on the device; in parts, a copy."""
        if self.is_in_parts:
            return sharded(network, self._device, num_processes=self._num_processes)
        return network.to(self._device)

    def __call__(self, features: Tensor) -> Tensor:
        output: Tensor = self._compute(features)
        return output

    @contextmanager
    def gathering(self, *, is_last: bool) -> Iterator[None]:
        """Around forward and backward of a batch: gradients are exchanged with the last batch of a step."""
        if self.is_in_parts:
            self._outer.set_requires_gradient_sync(is_last)
        with self._outer.no_sync() if self._is_copied and not is_last else nullcontext():
            yield


def share_buffers(team: Team, network: nn.Module) -> None:
    """Everybody gets the means and variances of normalisation that the main one learned from its part of the rows."""
    if team.num_processes > 1:
        for buffer in network.buffers():
            dist.broadcast(buffer, src=0)


def gathered(team: Team, value: float) -> list[float]:
    """Each process's own value, by rank."""
    if team.num_processes == 1:
        return [value]
    values = [torch.zeros(1, dtype=torch.float64) for _ in range(team.num_processes)]
    dist.all_gather(values, torch.tensor([value], dtype=torch.float64))
    return [float(each) for each in values]
