"""Shifts by whole pixels and mirroring: no value changes, and it costs next to nothing."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ShiftAugment:
    """Random shifts, repeating the border, and left-right flips."""

    shift: int
    flip: bool

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """[rows, height, width, channels] of any type."""
        num_rows, height, width, _ = images.shape
        ys = self._positions(num_rows, height, generator)
        xs = self._positions(num_rows, width, generator)
        if self.flip:
            is_flipped = torch.rand(num_rows, generator=generator) < 0.5
            xs = torch.where(is_flipped[:, None], xs.flip(1), xs)
        rows = torch.arange(num_rows)[:, None, None]
        return images[rows, ys[:, :, None], xs[:, None, :]]

    def _positions(self, num_rows: int, size: int, generator: torch.Generator) -> Tensor:
        offsets = torch.randint(-self.shift, self.shift + 1, (num_rows, 1), generator=generator)
        return (torch.arange(size)[None, :] + offsets).clamp(0, size - 1)
