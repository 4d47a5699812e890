"""Images a second on a GPU: a plain loop, the platform's, and what bfloat16 and torch.compile add.

Beside each stands its share of the rate at which the same card was measured to multiply matrices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import CnnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from tests.benchmarks.report import print_table
from tests.unit.batch_jobs.algorithms.surroundings import Listener

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

NUM_ROWS, BATCH, SIZE, EPOCHS = 32_768, 512, 64, 4
CHANNELS, HIDDEN = [128, 256, 256], 512
_PROBLEM = Problem(task=Task.MULTICLASS, kind=DataKind.IMAGES, num_outputs=10, seed=0, num_threads=8)


class _Clock(Listener):
    """When each epoch was done."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[float] = []

    def step(self, step: int, num_steps: int, losses: Any) -> None:
        self.marks.append(time.perf_counter())


def test_images_a_second_on_a_gpu() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM_ROWS, SIZE, SIZE, 3), dtype=np.uint8)
    examples = Examples(features=images, targets=rng.integers(0, 10, NUM_ROWS))
    ours = {"float32": {}, "bfloat16": {"precision": "bfloat16"}, "compiled": {"compile": True}}
    ours["bfloat16, compiled"] = ours["bfloat16"] | ours["compiled"]
    rates = {"plain PyTorch loop, float32": _plain(examples)}
    rates |= {f"cnn, {name}": _platform(examples, options) for name, options in ours.items()}
    plain = rates["plain PyTorch loop, float32"]
    flops = _flops_of_an_image()
    # NOTE: convolutions of float32 compute in TF32 by default, so that this is what they are measured by.
    torch.set_float32_matmul_precision("high")
    peaks = {"float32": _matrix_rate(torch.float32), "bfloat16": _matrix_rate(torch.bfloat16)}
    torch.set_float32_matmul_precision("highest")
    rows = []
    for name, rate in rates.items():
        precision = "bfloat16" if "bfloat16" in name else "float32"
        peak = peaks[precision]
        share = f"{3 * flops * rate / peak:.1%} of {peak / 1e12:.0f} TFLOP/s"
        rows.append([name, f"{rate:,.0f}", f"{rate / plain:.2f}x", share])
    print_table(
        f"Training on {torch.cuda.get_device_name()}, {SIZE} x {SIZE} pixels, batches of {BATCH}",
        ["", "images/s", "", "of the measured matrix rate"],
        rows,
    )


def _platform(examples: Examples, options: dict[str, Any]) -> float:
    """The last epochs, without validation: the first one compiles and chooses kernels."""
    from batch_jobs.algorithms.torch.cnn import Cnn

    clock = _Clock()
    chosen = {"channels": CHANNELS, "hidden": HIDDEN, "batch_size": BATCH, "shift": 0, "dropout": 0.0, "epochs": EPOCHS}
    learner = Cnn(CnnHyperparameters(**chosen | options))
    learner.fit(_PROBLEM, examples, None, context=FitContext(listener=clock, num_steps=EPOCHS))
    assert not any("compile is left out" in text for text in clock.messages), clock.messages
    return NUM_ROWS * (EPOCHS - 1) / (clock.marks[-1] - clock.marks[0])


def _plain(examples: Examples) -> float:
    """What one writes by hand: the same network in torch's usual memory order, a copy and a step for each batch."""
    network = _network(examples).cuda()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    images, classes = torch.from_numpy(examples.features), torch.from_numpy(examples.targets)
    marks = []
    for _ in range(EPOCHS):
        for index in torch.randperm(NUM_ROWS).split(BATCH):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(images[index].cuda()), classes[index].cuda())
            loss.backward()
            optimizer.step()
        torch.cuda.synchronize()
        marks.append(time.perf_counter())
    return NUM_ROWS * (EPOCHS - 1) / (marks[-1] - marks[0])


def _network(examples: Examples) -> Any:
    from batch_jobs.algorithms.torch.cnn import Network

    return Network(_PROBLEM, CnnHyperparameters(channels=CHANNELS, hidden=HIDDEN, dropout=0.0), examples.features[:64])


def _flops_of_an_image() -> float:
    """Of a forward pass; backward is twice that."""
    from torch.utils.flop_counter import FlopCounterMode

    images = np.zeros((2, SIZE, SIZE, 3), dtype=np.uint8)
    network = _network(Examples(features=images, targets=np.zeros(2, dtype=np.int64)))
    with FlopCounterMode(display=False) as counter:
        network(torch.from_numpy(images))
    return counter.get_total_flops() / len(images)


def _matrix_rate(dtype: Any, size: int = 8192, num: int = 20) -> float:
    """Operations a second."""
    left, right = (torch.randn(size, size, device="cuda", dtype=dtype) for _ in range(2))
    multiply: Callable[[], Any] = lambda: left @ right  # noqa: E731
    multiply()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(num):
        multiply()
    torch.cuda.synchronize()
    return 2 * size**3 * num / (time.perf_counter() - started)
