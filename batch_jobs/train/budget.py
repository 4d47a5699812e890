"""How long a job's fits may take, so that its model is exported, judged and handed over before the job is killed."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]

# What comes after the fit took, on two processors that others used as well (seconds, and of processor time):
# xgboost on 33k rows 4 (1), mlp on the same 14 (4), cnn on 10k images to judge 67 (9), whose reading had taken 60 (11).
_RESERVED_SECONDS = 30.0
_RESERVED_SHARE = 0.1
_MAX_RESERVED_SHARE = 0.5
_MAX_RESERVED_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The time of all fits together. Without a deadline there is no end to it, but `is_ended` may say so."""

    deadline: float | None
    is_ended: Callable[[], bool] = lambda: False
    clock: Clock = time.monotonic

    def share(self, num_fits: float) -> "Share":
        """The next fit's time, where so many are still to come and each gets as much as the others."""
        now = self.clock()
        end = math.inf if self.deadline is None else now + (self.deadline - now) / num_fits
        return Share(end=end, is_ended=self.is_ended, clock=self.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The time of one fit."""

    end: float
    is_ended: Callable[[], bool]
    clock: Clock

    def is_up(self) -> bool:
        """Whether the fit has to end."""
        return self.clock() >= self.end or self.is_ended()

    def seconds_left(self) -> float:
        """Until it has to; inf: no end is set."""
        return self.end - self.clock()


def begin_budget(deadline: float | None, *, reading_seconds: float, clock: Clock = time.monotonic) -> Budget:
    """Of a job that will be killed at the deadline: what comes after the fits has its time reserved.

    The longer the data took to be read, the longer it will take to be judged by, on this machine as busy as it is.
    """
    if deadline is None:
        return Budget(deadline=None, clock=clock)
    left = deadline - clock()
    wanted = _RESERVED_SECONDS + _RESERVED_SHARE * left + reading_seconds
    reserved = min(wanted, _MAX_RESERVED_SHARE * left, _MAX_RESERVED_SECONDS)
    return Budget(deadline=deadline - reserved, clock=clock)
