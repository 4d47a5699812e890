"""Changes to the rows of tables."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from aimass_core.domain.algorithms.augmentation.steps import Mixup, Step, Steps, Strength, form


class Noise(Step):
    """Adds gaussian noise to quantities, in units of their training deviation."""

    name: Literal["noise"]
    deviation: float = Field(default=0.05, gt=0, le=2)


class Swap(Step):
    """Takes this part of the values from other rows: swap noise (Vincent et al. 2010; SCARF, Bahri et al. 2022)."""

    name: Literal["swap"]
    part: float = Field(default=0.1, gt=0, lt=1)


TableStep = Noise | Swap
TableAugmentation = Annotated[
    Annotated[Strength, Tag("preset")]
    | Annotated[list[Annotated[TableStep | Mixup, Field(discriminator="name")]], Steps, Tag("steps")],
    Discriminator(form),
]

PRESETS: Mapping[Strength, Sequence[TableStep | Mixup]] = {
    Strength.NONE: (),
    Strength.LIGHT: (Noise(name="noise"),),
    Strength.STANDARD: (Noise(name="noise"), Swap(name="swap", probability=0.5)),
    Strength.STRONG: (
        Noise(name="noise", deviation=0.1),
        Swap(name="swap", part=0.2),
        Mixup(name="mixup", probability=0.5),
    ),
}
