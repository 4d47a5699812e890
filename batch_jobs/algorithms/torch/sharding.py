"""Networks of which every process of a team holds a part: FSDP, by torch's `fully_shard`.

Parts are gathered where the network computes, one layer after the other, and its gradients are summed into parts.
What this needs of torch takes half a second to import, which who trains alone is spared.
"""

from copy import deepcopy

import torch
import torch.distributed as dist
from torch import Tensor, nn

# Smaller layers are gathered together: an exchange has a price of its own.
_SMALLEST_LAYER = 2**16


def sharded(network: nn.Module, device: torch.device, *, num_processes: int) -> nn.Module:
    """A copy on the device, in parts; every process calls it with the same network."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (num_processes,))
    copy = deepcopy(network)
    # NOTE: fully_shard takes no weights in channels-last order.
    copy.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stub lacks it
    for layer in copy.modules():
        is_leaf = next(layer.children(), None) is None
        if is_leaf and sum(weight.numel() for weight in layer.parameters()) >= _SMALLEST_LAYER:
            fully_shard(layer, mesh=mesh)
    # NOTE: by default the outermost stays whole after a forward pass, and what asks for its weights would get others.
    fully_shard(copy, mesh=mesh, reshard_after_forward=True)
    return copy


def whole(tensor: Tensor) -> Tensor:
    """Of a part all, for which every process has to ask, on the processor; another tensor as it is."""
    if not dist.is_initialized():
        return tensor
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor().cpu() if isinstance(tensor, DTensor) else tensor


def laid_as(tensor: Tensor, other: Tensor) -> Tensor:
    """A tensor that all processes have, laid in memory as `other` of the same shape: its strides, device and parts."""
    if dist.is_initialized():
        from torch.distributed.tensor import DTensor, distribute_tensor

        if isinstance(other, DTensor):
            local = tensor.to(other.device)
            return distribute_tensor(local, other.device_mesh, other.placements, src_data_rank=None)
    return torch.empty_like(other).copy_(tensor)
