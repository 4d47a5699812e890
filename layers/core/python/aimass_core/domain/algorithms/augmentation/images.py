"""Changes to images."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from aimass_core.domain.algorithms.augmentation.steps import Mixup, Step, Steps, form


class Preset(StrEnum):
    """Steps by name, from none to strong; RANDAUGMENT: Cubuk et al. 2020."""

    NONE = "none"
    LIGHT = "light"
    STANDARD = "standard"
    STRONG = "strong"
    RANDAUGMENT = "randaugment"


class Flip(Step):
    """Mirrors."""

    name: Literal["flip"]
    direction: Literal["horizontal", "vertical"] = "horizontal"
    probability: float = Field(default=0.5, gt=0, le=1, description="Of each image to be changed.")


class Rotate(Step):
    """By up to so many degrees, to either side."""

    name: Literal["rotate"]
    degrees: float = Field(default=15.0, gt=0, le=180)


class Crop(Step):
    """A part of at least this share of the area, brought back to the image's size."""

    name: Literal["crop"]
    min_share: float = Field(default=0.6, ge=0.05, lt=1)


class Scale(Step):
    """Larger or smaller by up to this share."""

    name: Literal["scale"]
    share: float = Field(default=0.2, gt=0, le=0.9)


class Translate(Step):
    """By up to this share of the size, in either direction."""

    name: Literal["translate"]
    share: float = Field(default=0.1, gt=0, le=0.9)


class Colour(Step):
    """Each by up to this share; hue by a part of the circle. Grey images have neither saturation nor hue."""

    name: Literal["colour"]
    brightness: float = Field(default=0.2, ge=0, le=1)
    contrast: float = Field(default=0.2, ge=0, le=1)
    saturation: float = Field(default=0.2, ge=0, le=1)
    hue: float = Field(default=0.0, ge=0, le=0.5)


class Noise(Step):
    """Gaussian, of this standard deviation where black is 0 and white is 1."""

    name: Literal["noise"]
    deviation: float = Field(default=0.05, gt=0, le=1)


class Blur(Step):
    """Gaussian, of up to so many pixels."""

    name: Literal["blur"]
    max_sigma: float = Field(default=1.0, ge=0.1, le=10)


class Cutout(Step):
    """A grey square of this share of the side (DeVries & Taylor 2017)."""

    name: Literal["cutout"]
    share: float = Field(default=0.25, gt=0, lt=1)


class RandAugment(Step):
    """So many of 13 operations (12 for grey images), chosen anew for every few images (Cubuk et al. 2020)."""

    name: Literal["randaugment"]
    num_operations: int = Field(default=2, ge=1, le=8)
    magnitude: int = Field(default=9, ge=1, le=29)


class Cutmix(Step):
    """Puts a part of one image into another (Yun et al. 2019); the probability is that of a batch."""

    name: Literal["cutmix"]
    alpha: float = Field(default=1.0, gt=0, le=10)


ImageStep = Flip | Rotate | Crop | Scale | Translate | Colour | Noise | Blur | Cutout | RandAugment
MixStep = Mixup | Cutmix
Augmentation = Annotated[
    Annotated[Preset, Tag("preset")]
    | Annotated[list[Annotated[ImageStep | MixStep, Field(discriminator="name")]], Steps, Tag("steps")],
    Discriminator(form),
]

PRESETS: dict[Preset, tuple[ImageStep | MixStep, ...]] = {
    Preset.NONE: (),
    Preset.LIGHT: (
        Flip(name="flip"),
        Translate(name="translate", share=0.08),
    ),
    Preset.STANDARD: (
        Flip(name="flip"),
        Crop(name="crop", min_share=0.7, probability=0.5),
        Rotate(name="rotate", degrees=10.0, probability=0.5),
        Colour(name="colour", probability=0.5),
    ),
    Preset.STRONG: (
        Flip(name="flip"),
        Crop(name="crop", min_share=0.5),
        Rotate(name="rotate", degrees=15.0, probability=0.5),
        Colour(name="colour", brightness=0.3, contrast=0.3, saturation=0.3, hue=0.03),
        Cutout(name="cutout", probability=0.5),
        Cutmix(name="cutmix", probability=0.5),
    ),
    Preset.RANDAUGMENT: (
        Flip(name="flip"),
        Translate(name="translate", share=0.08),
        RandAugment(name="randaugment"),
    ),
}
