"""The training loop of every Keras network; what `algorithms.torch.loop` does, by `keras.fit`."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from aimass_core.domain.algorithms.networks import NetworkHyperparameters, Precision, Schedule
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms import rates
from batch_jobs.algorithms.class_weights import build_class_weights
from batch_jobs.algorithms.learning import Checkpoint, Examples, FitContext, Problem
from batch_jobs.algorithms.pace import EpochPace
from batch_jobs.algorithms.sharing import Alone, check_shares, share
from batch_jobs.algorithms.tensorflow.average import Average
from batch_jobs.algorithms.tensorflow.batches import Augment, Batches, to_batches
from batch_jobs.algorithms.tensorflow.losses import build_loss
from batch_jobs.algorithms.tensorflow.optimizers import build_optimizer
from batch_jobs.algorithms.tensorflow.team import Replica, TensorFlowTeam, joined

_PROBE_STEPS = 20

Build = Callable[[str], keras.Model]
"""From a Keras dtype policy to a network that answers logits [rows, classes], or standardised values [rows, 1]."""


def train_network(
    build: Build,
    hyperparameters: NetworkHyperparameters,
    problem: Problem,
    train: Examples,
    validation: Examples | None,
    *,
    context: FitContext,
    augment: Augment | None = None,
) -> tuple[keras.Model, int]:
    """A float32 network with the weights of the best epoch, and the number of that epoch.

    Without validation it does exactly `context.num_steps` epochs, on the schedule of a full training. Where a
    checkpoint lies in the context, it goes on from there.

    The processes of `context.cluster` share the work: each takes its part of every batch, so that together they make
    the steps that one would make. Rank 0 validates, and saves the checkpoints.

    Raises:
        InvalidRequestError: The loss is no longer a number, or a batch is too small to be shared; several machines
            cannot do what is asked for.
        UnavailableError: Another process of the cluster was lost.
    """
    if hyperparameters.compile and not context.cluster.is_alone:
        raise InvalidRequestError(
            "compile is true, and XLA cannot compile what machines say to each other: leave it out, train on one "
            "machine, or in torch"
        )
    with context.checkpoints.running(), joined(context.cluster) as team:
        weights, num_epochs = _Training(
            build,
            hyperparameters,
            problem,
            train,
            validation,
            context=share(context, team),
            team=team,
            augment=augment,
        ).run()
    network = build("float32")
    network.set_weights(weights)
    return network, num_epochs


@dataclass(slots=True, kw_only=True)
class _Position:
    """How far a training is: batches done in this epoch; the best epoch so far."""

    epoch: int = 1
    step: int = 0
    best_loss: float = math.inf
    best_epoch: int = 0
    num_averaged: int = 0


class _Training:
    """One network with what trains it, and how far it is."""

    def __init__(
        self,
        build: Build,
        hyperparameters: NetworkHyperparameters,
        problem: Problem,
        train: Examples,
        validation: Examples | None,
        *,
        context: FitContext,
        team: Alone | TensorFlowTeam,
        augment: Augment | None,
    ) -> None:
        chosen = hyperparameters
        self._chosen, self._problem, self._context, self._augment = chosen, problem, context, augment
        self._team = team
        check_shares(min(chosen.batch_size, train.num_rows), team)
        if chosen.batch_size > train.num_rows:
            context.listener.message(
                f"batch_size {chosen.batch_size} is more than the {train.num_rows} rows: every batch holds all of them"
            )
        weights = build_class_weights(problem, chosen, train.targets)
        row_weights = None if problem.task is Task.MULTILABEL else weights
        self._train = to_batches(train, row_weights)
        self._validation = None if validation is None else to_batches(validation, row_weights)
        network = build("mixed_bfloat16" if chosen.precision is Precision.BFLOAT16 else "float32")
        self._network = network if isinstance(team, Alone) else Replica(network, team)
        self._spread_seeds()
        self._optimizer = build_optimizer(chosen, context.listener)
        self._network.compile(
            optimizer=self._optimizer,
            loss=build_loss(problem.task, weights),
            # NOTE: XLA compiles anew for every size of batch.
            jit_compile=chosen.compile,
        )
        self._optimizer.build(self._network.trainable_variables)
        self._average = Average(self._network.weights, chosen.ema_decay) if chosen.ema_decay else None
        self._steps_per_epoch = math.ceil(math.ceil(train.num_rows / chosen.batch_size) / chosen.accumulation)
        self._factor = rates.build_factor(chosen, steps_per_epoch=self._steps_per_epoch)
        self._plateau = _Plateau(chosen)
        self._position = _Position()
        self._best = self._network.get_weights()
        is_final = validation is None and context.num_steps
        last_epoch = context.num_steps or chosen.epochs if is_final else chosen.epochs
        self._pace = EpochPace(context=context, num_epochs=chosen.epochs, last_epoch=last_epoch)
        self._is_measured = False

    def run(self) -> tuple[list[Any], int]:
        position = self._restore()
        if position is None:
            return self._best, self._position.best_epoch
        is_time_up = False
        while not is_time_up and position.epoch <= self._pace.last_epoch:
            loss = self._train_epoch()
            is_time_up = self._context.is_time_up()
            if position.step:
                self._judge_epoch(loss)
            if is_time_up:
                self._say_time_is_up()
            elif self._has_lost_patience():
                break
            else:
                position.epoch, position.step = position.epoch + 1, 0
                self._shorten()
                self._context.checkpoints.reach(self._to_checkpoint)
        self._context.checkpoints.finish(
            Checkpoint(document=self._document(), arrays=_to_arrays("best", self._best), is_finished=True)
        )
        return self._best, position.best_epoch

    def _train_epoch(self) -> float:
        """What is left of the epoch, as far as there is time; its mean loss."""
        position = self._position
        batches = self._train.shuffled(
            self._chosen.batch_size,
            seed=self._problem.seed,
            epoch=position.epoch,
            skip=position.step,
            augment=self._augment,
            part=self._team.rank,
            num_parts=self._team.num_processes,
        )
        steps = _Steps(self.before_batch, self.after_batch)
        history = self._network.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[steps])
        return float(history.history["loss"][0]) if history.history.get("loss") else math.nan

    def before_batch(self) -> None:
        """Sets the rate; at the end of the time there is no further batch."""
        done = (self._position.epoch - 1) * self._steps_per_epoch + self._position.step // self._chosen.accumulation
        self._optimizer.learning_rate.assign(self._chosen.learning_rate * self._factor(done) * self._plateau.factor)

    def after_batch(self) -> None:
        """Counts, averages, and leaves where it has to. The first batch traces the network, and says nothing of the
        time that others take."""
        self._position.step += 1
        if not self._is_measured:
            self._is_measured = True
            self._pace.begin(self._num_epochs_done)
        elif self._position.epoch == 1 and self._position.step == _PROBE_STEPS:
            self._shorten()
        if self._average is not None and self._position.step % self._chosen.accumulation == 0:
            self._average.update()
        self._context.checkpoints.reach(self._to_checkpoint)
        if self._context.is_time_up():
            self._network.stop_training = True

    @property
    def _num_epochs_done(self) -> float:
        num_steps = self._position.step // self._chosen.accumulation
        return self._position.epoch - 1 + num_steps / self._steps_per_epoch

    def _shorten(self) -> None:
        """Where there is no time for all epochs, the schedule ends with those that there is time for."""
        if self._pace.shorten(self._num_epochs_done):
            shorter = self._chosen.model_copy(update={"epochs": self._pace.last_epoch})
            self._factor = rates.build_factor(shorter, steps_per_epoch=self._steps_per_epoch)

    def _judge_epoch(self, loss: float) -> None:
        """Tells the losses, and keeps the weights where they are the best so far."""
        position = self._position
        losses = {"train": loss}
        if self._average is not None:
            self._average.swap()
        if self._validation is not None:
            losses["validation"] = self._team.from_main(self._evaluate(self._validation))
        self._require_numbers(losses)
        judged = losses.get("validation", -float(position.epoch))
        if judged < position.best_loss:
            position.best_loss, position.best_epoch = judged, position.epoch
            self._best = self._network.get_weights()
        if self._average is not None:
            self._average.swap()
        rate = float(self._optimizer.learning_rate.numpy())
        self._plateau.after_epoch(losses.get("validation", loss))
        self._context.listener.step(
            position.epoch, self._pace.last_epoch, _curves(losses, self._problem.task) | {"train/learning_rate": rate}
        )

    def _evaluate(self, batches: Batches) -> float:
        is_judge = self._team.rank == 0
        return float(self._network.evaluate(batches.in_order(), verbose=0)) if is_judge else 0.0

    def _has_lost_patience(self) -> bool:
        patience = self._chosen.patience
        return patience is not None and self._position.epoch - self._position.best_epoch >= patience

    def _require_numbers(self, losses: dict[str, float]) -> None:
        if not all(math.isfinite(loss) for loss in losses.values()):
            raise InvalidRequestError(
                f"the loss is not a number any more in epoch {self._position.epoch}: lower learning_rate from "
                f"{self._chosen.learning_rate}"
            )

    def _say_time_is_up(self) -> None:
        position = self._position
        if not position.best_epoch:
            raise InvalidRequestError("The job's time was up before the training began: give it a larger max_seconds.")
        self._context.listener.message(
            f"the job's time was up in epoch {position.epoch} of {self._pace.last_epoch}, after {position.step} of its "
            f"batches: the model is that of epoch {position.best_epoch}. A larger max_seconds, or fewer epochs, lets "
            "the schedule come to its end"
        )

    def _document(self) -> dict[str, Any]:
        return {"position": asdict(self._position), "plateau": self._plateau.to_json()}

    def _to_checkpoint(self) -> Checkpoint:
        arrays = _to_arrays("variables", [variable.numpy() for variable in self._network.variables])
        arrays |= _to_arrays("optimizer", [variable.numpy() for variable in self._optimizer.variables])
        arrays |= _to_arrays("best", self._best)
        if self._average is not None:
            self._position.num_averaged = self._average.num_updates
            arrays |= _to_arrays("average", self._average.to_arrays())
        return Checkpoint(document=self._document(), arrays=arrays)

    def _restore(self) -> _Position | None:
        """Goes on from the checkpoint, where there is one. None where it is that of a finished training."""
        stored = self._context.checkpoints.load()
        if stored is None:
            return self._position
        self._position = position = _Position(**stored.document["position"])
        self._best = _from_arrays("best", stored.arrays)
        if stored.is_finished:
            return None
        self._plateau.load(stored.document["plateau"])
        for name, variables in (("variables", self._network.variables), ("optimizer", self._optimizer.variables)):
            for variable, array in zip(variables, _from_arrays(name, stored.arrays), strict=True):
                variable.assign(array)
        if self._average is not None:
            self._average.load(_from_arrays("average", stored.arrays), num_updates=position.num_averaged)
        self._spread_seeds()
        self._context.listener.message(
            f"training goes on from a checkpoint in epoch {position.epoch}, after {position.step} of its batches"
        )
        return position

    def _spread_seeds(self) -> None:
        """Every process draws otherwise, such as for dropout; the main one as if it were alone."""
        weights = {id(weight) for weight in self._network.weights}
        for state in (variable for variable in self._network.variables if id(variable) not in weights):
            state.assign(state.numpy() + np.array([self._team.rank, 0], state.numpy().dtype))


class _Steps(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, before: Callable[[], None], after: Callable[[], None]) -> None:
        super().__init__()
        self._before, self._after = before, after

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras's signature
        self._before()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._after()


class _Plateau:
    """A factor of the rate that falls where the loss does not; as torch's ReduceLROnPlateau with its defaults."""

    _THRESHOLD = 1e-4

    def __init__(self, hyperparameters: NetworkHyperparameters) -> None:
        self._is_on = hyperparameters.schedule is Schedule.PLATEAU
        self._decay, self._patience = rates.resolve_decay(hyperparameters), hyperparameters.decay_epochs - 1
        self.factor, self._best, self._num_bad = 1.0, math.inf, 0

    def after_epoch(self, loss: float) -> None:
        if not self._is_on:
            return
        if loss < self._best * (1 - self._THRESHOLD):
            self._best, self._num_bad = loss, 0
            return
        self._num_bad += 1
        if self._num_bad > self._patience:
            self.factor, self._num_bad = self.factor * self._decay, 0

    def to_json(self) -> dict[str, float]:
        return {"factor": self.factor, "best": self._best, "num_bad": self._num_bad}

    def load(self, state: dict[str, float]) -> None:
        self.factor, self._best, self._num_bad = state["factor"], state["best"], int(state["num_bad"])


def _to_arrays(prefix: str, arrays: list[Any]) -> dict[str, Any]:
    """Numbered with leading zeros: Keras names need not be unique."""
    return {f"{prefix}/{index:05d}": np.asarray(array).copy() for index, array in enumerate(arrays)}


def _from_arrays(prefix: str, arrays: Any) -> list[Any]:
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"{prefix}/")]


def _curves(losses: dict[str, float], task: Task) -> dict[str, float]:
    if not task.is_classification:
        return {f"{name}/rmse": math.sqrt(loss) for name, loss in losses.items()}
    return {f"{name}/log_loss": loss for name, loss in losses.items()}
