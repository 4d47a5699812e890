"""Examples as tensors in memory, in batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from batch_jobs.algorithms.evaluation import evaluation_size
from batch_jobs.algorithms.learning import Examples


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Tensors in memory."""

    features: Tensor
    targets: Tensor

    def shuffled(
        self, size: int, generator: torch.Generator, *, part: int = 0, num_parts: int = 1
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """All rows once in random order: of each batch the features and targets of one part, and all its targets.

        The parts of a batch are disjoint, and as equal as can be. A last batch of one row for each part, or less, is
        left out: one row has no variance to normalise by.

        NOTE: the generator is asked before the first batch and never again, so that an epoch can be resumed within.
        """
        for index in torch.split(torch.randperm(len(self.targets), generator=generator), size):
            if len(index) >= 2 * num_parts or len(self.targets) == 1:
                own = torch.tensor_split(index, num_parts)[part]
                yield self.features[own], self.targets[own], self.targets[index]

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows."""
        size = evaluation_size(self.features.shape)
        yield from zip(torch.split(self.features, size), torch.split(self.targets, size), strict=True)


def to_batches(examples: Examples) -> Batches:
    """Class indices stay int64; values and labels become float32 as the network's own."""
    targets = torch.from_numpy(examples.targets)
    targets = targets if targets.dtype is torch.int64 else targets.float()
    return Batches(features=torch.from_numpy(examples.features), targets=targets)


@torch.inference_mode()
def predict_scores(answer: nn.Module, features: Any) -> Any:
    """Final scores of all rows as numpy, in batches."""
    answer.eval()
    tensor = torch.from_numpy(features)
    parts = [answer(part) for part in torch.split(tensor, evaluation_size(tensor.shape))]
    return torch.cat(parts).numpy()
