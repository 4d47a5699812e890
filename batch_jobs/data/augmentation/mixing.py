"""Changes between images: two are made one, and the loss is that of both targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from aimass_core.domain.algorithms.augmentation.images import Cutmix, MixStep

Blend = Callable[[Tensor, Tensor, float, torch.Generator], Tensor]
"""Rows, others, the share that the rows keep of themselves, and a generator to rows between both."""


def mix_present(own: Tensor, others: Tensor, share: float, _: torch.Generator) -> Tensor:
    """float32. What is missing in a row stays so, as its padding does; of what the other lacks, its own stays."""
    values = own.float()
    mixed = torch.lerp(others.float(), values, share)
    return torch.where(torch.isnan(mixed), values, mixed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Every row is `share` of itself, and for the rest the row `order` says."""

    order: Tensor
    share: float


@dataclass(frozen=True, slots=True)
class MixAugment:
    """The first of the steps whose turn it is; the share is one for a batch, as in the papers."""

    steps: Sequence[MixStep]
    blend: Blend = mix_present

    def __call__(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Mixture | None]:
        """Rows of any shape, images for cutmix; None where nothing is mixed."""
        for step in self.steps:
            if float(torch.rand((), generator=generator)) < step.probability:
                return self._mix(step, images, generator)
        return images, None

    def _mix(self, step: MixStep, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Mixture]:
        random = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        share = float(random.beta(step.alpha, step.alpha))
        order = torch.randperm(len(images), generator=generator).to(images.device)
        if not isinstance(step, Cutmix):
            return self.blend(images, images[order], share, generator), Mixture(order=order, share=share)
        _, height, width, _ = images.shape
        rows, columns = (_span(size, share, random) for size in (height, width))
        mixed = images.clone()
        mixed[:, rows, columns] = images[order][:, rows, columns]
        cut = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
        return mixed, Mixture(order=order, share=1 - cut)


def _span(size: int, share: float, random: np.random.Generator) -> slice:
    """Of the part that is cut: its area is what the share leaves, less what would lie outside."""
    length = size * float(np.sqrt(1 - share))
    middle = random.uniform(0, size)
    return slice(max(round(middle - length / 2), 0), min(round(middle + length / 2), size))
