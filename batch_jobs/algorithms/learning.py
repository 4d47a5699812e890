"""What every algorithm is given and what it gives back."""

import math
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.signatures import Task
from batch_jobs.data.targets import TargetScale
from batch_jobs.runtime.cluster import Cluster

FEATURES = "features"
SCORES = "scores"


class Listener(Protocol):
    """Who wants to know how a fit goes."""

    def step(self, step: int, num_steps: int, losses: Mapping[str, float]) -> None:
        """A step is done, of so many at most; losses such as {"train/log_loss": 0.4}."""

    def message(self, text: str) -> None:
        """Something that the user should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Features as `Problem` describes them, and targets: int64 class indices, standardised float64 values, or of a
    multi-label task uint8 [rows, labels], 1 where a row has the label.

    Features that are larger than memory lie on disk (`batch_jobs.data.maps`): an algorithm whose implementation
    `is_streamed` reads some rows of them at a time, and takes what statistics it needs from those that are `known`.
    """

    features: NDArray[Any]
    targets: NDArray[Any]
    sample: NDArray[Any] | None = None
    """Of features on disk, rows that are in memory."""
    shares: tuple[int, ...] | None = None
    """Of how many rows each process of the fit has the features: these are this one's, the targets all of them in the
    processes' order. None: every process has all rows."""
    soft_targets: NDArray[np.float32] | None = None
    """How probable each class or label is, float32 [rows, outputs], as another model says. Learned in the place of
    `targets` (which are the most probable) by an algorithm that `takes_soft_targets`, in one process, from memory."""

    @property
    def known(self) -> NDArray[Any]:
        """Rows in memory: all, or a sample."""
        return self.features if self.sample is None else self.sample

    @property
    def num_rows(self) -> int:
        """How many all processes have together."""
        return len(self.targets)

    def own(self, rank: int, num_processes: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Features and targets of one process's part."""
        if self.shares is None:
            part = slice(rank, None, num_processes)
            return self.features[part], self.targets[part]
        start = sum(self.shares[:rank])
        return self.features, self.targets[start : start + self.shares[rank]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is to be learned.

    `kind` is one of the algorithm's own kinds, and says what the features are:
    TABLE: float32 [rows, columns]; the first `num_numeric` columns are quantities (missing is NaN), then comes one code
    for each category, from 0 to its cardinality - 1.
    IMAGES: uint8 [rows, height, width, channels].
    TEXT: int64 token ids [rows, length], all below the one cardinality; 0 is padding at the end, 1 the unknown token.
    SERIES: float32 [rows, length, num_numeric]; a step whose values all are NaN at the end is padding.
    A forecast has one output for each step to come, and `target_channel`: the channel that holds the target's own past,
    which `target_scale` brings to the scale of the targets.
    """

    task: Task
    kind: DataKind
    num_outputs: int
    num_numeric: int = 0
    cardinalities: tuple[int, ...] = ()
    target_channel: int | None = None
    target_scale: TargetScale | None = None
    seed: int
    num_threads: int


class Fitted(Protocol):
    """A fitted model."""

    @property
    def num_steps(self) -> int:
        """Rounds or epochs that gave the best validation loss; what a fit without validation should do."""

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """By the framework itself: probabilities [rows, classes or labels], or standardised values [rows], or
        [rows, horizon]."""

    def to_onnx(self) -> onnx.ModelProto:
        """A graph from `features` to `scores` [rows, num_outputs]: probabilities, or standardised values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """All that a fit needs to go on exactly as if nothing had happened; of a finished fit only what came of it."""

    document: Mapping[str, Any]
    """JSON."""
    arrays: Mapping[str, NDArray[Any]]
    is_finished: bool = False


class Checkpoints(Protocol):
    """Where one fit leaves its checkpoints."""

    def load(self) -> Checkpoint | None:
        """The newest one that an earlier attempt left."""

    def running(self) -> AbstractContextManager[None]:
        """Within it, an interruption waits until the fit next comes to `reach`."""

    def is_leaving(self) -> bool:
        """Whether this process has to leave at the next `reach`."""

    def is_due(self) -> bool:
        """Whether the next `reach` saves, because it is time to."""

    def reach(self, build: Callable[[], Checkpoint], *, leave: bool = False) -> None:
        """The fit could go on from here. Saves what `build` returns where it is time to; leaves where it has to, and
        with `leave` in any case."""

    def finish(self, checkpoint: Checkpoint) -> None:
        """The fit is done: a later attempt need not repeat it."""


class NoCheckpoints:
    """Satisfies `Checkpoints`: an interrupted fit begins anew."""

    def load(self) -> Checkpoint | None:
        """See Checkpoints."""
        return None

    def running(self) -> AbstractContextManager[None]:
        """See Checkpoints."""
        return nullcontext()

    def is_leaving(self) -> bool:
        """See Checkpoints."""
        return False

    def is_due(self) -> bool:
        """See Checkpoints."""
        return False

    def reach(self, build: Callable[[], Checkpoint], *, leave: bool = False) -> None:
        """See Checkpoints."""

    def finish(self, checkpoint: Checkpoint) -> None:
        """See Checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitContext:
    """What surrounds a fit.

    `num_steps`: without validation examples, do exactly so many rounds or epochs. `is_time_up`: asked after every
    small step; then the fit ends with the best it has, and says so. `find_seconds_left`: until then, for a fit that
    arranges itself to be done by that time; it tells `adapt` which hyperparameters are others for it. `cluster`: the
    processes that make this fit together, each with the same examples. `scratch_path`: a folder for what does not fit
    into memory. `wants_accuracy`: the validation examples judge by right answers first, by the loss where these tie:
    boosted trees get more rows right for long after their probabilities are at their best.
    """

    listener: Listener
    num_steps: int | None = None
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    is_time_up: Callable[[], bool] = lambda: False
    find_seconds_left: Callable[[], float] = lambda: math.inf
    adapt: Callable[[Mapping[str, Any]], None] = lambda _: None
    cluster: Cluster = field(default_factory=Cluster)
    scratch_path: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    wants_accuracy: bool = False


class Learner(Protocol):
    """An algorithm with its hyperparameters; constructed with an instance of its spec's hyperparameters."""

    def fit(self, problem: Problem, train: Examples, validation: Examples | None, *, context: FitContext) -> Fitted:
        """Fits, stopping early by the validation examples where there are any."""
