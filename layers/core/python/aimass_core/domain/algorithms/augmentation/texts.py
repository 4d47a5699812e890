"""Changes to texts: those of EDA (Wei and Zou 2019) that need no dictionary of synonyms.

Words that are taken as unknown are the hyperparameter `word_dropout`.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from aimass_core.domain.algorithms.augmentation.steps import Step, Strength


class Drop(Step):
    """Leaves out this part of the words; one always stays."""

    name: Literal["drop"]
    part: float = Field(default=0.1, gt=0, lt=1)


class Swap(Step):
    """This part of the words change places among each other."""

    name: Literal["swap"]
    part: float = Field(default=0.1, gt=0, le=1)


TextStep = Drop | Swap

PRESETS: Mapping[Strength, Sequence[TextStep]] = {
    Strength.NONE: (),
    Strength.LIGHT: (Drop(name="drop", part=0.05),),
    Strength.STANDARD: (Drop(name="drop"), Swap(name="swap")),
    Strength.STRONG: (Drop(name="drop", part=0.2), Swap(name="swap", part=0.2)),
}
