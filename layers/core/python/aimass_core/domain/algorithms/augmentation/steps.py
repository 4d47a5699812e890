"""What the steps of every kind of data have in common."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from aimass_core.domain.common import Request

Steps = Field(max_length=16)


class Step(Request):
    """One change. Each example is drawn for anew, and left as it is with the probability that is left."""

    probability: float = Field(default=1.0, gt=0, le=1, description="Of each example to be changed.")


class Mixup(Step):
    """Mixes the examples and the losses of pairs (Zhang et al. 2018); the probability is that of a batch."""

    name: Literal["mixup"]
    alpha: float = Field(default=0.2, gt=0, le=10, description="Of the Beta distribution that the share is drawn from.")


class Strength(StrEnum):
    """Steps by name, from none to strong."""

    NONE = "none"
    LIGHT = "light"
    STANDARD = "standard"
    STRONG = "strong"


def resolve_steps(augmentation: StrEnum | Sequence[Any], presets: Mapping[Any, Sequence[Any]]) -> Sequence[Any]:
    """The steps that were named, or those of a preset."""
    return presets[augmentation] if isinstance(augmentation, StrEnum) else augmentation


def form(value: Any) -> str:
    """Which of the two ways it is declared in."""
    return "steps" if isinstance(value, list) else "preset"
