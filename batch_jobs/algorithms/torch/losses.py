"""What a network is trained to make small."""

import torch
from torch import Tensor, nn

from aimass_core.domain.algorithms.networks import NetworkHyperparameters
from batch_jobs.algorithms.class_weights import build_class_weights
from batch_jobs.algorithms.learning import Problem


class Loss:
    """A mean over rows, in which the rows of a class may count more than others.

    Rows are weighed on the processor, where all of a batch's targets are.
    """

    def __init__(self, function: nn.Module, class_weights: Tensor | None) -> None:
        self._function, self._class_weights = function, class_weights

    def sum(self, output: Tensor, targets: Tensor) -> Tensor:
        """Of all rows, each by its weight; in float32 whatever the network computed in."""
        flat = output.squeeze(1) if output.dim() > targets.dim() and output.shape[1] == 1 else output
        losses: Tensor = self._function(flat.float(), targets)
        return (losses.flatten(1).mean(1) if losses.dim() > 1 else losses).sum()

    def weigh(self, targets: Tensor) -> float:
        """The sum of the rows' weights."""
        return float(len(targets) if self._class_weights is None else self._class_weights[targets].sum())


def build_loss(
    problem: Problem, hyperparameters: NetworkHyperparameters, targets: Tensor, device: torch.device
) -> Loss:
    """Squared error of values, cross entropy of classes.

    Raises:
        InvalidRequestError: Balanced values.
    """
    weights = build_class_weights(problem, hyperparameters, targets.numpy())
    if not problem.task.is_classification:
        return Loss(nn.MSELoss(reduction="none"), None)
    shares = None if weights is None else torch.from_numpy(weights)
    return Loss(nn.CrossEntropyLoss(weight=shares, reduction="none").to(device), shares)
