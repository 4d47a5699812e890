"""From a network's hyperparameters to what changes its training images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from aimass_core.domain.algorithms.augmentation import ImageStep, MixStep, resolve_steps
from aimass_core.domain.algorithms.networks import CnnHyperparameters
from batch_jobs.data.augmentation.mixing import MixAugment
from batch_jobs.data.augmentation.shifts import ShiftAugment

Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True)
class _Chain:
    parts: tuple[Augment, ...]

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        for part in self.parts:
            images = part(images, generator)
        return images


def build_augment(hyperparameters: CnnHyperparameters, shape: tuple[int, int, int]) -> Augment | None:
    """What is done to each image of height, width and channels: flip and shift, then the steps; None: nothing."""
    chosen = hyperparameters
    parts: list[Augment] = [ShiftAugment(chosen.shift, chosen.flip)] if chosen.shift or chosen.flip else []
    steps = [step for step in resolve_steps(chosen.augmentation) if isinstance(step, get_args(ImageStep))]
    if steps:
        # Kornia is not needed by those who do not ask for it.
        from batch_jobs.data.augmentation.images import ImageAugment

        height, width, channels = shape
        parts.append(ImageAugment(steps, height=height, width=width, channels=channels))
    return _Chain(tuple(parts)) if len(parts) > 1 else next(iter(parts), None)


def build_mix(hyperparameters: CnnHyperparameters) -> MixAugment | None:
    """What is done to pairs; None: nothing."""
    steps = [step for step in resolve_steps(hyperparameters.augmentation) if isinstance(step, get_args(MixStep))]
    return MixAugment(steps) if steps else None


def name_steps(hyperparameters: CnnHyperparameters) -> list[str]:
    """For people: what is done, in its order."""
    chosen = hyperparameters
    names = [f"shift of up to {chosen.shift} pixels"] if chosen.shift else []
    names += ["flip"] if chosen.flip else []
    for step in resolve_steps(chosen.augmentation):
        strengths = step.model_dump(mode="json", exclude={"name", "probability"})
        shown = ", ".join(f"{name} {value}" for name, value in strengths.items())
        names.append(f"{step.name} ({shown}; probability {step.probability:g})")
    return names
