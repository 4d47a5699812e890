"""What every method of compression is given and what it gives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import onnx

from aimass_core.domain.common import JsonScalar
from aimass_core.domain.compression import CompressionMethod, CompressSpec
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.material import Material

Settings = Mapping[str, JsonScalar]


class UnfitError(Exception):
    """A method cannot do anything for this model. The message says why, for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What methods work with beside the model that they change.

    `material` has the rows as the models read them: the parts `train` and `validation`, and `test` where there is one.
    Methods fit and calibrate on `train`, and may look at `validation` by `score` alone: the metric of a whole model on
    these rows, the higher the better.
    """

    spec: CompressSpec
    original: RegisteredModel
    material: Material
    score: Callable[[onnx.ModelProto], float]
    num_threads: int
    seed: int
    scratch_path: Path
    seconds_left: Callable[[], float | None]
    """Until methods have to come to their end. None: as long as it takes."""
    message: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Settings of a method that are worth a try."""

    settings: Settings
    is_trained: bool = False
    """It trains, and takes so much longer than one that does not."""
    betters: Settings | None = None
    """It makes what these settings of the same method make, of a better score: of use where they lose too much."""


class Method(Protocol):
    """A way to compress. Graphs go in and come out whole, from raw columns to the answer; inputs, outputs and what they
    mean stay as they are, so that methods can follow each other."""

    @property
    def method(self) -> CompressionMethod:
        """Which one it is."""

    def propose(self, model: onnx.ModelProto, ground: Ground) -> Sequence[Proposal]:
        """Settings for this model, the mildest first. Raises UnfitError."""

    def apply(self, model: onnx.ModelProto, settings: Settings, ground: Ground) -> onnx.ModelProto:
        """A new graph; the one given is left as it is. Raises UnfitError."""
