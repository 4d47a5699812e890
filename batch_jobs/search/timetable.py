"""When the trials of a study end, so that its best model is handed over before the job is killed."""

import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]

# What comes after the last trial took 7 s of a study of 33k rows, on two processors that ten processes used.
_RESERVED_SECONDS = 10.0
_READINGS = 2.0
_MAX_RESERVED_SHARE = 0.4
_MAX_RESERVED_SECONDS = 900.0
_MIN_TRIAL_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """`ends`: when no trial may begin, and those that run end with what they have. None: there is no end.

    `trial_share` of all that time is the most that one trial gets.
    """

    begins: float
    ends: float | None
    trial_share: float = 1.0
    clock: Clock = time.monotonic

    def is_over(self) -> bool:
        """Whether no trial may begin."""
        return self.ends is not None and self.clock() >= self.ends

    @property
    def seconds_left(self) -> float | None:
        """Until the trials end."""
        return None if self.ends is None else max(self.ends - self.clock(), 0.0)

    def has_room(self, seconds: float) -> bool:
        """Whether there is so much time until the trials end."""
        return self.ends is None or self.clock() + seconds <= self.ends

    def trial_deadline(self, *, export_seconds: float = 0.0) -> float | None:
        """When the fit of a trial that begins now has to end; its export takes so long."""
        if self.ends is None:
            return None
        share = max(self.trial_share * (self.ends - self.begins), _MIN_TRIAL_SECONDS)
        return min(self.ends - export_seconds, self.clock() + share)


def plan(
    deadline: float | None,
    *,
    reading_seconds: float,
    trial_share: float = 1.0,
    reserved_share: float = 0.1,
    clock: Clock = time.monotonic,
) -> Timetable:
    """Of a job that will be killed at the deadline."""
    now = clock()
    if deadline is None:
        return Timetable(begins=now, ends=None, trial_share=trial_share, clock=clock)
    left = deadline - now
    wanted = _RESERVED_SECONDS + reserved_share * left + _READINGS * reading_seconds
    reserved = min(wanted, _MAX_RESERVED_SHARE * left, _MAX_RESERVED_SECONDS)
    return Timetable(begins=now, ends=deadline - reserved, trial_share=trial_share, clock=clock)
