"""Changes to what may be texts or series: the data says which, and with it which steps there are."""

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from aimass_core.domain.algorithms.augmentation.series import SeriesStep
from aimass_core.domain.algorithms.augmentation.steps import Mixup, Steps, Strength, form
from aimass_core.domain.algorithms.augmentation.texts import TextStep

SequenceAugmentation = Annotated[
    Annotated[Strength, Tag("preset")]
    | Annotated[list[Annotated[SeriesStep | TextStep | Mixup, Field(discriminator="name")]], Steps, Tag("steps")],
    Discriminator(form),
]
