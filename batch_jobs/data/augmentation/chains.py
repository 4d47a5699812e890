"""One change after the other, and in words."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aimass_core.domain.algorithms.augmentation.steps import Step

Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True)
class Chain:
    """Satisfies `Augment`."""

    parts: Sequence[Augment]

    def __call__(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """All of them, in their order."""
        for part in self.parts:
            features = part(features, generator)
        return features


def join(parts: Sequence[Augment]) -> Augment | None:
    """None where there is nothing to do."""
    return Chain(parts) if len(parts) > 1 else next(iter(parts), None)


def describe(steps: Iterable[Step]) -> list[str]:
    """For people: names with strengths and probabilities."""
    return [_describe(step.model_dump(mode="json")) for step in steps]


def _describe(values: dict[str, object]) -> str:
    name, probability = values.pop("name"), values.pop("probability")
    shown = "".join(f"{strength} {value}, " for strength, value in values.items())
    return f"{name} ({shown.removesuffix(', ')}; probability {probability:g})"
