"""What a recipe reads and has made, whichever engine does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aimass_core.domain.recipe_steps import Join
from aimass_core.domain.recipes import DATA_CHANNEL, PrepareSpec, StepReport, join_channel
from batch_jobs.runtime.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePart:
    """One dataset: Parquet files `part*.parquet`, in order by their names."""

    name: str
    folder: Path
    num_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """All of it, on this machine. `quarantined` are JSON Lines of QuarantinedRow."""

    engine: str
    num_rows_in: int
    steps: Sequence[StepReport]
    parts: Sequence[MadePart]
    quarantined: Path
    metrics: Mapping[str, float] = field(default_factory=dict)


def label_of(environment: Environment, channel: str) -> str:
    """As messages and rows that were kept apart name a channel: by its dataset."""
    if channel == DATA_CHANNEL:
        return environment.dataset or channel
    spec = environment.spec
    steps = enumerate(spec.recipe.steps if isinstance(spec, PrepareSpec) else ())
    joined = {join_channel(index): str(step.dataset) for index, step in steps if isinstance(step, Join)}
    return joined.get(channel, channel)
