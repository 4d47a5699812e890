"""A fit by several processes: what the main one decides, and what all of them have to do in the same step."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from aimass_core.errors import InvalidRequestError, UnavailableError
from batch_jobs.algorithms.learning import Checkpoint, Checkpoints, FitContext

Value = TypeVar("Value")

# What a fit waits for the others: they may take longer to download and read the data. A process that dies is noticed
# at once, by its closed connections; a machine that vanishes without a word only by this.
WAIT_SECONDS = 900


class Team(Protocol):
    """The processes of a fit, as its framework connects them. Every call is answered once all have made it."""

    @property
    def rank(self) -> int:
        """Of this process."""

    @property
    def num_processes(self) -> int:
        """How many there are."""

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """Of each flag, whether it is raised anywhere."""

    def from_main(self, value: Value) -> Value:
        """What rank 0 passed."""


class Alone:
    """Satisfies `Team`: nobody has to be asked."""

    rank = 0
    num_processes = 1

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """See Team."""
        return list(flags)

    def from_main(self, value: Value) -> Value:
        """See Team."""
        return value


@dataclass(slots=True)
class _SharedCheckpoints:
    """Satisfies `Checkpoints`: all go on from the main one's checkpoint, and leave in the same step."""

    team: Team
    own: Checkpoints
    ask_time: Callable[[], bool]
    is_time_up: bool = field(default=False, init=False)

    def load(self) -> Checkpoint | None:
        return self.team.from_main(self.own.load() if self.team.rank == 0 else None)

    def running(self) -> AbstractContextManager[None]:
        return self.own.running()

    def is_leaving(self) -> bool:
        return self.own.is_leaving()

    def is_due(self) -> bool:
        return self.own.is_due()

    def reach(self, build: Callable[[], Checkpoint], *, leave: bool = False) -> None:
        """One exchange for all questions, as it comes after every step."""
        is_late = self.team.rank == 0 and self.ask_time()
        is_leaving, self.is_time_up, is_due = self.team.any(
            [leave or self.own.is_leaving(), is_late, self.own.is_due()]
        )
        if is_leaving or is_due:
            gathered = build()
            self.own.reach(lambda: gathered, leave=is_leaving)

    def finish(self, checkpoint: Checkpoint) -> None:
        self.own.finish(checkpoint)


def share(context: FitContext, team: Team) -> FitContext:
    """The context of a fit that all processes of the team make together.

    All of them build a checkpoint together, in the same step: each may hold a part of the state.
    """
    if team.num_processes == 1:
        return context
    checkpoints = _SharedCheckpoints(team, context.checkpoints, context.is_time_up)
    return replace(
        context,
        checkpoints=checkpoints,
        is_time_up=lambda: checkpoints.is_time_up,
        find_seconds_left=lambda: team.from_main(context.find_seconds_left()),
    )


def check_shares(num_rows: int, team: Team) -> None:
    """Raises InvalidRequestError where a batch of so many rows has too few for each process."""
    if team.num_processes > 1 and num_rows < 2 * team.num_processes:
        raise InvalidRequestError(
            f"a batch has {num_rows} rows, and each of {team.num_processes} machines needs two of them: raise "
            f"batch_size to {2 * team.num_processes}, or train on fewer machines or more rows"
        )


def lost(error: BaseException) -> UnavailableError:
    """Another process of the fit does not answer: the attempt ends, and is tried again as one that was interrupted."""
    words = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return UnavailableError(
        f"Another machine of the job was lost, or could not be reached ({words}). The next attempt, where one is left, "
        "goes on from the last checkpoint."
    )
