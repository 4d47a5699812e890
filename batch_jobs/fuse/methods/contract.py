"""What every way to combine models is given and gives back."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from aimass_core.domain.fusion import FusionMethod
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.fuse.answers import Answered, Doubles

CLASSES = frozenset({Task.BINARY, Task.MULTICLASS, Task.MULTILABEL})
VALUES = frozenset({Task.REGRESSION, Task.FORECASTING})


class Combination(Protocol):
    """What was fitted: the same in NumPy and in ONNX."""

    @property
    def weights(self) -> Doubles | None:
        """What each member counts, together 1. None: it has no weights that could be others."""

    def answer(self, scores: Doubles) -> Doubles:
        """Of `Answered.scores` [members, rows, outputs] the combined ones [rows, outputs]."""

    def to_graph(self, graph: GraphBuilder, scores: str, weights: str | None) -> str:
        """The same on a value [members, rows, outputs] of float64; `weights` is a value [members, 1, 1] that takes the
        place of the fitted ones, or None where the method has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What fits share."""

    metric: str
    seed: int
    num_threads: int


class Method(Protocol):
    """A way to combine."""

    @property
    def method(self) -> FusionMethod:
        """Which one it is."""

    @property
    def tasks(self) -> Collection[Task]:
        """What it is for."""

    def fit(self, answered: Answered, settings: Settings) -> Combination:
        """To these rows. Raises ValueError where they do not allow it; the message says why."""
