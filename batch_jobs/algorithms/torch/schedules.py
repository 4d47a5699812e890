"""Learning rates over a training: after every step, and for the plateau after every epoch."""

from typing import Any, Protocol

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from aimass_core.domain.algorithms.networks import NetworkHyperparameters
from aimass_core.domain.algorithms.networks import Schedule as Name
from batch_jobs.algorithms import rates


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
    chosen = hyperparameters
    match chosen.schedule:
        case Name.PLATEAU:
            decay = rates.resolve_decay(chosen)
            return _Plateau(ReduceLROnPlateau(optimizer, factor=decay, patience=chosen.decay_epochs - 1))
        case Name.ONE_CYCLE:
            # torch's own, as it turns the momentum as well. NOTE: it refuses to be asked beyond its end, hence one step
            # more than there are, and it divides by zero where the rise is one step long.
            total, warmup = chosen.epochs * steps_per_epoch + 1, rates.resolve_warmup(chosen)
            rise = max(warmup, 2 / total) if warmup else 0.0
            return _ByStep(OneCycleLR(optimizer, max_lr=chosen.learning_rate, total_steps=total, pct_start=rise))
    return _ByStep(LambdaLR(optimizer, rates.build_factor(chosen, steps_per_epoch=steps_per_epoch)))


def rebuild_schedule(
    before: Schedule,
    optimizer: Optimizer,
    hyperparameters: NetworkHyperparameters,
    *,
    steps_per_epoch: int,
    num_steps: int,
) -> Schedule:
    """The schedule over another number of epochs, after so many steps; the same one where it has no end."""
    if hyperparameters.schedule not in (Name.ONE_CYCLE, Name.COSINE):
        return before
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"]
    schedule = build_schedule(optimizer, hyperparameters, steps_per_epoch=steps_per_epoch)
    for _ in range(num_steps):
        schedule.after_step()
    return schedule
