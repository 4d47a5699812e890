"""The training loop of every network: it stops early by the validation loss, at its deadline, and goes on after both
a polite and a rude end of its process.
"""

import math
from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn

from aimass_core.domain.algorithms.networks import NetworkHyperparameters, Sharding
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Checkpoint, FitContext, Problem
from batch_jobs.algorithms.pace import EpochPace
from batch_jobs.algorithms.sharing import Team, check_shares, share
from batch_jobs.algorithms.torch import states
from batch_jobs.algorithms.torch.batches import Batches
from batch_jobs.algorithms.torch.devices import CPU, choose_device, to_device
from batch_jobs.algorithms.torch.ema import build_average
from batch_jobs.algorithms.torch.losses import build_loss
from batch_jobs.algorithms.torch.numerics import autocast, repeatable
from batch_jobs.algorithms.torch.optimizers import build_optimizer
from batch_jobs.algorithms.torch.schedules import build_schedule, rebuild_schedule
from batch_jobs.algorithms.torch.states import Position, Randomness
from batch_jobs.algorithms.torch.team import Replica, gathered, joined, share_buffers
from batch_jobs.data.augmentation.mixing import Mixture

_PROBE_STEPS = 20

Augment = Callable[[Tensor, torch.Generator], Tensor]
Mix = Callable[[Tensor, torch.Generator], tuple[Tensor, Mixture | None]]
Group = list[tuple[Tensor, Tensor, Tensor]]


def train_network(
    network: nn.Module,
    hyperparameters: NetworkHyperparameters,
    problem: Problem,
    train: Batches,
    validation: Batches | None,
    *,
    context: FitContext,
    augment: Augment | None = None,
    mix: Mix | None = None,
) -> int:
    """Trains in place and leaves the weights of the best epoch.

    The network answers logits [rows, classes], or standardised values [rows, 1].

    The processes of `context.cluster` share the work: each takes its part of every batch, so that together they make
    the steps that one would make. Rank 0 validates, and saves the checkpoints. Where each holds only a part of the
    network, all of them validate.

    Without validation it does exactly `context.num_steps` epochs, on the schedule of a full training. Where a
    checkpoint lies in the context, it goes on from there.

    Returns:
        The number of epochs that were best.

    Raises:
        InvalidRequestError: The loss is no longer a number, or a batch is too small to be shared.
        UnavailableError: Another process of the cluster was lost.
    """
    with (
        repeatable(hyperparameters.deterministic),
        context.checkpoints.running(),
        joined(context.cluster) as team,
    ):
        return _Training(
            network,
            hyperparameters,
            problem,
            train,
            validation,
            context=share(context, team),
            team=team,
            augment=augment,
            mix=mix,
        ).run()


