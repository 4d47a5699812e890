"""Changes to series: magnitudes in units of each channel's training deviation, time in shares of a series' own length.

Um et al. 2017, "Data Augmentation of Wearable Sensor Data"; Le Guennec et al. 2016, "Data Augmentation for Time Series
Classification"; which help where: Iwana and Uchida 2021, "An Empirical Survey of Data Augmentation for Time Series".
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from aimass_core.domain.algorithms.augmentation.steps import Mixup, Step, Steps, Strength, form


class Jitter(Step):
    """Adds gaussian noise."""

    name: Literal["jitter"]
    deviation: float = Field(default=0.05, gt=0, le=2)


class Scale(Step):
    """Multiplies each channel, its distance from the mean of training, by a factor around 1."""

    name: Literal["scale"]
    deviation: float = Field(default=0.1, gt=0, le=2)


class MagnitudeWarp(Step):
    """Multiplies by a smooth curve around 1 through so many knots within the series."""

    name: Literal["magnitude_warp"]
    deviation: float = Field(default=0.2, gt=0, le=2)
    knots: int = Field(default=4, ge=1, le=64)


class TimeWarp(Step):
    """Time goes faster here and slower there, by a smooth curve around 1; begin, end and length stay."""

    name: Literal["time_warp"]
    deviation: float = Field(default=0.2, gt=0, le=2)
    knots: int = Field(default=4, ge=1, le=64)


class WindowWarp(Step):
    """In a part of this share, time goes twice as fast or half as fast; the length stays."""

    name: Literal["window_warp"]
    share: float = Field(default=0.1, gt=0, lt=1)


class Crop(Step):
    """A part of at least this share (window slicing), stretched to the length that was."""

    name: Literal["crop"]
    min_share: float = Field(default=0.9, ge=0.05, lt=1)


class Cutout(Step):
    """In a part of this share, every channel is the mean of training."""

    name: Literal["cutout"]
    share: float = Field(default=0.1, gt=0, lt=1)


SeriesStep = Jitter | Scale | MagnitudeWarp | TimeWarp | WindowWarp | Crop | Cutout
SeriesAugmentation = Annotated[
    Annotated[Strength, Tag("preset")]
    | Annotated[list[Annotated[SeriesStep | Mixup, Field(discriminator="name")]], Steps, Tag("steps")],
    Discriminator(form),
]

# What neither shifts the time nor the level that a forecast goes on from.
FORECAST_STEPS = ("jitter", "cutout", "mixup")

PRESETS: Mapping[Strength, Sequence[SeriesStep | Mixup]] = {
    Strength.NONE: (),
    Strength.LIGHT: (
        Jitter(name="jitter", deviation=0.03),
        Scale(name="scale", deviation=0.1),
    ),
    Strength.STANDARD: (
        Jitter(name="jitter", probability=0.5),
        Scale(name="scale", probability=0.5),
        WindowWarp(name="window_warp", probability=0.5),
        Crop(name="crop", probability=0.5),
    ),
    Strength.STRONG: (
        Jitter(name="jitter", probability=0.5),
        MagnitudeWarp(name="magnitude_warp", probability=0.5),
        TimeWarp(name="time_warp", probability=0.5),
        WindowWarp(name="window_warp", probability=0.5),
        Crop(name="crop", min_share=0.8, probability=0.5),
        Cutout(name="cutout", probability=0.5),
        Mixup(name="mixup", probability=0.5),
    ),
}


def resolve_steps(augmentation: Strength | Sequence[Any], *, is_forecast: bool) -> list[Any]:
    """The steps that were named, or those of a preset; of a forecast without those that do not fit it."""
    if not isinstance(augmentation, Strength):
        return list(augmentation)
    return [step for step in PRESETS[augmentation] if not is_forecast or step.name in FORECAST_STEPS]


def unfit_for_forecasts(augmentation: object) -> list[str]:
    """The names of the declared steps that a forecast cannot be trained with."""
    steps = augmentation if isinstance(augmentation, list) else []
    return [step.name for step in steps if step.name not in FORECAST_STEPS]
