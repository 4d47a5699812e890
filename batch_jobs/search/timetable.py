"""When the trials of a study end, so that its best model is handed over before the job is killed."""

import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]

# What comes after the last trial takes 3 s of an idle processor, and 6 s where an ensemble has 25 MB.
_RESERVED_SECONDS = 6.0
_READINGS = 2.0
_MAX_RESERVED_SHARE = 0.35
_MAX_RESERVED_SECONDS = 900.0
_MIN_TRIAL_SECONDS = 5.0
# Trees take a sixth of their fit.
_EXPORT_SHARE = 0.25
# A last trial has the last part of the time to itself, where it is so many times what the trial had before.
_LAST_SHARE, _LAST_TIMES = 0.3, 1.3


@dataclass(slots=True, kw_only=True)
class Timetable:
    """Trials have the time from `begins` to `ends`, and one of them at most `trial_share` of what is left of it.

    `deadline` is when the job is killed; None: there is no end.
    """

    begins: float
    deadline: float | None
    reserved_seconds: float = 0.0
    trial_share: float = 1.0
    clock: Clock = time.monotonic

    @property
    def ends(self) -> float | None:
        """When no trial may begin, and those that run end with what they have. None: never."""
        return None if self.deadline is None else self.deadline - self.reserved_seconds

    @property
    def seconds(self) -> float | None:
        """What trials have in all."""
        return None if self.ends is None else self.ends - self.begins

    @property
    def all_seconds(self) -> float:
        """From the first trial to the end of the job; 0 where there is no end."""
        return 0.0 if self.deadline is None else self.deadline - self.begins

    @property
    def most_reserved_seconds(self) -> float:
        """What trials leave at most for what comes after them."""
        return min(_MAX_RESERVED_SHARE * self.all_seconds, _MAX_RESERVED_SECONDS)

    def reserve(self, seconds: float) -> None:
        """So much is wanted for what comes after the trials."""
        if self.deadline is not None:
            self.reserved_seconds = min(max(seconds, _RESERVED_SECONDS), self.most_reserved_seconds)

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

    def is_last_turn(self, trial_seconds: float, *, another_seconds: float) -> bool:
        """Whether it is time to carry out a trial again with all that is left, which is more than the seconds that it
        had: in the last part of the time, or before it, if there would not be enough after another trial."""
        if self.seconds is None or self.seconds_left is None:
            return False
        least, last = _LAST_TIMES * trial_seconds, _LAST_SHARE * self.seconds
        return least < self.seconds_left <= (last if least < last else least + another_seconds)

    def trial_deadline(self, *, export_seconds: float | None = 0.0, is_last: bool = False) -> float | None:
        """When the fit of a trial that begins now has to end; its export takes so long, None: nobody knows yet. The
        share of a trial has room for it as far as half of it goes. The last one has all time."""
        if self.ends is None:
            return None
        now = self.clock()
        share = max((1.0 if is_last else self.trial_share) * (self.ends - now), _MIN_TRIAL_SECONDS)
        room = share * _EXPORT_SHARE if export_seconds is None else min(export_seconds, share / 2)
        return min(self.ends - (export_seconds or 0.0), now + share - room)


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
    timetable = Timetable(begins=now, deadline=deadline, trial_share=trial_share, clock=clock)
    if deadline is not None:
        timetable.reserve(_RESERVED_SECONDS + reserved_share * (deadline - now) + _READINGS * reading_seconds)
    return timetable
