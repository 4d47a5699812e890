"""How a training computes: with which numbers, and whether it repeats bit for bit."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from aimass_core.domain.algorithms.networks import Precision


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """Within it, what bfloat16 is good enough for computes in it."""
    is_reduced = precision is Precision.BFLOAT16
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_reduced)


@contextmanager
def repeatable(wanted: bool) -> Iterator[None]:
    """Within it, an operation that does not repeat raises instead of computing. cuBLAS asks the variable.

    Where it is not wanted, cuDNN tries which of its convolutions is the fastest for each shape.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = not wanted
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
