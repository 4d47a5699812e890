"""The checkpoints of a job's fits, in time and with the curves that were drawn until then."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from batch_jobs.algorithms.learning import Checkpoint
from batch_jobs.runtime import interruption
from batch_jobs.runtime.checkpoints import CheckpointFolder
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.interruption import Interrupted, Postponement

Points = dict[str, list[tuple[int, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPlace:
    """Where a job's checkpoints lie, and how often there is one; none of them is this process's where it only takes
    part."""

    path: Path
    job: str
    interval_seconds: float
    message: Callable[[str], None]
    is_kept: bool = True

    @classmethod
    def of_job(cls, environment: Environment, *, message: Callable[[str], None], interval_seconds: float = 60) -> Self:
        """Those that a later attempt of the job finds again."""
        return cls(
            path=environment.checkpoint_path,
            job=environment.job,
            interval_seconds=interval_seconds,
            message=message,
            is_kept=environment.cluster.is_main,
        )

    def of_fit(self, label: str, points: Points) -> "FitCheckpoints":
        """Those of one fit; `points` are saved with each and filled again from what is loaded."""
        name = re.sub(r"[^a-z0-9]+", "-", label)
        folder = CheckpointFolder(path=self.path / name, job=self.job, message=self.message)
        return FitCheckpoints(
            folder=folder, interval_seconds=self.interval_seconds, points=points, is_kept=self.is_kept
        )


@dataclass(slots=True, kw_only=True)
class FitCheckpoints:
    """Satisfies `Checkpoints`."""

    folder: CheckpointFolder
    interval_seconds: float
    points: Points
    is_kept: bool = True
    clock: Callable[[], float] = time.monotonic
    _saved_at: float = field(init=False)
    _postponement: Postponement | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._saved_at = self.clock()

    def load(self) -> Checkpoint | None:
        """See Checkpoints."""
        stored = self.folder.load()
        if stored is None:
            return None
        for name, points in stored.document["points"].items():
            self.points[name] = [(step, value) for step, value in points]
        fit = stored.document["fit"]
        return Checkpoint(document=fit, arrays=stored.arrays, is_finished=stored.document["is_finished"])

    @contextmanager
    def running(self) -> Iterator[None]:
        """See Checkpoints."""
        with interruption.postponed() as self._postponement:
            yield

    def is_leaving(self) -> bool:
        """See Checkpoints."""
        return self._postponement is not None and self._postponement.is_due

    def is_due(self) -> bool:
        """See Checkpoints."""
        return self.is_kept and self.clock() - self._saved_at >= self.interval_seconds

    def reach(self, build: Callable[[], Checkpoint], *, leave: bool = False) -> None:
        """See Checkpoints."""
        is_leaving = leave or self.is_leaving()
        if self.is_due() or (is_leaving and self.is_kept):
            self._save(build())
        if is_leaving:
            raise Interrupted

    def finish(self, checkpoint: Checkpoint) -> None:
        """See Checkpoints. What led to the end is not needed any more."""
        if self.is_kept:
            self._save(checkpoint)

    def _save(self, checkpoint: Checkpoint) -> None:
        document = {"fit": checkpoint.document, "points": self.points, "is_finished": checkpoint.is_finished}
        self.folder.save(document, checkpoint.arrays)
        self._saved_at = self.clock()
