"""Changes within an image."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from kornia import augmentation as kornia
from kornia.augmentation.auto import RandAugment as KorniaRandAugment
from kornia.augmentation.auto.rand_augment.rand_augment import default_policy
from torch import Tensor

from aimass_core.domain.algorithms.augmentation import images as declared

Stage = Callable[[Tensor], Tensor]
Size = tuple[int, int]
_BORDER = "reflection"
_GROUP = 16
# NOTE: the paper does not invert, and Kornia's solarize is the stronger the smaller the magnitude is.
_LEFT_OUT = frozenset({"invert", "solarize"})
_GREY = 0.5


class ImageAugment:
    """The steps one after the other, each on its own choice of the images."""

    def __init__(self, steps: Sequence[declared.ImageStep], *, height: int, width: int, channels: int) -> None:
        self._stages = [stage for step in steps for stage in _build(step, (height, width), channels)]

    @torch.no_grad()
    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """[rows, height, width, channels] from 0 to 255, uint8 or float, to float32 of the same shape and range.

        NOTE: Kornia draws from torch's global generator: it is seeded for the call, and put back after it.
        """
        seed = int(torch.randint(2**31, (), generator=generator))
        changed = images.permute(0, 3, 1, 2).float() / 255.0
        state = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)
        try:
            for stage in self._stages:
                changed = stage(changed).clamp(0.0, 1.0)
        finally:
            torch.set_rng_state(state)
        return (changed * 255.0).permute(0, 2, 3, 1).contiguous()


def _build(step: declared.ImageStep, size: Size, channels: int) -> list[Stage]:
    if isinstance(step, declared.Colour):
        return _build_colour(step, channels)
    if isinstance(step, declared.RandAugment):
        return [_RandAugment(step, channels)]
    return [_BUILDERS[type(step)](step, size)]


def _affine(step: Any, **ranges: Any) -> Any:
    return kornia.RandomAffine(**{"degrees": 0.0} | ranges, padding_mode=_BORDER, p=step.probability)


def _flip(step: declared.Flip, _: Size) -> Any:
    kind = kornia.RandomHorizontalFlip if step.direction == "horizontal" else kornia.RandomVerticalFlip
    return kind(p=step.probability)


def _crop(step: declared.Crop, size: Size) -> Any:
    scale = (step.min_share, 1.0)
    return kornia.RandomResizedCrop(size, scale=scale, cropping_mode="resample", p=step.probability)


def _blur(step: declared.Blur, size: Size) -> Any:
    kernel = 2 * min(math.ceil(2 * step.max_sigma), min(size) - 1) + 1
    return kornia.RandomGaussianBlur((kernel, kernel), (0.1, step.max_sigma), p=step.probability)


def _cutout(step: declared.Cutout, _: Size) -> Any:
    area = step.share**2
    return kornia.RandomErasing((area, area), (1.0, 1.0), value=_GREY, p=step.probability)


_BUILDERS: Mapping[type, Callable[[Any, Size], Any]] = {
    declared.Flip: _flip,
    declared.Rotate: lambda step, _: _affine(step, degrees=step.degrees),
    declared.Scale: lambda step, _: _affine(step, scale=(1 - step.share, 1 + step.share)),
    declared.Translate: lambda step, _: _affine(step, translate=(step.share, step.share)),
    declared.Crop: _crop,
    declared.Noise: lambda step, _: kornia.RandomGaussianNoise(0.0, step.deviation, p=step.probability),
    declared.Blur: _blur,
    declared.Cutout: _cutout,
}


def _build_colour(step: declared.Colour, channels: int) -> list[Stage]:
    chance, stages = step.probability, []
    ranges = {
        kornia.RandomBrightness: (1 - step.brightness, 1 + step.brightness),
        kornia.RandomContrast: (1 - step.contrast, 1 + step.contrast),
    }
    if channels == 3:
        ranges[kornia.RandomSaturation] = (1 - step.saturation, 1 + step.saturation)
        ranges[kornia.RandomHue] = (-step.hue, step.hue)
    for kind, (low, high) in ranges.items():
        if low < high:
            stages.append(kind((low, high), p=chance))
    return stages


class _RandAugment:
    """NOTE: Kornia chooses the operations for a whole batch: it is asked for every 16 images, for variety."""

    def __init__(self, step: declared.RandAugment, channels: int) -> None:
        left_out = _LEFT_OUT | (frozenset() if channels == 3 else {"color"})
        policy = [one for one in default_policy if one[0][0] not in left_out]
        self._chance = step.probability
        self._change = KorniaRandAugment(step.num_operations, step.magnitude, policy=policy)

    def __call__(self, images: Tensor) -> Tensor:
        changed = torch.cat([self._change(group) for group in torch.split(images, _GROUP)])
        is_kept = torch.rand(len(images), 1, 1, 1).to(images.device) >= self._chance
        return torch.where(is_kept, images, changed)
