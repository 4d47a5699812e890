"""Changes within a text, on the numbers of its words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from aimass_core.domain.algorithms.augmentation import texts as declared
from batch_jobs.encoding.vocabulary import PADDING, UNKNOWN

Change = Callable[[Tensor, torch.Generator], Tensor]


class TextAugment:
    """The steps one after the other, each on its own choice of the texts. Padding stays at the end."""

    def __init__(self, steps: Sequence[declared.TextStep]) -> None:
        self._changes = [(step.probability, _BUILDERS[type(step)](step)) for step in steps]

    def __call__(self, ids: Tensor, generator: torch.Generator) -> Tensor:
        """[rows, length], 0 where there is no word any more."""
        for probability, change in self._changes:
            is_chosen = torch.rand(len(ids), 1, generator=generator) < probability
            ids = torch.where(is_chosen.to(ids.device), change(ids, generator), ids)
        return ids


class UnknownWords:
    """Takes a part of the words as unknown: the unknown word is learned, and no single word is relied on."""

    def __init__(self, part: float) -> None:
        self._part = part

    def __call__(self, ids: Tensor, generator: torch.Generator) -> Tensor:
        """[rows, length]."""
        is_dropped = (torch.rand(ids.shape, generator=generator) < self._part).to(ids.device) & (ids > UNKNOWN)
        return torch.where(is_dropped, UNKNOWN, ids)


def _drop(step: declared.Drop) -> Change:
    def change(ids: Tensor, generator: torch.Generator) -> Tensor:
        is_word = ids != PADDING
        drawn = torch.where(is_word, torch.rand(ids.shape, generator=generator).to(ids.device), -1.0)
        is_kept = is_word & ((drawn >= step.part) | (drawn == drawn.amax(dim=1, keepdim=True)))
        order = torch.argsort((~is_kept).byte(), dim=1, stable=True)
        places = torch.arange(ids.shape[1], device=ids.device)
        return torch.where(places < is_kept.sum(dim=1, keepdim=True), ids.gather(1, order), PADDING)

    return change


def _swap(step: declared.Swap) -> Change:
    def change(ids: Tensor, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(2, *ids.shape, generator=generator).to(ids.device)
        is_chosen = (drawn[0] < step.part) & (ids != PADDING)
        places = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
        # Both orders begin with the chosen words, at random and as they stand, and end with all others as they stand.
        shuffled, standing = (
            torch.where(is_chosen, chosen, 2 + places).argsort(dim=1) for chosen in (drawn[1], places / ids.shape[1])
        )
        return ids.scatter(1, standing, ids.gather(1, shuffled))

    return change


_BUILDERS: Mapping[type, Callable[[Any], Change]] = {declared.Drop: _drop, declared.Swap: _swap}
