"""Changes to the rows of a feature matrix: quantities first, then codes."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aimass_core.domain.algorithms.augmentation import tables as declared
from batch_jobs.data.augmentation.mixing import mix_present


class TableAugment:
    """The steps one after the other, each on its own choice of the rows."""

    def __init__(self, steps: Sequence[declared.TableStep], features: NDArray[np.float32], *, num_numeric: int) -> None:
        """`features` are those of training: noise is in units of their deviations."""
        quantities = features[:, :num_numeric].astype(np.float64)
        is_some = ~np.isnan(quantities)
        counts = np.maximum(is_some.sum(axis=0), 1)
        means = np.where(is_some, quantities, 0.0).sum(axis=0) / counts
        deviations = np.sqrt((np.where(is_some, quantities - means, 0.0) ** 2).sum(axis=0) / counts)
        self._deviations = torch.from_numpy(np.pad(deviations, (0, features.shape[1] - num_numeric))).float()
        self._steps = steps

    @torch.no_grad()
    def __call__(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """[rows, columns]; what is missing stays so, unless it is swapped."""
        for step in self._steps:
            is_chosen = (torch.rand(len(features), 1, generator=generator) < step.probability).to(features.device)
            if isinstance(step, declared.Noise):
                noise = torch.randn(features.shape, generator=generator) * (step.deviation * self._deviations)
                changed = features + noise.to(features.device)
            else:
                others = torch.randint(len(features), features.shape, generator=generator).to(features.device)
                is_swapped = (torch.rand(features.shape, generator=generator) < step.part).to(features.device)
                changed = torch.where(is_swapped, features.gather(0, others), features)
            features = torch.where(is_chosen, changed, features)
        return features


class TableBlend:
    """Mixes quantities; of the categories each is that of one or the other row, as likely as its share."""

    def __init__(self, num_numeric: int) -> None:
        self._num_numeric = num_numeric

    def __call__(self, own: Tensor, others: Tensor, share: float, generator: torch.Generator) -> Tensor:
        """[rows, columns]."""
        is_code = torch.arange(own.shape[1], device=own.device) >= self._num_numeric
        is_own = (torch.rand(own.shape, generator=generator) < share).to(own.device)
        mixed = mix_present(own, others, share, generator)
        return torch.where(is_code, torch.where(is_own, own, others), mixed)
