"""Examples as tensors in batches; on disk, those of a window of it are in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.evaluation import evaluation_size
from batch_jobs.algorithms.learning import Examples
from batch_jobs.data.maps import BLOCK_BYTES, WINDOW_BYTES, is_on_disk, release


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Tensors; `map` is what the features are where they lie on disk, and `shares` are those of `Examples`."""

    features: Tensor
    targets: Tensor
    map: NDArray[Any] | None = None
    shares: tuple[int, ...] | None = None
    window_bytes: int = WINDOW_BYTES

    def shuffled(
        self, size: int, generator: torch.Generator, *, part: int = 0, num_parts: int = 1
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """All rows once in random order: of each batch the features and targets of one part, and all its targets.

        The parts of a batch are disjoint, and as equal as can be. A last batch of one row for each part, or less, is
        left out: one row has no variance to normalise by.

        NOTE: the generator is asked before the first batch and never again, so that an epoch can be resumed within.
        """
        indices = (
            self._divide(size, generator, part, num_parts) if self.shares is None else self._join(size, generator, part)
        )
        for number, (own, targets, index) in enumerate(indices, start=1):
            yield self.features[own], self.targets[targets], self.targets[index]
            self._rest(number, len(own))

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows."""
        size = evaluation_size(self.features.shape)
        batches = zip(torch.split(self.features, size), torch.split(self.targets, size), strict=True)
        for number, batch in enumerate(batches, start=1):
            yield batch
            self._rest(number, size)

    def _divide(
        self, size: int, generator: torch.Generator, part: int, num_parts: int
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Batches of rows that all processes have."""
        for index in torch.split(self._order(len(self.targets), generator), size):
            if len(index) >= 2 * num_parts or len(self.targets) == 1:
                own = torch.tensor_split(index, num_parts)[part]
                yield own, own, index

    def _join(self, size: int, generator: torch.Generator, part: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Batches that each process adds some of its own rows to: as many batches of all, whatever rows each has."""
        shares = self.shares or ()
        num_batches = -(-len(self.targets) // size)
        if min(shares) < 2 * num_batches:
            raise InvalidRequestError(
                f"the row groups of one of {len(shares)} machines hold {min(shares)} rows, and {num_batches} batches "
                f"need two of each machine: raise batch_size from {size}, or train on fewer machines"
            )
        # Every process draws every order, so that all know of each batch all targets, and go on from the same state.
        orders = [torch.tensor_split(self._order(count, generator), num_batches) for count in shares]
        starts = [sum(shares[:rank]) for rank in range(len(shares))]
        for parts in zip(*orders, strict=True):
            placed = [start + rows for start, rows in zip(starts, parts, strict=True)]
            yield parts[part], placed[part], torch.cat(placed)

    def _order(self, num_rows: int, generator: torch.Generator) -> Tensor:
        """Random; of a map that is larger than a window, only within windows of random blocks."""
        row_bytes = self._row_bytes
        if self.map is None or num_rows * row_bytes <= self.window_bytes:
            return torch.randperm(num_rows, generator=generator)
        size = max(BLOCK_BYTES // row_bytes, 1)
        blocks = torch.randperm(-(-num_rows // size), generator=generator)
        windows = []
        for window in torch.split(blocks, max(self.window_bytes // (size * row_bytes), 1)):
            rows = (window[:, None] * size + torch.arange(size)).flatten()
            rows = rows[rows < num_rows]
            windows.append(rows[torch.randperm(len(rows), generator=generator)])
        return torch.cat(windows)

    @property
    def _row_bytes(self) -> int:
        return max(self.features[0].numel() * self.features.element_size(), 1)

    def _rest(self, num_batches: int, size: int) -> None:
        """After about each window, what was read of it need not be in memory any more."""
        if self.map is not None and num_batches % max(self.window_bytes // (size * self._row_bytes), 1) == 0:
            release(self.map)


def to_batches(examples: Examples) -> Batches:
    """Class indices stay int64; values, labels and probabilities become float32 as the network's own."""
    targets = torch.from_numpy(examples.targets if examples.soft_targets is None else examples.soft_targets)
    targets = targets if targets.dtype is torch.int64 else targets.float()
    features = examples.features
    return Batches(
        features=torch.from_numpy(features),
        targets=targets,
        map=features if is_on_disk(features) else None,
        shares=examples.shares,
    )


@torch.inference_mode()
def predict_scores(answer: nn.Module, features: Any) -> Any:
    """Final scores of all rows as numpy, in batches."""
    answer.eval()
    tensor = torch.from_numpy(features)
    parts = [answer(part) for part in torch.split(tensor, evaluation_size(tensor.shape))]
    return torch.cat(parts).numpy()
