"""When a fit ends: with the best of its rounds, and in the seconds that it has instead of being cut by them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from batch_jobs.algorithms.learning import FitContext

# A booster has learned most of what it will once its rates add up to so much: 16 where seven types of forest were best
# with rates of .05, 10 and less on binary tasks of the same size.
_ENOUGH = 20.0
# Beyond it boosters are worse for it, however few rounds they have.
_MAX_RATE = 0.3
_EVERY_ROUNDS = 10
VALIDATION_ACCURACY = "validation/accuracy"
_LOSSES = frozenset({"validation/log_loss", "validation/rmse"})
# Of the time that is left so much is counted on; what differs by less is left as it is.
_SAFE, _LEAST_CHANGE = 0.9, 1.05


@dataclass(slots=True, kw_only=True)
class BoostingPace:
    """Raises a booster's learning rate where its rounds are too slow to add up to a model by when time is up.

    `rounds_first` are those that an earlier attempt did.
    """

    context: FitContext
    rate: float
    num_rounds: int
    rounds_first: int = 0
    _sums: list[float] = field(default_factory=list, init=False)
    _measured_at: tuple[int, float] | None = field(default=None, init=False)
    _is_raised: bool = field(default=False, init=False)

    def after_round(self) -> float | None:
        """A round is done. The new rate, where it is another one from now on."""
        self._sums.append((self._sums[-1] if self._sums else self.rounds_first * self.rate) + self.rate)
        if len(self._sums) % _EVERY_ROUNDS != 1:
            return None
        before, now = self._measured_at, (len(self._sums), self.context.find_seconds_left())
        self._measured_at = now
        if before is None or not math.isfinite(now[1]):
            return None
        rounds_left = self.num_rounds - self.rounds_first - len(self._sums)
        round_seconds = max(before[1] - now[1], 1e-9) / (now[0] - before[0])
        possible = max(now[1] * _SAFE / round_seconds, 1.0)
        missing = min(_ENOUGH - self._sums[-1], rounds_left * self.rate)
        rate = min(missing / possible, _MAX_RATE)
        if rate <= self.rate * _LEAST_CHANGE:
            return None
        self.rate, self._is_raised = rate, True
        return rate

    def forget(self) -> None:
        """The round that comes is not like others: what was measured does not count, and measuring begins anew."""
        self._measured_at = None

    def finish(self, best_round: int) -> None:
        """Tells the context the mean rate of the rounds that make the model, where it is not what was asked for."""
        if not self._is_raised:
            return
        best = max(best_round - self.rounds_first, 1)
        mean = self._sums[best - 1] / max(best_round, 1)
        self.context.adapt({"learning_rate": float(f"{mean:.4g}")})
        self.context.listener.message(
            f"learning_rate was raised to {mean:.3g} in the mean, so that the rounds that there was time for add up to "
            "a model: a larger max_seconds has room for more and smaller ones"
        )


@dataclass(slots=True, kw_only=True)
class BestRound:
    """Which round of a booster is the best by its validation rows, counted from 1.

    Where accuracy is measured it comes first, and the loss where it ties: see docs/RESULTS.md, Autotrain.
    """

    best_round: int = 0
    best_loss: float = math.inf
    best_accuracy: float = -math.inf
    least_round: int = 0
    """That with the least loss."""
    least_loss: float = math.inf

    def keep(self, number: int, figures: Mapping[str, float]) -> int:
        """This round has these figures. Returns how many rounds it is since one was better by either."""
        loss = next(value for name, value in figures.items() if name in _LOSSES)
        accuracy = figures.get(VALIDATION_ACCURACY, -math.inf)
        if loss < self.least_loss:
            self.least_loss, self.least_round = loss, number
        if (-accuracy, loss) < (-self.best_accuracy, self.best_loss):
            self.best_accuracy, self.best_loss, self.best_round = accuracy, loss, number
        return number - max(self.best_round, self.least_round)


def plan_epochs(*, num_done: float, seconds_done: float, seconds_left: float, num_epochs: int) -> int:
    """How many of the epochs there is time for, as long as those took that are done; one at least, and not fewer than
    are begun."""
    if not math.isfinite(seconds_left) or num_done <= 0:
        return num_epochs
    possible = num_done + max(seconds_left, 0.0) * _SAFE / max(seconds_done / num_done, 1e-9)
    return min(num_epochs, max(math.floor(possible), math.ceil(num_done), 1))


@dataclass(slots=True, kw_only=True)
class EpochPace:
    """Ends a network's schedule with the epochs that there is time for, where that is not all of them."""

    context: FitContext
    num_epochs: int
    last_epoch: int
    _began: tuple[float, float] | None = field(default=None, init=False)
    _is_shortened: bool = field(default=False, init=False)

    def begin(self, num_done: float) -> None:
        """From here on epochs are measured: so many are done already."""
        self._began = num_done, self.context.find_seconds_left()

    def shorten(self, num_done: float) -> bool:
        """So many epochs are done. Whether `last_epoch` is an earlier one now, which the context is told."""
        if self._began is None or self.context.num_steps is not None:
            return False
        (num_before, left_before), seconds_left = self._began, self.context.find_seconds_left()
        if not math.isfinite(seconds_left):
            return False
        epochs = plan_epochs(
            num_done=num_done - num_before,
            seconds_done=left_before - seconds_left,
            seconds_left=seconds_left,
            num_epochs=self.last_epoch - math.floor(num_before),
        ) + math.floor(num_before)
        if epochs >= self.last_epoch:
            return False
        if not self._is_shortened:
            self._is_shortened = True
            self.context.listener.message(
                f"there is time for about {epochs} of {self.num_epochs} epochs: the schedule ends with them. A larger "
                "max_seconds has room for more"
            )
        self.last_epoch = epochs
        self.context.adapt({"epochs": epochs})
        return True
