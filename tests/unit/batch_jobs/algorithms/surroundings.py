"""What surrounds a fit in tests: a listener that keeps all, and checkpoints in memory whose process may die."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from batch_jobs.algorithms.learning import Checkpoint


class KilledError(Exception):
    """The process is gone."""


@dataclass
class Listener:
    """Keeps all that it is told."""

    curves: dict[str, list[float]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def step(self, step: int, num_steps: int, losses: Mapping[str, float]) -> None:
        for name, value in losses.items():
            self.curves.setdefault(name, []).append(value)

    def message(self, text: str) -> None:
        self.messages.append(text)


@dataclass
class Memory:
    """Checkpoints in memory; the process dies after so many of them."""

    dies_after: float = math.inf
    stored: Checkpoint | None = None
    num_reached: int = 0

    def load(self) -> Checkpoint | None:
        return self.stored

    @contextmanager
    def running(self) -> Iterator[None]:
        yield

    def reach(self, build: Callable[[], Checkpoint]) -> None:
        self.num_reached += 1
        if self.num_reached >= self.dies_after:
            self.stored = build()
            raise KilledError

    def finish(self, checkpoint: Checkpoint) -> None:
        self.stored = checkpoint
