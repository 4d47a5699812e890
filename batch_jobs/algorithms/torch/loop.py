"""The training loop of every network: AdamW, one-cycle learning rate, early stopping by the validation loss."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from aimass_core.domain.algorithms.networks import CnnHyperparameters, MlpHyperparameters
from aimass_core.domain.algorithms.series import FcnHyperparameters, NlinearHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Examples, FitContext, Problem

Augment = Callable[[Tensor, torch.Generator], Tensor]
_MAX_GRADIENT_NORM = 5.0
_EVALUATION_BATCH = 1024
# A network may hold some hundred times its input.
_EVALUATION_VALUES = 2**19


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Tensors in memory."""

    features: Tensor
    targets: Tensor

    def shuffled(self, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows once in random order. A last batch of one row is left out: it has no variance to normalise by."""
        for index in torch.split(torch.randperm(len(self.targets), generator=generator), size):
            if len(index) > 1 or len(self.targets) == 1:
                yield self.features[index], self.targets[index]

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows."""
        size = _evaluation_size(self.features)
        yield from zip(torch.split(self.features, size), torch.split(self.targets, size), strict=True)


def _evaluation_size(features: Tensor) -> int:
    return min(_EVALUATION_BATCH, max(_EVALUATION_VALUES // max(features[0].numel(), 1), 1))


def to_batches(examples: Examples) -> Batches:
    """Class indices stay int64; values become float32 as the network's own."""
    targets = torch.from_numpy(examples.targets)
    targets = targets.float() if targets.is_floating_point() else targets
    return Batches(features=torch.from_numpy(examples.features), targets=targets)


def train_network(
    network: nn.Module,
    hyperparameters: MlpHyperparameters | CnnHyperparameters | FcnHyperparameters | NlinearHyperparameters,
    problem: Problem,
    train: Batches,
    validation: Batches | None,
    *,
    context: FitContext,
    augment: Augment | None = None,
) -> int:
    """Trains in place and leaves the weights of the best epoch.

    The network answers logits [rows, classes], or standardised values [rows, 1].

    Without validation it does exactly `context.num_steps` epochs, on the schedule of a full training.

    Returns:
        The number of epochs that were best.

    Raises:
        InvalidRequestError: The loss is no longer a number.
    """
    loop = _build_loop(network, hyperparameters, problem, num_rows=len(train.targets), augment=augment)
    best_loss, best_epoch, best_state = math.inf, 0, copy.deepcopy(network.state_dict())
    last = context.num_steps if validation is None and context.num_steps else hyperparameters.epochs
    for epoch in range(1, last + 1):
        losses = {"train": loop.train(train, hyperparameters.batch_size)}
        if validation is not None:
            losses["validation"] = loop.evaluate(validation)
        if not all(math.isfinite(loss) for loss in losses.values()):
            raise InvalidRequestError(
                f"the loss is not a number any more in epoch {epoch}: lower learning_rate from "
                f"{hyperparameters.learning_rate}"
            )
        context.listener.step(epoch, last, _curves(losses, problem.task))
        judged = losses.get("validation", -float(epoch))
        if judged < best_loss:
            best_loss, best_epoch, best_state = judged, epoch, copy.deepcopy(network.state_dict())
        elif epoch - best_epoch >= hyperparameters.patience:
            break
    network.load_state_dict(best_state)
    network.eval()
    return best_epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loop:
    """One network with what trains it."""

    network: nn.Module
    loss_function: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    augment: Augment | None

    def train(self, batches: Batches, size: int) -> float:
        """One epoch; answers the mean loss."""
        self.network.train()
        total, num_rows = 0.0, 0
        for features, targets in batches.shuffled(size, self.generator):
            inputs = self.augment(features, self.generator) if self.augment else features
            loss = self.loss_function(_squeeze(self.network(inputs)), targets)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), _MAX_GRADIENT_NORM)
            self.optimizer.step()
            self.schedule.step()
            total += float(loss.detach()) * len(targets)
            num_rows += len(targets)
        return total / max(num_rows, 1)

    @torch.inference_mode()
    def evaluate(self, batches: Batches) -> float:
        """The mean loss of all rows."""
        self.network.eval()
        losses = [float(self.loss_function(_squeeze(self.network(x)), y)) * len(y) for x, y in batches.in_order()]
        return sum(losses) / len(batches.targets)


def _build_loop(
    network: nn.Module,
    hyperparameters: MlpHyperparameters | CnnHyperparameters | FcnHyperparameters | NlinearHyperparameters,
    problem: Problem,
    *,
    num_rows: int,
    augment: Augment | None,
) -> _Loop:
    chosen = hyperparameters
    optimizer = torch.optim.AdamW(network.parameters(), lr=chosen.learning_rate, weight_decay=chosen.weight_decay)
    # One step more than there are batches: the schedule refuses to be asked beyond its end.
    total_steps = chosen.epochs * math.ceil(num_rows / chosen.batch_size) + 1
    return _Loop(
        network=network,
        loss_function=nn.CrossEntropyLoss() if problem.task.is_classification else nn.MSELoss(),
        optimizer=optimizer,
        schedule=torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=chosen.learning_rate, total_steps=total_steps, pct_start=0.25
        ),
        generator=torch.Generator().manual_seed(problem.seed),
        augment=augment,
    )


def _squeeze(output: Tensor) -> Tensor:
    return output.squeeze(1) if output.shape[1] == 1 else output


def _curves(losses: dict[str, float], task: Task) -> dict[str, float]:
    if not task.is_classification:
        return {f"{name}/rmse": math.sqrt(loss) for name, loss in losses.items()}
    return {f"{name}/log_loss": loss for name, loss in losses.items()}


@torch.inference_mode()
def predict_scores(answer: nn.Module, features: Any) -> Any:
    """Final scores of all rows as numpy, in batches."""
    answer.eval()
    tensor = torch.from_numpy(features)
    parts = [answer(part) for part in torch.split(tensor, _evaluation_size(tensor))]
    return torch.cat(parts).numpy()
