"""Learning rates over a training: after every step, and for the plateau after every epoch."""

import math
from typing import Any, Protocol

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from aimass_core.domain.algorithms.networks import NetworkHyperparameters
from aimass_core.domain.algorithms.networks import Schedule as Name

_WARMUP = {Name.ONE_CYCLE: 0.25, Name.COSINE: 0.05}
_DECAY = {Name.EXPONENTIAL: 0.95, Name.STEP: 0.1, Name.PLATEAU: 0.5}


class Schedule(Protocol):
    """Sets the optimizer's learning rate. Its state is JSON."""

    def after_step(self) -> None:
        """The optimizer has made a step."""

    def after_epoch(self, loss: float) -> None:
        """An epoch is done; its validation loss, or without validation the training loss."""

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on as if it had been there."""


class _ByStep:
    def __init__(self, scheduler: LRScheduler) -> None:
        self._scheduler = scheduler
        self.state_dict, self.load_state_dict = scheduler.state_dict, scheduler.load_state_dict

    def after_step(self) -> None:
        self._scheduler.step()

    def after_epoch(self, loss: float) -> None:
        pass


class _Plateau:
    def __init__(self, scheduler: ReduceLROnPlateau) -> None:
        self._scheduler = scheduler
        self.state_dict, self.load_state_dict = scheduler.state_dict, scheduler.load_state_dict

    def after_step(self) -> None:
        pass

    def after_epoch(self, loss: float) -> None:
        self._scheduler.step(loss)


def build_schedule(optimizer: Optimizer, hyperparameters: NetworkHyperparameters, *, steps_per_epoch: int) -> Schedule:
    """The schedule over `hyperparameters.epochs`, however early the training ends."""
    chosen, num_steps = hyperparameters, hyperparameters.epochs * steps_per_epoch
    warmup = _WARMUP.get(chosen.schedule, 0.0) if chosen.warmup is None else chosen.warmup
    decay = _DECAY.get(chosen.schedule, 1.0) if chosen.decay is None else chosen.decay
    match chosen.schedule:
        case Name.PLATEAU:
            return _Plateau(ReduceLROnPlateau(optimizer, factor=decay, patience=chosen.decay_epochs - 1))
        case Name.ONE_CYCLE:
            # NOTE: it refuses to be asked beyond its end, hence one step more than there are, and it divides by zero
            # where the rise is one step long.
            total = num_steps + 1
            rise = max(warmup, 2 / total) if warmup else 0.0
            return _ByStep(OneCycleLR(optimizer, max_lr=chosen.learning_rate, total_steps=total, pct_start=rise))
    num_rising = round(warmup * num_steps)

    def factor(step: int) -> float:
        if step < num_rising:
            return (step + 1) / (num_rising + 1)
        epoch = step // steps_per_epoch
        match chosen.schedule:
            case Name.EXPONENTIAL:
                return decay**epoch
            case Name.STEP:
                return float(decay ** (epoch // chosen.decay_epochs))
            case Name.COSINE:
                return 0.5 + 0.5 * math.cos(math.pi * (step - num_rising) / max(num_steps - num_rising, 1))
            case _:
                return 1.0

    return _ByStep(LambdaLR(optimizer, factor))