class _Training:
    """One network with what trains it, and how far it is."""

    def __init__(
        self,
        network: nn.Module,
        hyperparameters: NetworkHyperparameters,
        problem: Problem,
        train: Batches,
        validation: Batches | None,
        *,
        context: FitContext,
        team: Team,
        augment: Augment | None,
        mix: Mix | None,
    ) -> None:
        chosen = hyperparameters
        self._model, self._chosen, self._problem = network, chosen, problem
        self._train, self._validation = train, validation
        self._context, self._augment, self._mix = context, augment, mix
        self._team, self._device = team, choose_device(team.rank, context.listener.message)
        num_rows = len(train.targets)
        check_shares(min(chosen.batch_size, num_rows), team)
        if chosen.batch_size > num_rows:
            context.listener.message(
                f"batch_size {chosen.batch_size} is more than the {num_rows} rows: every batch holds all of them"
            )
        if chosen.sharding is Sharding.FULL and team.num_processes == 1:
            context.listener.message("sharding is left out: it takes several machines, and this job has one")
        average = build_average(network, chosen.ema_decay)
        self._replica = Replica(network, team, self._device, hyperparameters=chosen, listener=context.listener)
        self._network: nn.Module = self._replica.network
        if average is not None:
            average.module = self._replica.place(average.module)
        self._average = average
        self._loss = build_loss(problem, chosen, train.targets, self._device)
        self._optimizer = build_optimizer(self._network, chosen)
        self._steps_per_epoch = math.ceil(math.ceil(num_rows / chosen.batch_size) / chosen.accumulation)
        self._schedule = build_schedule(self._optimizer, chosen, steps_per_epoch=self._steps_per_epoch)
        self._random = Randomness(generator=torch.Generator().manual_seed(problem.seed))
        self._position = Position()
        self._best = states.copy_weights(self._network)
        is_final = validation is None and context.num_steps
        last_epoch = context.num_steps or chosen.epochs if is_final else chosen.epochs
        self._pace = EpochPace(context=context, num_epochs=chosen.epochs, last_epoch=last_epoch)

    @property
    def _judged(self) -> nn.Module:
        """The network that would be the model now."""
        return self._network if self._average is None else self._average.module

    def run(self) -> int:
        stored = self._context.checkpoints.load()
        if stored is not None and stored.is_finished:
            self._position = Position(**stored.document["position"])
            return self._leave(states.to_tensors("best", stored.arrays))
        if stored is not None:
            self._restore(stored)
        self._pace.begin(self._num_epochs_done)
        is_time_up = False
        while not is_time_up and self._position.epoch <= self._pace.last_epoch:
            is_time_up = not self._train_epoch()
            if self._position.step:
                self._judge_epoch()
            if is_time_up:
                self._say_time_is_up()
            elif self._has_lost_patience():
                break
            else:
                self._position.begin_epoch(self._position.epoch + 1)
                self._shorten()
                self._context.checkpoints.reach(self._to_checkpoint)
        self._context.checkpoints.finish(self._to_finished())
        return self._leave(self._best)

    def _train_epoch(self) -> bool:
        """What is left of the epoch; whether there was time for all of it."""
        self._network.train()
        groups = self._groups()
        group = next(groups, None)
        while group is not None:
            if self._context.is_time_up():
                return False
            weight = sum(self._loss.weigh(targets) for _, _, targets in group)
            loss_sum = self._step(group, weight)
            # While a GPU is at it, the next batches are made ready.
            following = next(groups, None)
            self._note(loss_sum, weight)
            if self._position.epoch == 1 and self._position.step == _PROBE_STEPS:
                self._shorten()
            self._context.checkpoints.reach(self._to_checkpoint)
            group = following
        return True

    @property
    def _num_epochs_done(self) -> float:
        return self._position.epoch - 1 + self._position.step / self._steps_per_epoch

    def _shorten(self) -> None:
        """Where there is no time for all epochs, the schedule ends with those that there is time for."""
        if not self._pace.shorten(self._num_epochs_done):
            return
        num_steps = (self._position.epoch - 1) * self._steps_per_epoch + self._position.step
        shorter = self._chosen.model_copy(update={"epochs": self._pace.last_epoch})
        self._schedule = rebuild_schedule(
            self._schedule, self._optimizer, shorter, steps_per_epoch=self._steps_per_epoch, num_steps=num_steps
        )

    def _note(self, loss_sum: Tensor, weight: float) -> None:
        """The step is done. The others' losses are asked for when somebody wants to see them: it takes time."""
        position = self._position
        position.loss_sum += float(loss_sum)
        position.weight_sum += weight
        position.step += 1
        if self._team.num_processes == 1:
            self._require_number(position.loss_sum)

    def _gather_losses(self) -> list[float]:
        """The sum of this epoch's losses of each process, by rank."""
        sums = gathered(self._team, self._position.loss_sum)
        self._require_number(sum(sums))
        return sums

    def _groups(self) -> Iterator[Group]:
        """The batches that make one step each. In a resumed epoch those that had their turn are passed over."""
        now = self._random.generator.get_state()
        if self._position.step:
            self._random.generator.set_state(self._random.epoch_began)
        else:
            self._random.begin_epoch()
        batches = self._train.shuffled(
            self._chosen.batch_size, self._random.generator, part=self._team.rank, num_parts=self._team.num_processes
        )
        num_done = self._position.step * self._chosen.accumulation
        if num_done:
            for _ in islice(batches, num_done):
                pass
            self._random.generator.set_state(now)
        while group := list(islice(batches, self._chosen.accumulation)):
            yield [
                (to_device(features, self._device), to_device(targets, self._device), of_all)
                for features, targets, of_all in group
            ]

    def _step(self, group: Group, weight: float) -> Tensor:
        """One step of the optimizer by the mean loss over all batches of the group; the sum of this process's losses.

        NOTE: nothing in here may wait for a GPU: no tensor becomes a number.
        """
        # A replica's gradients are the mean of the processes', and the step is by the sum of their parts.
        divisor = weight / self._team.num_processes
        generator, loss_sum = self._begin_step(), torch.zeros((), dtype=torch.float64, device=self._device)
        self._optimizer.zero_grad(set_to_none=True)
        for number, (features, targets, _) in enumerate(group, start=1):
            inputs = self._augment(features, generator) if self._augment else features
            inputs, mixture = self._mix(inputs, generator) if self._mix else (inputs, None)
            with self._replica.gathering(is_last=number == len(group)):
                with autocast(self._chosen.precision, self._device):
                    output = self._replica(inputs)
                loss = self._loss.sum(output, targets)
                if mixture is not None:
                    # The others are the same rows in another order: their weights add up to the same.
                    loss = torch.lerp(self._loss.sum(output, targets[mixture.order]), loss, mixture.share)
                loss_sum += loss.detach()
                (loss / divisor).backward()  # type: ignore[no-untyped-call]
        if self._chosen.max_gradient_norm is not None:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._chosen.max_gradient_norm)
        self._optimizer.step()
        self._schedule.after_step()
        if self._average is not None:
            self._average.update_parameters(self._network)
        return loss_sum

    def _begin_step(self) -> torch.Generator:
        if self._team.num_processes == 1:
            return self._random.generator
        return self._random.begin_step(self._position, seed=self._problem.seed, rank=self._team.rank)

    def _judge_epoch(self) -> None:
        """Tells the losses, and keeps the weights where they are the best so far."""
        position = self._position
        losses, others = {"train": sum(self._gather_losses()) / position.weight_sum}, {}
        share_buffers(self._team, self._judged)
        if self._validation is not None:
            is_judge = self._team.rank == 0 or self._replica.is_in_parts
            judgement = self._team.from_main(self._evaluate(self._validation) if is_judge else (0.0, None))
            losses["validation"], accuracy = judgement
            self._require_number(losses["validation"])
            others = {} if accuracy is None else {"validation/accuracy": accuracy}
        rate = float(self._optimizer.param_groups[0]["lr"])
        curves = _curves(losses, self._problem.task) | others | {"train/learning_rate": rate}
        self._context.listener.step(position.epoch, self._pace.last_epoch, curves)
        self._schedule.after_epoch(losses.get("validation", losses["train"]))
        judged = losses.get("validation", -float(position.epoch))
        if judged < position.best_loss:
            position.best_loss, position.best_epoch = judged, position.epoch
            self._best = states.copy_weights(self._judged)

    @torch.no_grad()
    def _evaluate(self, batches: Batches) -> tuple[float, float | None]:
        """The mean loss of all rows and, where there are classes, the share of right answers."""
        self._judged.eval()
        has_classes = self._problem.task in (Task.BINARY, Task.MULTICLASS)
        loss = weight = num_hits = 0.0
        for features, targets in batches.in_order():
            output, wanted = self._judged(to_device(features, self._device)), to_device(targets, self._device)
            loss += float(self._loss.sum(output, wanted))
            weight += self._loss.weigh(targets)
            if has_classes:
                classes = wanted if wanted.dim() == 1 else wanted.argmax(1)
                num_hits += int((output.argmax(1) == classes).sum())
        accuracy = num_hits / len(batches.targets) if has_classes else None
        return loss / (weight or 1.0), accuracy

    def _has_lost_patience(self) -> bool:
        patience = self._chosen.patience
        return patience is not None and self._position.epoch - self._position.best_epoch >= patience

    def _require_number(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise InvalidRequestError(
                f"the loss is not a number any more in epoch {self._position.epoch}, step {self._position.step + 1}: "
                f"lower learning_rate from {self._chosen.learning_rate}"
            )

    def _say_time_is_up(self) -> None:
        position = self._position
        if not position.best_epoch:
            raise InvalidRequestError("The job's time was up before the training began: give it a larger max_seconds.")
        self._context.listener.message(
            f"the job's time was up in epoch {position.epoch} of {self._pace.last_epoch}, after {position.step} of its "
            f"steps: the model is that of epoch {position.best_epoch}. A larger max_seconds, or fewer epochs, lets the "
            "schedule come to its end"
        )

    def _to_checkpoint(self) -> Checkpoint:
        optimizer, moments = states.optimizer_to_state(self._optimizer)
        document = {
            "position": self._position.to_json(),
            "loss_sums": self._gather_losses(),
            "optimizer": optimizer,
            "schedule": self._schedule.state_dict(),
        }
        arrays = {
            **states.to_arrays("network", self._network.state_dict()),
            **states.to_arrays("best", self._best),
            **moments,
            **self._random.to_arrays(),
        }
        if self._average is not None:
            arrays |= states.to_arrays("average", self._average.state_dict())
        return Checkpoint(document=document, arrays=arrays)

    def _to_finished(self) -> Checkpoint:
        document = {"position": self._position.to_json()}
        return Checkpoint(document=document, arrays=states.to_arrays("best", self._best), is_finished=True)

    def _restore(self, stored: Checkpoint) -> None:
        self._position = Position(**stored.document["position"])
        self._position.loss_sum = stored.document["loss_sums"][self._team.rank]
        states.load_network(self._network, "network", stored.arrays)
        self._best = states.to_tensors("best", stored.arrays)
        states.load_optimizer(self._optimizer, stored.document["optimizer"], stored.arrays)
        self._schedule.load_state_dict(stored.document["schedule"])
        if self._average is not None:
            states.load_network(self._average, "average", stored.arrays)
        self._random.from_arrays(stored.arrays)
        at = f"epoch {self._position.epoch}, after {self._position.step} of its steps"
        self._context.listener.message(f"training goes on from a checkpoint in {at}")

    def _leave(self, best: dict[str, Tensor]) -> int:
        """Whatever it was trained on, the model is on the processor."""
        self._model.load_state_dict(best)
        self._model.to(CPU).eval()
        return self._position.best_epoch


def _curves(losses: dict[str, float], task: Task) -> dict[str, float]:
    if not task.is_classification:
        return {f"{name}/rmse": math.sqrt(loss) for name, loss in losses.items()}
    return {f"{name}/log_loss": loss for name, loss in losses.items()}
