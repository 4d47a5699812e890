"""Learning rate schedules as one function of the step, for every framework."""

import math
from collections.abc import Callable

from aimass_core.domain.algorithms.networks import NetworkHyperparameters, Schedule

_WARMUP = {Schedule.ONE_CYCLE: 0.25, Schedule.COSINE: 0.05}
_DECAY = {Schedule.EXPONENTIAL: 0.95, Schedule.STEP: 0.1, Schedule.PLATEAU: 0.5}
# Smith & Topin 2018, with the ratios that PyTorch and fastai use: first / highest, and last / first.
_ONE_CYCLE_FIRST = 1 / 25
_ONE_CYCLE_LAST = _ONE_CYCLE_FIRST * 1e-4


def resolve_warmup(chosen: NetworkHyperparameters) -> float:
    """The part of all steps in which the rate rises."""
    return _WARMUP.get(chosen.schedule, 0.0) if chosen.warmup is None else chosen.warmup


def resolve_decay(chosen: NetworkHyperparameters) -> float:
    """The factor of the schedules that have one."""
    return _DECAY.get(chosen.schedule, 1.0) if chosen.decay is None else chosen.decay


def build_factor(chosen: NetworkHyperparameters, *, steps_per_epoch: int) -> Callable[[int], float]:
    """From a step, counted from 0, to the factor of `learning_rate`, over `chosen.epochs` however early they end.

    The plateau's is 1: it follows the losses, not the steps.
    """
    num_steps = chosen.epochs * steps_per_epoch
    num_rising = round(resolve_warmup(chosen) * num_steps)
    decay = resolve_decay(chosen)

    def one_cycle(step: int) -> float:
        if step < num_rising:
            return _between(_ONE_CYCLE_FIRST, 1.0, step / num_rising)
        return _between(1.0, _ONE_CYCLE_LAST, (step - num_rising) / max(num_steps - num_rising, 1))

    def after_rise(step: int) -> float:
        epoch = step // steps_per_epoch
        match chosen.schedule:
            case Schedule.EXPONENTIAL:
                return decay**epoch
            case Schedule.STEP:
                return float(decay ** (epoch // chosen.decay_epochs))
            case Schedule.COSINE:
                return _between(1.0, 0.0, (step - num_rising) / max(num_steps - num_rising, 1))
            case _:
                return 1.0

    if chosen.schedule is Schedule.ONE_CYCLE:
        return one_cycle
    return lambda step: (step + 1) / (num_rising + 1) if step < num_rising else after_rise(step)


def _between(start: float, end: float, done: float) -> float:
    """Half a wave of the cosine from one value to the other."""
    return end + (start - end) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
