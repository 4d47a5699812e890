"""Where a network trains: on a GPU where the container sees one, else on its processors."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from batch_jobs.algorithms.learning import Listener

CPU = torch.device("cpu")


def choose_device(rank: int, message: Callable[[str], None]) -> torch.device:
    """Processes that see the same GPUs take one each. `CUDA_VISIBLE_DEVICES=` hides all of them."""
    if not torch.cuda.is_available():
        return CPU
    num_seen = torch.cuda.device_count()
    device = torch.device("cuda", rank % num_seen)
    torch.cuda.set_device(device)
    others = f"; a process uses one GPU, and this machine has {num_seen}" if num_seen > 1 else ""
    message(f"training on {torch.cuda.get_device_name(device)}{others}")
    return device


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """From pinned memory, so that whoever asks need not wait for the copy."""
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def compiled(network: nn.Module, device: torch.device, listener: Listener) -> Callable[..., Any]:
    """The network by `torch.compile`; where the machine has no compiler the network itself, and it says so."""
    try:
        with warnings.catch_warnings():
            # What torch warns about while it loads its compiler are its own deprecated calls.
            warnings.simplefilter("ignore")
            torch.compile(_probe)(torch.zeros(2, device=device))
    # NOTE: a missing C++ compiler, a missing Triton and missing headers each have an error of their own.
    except (torch._dynamo.exc.TorchDynamoException, RuntimeError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        listener.message(
            f"compile is left out, as nothing can be compiled on this machine ({reason}). On processors it takes a C++ "
            "compiler, on a GPU Triton and a C compiler"
        )
        return network
    return torch.compile(network)


def _probe(values: Tensor) -> Tensor:
    return values.sin() + 1.0
